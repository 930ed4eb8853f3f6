"""Shows faces: each cut out of its photo when it is first looked at, and kept for a while.

A thumbnail is enough where the face is large in it, else the file itself is decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Final

from anyio import to_thread
from litestar import HttpMethod, Request, Response, route
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Permission
from lading.base.errors import LadingError
from lading.bootstrap import Lading
from lading.console.media_bytes import (
    IN_PLACE,
    MediaAway,
    MediaMissing,
    open_bytes,
    require_bytes,
)
from lading.console.media_rules import Conditions, cache_control, etag_of, judge
from lading.console.pages.forms import Number
from lading.console.parts import Console
from lading.console.readers.face_files import FaceFiles, picture_version, read_face_files
from lading.console.security.guards import requires
from lading.library.people_values import FaceBox
from lading.library.values import FileFacts
from lading.media.derive import FileAt
from lading.media.errors import MediaUnreadable
from lading.media.faces.crops import crop_of_bytes, crop_of_file, side_in
from lading.media.faces.engine import Box
from lading.media.limits import Limits
from lading.people.references import reference_key

JPEG: Final = "image/jpeg"
_THUMBNAIL_BYTES_MAX: Final = 4 << 20
_SIDE_MIN: Final = 112
"""Narrower ones are cut from the file: on a page, faces are about as wide."""
_LIMITS: Final = Limits(pixels_max=200_000_000, decoded_bytes_max=256 << 20)

AnyRequest = Request[Any, Any, Any]


def routes() -> list[HTTPRouteHandler]:
    """The picture of one face of the library."""

    @route(
        "/media/faces/{face_id:int}",
        http_method=[HttpMethod.GET, HttpMethod.HEAD],
        guards=[requires(Permission.READ)],
        opt={"permission": Permission.READ},
        include_in_schema=False,
    )
    async def media_face(
        request: AnyRequest, console: NamedDependency[Console], face_id: Number
    ) -> Response[bytes]:
        files = await to_thread.run_sync(_look_up, console.lading, face_id)
        make = partial(crop_of_face, console.lading, files)
        return await answer_face(console, request, files.version, make)

    return [media_face]


async def answer_face(
    console: Console, request: AnyRequest, version: str, make: Callable[[], bytes]
) -> Response[bytes]:
    """The answer to a request for the picture of a face, which `make` cuts where it is needed.

    Browsers may keep it for good when the address has this `version` as `v`.
    """
    headers = {
        "ETag": etag_of(version),
        "Cache-Control": cache_control(request.query_params.get("v"), version),
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    conditions = Conditions(if_none_match=request.headers.get("if-none-match"))
    if judge(conditions, etag=etag_of(version), size=0).status == 304:
        return Response(b"", status_code=304, headers=headers, media_type=JPEG)
    data = await console.face_pictures.get(version, make)
    return Response(data, headers=headers, media_type=JPEG)


def box_version(source: str, location: str, box: FaceBox) -> str:
    """The version of the picture of a box in a file of a source of photos."""
    return picture_version(f"{source}/{location}", box)


def crop_of_place(lading: Lading, source: str, location: str, box: FaceBox) -> bytes:
    """What is in this box of a file of a source of photos, as JPEG. Blocks, and decodes.

    Raises `MediaAway`, `MediaMissing`, `MediaUnreadable`, `MissingExtra`, `RootMissing`.
    """
    root = lading.people.roots.get(source)
    if root is None:
        raise MediaAway("its source is not configured", subject=location, expected=source)
    try:
        return crop_of_file(FileAt(str(root), location), Box(*box), _LIMITS).data
    except MediaUnreadable:
        raise
    except LadingError as error:
        if error.transient or error.http_status >= 500:
            raise
        raise MediaMissing("the file is not where it was", subject=location) from error


def crop_of_face(lading: Lading, files: FaceFiles) -> bytes:
    """The picture of a face, from the least that shows it well. Blocks, and decodes.

    Raises as `crop_of_place` does, and `MediaGone`; where the file cannot be had, a thumbnail in
    which the face is small is better than none.
    """
    box = Box(*files.box)
    if files.given is not None:
        chunks = lading.store.get(reference_key(files.given))
        return crop_of_bytes(b"".join(chunks), files.name, box, _LIMITS).data
    small: bytes | None = None
    for facts in files.thumbnails:
        if (data := _thumbnail(lading, facts)) is not None:
            small = data
            if side_in(data, facts.path, box) >= _SIDE_MIN:
                return crop_of_bytes(data, facts.path, box, _LIMITS).data
    try:
        return _from_original(lading, files)
    except LadingError:
        if small is None:
            raise
        return crop_of_bytes(small, files.name, box, _LIMITS).data


def _from_original(lading: Lading, files: FaceFiles) -> bytes:
    missing: LadingError = MediaMissing("nothing shows this face any more", subject=files.name)
    for facts in files.originals:
        if not facts.store.startswith(IN_PLACE):
            continue
        try:
            require_bytes(lading, facts)
            source = facts.store.removeprefix(IN_PLACE)
            return crop_of_place(lading, source, facts.location, files.box)
        except LadingError as error:
            missing = error
    raise missing


def _thumbnail(lading: Lading, facts: FileFacts) -> bytes | None:
    """The bytes of a small picture that was made of the photo, if they are there."""
    if facts.media_type not in {"image/jpeg", "image/webp"}:
        return None
    if facts.size_bytes > _THUMBNAIL_BYTES_MAX:
        return None
    try:
        opened = open_bytes(lading, facts, offset=0, length=facts.size_bytes)
    except LadingError:
        return None
    try:
        return b"".join(iter(opened.read, b""))
    finally:
        opened.close()


def _look_up(lading: Lading, face_id: int) -> FaceFiles:
    with lading.db.read() as conn:
        return read_face_files(conn, face_id)
