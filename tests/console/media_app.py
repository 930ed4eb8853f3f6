"""A library with files of every kind on a given store, and its media served in a thread."""

from __future__ import annotations

import hashlib
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.types import ASGIApp, Receive, Scope, Send

from lading.accounts.values import ROLE_PERMISSIONS, Account, Caller, Role
from lading.base.errors import LadingError
from lading.bootstrap import Lading
from lading.console import media
from lading.console.parts import Console
from lading.db import Database
from lading.ingest.source import Source
from lading.library.assets import save_asset
from lading.library.values import AssetFacts, FileFacts
from lading.storage.placement import content_key
from lading.storage.port import ObjectStore


@dataclass
class Shelf:
    """A library whose files have real bytes in a store, or in place at a source."""

    db: Database
    store: ObjectStore
    sources: dict[str, Source] = field(default_factory=dict)

    @property
    def lading(self) -> Lading:
        parts: dict[str, Any] = {part.name: None for part in fields(Lading)}
        return Lading(**parts | {"db": self.db, "store": self.store, "sources": self.sources})

    def put(self, data: bytes, path: str, **facts: Any) -> FileFacts:
        """Bytes in the store, and the facts of a file that has them."""
        digest = hashlib.sha256(data).hexdigest()
        key = content_key(digest)
        self.store.put(key, iter([data]), sha256=digest)
        given = {"role": "original", "store": "library", "location": key, **facts}
        return FileFacts(path=path, sha256=digest, size_bytes=len(data), **given)

    def save(self, name: str, files: Sequence[FileFacts], **facts: Any) -> str:
        """An asset with these files; returns its content hash."""
        content_hash = hashlib.sha256(name.encode()).hexdigest()
        given = {"asset_type": "photo", "title": name, **facts}
        cover = given.pop("cover", None)
        with self.db.write() as conn:
            save_asset(
                conn, AssetFacts(content_hash=content_hash, **given), files, cover=cover, batch_id=1
            )
        return content_hash


def viewer() -> Caller:
    account = Account(
        id=1,
        name="vera",
        display_name="",
        role=Role.VIEWER,
        has_password=True,
        must_change_password=False,
        issuer=None,
        disabled_at=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        last_seen_at=None,
    )
    return Caller(account=account, permissions=ROLE_PERMISSIONS[Role.VIEWER])


def _signing_in(app: ASGIApp) -> ASGIApp:
    """Everybody is the viewer, but who says to be nobody."""

    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        named = dict(scope["headers"]).get(b"x-nobody")
        scope["user"] = None if named else viewer()
        await app(scope, receive, send)

    return middleware


def _problem(_request: Request[Any, Any, Any], error: LadingError) -> Response[dict[str, object]]:
    return Response(
        error.as_dict(), status_code=error.http_status, media_type="application/problem+json"
    )


def make_app(lading: Lading) -> Litestar:
    parts: dict[str, Any] = {part.name: None for part in fields(Console)}
    console = Console(**parts | {"lading": lading})
    return Litestar(
        route_handlers=media.routes(),
        dependencies={"console": Provide(lambda: console, sync_to_thread=False)},
        exception_handlers={LadingError: _problem},
        middleware=[_signing_in],
        openapi_config=None,
        logging_config=None,
    )


class Server(uvicorn.Server):
    """A server that leaves signals to the tests."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def served(app: Litestar) -> Iterator[str]:
    """The address of `app` on a port of its own, for the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready = threading.Event()
    app.on_startup.append(ready.set)
    server = Server(
        uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    )
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert ready.wait(20)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
