"""Opens stored bytes for reading and sends them, a chunk at a time, for as long as someone listens.

Reading blocks, so it is done in threads; the next chunk is read when the last one was taken, so
that memory stays the same however large the file and however slow the listener.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import Final

import structlog
from anyio import CancelScope, create_task_group, to_thread
from litestar.response.base import ASGIResponse
from litestar.types import Receive, Send

from lading.base.errors import LadingError, RequestError
from lading.bootstrap import Lading
from lading.library.values import FileFacts
from lading.storage.port import ObjectMissing

IN_PLACE: Final = "source:"

_log = structlog.get_logger(__name__)


class MediaMissing(RequestError):
    """The library has no such file, or nothing is where its bytes should be."""

    code = "media_missing"
    http_status = 404
    next_step = "Check the address; `lading verify` says which bytes are missing."


class MediaGone(RequestError):
    """The file was there, and its upstream no longer names it or has changed it in place."""

    code = "media_gone"
    http_status = 410
    next_step = "Import the batch that brought it once more; the asset's page shows which it was."


class MediaAway(RequestError):
    """The file is kept in place by a source that is not configured any more."""

    code = "media_away"
    http_status = 503
    next_step = "Configure the source again, under the name it had."


class OpenBytes:
    """Bytes of a file that are being read; the first chunk is there already."""

    def __init__(self, chunks: Generator[bytes], length: int) -> None:
        self.length = length
        self._chunks = chunks
        self._first: bytes | None = next(chunks, b"")

    def read(self) -> bytes:
        """The next chunk, empty at the end. Blocks."""
        first, self._first = self._first, None
        return next(self._chunks, b"") if first is None else first

    def close(self) -> None:
        """Let go of the store."""
        self._chunks.close()


def open_bytes(lading: Lading, facts: FileFacts, *, offset: int, length: int) -> OpenBytes:
    """Begin to read a part of a file. Blocks until its first chunk is there.

    Raises `MediaMissing`, `MediaGone`, `MediaAway`, and what stores and sources raise when they
    cannot be reached.
    """
    try:
        if facts.store.startswith(IN_PLACE):
            chunks = _read_in_place(lading, facts, offset)
        else:
            chunks = lading.store.get(facts.location, offset=offset, length=length)
        return OpenBytes(_bounded(chunks, length), length)
    except ObjectMissing as error:
        raise _missing(facts) from error


def require_bytes(lading: Lading, facts: FileFacts) -> None:
    """Raise like `open_bytes` when the file is not there, without reading it. Blocks."""
    if facts.store.startswith(IN_PLACE):
        _require_in_place(lading, facts)
    elif lading.store.head(facts.location) is None:
        raise _missing(facts)


def _read_in_place(lading: Lading, facts: FileFacts, offset: int) -> Iterator[bytes]:
    _require_in_place(lading, facts)
    source = lading.sources[facts.store.removeprefix(IN_PLACE)]
    return source.read_location(facts.location, offset=offset)


def _require_in_place(lading: Lading, facts: FileFacts) -> None:
    name = facts.store.removeprefix(IN_PLACE)
    source = lading.sources.get(name)
    if source is None:
        raise MediaAway("its source is not configured", subject=facts.path, expected=name)
    try:
        size = source.stat_location(facts.location)
    except LadingError as error:
        if error.transient or error.http_status >= 500:
            raise
        raise _missing(facts) from error
    if size != facts.size_bytes:
        raise MediaGone(
            "the file was changed in place since it was taken in",
            subject=facts.path,
            expected=f"{facts.size_bytes} bytes",
            found=f"{size} bytes",
        )


def _missing(facts: FileFacts) -> MediaMissing:
    return MediaMissing("the bytes of this file are not where they should be", subject=facts.path)


def _bounded(chunks: Iterator[bytes], length: int) -> Generator[bytes]:
    """At most `length` bytes of `chunks`; closing this closes them."""
    left = length
    try:
        for chunk in chunks:
            yield chunk[:left]
            left -= len(chunk)
            if left <= 0:
                return
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()


class BytesAnswer(ASGIResponse):
    """Sends the headers, then the bytes while the client listens; without bytes, headers alone."""

    def __init__(
        self,
        *,
        status_code: int,
        headers: Mapping[str, str],
        content_type: str,
        opened: OpenBytes | None = None,
        is_head: bool = False,
    ) -> None:
        super().__init__(
            status_code=status_code,
            headers=dict(headers),
            media_type=content_type,
            is_head_response=is_head,
        )
        self._opened = opened

    async def send_body(self, send: Send, receive: Receive) -> None:
        """Send the bytes. Gives up quietly when the client went away, and lets the store go.

        When the bytes break off, the answer is left unfinished: the client sees that it is.
        """
        opened = self._opened
        if opened is None:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        try:
            async with create_task_group() as group:
                group.start_soon(_cancel_when_gone, group.cancel_scope, receive)
                await self._send_all(opened, send)
                group.cancel_scope.cancel()
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(opened.close)

    async def _send_all(self, opened: OpenBytes, send: Send) -> None:
        left = opened.length
        try:
            while left > 0 and (chunk := await to_thread.run_sync(opened.read)):
                left -= len(chunk)
                await send(
                    {"type": "http.response.body", "body": chunk, "more_body": bool(left > 0)}
                )
        except LadingError as error:
            _log.warning("sending a file broke off", missing_bytes=left, **error.as_dict())
            return
        if left > 0:
            _log.warning("a stored file is shorter than the library says", missing_bytes=left)
        elif opened.length == 0:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _cancel_when_gone(scope: CancelScope, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()
