"""The pure rules: patterns, names that every system takes, numbers, distances."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lading.media.rules import Belongs, Companion, folded
from lading.sorting.errors import BadPattern
from lading.sorting.rules import (
    NAME_BYTES_MAX,
    Group,
    NamedPlace,
    Seat,
    Shot,
    choose_number,
    clean_name,
    clean_text,
    distance_km,
    groups_of,
    is_reserved,
    nearest_place,
    parse_pattern,
    series_of,
)
from tests.sorting.scene import NOON

TEXTS = st.text(max_size=300) | st.sampled_from(
    [
        *("", ".", "..", "...", "con", "CON.tar", "aux ", "Lpt1", "com¹.x", ".hidden", "a/b"),
        *("a\\b", "a\0b", "\u202e", "e\u0301" * 200, "😀" * 100, "x. . .", "@eaDir", "Thumbs.db"),
        *("\ud800", "~", " x ", "$recycle.bin", "e\u0301", "con. ", "\u0301"),
    ]
)
PATTERNS = st.sampled_from(
    [
        "{name}{ext}",
        "{camera}/{country}/{place}/{folder}{name}{ext}",
        "{year}/{month:02}/ {name}{counter:03}{place}{ext}",
        "a{{b}}/{counter:09}{ext}",
    ]
)
SHOTS = st.builds(
    Shot, taken=st.just(NOON), place=TEXTS, country=TEXTS, camera=TEXTS, folder=TEXTS, name=TEXTS
)


def is_plain(name: str) -> bool:
    return (
        0 < len(name.encode()) <= NAME_BYTES_MAX
        and not set(name) & set('/\\<>:"|?*')
        and not any(unicodedata.category(c) in {"Cc", "Cs"} for c in name)
        and name[0] not in ". "
        and name[-1] not in ". "
        and not is_reserved(name)
        and unicodedata.is_normalized("NFC", name)
    )


@settings(deadline=None, max_examples=300)
@given(TEXTS, st.integers(20, NAME_BYTES_MAX))
def test_a_clean_name_is_plain_everywhere_and_stays_as_it_is(text: str, bytes_max: int) -> None:
    name = clean_name(text, bytes_max)
    assert is_plain(name)
    assert len(name.encode()) <= bytes_max
    assert clean_name(name, bytes_max) == name
    assert clean_text(clean_text(text)) == clean_text(text)


@settings(deadline=None, max_examples=150)
@given(PATTERNS, SHOTS, st.lists(st.integers(1, 999_999), min_size=2, max_size=6, unique=True))
def test_numbers_of_one_series_are_names_of_their_own(
    pattern: str, shot: Shot, numbers: Sequence[int]
) -> None:
    parsed = parse_pattern(pattern)
    series = series_of(parsed, shot, tail_bytes=12)
    paths = [series.path(number, ".jpg.xmp") for number in numbers]
    assert len({folded(path) for path in paths}) == len(numbers)
    for number, path in zip(numbers, paths, strict=True):
        segments = path.split("/")
        assert len(segments) == pattern.count("/") + 1
        assert all(map(is_plain, segments))
        assert series.number_of(series.stem(number)) == number


@pytest.mark.parametrize(
    ("pattern", "word"),
    [
        ("{year}/{name}", "{ext}"),
        ("{name}{ext}/x", "{ext}"),
        ("{ext}", "no name"),
        ("{artist}{ext}", "does not exist"),
        ("{}{ext}", "does not exist"),
        ("{name.x}{ext}", "does not exist"),
        ("{name!r}{ext}", "conversion"),
        ("{name:10}{ext}", "width"),
        ("{month:200}{ext}", "width"),
        ("{name{ext}", "braces"),
        ("/{name}{ext}", "empty"),
        ("a//{name}{ext}", "empty"),
        ("../{name}{ext}", "dots"),
        ("a:b/{name}{ext}", "character"),
        ("a\n{name}{ext}", "character"),
        ("{counter}/{name}{ext}", "{counter}"),
        ("{counter}{counter}{ext}", "{counter}"),
        ("a/" * 13 + "{name}{ext}", "too many"),
    ],
)
def test_a_pattern_that_makes_no_sense_says_why(pattern: str, word: str) -> None:
    with pytest.raises(BadPattern) as caught:
        parse_pattern(pattern)
    assert word in str(caught.value)


def test_what_has_no_date_cannot_be_asked_for_it() -> None:
    with pytest.raises(BadPattern, match="without a date"):
        parse_pattern("{year}/{name}{ext}", dated=False)


def test_companions_keep_their_endings_and_one_too_many_is_alone() -> None:
    belongs = [
        Belongs("a.cr2", "a.jpg", Companion.RAW),
        Belongs("a.cr2.xmp", "a.cr2", Companion.XMP),
        Belongs("A.jpg.xmp", "a.jpg", Companion.XMP),
        Belongs("a.mov", "a.jpg", Companion.LIVE_VIDEO),
        Belongs("A.MOV", "a.jpg", Companion.LIVE_VIDEO),
    ]
    names = ["a.jpg", *(one.name for one in belongs)]
    assert groups_of(names, belongs) == [
        Group("a.jpg", {
            "a.jpg": ".jpg", "A.MOV": ".MOV", "A.jpg.xmp": ".jpg.xmp",
            "a.cr2": ".cr2", "a.cr2.xmp": ".cr2.xmp",
        }),
        Group("a.mov", {"a.mov": ".mov"}),
    ]  # fmt: skip


def test_what_apple_and_google_say_of_a_picture_goes_along_and_still_belongs_to_it() -> None:
    belongs = [
        Belongs("a.aae", "a.heic", Companion.AAE),
        Belongs("a.heic.suppl.json", "a.heic", Companion.TAKEOUT),
        Belongs("a(1).mov", "a.heic", Companion.LIVE_VIDEO),
        Belongs("a.mov(1).json", "a(1).mov", Companion.TAKEOUT),
    ]
    assert groups_of(["a.heic", *(one.name for one in belongs)], belongs) == [
        Group("a.heic", {
            "a.heic": ".heic", "a(1).mov": ".mov", "a.aae": ".aae",
            "a.heic.suppl.json": ".heic.suppl.json", "a.mov(1).json": ".mov.json",
        }),
    ]  # fmt: skip


def test_a_group_is_somewhere_only_if_all_of_it_is() -> None:
    seats = {1: [Seat.SAME, Seat.FREE], 2: [Seat.FREE, Seat.TAKEN], 3: [Seat.SAME, Seat.SAME]}
    assert choose_number(seats.__getitem__) == (3, Seat.SAME)
    assert choose_number(lambda _: [Seat.OWN, Seat.FREE]) == (1, Seat.FREE)
    assert choose_number(lambda _: [Seat.OWN]) == (1, Seat.OWN)


def test_the_nearest_place_within_its_radius_counts() -> None:
    berlin, paris = (52.5200, 13.4050), (48.8566, 2.3522)
    assert distance_km(*berlin, *paris) == pytest.approx(877.5, abs=1)
    assert distance_km(0, 179.5, 0, -179.5) == pytest.approx(111.2, abs=0.1)
    near, wide = NamedPlace("near", *berlin, 5), NamedPlace("wide", 52.4, 13.0, 100)
    found = nearest_place(52.53, 13.41, [wide, near])
    assert found is not None
    assert found[0] is near
    elsewhere = nearest_place(52.4, 13.1, [wide, near])
    assert elsewhere is not None
    assert elsewhere[0] is wide
    assert nearest_place(*paris, [wide, near]) is None
