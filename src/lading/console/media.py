"""Serves the bytes of the library over HTTP: files, thumbnails and covers.

A file is looked up in the database by its asset and its path in the bundle; no path from an
address ever reaches a disk. Nothing served here can run in the reader's name.
"""

from __future__ import annotations

from typing import Any, Final

from litestar import HttpMethod, Request, Response, route
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Redirect
from litestar.response.base import ASGIResponse

from lading.accounts.values import Permission
from lading.base.identifiers import parse_content_hash
from lading.bootstrap import Lading
from lading.console.media_bytes import (
    BytesAnswer,
    MediaGone,
    MediaMissing,
    open_bytes,
    require_bytes,
)
from lading.console.media_rules import (
    Conditions,
    Verdict,
    cache_control,
    disposition,
    etag_of,
    judge,
    present,
    security_policy,
)
from lading.console.parts import Console
from lading.console.readers.thumbnails import asset_thumbnails, container_thumbnails
from lading.console.security.guards import requires
from lading.library.containers import container_kind, require_containers
from lading.library.known import UnknownAsset, find_assets
from lading.library.stored_files import StoredFile, find_file
from lading.library.values import ContainerRef

_READ_ONLY: Final = [HttpMethod.GET, HttpMethod.HEAD]
_FILES: Final = "/files/"

AnyRequest = Request[Any, Any, Any]


class MediaResponse(Response[None]):
    """A response whose body is already open; what Litestar would encode is left alone."""

    def __init__(self, answer: ASGIResponse) -> None:
        super().__init__(None)
        self._answer = answer

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIResponse:
        """The answer as it is."""
        return self._answer


def routes() -> list[HTTPRouteHandler]:
    """The handlers under `/media`."""
    guards = [requires(Permission.READ)]

    @route(
        "/media/assets/{content_hash:str}/files/{path:path}",
        http_method=_READ_ONLY,
        guards=guards,
        opt={"permission": Permission.READ},
        sync_to_thread=True,
        include_in_schema=False,
    )
    def media_file(
        request: AnyRequest, console: NamedDependency[Console], content_hash: FromPath[str]
    ) -> MediaResponse:
        stored = _look_up(console.lading, content_hash, _path_of(request))
        return MediaResponse(answer_file(console.lading, stored, request))

    @route(
        "/media/assets/{content_hash:str}/thumbnail",
        http_method=_READ_ONLY,
        guards=guards,
        opt={"permission": Permission.READ},
        sync_to_thread=True,
        include_in_schema=False,
    )
    def media_thumbnail(console: NamedDependency[Console], content_hash: FromPath[str]) -> Redirect:
        with console.lading.db.read() as conn:
            found = find_assets(conn, [_digest(content_hash)]).get(_digest(content_hash))
            if found is None:
                raise UnknownAsset("the library has no such asset", subject=content_hash)
            thumbnail = asset_thumbnails(conn, [found.id])[found.id]
        return _to_picture(thumbnail.url, content_hash)

    @route(
        "/media/containers/{kind:str}/{key:str}/cover",
        http_method=_READ_ONLY,
        guards=guards,
        opt={"permission": Permission.READ},
        sync_to_thread=True,
        include_in_schema=False,
    )
    def media_cover(
        console: NamedDependency[Console], kind: FromPath[str], key: FromPath[str]
    ) -> Redirect:
        ref = ContainerRef(container_kind(kind).value, key)
        with console.lading.db.read() as conn:
            [row] = require_containers(conn, [ref])
            thumbnail = container_thumbnails(conn, kind, [row.id])[row.id]
        return _to_picture(thumbnail.url, str(ref))

    return [media_file, media_thumbnail, media_cover]


def answer_file(lading: Lading, stored: StoredFile, request: AnyRequest) -> ASGIResponse:
    """The answer to a request for a file: all of it, a part, or why not. Blocks.

    Raises `MediaMissing`, `MediaGone` and `MediaAway`.
    """
    facts = stored.file.facts
    if stored.file.deleted:
        raise MediaGone("its upstream no longer names this file", subject=facts.path)
    head = request.method == HttpMethod.HEAD
    given = request.headers
    conditions = Conditions(
        range=given.get("range"),
        if_range=given.get("if-range"),
        if_match=given.get("if-match"),
        if_none_match=given.get("if-none-match"),
    )
    verdict = judge(
        conditions, etag=etag_of(facts.content_version), size=facts.size_bytes, head=head
    )
    saving = "download" in request.query_params
    headers = _headers(stored, verdict, version=request.query_params.get("v"), saving=saving)
    opened = None
    if verdict.status in {200, 206}:
        part = verdict.part
        offset, length = (part.first, part.length) if part else (0, facts.size_bytes)
        headers["Content-Length"] = str(length)
        if head:
            require_bytes(lading, facts)
        else:
            opened = open_bytes(lading, facts, offset=offset, length=length)
    content_type = present(facts.media_type, facts.path).content_type
    return BytesAnswer(
        status_code=verdict.status,
        headers={"Content-Type": content_type, **headers},
        content_type=content_type,
        opened=opened,
        is_head=head,
    )


def _headers(
    stored: StoredFile, verdict: Verdict, *, version: str | None, saving: bool
) -> dict[str, str]:
    facts = stored.file.facts
    shown = present(facts.media_type, facts.path)
    headers = {
        "ETag": etag_of(facts.content_version),
        "Cache-Control": cache_control(version, facts.content_version),
        "Accept-Ranges": "bytes",
        "Content-Disposition": disposition(facts.path, inline=shown.inline and not saving),
        "Content-Security-Policy": security_policy(shown.content_type),
        "Cross-Origin-Resource-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
    }
    if stored.in_trash:
        headers["Lading-In-Trash"] = "yes"
    if verdict.part is not None:
        part = verdict.part
        headers["Content-Range"] = f"bytes {part.first}-{part.last}/{facts.size_bytes}"
    elif verdict.status == 416:
        headers["Content-Range"] = f"bytes */{facts.size_bytes}"
    return headers


def _look_up(lading: Lading, content_hash: str, path: str) -> StoredFile:
    with lading.db.read() as conn:
        stored = find_file(conn, _digest(content_hash), path)
    if stored is None:
        raise MediaMissing("the library has no such file", subject=f"{content_hash}/{path}")
    return stored


def _digest(content_hash: str) -> str:
    digest = parse_content_hash(content_hash)
    if digest is None:
        raise UnknownAsset("this is no content hash", subject=content_hash)
    return digest


def _path_of(request: AnyRequest) -> str:
    """The path as the address has it: as a parameter, some of its characters would be tidied."""
    return str(request.scope["path"]).partition(_FILES)[2]


def _to_picture(url: str | None, subject: str) -> Redirect:
    if url is None:
        raise MediaMissing("no picture stands for this", subject=subject)
    return Redirect(url, status_code=302, headers={"Cache-Control": "private, no-cache"})
