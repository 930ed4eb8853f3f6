"""What sidecars say counts where photos say nothing, and goes when they do."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from lading.db import Database
from lading.library.photo_dates import dated_photos
from lading.library.photo_places import move_file, photos_in
from lading.library.photo_sidecars import sidecars_of
from lading.library.photo_values import FilePlace, FileStamp
from lading.library.tables import asset, asset_file, photo, photo_file, photo_sidecar
from lading.media.limits import DEFAULT_LIMITS
from lading.operations.values import Resource, Targets, Verb
from lading.sources.photos.pairing import belonging
from lading.testing.installation import ACTOR, Installation
from tests.media.written import encoded, exif_block
from tests.photos.library import files, installed, outcomes
from tests.photos.tree import PhotosBench, jpeg, picture

FIRST = datetime(2019, 6, 1, 12, tzinfo=UTC)
MUNICH = {"latitude": 48.137, "longitude": 11.575, "altitude": 520.0}
NOTHING = (None, None, None, None, None)


@pytest.fixture
def bench(tmp_path: Path) -> PhotosBench:
    return PhotosBench(tmp_path, full_every_h=1)


@pytest.fixture
def installation(bench: PhotosBench, sqlite_database: Database, tmp_path: Path) -> Installation:
    return installed(sqlite_database, bench, tmp_path)


def takeout(at: datetime = FIRST, place: Any = None) -> bytes:
    """What Google's export says of a picture."""
    said: dict[str, Any] = {"photoTakenTime": {"timestamp": f"{at.timestamp():.0f}"}}
    said["geoData"] = place or {"latitude": 0.0, "longitude": 0.0, "altitude": 0.0}
    return json.dumps(said).encode()


def xmp(taken: str, more: str = "") -> bytes:
    """A sidecar as programs for photos write them."""
    return (
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'>"
        "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'>"
        "<rdf:Description xmlns:exif='http://ns.adobe.com/exif/1.0/'"
        f" exif:DateTimeOriginal='{taken}' {more}/></rdf:RDF></x:xmpmeta>"
    ).encode()


def undated(number: int) -> bytes:
    return encoded(picture(number))


def never_set(number: int) -> bytes:
    return encoded(picture(number), exif=exif_block({}, {36867: "1970:01:01 00:10:00"}))


def counts(installation: Installation) -> dict[str, tuple[Any, ...]]:
    """Of each photo what counts: time, offset, where that comes from, place and its source."""
    query = (
        select(
            asset_file.c.location,
            asset.c.captured_at,
            asset.c.captured_offset_min,
            photo.c.captured_from,
            photo.c.latitude,
            photo.c.place_from,
        )
        .join_from(asset_file, asset, asset.c.id == asset_file.c.asset_id)
        .join(photo, photo.c.asset_id == asset.c.id)
        .join(photo_file, photo_file.c.file_id == asset_file.c.id)
        .where(asset_file.c.deleted_at.is_(None), asset_file.c.role == "original")
    )
    with installation.db.read() as conn:
        return {row.location: tuple(row[1:]) for row in conn.execute(query)}


def ids(installation: Installation) -> dict[str, int]:
    return {location: row.asset_id for location, row in files(installation).items()}


def test_a_sidecar_fills_what_the_picture_does_not_say_on_each_database(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    bench.write("t/undated.jpg", undated(1))
    bench.write("t/undated.jpg.json", takeout(place=MUNICH))
    bench.write("t/clock.jpg", never_set(2))
    bench.write("t/clock.xmp", xmp("2018-02-03T04:05:06+01:00", "exif:GPSLatitude='47,30.0N'"))
    bench.write("t/dated.jpg", jpeg(3))
    bench.write("t/dated.jpg.json", takeout(place=MUNICH))
    bench.write("t/nowhere.jpg", undated(4))
    bench.write("t/nowhere.jpg.json", takeout())
    installation.take_in()
    found = counts(installation)
    assert found["t/undated.jpg"] == (FIRST, 0, "sidecar", 48.137, "sidecar")
    clock = datetime(2018, 2, 3, 3, 5, 6, tzinfo=UTC)
    assert found["t/clock.jpg"] == (clock, 60, "sidecar", None, None)
    assert found["t/dated.jpg"][0].year == 2024
    assert found["t/dated.jpg"][2:] == ("exif_original", found["t/dated.jpg"][3], None)
    assert found["t/dated.jpg"][3] != 48.137
    assert found["t/nowhere.jpg"] == (FIRST, 0, "sidecar", None, None)
    with installation.db.read() as conn:
        placed = photos_in(conn, "home", "t")
    assert placed["undated.jpg"].taken == FIRST.replace(tzinfo=None)
    assert placed["undated.jpg"].latitude == 48.137

    # The picture is read again: what counts stays, and nothing is written.
    before = counts(installation)
    (bench.root / "t/undated.jpg").touch()
    bench.settle(bench.root / "t")
    installation.take_in()
    assert counts(installation) == before
    assert outcomes(installation, "t") == {"unchanged": 2}  # its sidecar goes along

    later = FIRST + timedelta(days=1)
    bench.write("t/undated.jpg.json", takeout(later))
    bench.remove("t/clock.xmp")
    installation.take_in()
    found = counts(installation)
    assert found["t/undated.jpg"] == (later, 0, "sidecar", None, None)
    assert found["t/clock.jpg"] == NOTHING
    bench.remove("t/undated.jpg.json")
    installation.take_in()
    found = counts(installation)
    assert found["t/undated.jpg"] == NOTHING
    with installation.db.read() as conn:
        doubts = set(
            conn.scalars(select(photo.c.capture_doubt).where(photo.c.place_from.is_(None)))
        )
        assert "undated" in doubts
        assert conn.scalar(select(func.count()).select_from(photo_sidecar)) == 2


def test_a_sidecar_that_arrives_later_counts_from_then_on(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("a.jpg", undated(1))
    installation.take_in()
    assert counts(installation)["a.jpg"] == NOTHING
    bench.write("a.jpg.supplemental-metadata.json", takeout())
    installation.take_in()
    assert counts(installation)["a.jpg"][:3] == (FIRST, 0, "sidecar")


def test_a_correction_wins_over_a_sidecar_and_undo_gives_what_it_says_by_then(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    bench.write("a.jpg", undated(1))
    bench.write("a.jpg.json", takeout())
    installation.take_in()
    known = ids(installation)["a.jpg"]
    operations = installation.operations
    targets = Targets(resource=Resource.ASSETS, ids=(known,))
    done = operations.start(Verb.SHIFT_TAKEN, targets, {"by": "1h"}, actor=ACTOR)
    corrected = FIRST + timedelta(hours=1)
    assert counts(installation)["a.jpg"][0] == corrected
    later = FIRST + timedelta(days=400)
    bench.write("a.jpg.json", takeout(later))
    installation.take_in()
    assert counts(installation)["a.jpg"][0] == corrected
    with installation.db.read() as conn:
        assert dated_photos(conn, [known])[known].said.at == later
    operations.undo(done.key, actor=ACTOR)
    assert counts(installation)["a.jpg"][:3] == (later, 0, "sidecar")
    bench.remove("a.jpg.json")
    installation.take_in()
    assert counts(installation)["a.jpg"] == NOTHING


def test_new_metadata_keeps_the_correction_of_a_photo_that_a_sidecar_dates(
    bench: PhotosBench, installation: Installation
) -> None:
    data = never_set(1)
    bench.write("a.jpg", data)
    bench.write("a.jpg.json", takeout())
    installation.take_in()
    known = ids(installation)["a.jpg"]
    targets = Targets(resource=Resource.ASSETS, ids=(known,))
    done = installation.operations.start(Verb.SHIFT_TAKEN, targets, {"by": "1h"}, actor=ACTOR)
    bench.write("a.jpg", data.replace(b"1970:01:01 00:10:00", b"1970:01:01 00:20:00"))
    installation.take_in()
    assert ids(installation)["a.jpg"] != known
    assert counts(installation)["a.jpg"][0] == FIRST + timedelta(hours=1)
    installation.operations.undo(done.key, actor=ACTOR)
    assert counts(installation)["a.jpg"][:3] == (FIRST, 0, "sidecar")


def test_content_at_two_places_goes_by_the_sidecar_that_is_left(
    bench: PhotosBench, installation: Installation
) -> None:
    data = undated(1)
    for folder, at in (("one", FIRST), ("two", FIRST + timedelta(days=1))):
        bench.write(f"{folder}/a.jpg", data)
        bench.write(f"{folder}/a.jpg.json", takeout(at))
    installation.take_in()
    assert {row[0] for row in counts(installation).values()} == {FIRST}
    bench.remove("one")
    installation.take_in()
    assert counts(installation) == {
        "two/a.jpg": (FIRST + timedelta(days=1), 0, "sidecar", None, None)
    }


def test_what_was_edited_in_googles_photos_is_dated_with_what_it_was_made_of(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    bench.write("t/IMG_1(1).jpg", undated(1))
    bench.write("t/IMG_1.jpg(1).json", takeout(place=MUNICH))
    bench.write("t/IMG_1-edited(1).jpg", undated(2))
    bench.write("t/IMG_2-edited.jpg", undated(3))
    installation.take_in()
    found = counts(installation)
    assert found["t/IMG_1-edited(1).jpg"] == found["t/IMG_1(1).jpg"]
    assert found["t/IMG_1-edited(1).jpg"] == (FIRST, 0, "sidecar", 48.137, "sidecar")
    assert found["t/IMG_2-edited.jpg"] == NOTHING
    later = FIRST + timedelta(days=1)
    bench.write("t/IMG_1.jpg(1).json", takeout(later))
    installation.take_in()
    assert counts(installation)["t/IMG_1-edited(1).jpg"] == (later, 0, "sidecar", None, None)
    bench.remove("t/IMG_1.jpg(1).json")
    installation.take_in()
    assert counts(installation)["t/IMG_1-edited(1).jpg"] == NOTHING


def test_a_sidecar_that_is_moved_to_where_it_lay_before_goes_on_to_count(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    names = ("a.jpg", "a.jpg.json")
    for name, data in zip(names, (undated(1), takeout()), strict=True):
        bench.write(f"one/{name}", data)
    bench.write("stays/b.jpg")
    installation.take_in()
    for name in names:
        bench.write(f"two/{name}", (bench.root / f"one/{name}").read_bytes())
    bench.remove("one")
    installation.take_in()
    with installation.db.write() as conn:
        for name in names:
            stamp = FileStamp((bench.root / f"two/{name}").stat().st_size, 1, 1)
            before, after = (FilePlace("home", folder, name) for folder in ("two", "one"))
            assert move_file(conn, before, after, stamp)
        known = select(asset.c.id).where(asset.c.title == "a.jpg")
        (asset_id,) = conn.scalars(known)
        (beside,) = sidecars_of(conn, asset_id)
    assert (beside.path, beside.said.taken_at) == ("home/one/a.jpg.json", FIRST)
    assert counts(installation)["one/a.jpg"][:3] == (FIRST, 0, "sidecar")


def test_sidecars_that_were_never_read_are_read_by_the_next_import_of_their_folder(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("t/a.jpg", undated(1))
    bench.write("t/a.jpg.json", takeout())
    (batch_id,) = installation.take_in()
    # As an earlier version left it.
    with installation.db.write() as conn:
        conn.execute(photo_sidecar.delete())
        conn.execute(asset.update().values(captured_at=None, captured_offset_min=None))
        conn.execute(photo.update().values(captured_from=None, capture_doubt="undated"))
    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    assert counts(installation)["t/a.jpg"][:3] == (FIRST, 0, "sidecar")
    assert outcomes(installation, "t") == {"updated": 1}


HOSTILE = {
    "deep": b"[" * 200_000,
    "deep_inside": b'{"photoTakenTime":' * 50_000 + b"1" + b"}" * 50_000,
    "huge": b'{"photoTakenTime": {"timestamp": "1559390400"}, "x": "'
    + b"x" * DEFAULT_LIMITS.metadata_bytes_max
    + b'"}',
    "empty": b"",
    "list": b"[]",
    "text": b'"1559390400"',
    "binary": bytes(range(256)),
    "digits": b'{"photoTakenTime": {"timestamp": ' + b"9" * 5_000 + b"}}",
    "far": b'{"photoTakenTime": {"timestamp": "999999999999"}}',
    "bool": b'{"photoTakenTime": {"timestamp": true}}',
    "shapes": b'{"photoTakenTime": [1], "geoData": "48", "geoDataExif": 7}',
    "words": b'{"photoTakenTime": {"timestamp": "yesterday"}}',
    "wild": b'{"geoData": {"latitude": 1e999, "longitude": NaN}}',
    "half": b'{"geoData": {"latitude": 48.1}}',
    "large": b'{"geoData": {"latitude": 1' + b"0" * 400 + b', "longitude": 2}}',
}


def test_hostile_sidecars_say_nothing_and_leave_the_picture_in_the_library(
    bench: PhotosBench, installation: Installation
) -> None:
    for number, (name, data) in enumerate(HOSTILE.items()):
        bench.write(f"t/{name}.jpg", undated(number))
        bench.write(f"t/{name}.jpg.json", data)
    bench.write("t/laughs.jpg", undated(99))
    bench.write("t/laughs.xmp", b"<!DOCTYPE a [<!ENTITY b 'c'>]>" + xmp("2018-01-01T00:00:00"))
    installation.take_in()
    assert outcomes(installation, "t") == {"created": 2 * len(HOSTILE) + 2}
    assert set(counts(installation).values()) == {NOTHING}
    query = select(asset_file.c.location, photo_sidecar.c.detail).join_from(
        photo_sidecar, asset_file, asset_file.c.id == photo_sidecar.c.file_id
    )
    with installation.db.read() as conn:
        noted = {row.location: row.detail for row in conn.execute(query)}
    assert len(noted) == len(HOSTILE) + 1
    assert all(noted.values()), noted


@pytest.mark.parametrize(
    ("sidecar", "of"),
    [
        ("IMG_1.JPG.json", "IMG_1.JPG"),
        ("IMG_1.JPG.supplemental-metadata.json", "IMG_1.JPG"),
        ("IMG_1.JPG.supplemental-meta.json", "IMG_1.JPG"),
        ("IMG_1.JPG.s.json", "IMG_1.JPG"),
        ("IMG_1.JPG(1).json", "IMG_1(1).JPG"),
        ("IMG_1.JPG.supplemental-metadata(1).json", "IMG_1(1).JPG"),
        (
            "PXL_20230101_123456789.PORTRAIT.jpg.supplement.json",
            "PXL_20230101_123456789.PORTRAIT.jpg",
        ),
        ("a name that is so long that it was cut short h.json", None),
        ("IMG_9.JPG.json", None),
    ],
)
def test_takeouts_names_are_told_and_nothing_is_guessed(sidecar: str, of: str | None) -> None:
    names = ["IMG_1.JPG", "IMG_1(1).JPG", "PXL_20230101_123456789.PORTRAIT.jpg", sidecar]
    # Cut short, these two are the same.
    names += [f"a name that is so long that it was cut short here {n}.jpg" for n in (1, 2)]
    found = {one.name: one.to for one in belonging(names)}
    assert found.get(sidecar) == of
