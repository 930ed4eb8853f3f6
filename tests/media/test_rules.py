# ruff: noqa: DTZ001 - the time of a camera's clock has no zone
from __future__ import annotations

import unicodedata
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.media.facts import (
    OffsetOrigin,
    Place,
    PlaceRefusal,
    StatedPlace,
    StatedTime,
    TimeOrigin,
    TimeRefusal,
)
from lading.media.kind import RAW_ENDINGS
from lading.media.rules import (
    Belongs,
    Companion,
    choose_capture,
    choose_place,
    judge_place,
    judge_time,
    offset_from_gps,
    pair,
    parse_iso_6709,
    parse_offset,
    parse_time,
)

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PICTURES = frozenset({"jpg", "jpeg", "heic", "png"})


def stated(text: str, origin: TimeOrigin = TimeOrigin.EXIF_ORIGINAL, **more: str) -> StatedTime:
    return parse_time(origin, text, **more)


@pytest.mark.parametrize(
    ("text", "local", "offset"),
    [
        ("2024:07:01 12:34:56", datetime(2024, 7, 1, 12, 34, 56), None),
        ("2024-07-01T12:34:56.789+02:00", datetime(2024, 7, 1, 12, 34, 56, 789000), 120),
        ("2024-07-01T12:34:56-0330", datetime(2024, 7, 1, 12, 34, 56), -210),
        ("2024-07-01T12:34Z", datetime(2024, 7, 1, 12, 34), 0),
        ("2024:07:01", datetime(2024, 7, 1), None),
        ("2016:12:31 23:59:60", datetime(2016, 12, 31, 23, 59, 59), None),
        ("2024:7:1 1:02:03", datetime(2024, 7, 1, 1, 2, 3), None),
    ],
)
def test_times_are_read_as_cameras_and_programs_write_them(
    text: str, local: datetime, offset: int | None
) -> None:
    time = stated(text)
    assert (time.local, time.offset_minutes) == (local, offset)
    assert judge_time(time, NOW) is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("0000:00:00 00:00:00", TimeRefusal.UNSET),
        ("    :  :     :  :  ", TimeRefusal.UNSET),
        ("", TimeRefusal.UNSET),
        ("2024:00:00 12:00:00", TimeRefusal.UNSET),
        ("2024", TimeRefusal.INCOMPLETE),
        ("2024-07", TimeRefusal.INCOMPLETE),
        ("2024:13:01 12:00:00", TimeRefusal.MALFORMED),
        ("2024:02:30 12:00:00", TimeRefusal.MALFORMED),
        ("yesterday at 5", TimeRefusal.MALFORMED),
        ("1970:01:01 00:00:00", TimeRefusal.EPOCH),
        ("1969-12-31T19:00:00", TimeRefusal.EPOCH),
        ("1904-01-01T00:00:00Z", TimeRefusal.EPOCH),
        ("1980:01:01 00:00:00", TimeRefusal.EPOCH),
        ("1700:01:01 00:00:00", TimeRefusal.TOO_EARLY),
        ("2026:11:23 12:00:00", TimeRefusal.FUTURE),
        ("9999:12:31 23:59:59", TimeRefusal.FUTURE),
    ],
)
def test_absurd_times_do_not_count_and_say_why(text: str, reason: TimeRefusal) -> None:
    chosen, refused = choose_capture([stated(text)], NOW)
    assert chosen is None
    assert [(time.reason, time.text) for time in refused] == [(reason, text.strip())]


def test_a_clock_ahead_within_its_zone_is_not_in_the_future() -> None:
    assert judge_time(stated("2026:11:22 11:59:00"), NOW) is None
    assert judge_time(stated("2026:11:22 21:59:00", offset="+10:00"), NOW) is None
    elsewhere = NOW.astimezone(timezone(timedelta(hours=-8)))
    assert judge_time(stated("2026:11:22 12:01:00"), elsewhere) is TimeRefusal.FUTURE


def test_the_most_trusted_time_that_makes_sense_is_the_capture_time() -> None:
    chosen, refused = choose_capture(
        [
            stated("2025:01:01 10:00:00", TimeOrigin.EXIF_MODIFIED),
            stated("2024:07:02 10:00:00", TimeOrigin.XMP_ORIGINAL),
            stated("0000:00:00 00:00:00", TimeOrigin.EXIF_ORIGINAL),
        ],
        NOW,
    )
    assert chosen is not None
    assert (chosen.origin, chosen.local.day) == (TimeOrigin.XMP_ORIGINAL, 2)
    assert chosen.moment is None
    assert [time.origin for time in refused] == [TimeOrigin.EXIF_ORIGINAL]


def test_parts_of_a_second_and_an_offset_beside_the_time_belong_to_it() -> None:
    chosen, _ = choose_capture(
        [stated("2024:07:01 12:00:00", subseconds="05 ", offset="-09:30")], NOW
    )
    assert chosen is not None
    assert chosen.moment == datetime(2024, 7, 1, 21, 30, 0, 50_000, tzinfo=UTC)
    assert chosen.offset_origin is OffsetOrigin.STATED


@pytest.mark.parametrize("text", ["+15:00", "+02:75", "2", "", "+0a:00", "   :  "])
def test_offsets_that_are_none_are_not_guessed(text: str) -> None:
    assert parse_offset(text) is None


@pytest.mark.parametrize(
    ("seconds", "minutes"),
    [
        (7200, 120),
        (7200 + 60, 120),
        (20700, 345),
        (-12600, -210),
        (7200 + 400, None),
        (72000, None),
    ],
)
def test_the_satellites_clock_tells_the_offset(seconds: int, minutes: int | None) -> None:
    gps = datetime(2024, 7, 1, 10)
    assert offset_from_gps(gps + timedelta(seconds=seconds), gps) == minutes


@given(st.text(max_size=40), st.text(max_size=9), st.text(max_size=9))
def test_no_text_breaks_the_reading_of_times(text: str, subseconds: str, offset: str) -> None:
    time = stated(text, subseconds=subseconds, offset=offset)
    assert (time.local is None) == (time.refusal is not None)


@given(st.datetimes(min_value=datetime(1991, 1, 1), max_value=datetime(2026, 1, 1)))
def test_every_time_of_a_working_clock_counts_as_it_is(moment: datetime) -> None:
    moment = moment.replace(microsecond=0)
    chosen, refused = choose_capture([stated(moment.strftime("%Y:%m:%d %H:%M:%S"))], NOW)
    assert chosen is not None
    assert (chosen.local, refused) == (moment, ())


@pytest.mark.parametrize(
    ("latitude", "longitude", "verdict"),
    [
        (48.0, 2.0, Place(48.0, 2.0)),
        (0.0, 2.0, Place(0.0, 2.0)),
        (0.0, 0.0, PlaceRefusal.ZERO),
        (90.1, 2.0, PlaceRefusal.OUT_OF_RANGE),
        (48.0, -180.5, PlaceRefusal.OUT_OF_RANGE),
        (float("nan"), 2.0, PlaceRefusal.OUT_OF_RANGE),
        (48.0, None, PlaceRefusal.INCOMPLETE),
    ],
)
def test_nonsensical_places_do_not_count(
    latitude: float, longitude: float | None, verdict: object
) -> None:
    assert judge_place(StatedPlace(latitude, longitude)) == verdict


def test_a_nonsensical_altitude_leaves_the_place() -> None:
    assert judge_place(StatedPlace(48.0, 2.0, 1e9)) == Place(48.0, 2.0, None)
    nothing = StatedPlace(None, None)
    chosen, refused = choose_place([nothing, StatedPlace(1.0, 2.0, 3.0), StatedPlace(9.0, 9.0)])
    assert chosen == Place(1.0, 2.0, 3.0)
    assert [place.stated for place in refused] == [nothing]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("+48.8584+002.2945+035.000/", StatedPlace(48.8584, 2.2945, 35.0)),
        ("-33.8688+151.2093/", StatedPlace(-33.8688, 151.2093)),
        ("+4851.504-00217.670/", StatedPlace(48 + 51.504 / 60, -(2 + 17.67 / 60))),
        ("+27.5916+086.5640+8850CRSWGS_84/", StatedPlace(27.5916, 86.564, 8850.0)),
        ("somewhere", StatedPlace(None, None)),
    ],
)
def test_places_of_videos_are_read(text: str, place: StatedPlace) -> None:
    assert parse_iso_6709(text) == place


def paired(*names: str) -> set[tuple[str, str, str]]:
    found = pair(names, pictures=PICTURES, raws=RAW_ENDINGS)
    return {(each.name, each.to, each.companion.value) for each in found}


def test_companions_are_paired_with_what_they_belong_to() -> None:
    assert paired(
        "IMG_1.HEIC", "IMG_1.MOV", "IMG_1.HEIC.xmp", "DSC_2.NEF", "DSC_2.JPG", "DSC_2.xmp",
        "clip.mp4", "clip.xmp", "alone.xmp", "alone.cr2", "notes.txt",
    ) == {
        ("IMG_1.MOV", "IMG_1.HEIC", "live_video"),
        ("IMG_1.HEIC.xmp", "IMG_1.HEIC", "xmp"),
        ("DSC_2.NEF", "DSC_2.JPG", "raw"),
        ("DSC_2.xmp", "DSC_2.NEF", "xmp"),
        ("clip.xmp", "clip.mp4", "xmp"),
        ("alone.xmp", "alone.cr2", "xmp"),
    }  # fmt: skip


def test_case_and_the_form_of_accents_do_not_keep_companions_apart() -> None:
    apart = unicodedata.normalize("NFD", "Été.mov")
    assert paired("Été.HEIC", apart) == {(apart, "Été.HEIC", "live_video")}
    assert paired("a.JPG", "A.jpg.XMP") == {("A.jpg.XMP", "a.JPG", "xmp")}


def test_a_file_whose_name_agrees_in_case_is_preferred_and_nothing_is_guessed() -> None:
    assert paired("a.jpg", "A.jpg", "A.cr2") == {("A.cr2", "A.jpg", "raw")}
    assert paired("Ab.jpg", "AB.jpg", "ab.cr2") == set()
    assert paired("a.jpg", "a.heic", "a.mov") == set()
    assert paired(".xmp", "xmp", ".jpg") == set()


@given(st.lists(st.sampled_from(["a.jpg", "A.JPG", "a.cr2", "a.xmp", "A.jpg.xmp", "a.mov", "b"])))
def test_a_file_belongs_to_one_other_at_most_in_any_order(names: list[str]) -> None:
    found = pair(names, pictures=PICTURES, raws=RAW_ENDINGS)
    assert found == pair(sorted(names, reverse=True), pictures=PICTURES, raws=RAW_ENDINGS)
    assert len({each.name for each in found}) == len(found)
    assert all(each.name != each.to and each.to in names for each in found)
    assert all(each == Belongs(each.name, each.to, Companion(each.companion)) for each in found)


@pytest.mark.parametrize(
    ("sidecar", "of"),
    [
        ("IMG_1.AAE", "IMG_1.HEIC"),
        ("IMG_1.HEIC.json", "IMG_1.HEIC"),
        ("IMG_2.jpg.supplemental-metadata.json", "IMG_2.jpg"),
        ("IMG_2.jpg.suppl.json", "IMG_2.jpg"),
        ("IMG_2.jpg(1).json", "IMG_2(1).jpg"),
        ("IMG_2.jpg.supplemental-metadata(1).json", "IMG_2(1).jpg"),
        ("MVI_3.MOV.json", "MVI_3.MOV"),
        ("x" * 46 + ".json", "x" * 50 + ".jpg"),
        ("metadata.json", None),
        ("IMG_2.json", None),
        ("IMG_2-edited.jpg.json", None),
        ("IMG_1.AAE.json", None),
        (".json", None),
    ],
)
def test_what_apple_and_google_keep_beside_a_picture_belongs_to_it(
    sidecar: str, of: str | None
) -> None:
    names = ["IMG_1.HEIC", "IMG_1.MOV", "IMG_1.AAE", "IMG_2.jpg", "IMG_2(1).jpg", "MVI_3.MOV"]
    names += ["x" * 50 + ".jpg", sidecar]
    found = pair(names, pictures=frozenset({"heic", "jpg"}), raws=frozenset({"dng"}))
    assert next((one.to for one in found if one.name == sidecar), None) == of
