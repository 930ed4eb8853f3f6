"""RAWs beside pictures and films of live photos: paired, kept so, and let go when they part."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import select

from lading.db import Database
from lading.ingest.source import BatchRef, RelatesItems
from lading.library.photo_companions import (
    companions_of,
    is_companion,
    originals_in,
    pictures_of,
    save_companions,
)
from lading.library.photo_places import move_file
from lading.library.photo_values import CompanionOf, FilePlace, FileStamp, HeldOriginal
from lading.library.tables import asset, photo_companion
from lading.library.trash import delete_assets
from lading.sources.photos.pairing import LIVE_VIDEO_S_MAX, companions
from lading.testing.installation import ACTOR, Installation
from tests.library.things import watched
from tests.media.written import dng, encoded, write_video
from tests.photos.library import files, installed
from tests.photos.tree import PhotosBench, jpeg, picture


@pytest.fixture
def bench(tmp_path: Path) -> PhotosBench:
    return PhotosBench(tmp_path)


@pytest.fixture
def installation(bench: PhotosBench, sqlite_database: Database, tmp_path: Path) -> Installation:
    return installed(sqlite_database, bench, tmp_path)


def film(bench: PhotosBench, relative: str, *, frames: int = 50) -> Path:
    """A film as a phone writes it beside a picture; 25 frames a second."""
    path = bench.root.parent / "film.mov"
    write_video(path, frames=frames)
    return bench.write(relative, path.read_bytes())


def pairs(installation: Installation) -> set[tuple[str, str, str]]:
    """Each pair that the library shows: picture, kind and companion, by their locations."""
    held = {row.asset_id: location for location, row in files(installation).items()}
    with installation.db.read() as conn:
        found = companions_of(conn, list(held))
        back = pictures_of(conn, list(held))
    shown = {
        (held[picture_id], one.kind, one.location)
        for picture_id, ones in found.items()
        for one in ones
    }
    assert shown == {
        (one.location, one.kind, held[asset_id]) for asset_id, ones in back.items() for one in ones
    }
    return shown


def shown_once(installation: Installation) -> set[str]:
    """The titles of a list that leaves companions to their pictures."""
    query = select(asset.c.title).where(asset.c.deleted_at.is_(None), ~is_companion())
    with installation.db.read() as conn:
        return {str(title) for title in conn.scalars(query)}


def test_a_raw_and_a_film_go_with_their_picture_and_what_only_looks_so_does_not(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    bench.write("trip/IMG_1.JPG", jpeg(1))
    bench.write("trip/IMG_1.dng", dng())
    bench.write("trip/img_2.heic", encoded(picture(2), "HEIF"))
    film(bench, "trip/IMG_2.MOV")
    bench.write("trip/birthday.jpg", jpeg(3))
    film(bench, "trip/birthday.mov", frames=int(LIVE_VIDEO_S_MAX * 25) + 25)
    bench.write("trip/IMG_4.jpg", jpeg(4))
    bench.write("trip/IMG_4.nef", jpeg(5))  # no RAW, whatever its name says
    bench.write("trip/lone.dng", dng(width=32))
    bench.write("elsewhere/lone.jpg", jpeg(6))

    installation.take_in()

    assert pairs(installation) == {
        ("trip/IMG_1.JPG", "raw", "trip/IMG_1.dng"),
        ("trip/img_2.heic", "live_video", "trip/IMG_2.MOV"),
    }
    assert shown_once(installation) == {Path(location).name for location in files(installation)} - {
        "IMG_1.dng",
        "IMG_2.MOV",
    }


def test_a_raw_that_arrives_a_day_later_joins_and_whatever_vanishes_leaves(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("day/a.jpg", jpeg(1))
    installation.take_in()
    bench.write("day/a.dng", dng())
    installation.take_in()
    pair = {("day/a.jpg", "raw", "day/a.dng")}
    assert pairs(installation) == pair
    bench.remove("day/a.jpg")
    installation.take_in()
    assert pairs(installation) == set()
    assert shown_once(installation) == {"a.dng"}
    bench.write("day/a.jpg", jpeg(1))
    installation.take_in()
    assert pairs(installation) == pair
    bench.write("day/a.jpg", jpeg(2))  # edited: another asset at the same place
    installation.take_in()
    assert pairs(installation) == pair
    assert shown_once(installation) == {"a.jpg"}
    bench.remove("day/a.dng")
    installation.take_in()
    assert pairs(installation) == set()
    with installation.db.read() as conn:
        assert conn.execute(select(photo_companion)).all() == []


def test_a_pair_that_is_moved_stays_one_and_one_that_is_taken_apart_does_not(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("old/a.jpg", jpeg(1))
    bench.write("old/a.dng", dng())
    bench.write("old/stays.jpg", jpeg(2))
    installation.take_in()
    for name in ("a.jpg", "a.dng"):
        bench.write(f"new/{name}", (bench.root / "old" / name).read_bytes())
        bench.remove(f"old/{name}")
    installation.take_in()
    assert pairs(installation) == {("new/a.jpg", "raw", "new/a.dng")}
    with installation.db.read() as conn:
        held = conn.scalar(select(photo_companion.c.file_id))

    # By a sorting, which tells the library itself where the files are from now on.
    for name in ("a.jpg", "a.dng"):
        before = FilePlace("home", "new", name)
        status = (bench.root / before.location).stat()
        stamp = FileStamp(status.st_size, status.st_mtime_ns, status.st_ino)
        with installation.db.write() as conn:
            move_file(conn, before, FilePlace("home", "sorted", name), stamp)
        expected = {("sorted/a.jpg", "raw", "sorted/a.dng")} if name == "a.dng" else set()
        assert pairs(installation) == expected
    with installation.db.read() as conn:
        assert conn.scalar(select(photo_companion.c.file_id)) == held
    (bench.root / "new").rename(bench.root / "sorted")
    bench.settle(bench.root)
    installation.take_in()
    assert pairs(installation) == {("sorted/a.jpg", "raw", "sorted/a.dng")}


def test_a_picture_in_the_trash_leaves_its_companion_to_be_shown(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("day/a.jpg", jpeg(1))
    bench.write("day/a.dng", dng())
    installation.take_in()
    with installation.db.write() as conn:
        delete_assets(conn, [files(installation)["day/a.jpg"].content_hash], actor=ACTOR)
    assert shown_once(installation) == {"a.dng"}
    with installation.db.read() as conn:
        assert pictures_of(conn, [files(installation)["day/a.dng"].asset_id]) == {}


def test_pairs_that_were_taken_in_before_they_were_known_are_found_when_queued_again(
    bench: PhotosBench, installation: Installation
) -> None:
    for number in range(3):
        bench.write(f"day/{number}.jpg", jpeg(number))
        bench.write(f"day/{number}.dng", dng(width=96 + 2 * number))
    (batch_id,) = installation.take_in()
    before = pairs(installation)
    assert len(before) == 3
    with installation.db.write() as conn:
        conn.execute(photo_companion.delete())
    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    assert pairs(installation) == before


def test_pairing_takes_as_many_statements_for_many_files_as_for_few(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("day/0.jpg", jpeg(0))
    bench.write("day/0.dng", dng())
    (batch_id,) = installation.take_in()
    ref = BatchRef(batch_id, "day", 1)
    with installation.db.write() as conn:
        held = originals_in(conn, "home", "day")
        few = _statements(installation, lambda: save_companions(conn, "home", "day", held, {}))
    assert pairs(installation) == set()
    for number in range(1, 30):
        bench.write(f"day/{number}.jpg", jpeg(number))
        bench.write(f"day/{number}.dng", dng(width=96 + 2 * number))
    installation.take_in()
    with installation.db.write() as conn:
        held = originals_in(conn, "home", "day")
        many = _statements(installation, lambda: save_companions(conn, "home", "day", held, {}))
        assert many == few
    with bench.source.open_batch(ref) as opened, installation.db.write() as conn:
        assert isinstance(opened, RelatesItems)
        assert _statements(installation, lambda: opened.relate(conn)) == 3
        assert _statements(installation, lambda: opened.relate(conn)) == 2
    assert len(pairs(installation)) == 30


def _statements(installation: Installation, work: Callable[[], None]) -> int:
    with watched(installation.db) as seen:
        work()
    return len(seen.sent)


def test_content_has_to_bear_out_what_names_say() -> None:
    picture_ = held("image/heic")
    assert companions({"a.heic": picture_, "a.mov": held("video/quicktime", 2.9)}) == {
        "a.mov": CompanionOf("a.heic", "live_video")
    }
    for other in (held("video/quicktime", 61.0), held("video/quicktime"), held("image/jpeg")):
        assert companions({"a.heic": picture_, "a.mov": other, "b.nef": other}) == {}
    raw = held("image/x-nikon-nef")
    assert companions({"a.jpg": held("video/mp4", 1.0), "a.nef": raw}) == {}
    assert companions({"a.jpg": picture_, "a.nef": raw, "b.nef": raw}) == {
        "a.nef": CompanionOf("a.jpg", "raw")
    }


def held(media_type: str, duration_s: float | None = None) -> HeldOriginal:
    return HeldOriginal(file_id=1, asset_id=1, media_type=media_type, duration_s=duration_s)


def test_what_apple_and_google_keep_beside_pictures_is_held_with_them(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    installation = installed(sqlite_database, bench, tmp_path)
    bench.write("trip/a.jpg")
    bench.write("trip/a.AAE", b"<plist/>")
    bench.write("trip/a.jpg.supplemental-metadata.json", b"{}")
    bench.write("trip/metadata.json", b"{ }")
    installation.take_in()
    held = files(installation)
    of = held["trip/a.jpg"].asset_id
    assert {name: (row.asset_id, row.role, row.media_type) for name, row in held.items()} == {
        "trip/a.jpg": (of, "original", "image/jpeg"),
        "trip/a.AAE": (of, "sidecar", "application/x-plist"),
        "trip/a.jpg.supplemental-metadata.json": (of, "sidecar", "application/json"),
    }
    assert installation.batch("trip").detail == {"folder": "trip", "ignored": 1}


def test_a_sidecar_waits_with_its_picture_and_one_without_is_no_reason_to_wait(
    bench: PhotosBench,
) -> None:
    bench.write("code/package.json", b"{}")
    bench.write("now/a.jpg")
    bench.write("now/a.jpg.json", b"{}")
    patient = bench.opened(stable_for_s=3600)
    found = {one.key: one.detail for one in patient.discover({})}
    assert found == {"now": {"folder": "now", "left_for_later": 2}}
