"""A small application with the live streams alone, in a thread or as a program to be killed."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response
from litestar.di import Provide
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import ROLE_PERMISSIONS, Account, Caller, Role
from lading.base.errors import LadingError
from lading.console.live import events, stream
from lading.console.live.fragments import Fragment, Fragments, Notice, Rows, Visible
from lading.console.live.live import Live
from lading.console.live.ticks import Tick
from lading.db import Database, open_database
from lading.ledger.batches import get_batches


def caller_of(request: Request[Any, Any, Any]) -> Caller:
    """Whoever the header says."""
    number = int(request.headers.get("x-account", "1"))
    account = Account(
        id=number,
        name=f"account{number}",
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


@dataclass
class Pages:
    """What the renderers were asked for, and what they answer with."""

    db: Database
    asked: list[tuple[str, Visible, Tick]] = field(default_factory=list)
    signed_out: set[int] = field(default_factory=set)

    def fragments(self) -> Fragments:
        made = Fragments()
        made.register("batches", self.rows, rows=Rows.BATCHES)
        made.register("batches", self.new, kinds={"batch_found"})
        made.register("engine", self.engine, on_clock=True)
        return made

    def rows(
        self, console: Any, caller: Caller, visible: Visible, tick: Tick
    ) -> Sequence[Fragment | Notice]:
        self.asked.append(("batches", visible, tick))
        with self.db.read() as conn:
            found = get_batches(conn, visible.batches)
        return [
            Fragment(f"b-{n}", f'<tr id="b-{n}"><td>{batch.state.value}</td></tr>')
            for n, batch in sorted(found.items())
        ]

    def new(
        self, console: Any, caller: Caller, visible: Visible, tick: Tick
    ) -> Sequence[Fragment | Notice]:
        return [Notice("batches:changed", {"new": tick.seq - visible.since})]

    def engine(
        self, console: Any, caller: Caller, visible: Visible, tick: Tick
    ) -> Sequence[Fragment | Notice]:
        self.asked.append(("engine", visible, tick))
        return [Fragment("engine", '<section id="engine">Idle</section>')]


def make_app(
    db: Database, pages: Pages, *handlers: HTTPRouteHandler, **intervals: float
) -> tuple[Litestar, Live]:
    """The application and its live parts."""
    live = Live(
        pages,
        db,
        pages.fragments(),
        still_valid=lambda caller: caller.account.id not in pages.signed_out,
        **intervals,
    )
    app = Litestar(
        route_handlers=[*stream.routes(live), *events.routes(live), *handlers],
        dependencies={"caller": Provide(caller_of, sync_to_thread=False)},
        exception_handlers={LadingError: _problem},
        on_shutdown=[live.close],
        openapi_config=None,
        logging_config=None,
    )
    return app, live


def _problem(_request: object, error: LadingError) -> Response[dict[str, object]]:
    return Response(error.as_dict(), status_code=error.http_status)


def make_server(app: Litestar) -> uvicorn.Server:
    return uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=5)
    )


@contextmanager
def served(app: Litestar, live: Live) -> Iterator[str]:
    """The address of `app` on a port of its own, for the block."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready = threading.Event()
    app.on_startup.append(ready.set)
    server = make_server(app)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        assert ready.wait(20)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        live.end_streams()
        server.should_exit = True
        thread.join()
        listener.close()


def main(url: str, port: str) -> None:
    """Serve the database at `url` until killed."""
    db = open_database(url)
    app, _ = make_app(db, Pages(db))
    listener = socket.create_server(("127.0.0.1", int(port)))
    app.on_startup.append(lambda: print("ready", flush=True))
    make_server(app).run(sockets=[listener])


if __name__ == "__main__":
    main(*sys.argv[1:])
