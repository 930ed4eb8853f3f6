"""What the pages of photos read is the same on all three databases."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from lading.console.readers.alike_watch import AlikeWatch
from lading.console.readers.library import read_assets
from lading.console.readers.photo_facts import read_photo
from lading.console.readers.photos import (
    Timeline,
    read_days,
    read_photos,
    read_timeline,
)
from lading.console.readers.photos_alike import read_same
from lading.console.readers.photos_places import Area, read_photos_in, read_places
from lading.db import Database
from lading.library.filters import AssetFilter
from lading.library.known import find_assets
from lading.library.photo_companions import originals_in, save_companions
from lading.library.photo_timeline import CLOCK, UNDATED
from lading.library.photo_values import CompanionOf, FilePlace, FileStamp, Photo, PhotoFacts
from lading.library.photos import save_photo
from lading.library.trash import delete_assets
from lading.library.values import AssetFacts

FUTURE: Mapping[str, Any] = {
    "refused_times": [{"origin": "exif_original", "text": "2099", "reason": "future"}]
}


def digest(number: int) -> str:
    return f"{number:064x}"


def save(
    db: Database,
    number: int,
    *,
    at: datetime | None = None,
    offset: int | None = None,
    places: tuple[str, ...] = (),
    **facts: Any,
) -> None:
    """A photo that lies at these places, or at one of its own."""
    said = PhotoFacts(capture_doubt=None if at else "undated", **facts)
    asset = AssetFacts(
        content_hash=digest(number),
        asset_type="photo",
        captured_at=at,
        captured_offset_min=offset,
        width=40,
        height=30,
    )
    photo = Photo(asset=asset, size_bytes=number, media_type="image/jpeg", facts=said)
    for place in places or (f"trip/{number}.jpg",):
        stamp = FileStamp(number, number, number)
        with db.write() as conn:
            save_photo(conn, FilePlace.at("home", place), stamp, photo)


def pair(db: Database, companion: str, picture: str) -> None:
    """A RAW in the folder `trip` belongs to a picture there."""
    with db.write() as conn:
        originals = originals_in(conn, "home", "trip")
        said = {companion: CompanionOf(to=picture, kind="raw")}
        save_companions(conn, "home", "trip", originals, said)


def counts(timeline: Timeline) -> dict[str, int]:
    return {each.on: each.count for each in (*timeline.years, *timeline.months)}


def test_time_place_and_likeness_are_read_alike_from_every_database(database: Database) -> None:
    db = database
    newest = datetime(2023, 12, 31, 15, 30, tzinfo=UTC)
    save(db, 1, at=newest, offset=540, latitude=35.6, longitude=139.7, perceptual_hash="0" * 16)
    save(db, 2, at=newest, perceptual_hash="0" * 15 + "3")
    save(db, 3, at=newest, offset=60, latitude=35.7, longitude=139.8, places=("a.jpg", "b/a.jpg"))
    save(db, 4)
    save(db, 5, detail=FUTURE)
    save(db, 6, at=newest, offset=540, latitude=-0.1, longitude=-0.1)
    save(db, 7, at=newest, offset=540, latitude=-0.1, longitude=-0.1)
    with db.write() as conn:
        delete_assets(conn, [digest(7)], actor="user:otto")

    save(db, 8, at=newest, offset=540, latitude=35.6, longitude=139.7, places=("trip/1.dng",))
    pair(db, "1.dng", "1.jpg")

    timeline = read_timeline(db)
    assert counts(timeline) == {"2024": 2, "2024-01": 2, "2023": 2, "2023-12": 2}
    assert (timeline.undated, timeline.clock_wrong, timeline.total) == (1, 1, 6)
    assert [(day.on, day.count) for day in read_days(db, "2023-12")] == [("2023-12-31", 2)]
    for on, expected in (
        ("2024", [6, 1]),
        ("2024-01-01", [6, 1]),
        ("2023-12", [3, 2]),
        (UNDATED, [4]),
        (CLOCK, [5]),
    ):
        page = read_photos(db, on)
        assert [card.content_hash for card in page.cards] == [digest(n) for n in expected], on
        assert page.count.value == len(expected)

    for narrowed, listed in (
        (None, [8, 6, 5, 4, 3, 2, 1]),
        (False, [6, 5, 4, 3, 2, 1]),
        (True, [8]),
    ):
        found = read_assets(db, AssetFilter(beside=narrowed))
        assert [card.content_hash for card in found.cards] == [digest(n) for n in listed]
        assert found.count.value == len(listed)
        marked = {card.content_hash for card in found.cards if card.marks}
        assert marked == ({digest(1)} if 1 in listed else set())

    with db.read() as conn:
        known = find_assets(conn, [digest(1), digest(8)])
    for of, beside in ((1, ("1.dng", digest(8))), (8, ("1.jpg", digest(1)))):
        said = read_photo(db, known[digest(of)].id)
        assert said is not None
        assert said.companions == [beside]
        assert said.folders == [("home/trip", "/photos/folders/home/trip")]

    world = read_places(db, Area())
    assert [(each.count, each.card.content_hash) for each in world.clusters] == [
        (2, digest(3)),
        (1, digest(6)),
    ]
    fine = read_places(db, world.clusters[0].area, 9)
    assert [each.count for each in fine.clusters] == [1, 1]
    assert read_photos_in(db, world.clusters[0].area).count.value == 2

    [same] = read_same(db).lines
    assert (same.card.content_hash, same.places) == (digest(3), ["home/a.jpg", "home/b/a.jpg"])
    with db.read() as conn:
        [group] = AlikeWatch().undecided(conn)
    assert group.hashes == {digest(1), digest(2)}
    assert group.keep.content_hash == digest(1)  # which says where it was taken
