"""Pictures of faces: what they are cut from, who may see them, and what is answered without."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from PIL import Image
from sqlalchemy import select

from lading.console.kept_pictures import KeptPictures
from lading.library.people_tables import face, face_scan
from lading.library.tables import asset_file
from lading.media.faces.crops import CROP_SIDE, square_around
from lading.media.faces.engine import Box
from lading.testing.console_people import GIVEN, PARTY, WINTER, faces_in
from lading.testing.console_photos import tree_of
from tests.console.browser.serving import Served
from tests.console.visitor import Visitor, visiting

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def looked_at(served: GetServed) -> Served:
    return served("people")


@pytest.fixture(scope="module")
def visitor(looked_at: Served) -> Iterator[Visitor]:
    with visiting(looked_at) as one:
        yield one


def face_of(served: Served, name: str, at: int = 0) -> int:
    with served.lading.db.read() as conn:
        return faces_in(conn, name)[at]


def opened(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/jpeg"
    return Image.open(io.BytesIO(answer.content))


def test_a_square_has_room_around_the_face_and_lies_in_the_picture() -> None:
    middle = square_around(Box(0.4, 0.4, 0.2, 0.2), 1000, 1000)
    assert (middle.left, middle.top, middle.side) == (330, 330, 340)
    corner = square_around(Box(0.0, 0.9, 0.2, 0.1), 1000, 500)
    assert (corner.left, corner.top + corner.side) == (0, 500)
    large = square_around(Box(0.0, 0.0, 1.0, 1.0), 300, 200)
    assert (large.top, large.side) == (0, 200)


def test_a_face_is_shown_small_square_without_metadata_and_for_good(
    looked_at: Served, visitor: Visitor
) -> None:
    anna, bert = (face_of(looked_at, f"{PARTY}/party_01.jpg", at) for at in (0, 1))
    answer = visitor.client.get(f"/media/faces/{anna}")
    shown = opened(answer)
    assert shown.width == shown.height <= CROP_SIDE
    assert shown.width > CROP_SIDE // 2
    assert not shown.getexif()
    assert b"X100" not in answer.content
    assert answer.headers["cache-control"] == "private, no-cache"
    version = answer.headers["etag"].strip('"')
    kept = visitor.client.get(f"/media/faces/{anna}?v={version}")
    assert "immutable" in kept.headers["cache-control"]
    assert kept.content == answer.content
    same = visitor.client.get(
        f"/media/faces/{anna}", headers={"if-none-match": answer.headers["etag"]}
    )
    assert (same.status_code, same.content) == (304, b"")
    other = visitor.client.get(f"/media/faces/{bert}")
    assert other.headers["etag"] != answer.headers["etag"]
    # Their hair differs, and each is in the middle of the own picture.
    assert opened(other).resize((1, 1)).getpixel((0, 0)) != shown.resize((1, 1)).getpixel((0, 0))


def test_only_who_is_signed_in_sees_faces_and_unknown_ones_are_said_to_be(
    looked_at: Served, visitor: Visitor
) -> None:
    number = face_of(looked_at, f"{PARTY}/party_01.jpg")
    with visiting(looked_at, None) as nobody:
        answer = nobody.client.get(f"/media/faces/{number}", follow_redirects=False)
        assert answer.status_code in {303, 401}
    headers = {"accept": "application/json"}
    unknown = visitor.client.get("/media/faces/999999", headers=headers)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_face")
    assert visitor.client.get("/media/faces/-1").status_code in {400, 404}


def test_a_reference_image_that_was_given_is_cut_from_the_store(
    looked_at: Served, visitor: Visitor
) -> None:
    with looked_at.lading.db.read() as conn:
        query = select(face.c.id).join_from(face, face_scan, face_scan.c.id == face.c.scan_id)
        number = conn.execute(query.where(face_scan.c.name == GIVEN)).scalar_one()
    assert opened(visitor.client.get(f"/media/faces/{number}")).width == CROP_SIDE


def test_without_the_file_a_thumbnail_is_enough_and_without_both_it_is_said(
    serve_own: GetServed,
) -> None:
    served = serve_own("people")
    small = face_of(served, f"{WINTER}/small.jpg")
    with visiting(served) as visitor:
        whole = opened(visitor.client.get(f"/media/faces/{small}"))
        (tree_of(served.lading) / f"{WINTER}/blurred.jpg").unlink()
        (tree_of(served.lading) / f"{WINTER}/small.jpg").unlink()
        # What was cut is kept, also when the file is gone since.
        assert opened(visitor.client.get(f"/media/faces/{small}")).size == whole.size
        blurred = face_of(served, f"{WINTER}/blurred.jpg")
        assert opened(visitor.client.get(f"/media/faces/{blurred}"))
        turned = face_of(served, f"{WINTER}/turned.jpg")
        (tree_of(served.lading) / f"{WINTER}/turned.jpg").unlink()
        with served.lading.db.read() as conn:
            kept = asset_file.c.store == "library", asset_file.c.role == "derivative"
            for location in list(conn.scalars(select(asset_file.c.location).where(*kept))):
                served.lading.store.delete(location)
        answer = visitor.client.get(
            f"/media/faces/{turned}", headers={"accept": "application/json"}
        )
        assert (answer.status_code, answer.json()["code"]) == (404, "media_missing")


def test_those_who_ask_for_one_picture_wait_for_the_same_and_memory_has_a_bound() -> None:
    pictures = KeptPictures(kept_bytes_max=25)
    made: list[str] = []

    def make(name: str) -> Callable[[], bytes]:
        def work() -> bytes:
            made.append(name)
            return name.encode() * 10

        return work

    def fail() -> bytes:
        raise ValueError("no picture")

    async def ask() -> None:
        for name in ("a", "b", "a", "c", "a", "b"):
            assert await pictures.get(name, make(name)) == name.encode() * 10
        # With room for two, the one that was not asked for longest went.
        assert made == ["a", "b", "c", "b"]
        for _ in range(2):
            with pytest.raises(ValueError, match="no picture"):
                await pictures.get("d", fail)
        await asyncio.gather(*(pictures.get("e", make("e")) for _ in range(9)))
        assert made == ["a", "b", "c", "b", "e"]

    with ThreadPoolExecutor(1) as thread:  # browsers of other tests keep a loop in this one
        thread.submit(asyncio.run, ask()).result()
