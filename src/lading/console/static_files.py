"""Serves style, script and icons from memory, under an address that changes with their content."""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from litestar import Request, Response, get
from litestar.exceptions import NotFoundException
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

MEDIA_TYPES: Final = {
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "png": "image/png",
    "ico": "image/x-icon",
}
_FOR_EVER: Final = "public, max-age=31536000, immutable"
_WORTH_GZIP_BYTES: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Asset:
    body: bytes
    zipped: bytes | None
    media_type: str


class StaticFiles:
    """All files of `console/static`, read once; `version` is a digest over them all."""

    def __init__(self) -> None:
        self._assets: dict[str, _Asset] = dict(_read(files("lading.console") / "static", ""))
        digest = hashlib.sha256()
        for name in sorted(self._assets):
            digest.update(name.encode() + b"\0" + self._assets[name].body)
        self.version = digest.hexdigest()[:12]

    def url(self, name: str) -> str:
        """The address of one file. Raises `KeyError` for one that is not there."""
        self._assets[name]
        return f"/static/{self.version}/{name}"

    def route(self) -> HTTPRouteHandler:
        """The handler; any version is answered, so that pages of before an update still work."""

        @get("/static/{version:str}/{name:path}", include_in_schema=False, sync_to_thread=False)
        def static_file(
            request: Request[Any, Any, Any], version: FromPath[str], name: FromPath[str]
        ) -> Response[bytes]:
            asset = self._assets.get(name.lstrip("/"))
            if asset is None:
                raise NotFoundException(detail="There is no such file.")
            headers = {
                "Cache-Control": _FOR_EVER if version == self.version else "no-cache",
                "Vary": "Accept-Encoding",
            }
            body = asset.body
            if asset.zipped is not None and "gzip" in request.headers.get("accept-encoding", ""):
                headers["Content-Encoding"] = "gzip"
                body = asset.zipped
            return Response(body, media_type=asset.media_type, headers=headers)

        return static_file


def _read(folder: Traversable, prefix: str) -> list[tuple[str, _Asset]]:
    found: list[tuple[str, _Asset]] = []
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            found += _read(entry, f"{name}/")
            continue
        media_type = MEDIA_TYPES.get(entry.name.rsplit(".", 1)[-1])
        if media_type is None:  # licences and notes are not served
            continue
        body = entry.read_bytes()
        zipped = gzip.compress(body, 9, mtime=0) if len(body) > _WORTH_GZIP_BYTES else None
        found.append((name, _Asset(body, zipped, media_type)))
    return found
