"""What tests of streams share: what is read from one, and what is written for it to say."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from sqlalchemy import insert, select, update

from lading.db import Database
from lading.db.clock import now
from lading.jobs.tables import import_job
from lading.ledger import chain
from lading.ledger.events import BatchFound, BatchMoved
from lading.ledger.tables import ingest_batch, ledger_head

WITHIN_S = 20.0
QUICK = {"look_every_s": 0.02, "clock_every_s": 0.1}


@dataclass(frozen=True)
class Said:
    """One event of a stream; `id` is that of the last one that had any."""

    event: str
    data: str
    id: str

    @property
    def json(self) -> dict[str, object]:
        facts: dict[str, object] = json.loads(self.data)
        return facts


class Reader:
    """Reads a stream as a browser does."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.last_id = ""
        self.pings = 0
        self._lines = response.iter_lines()

    def __iter__(self) -> Iterator[Said]:
        name_of = ""
        data: list[str] = []
        for line in self._lines:
            if not line:
                if data:
                    yield Said(name_of or "message", "\n".join(data), self.last_id)
                name_of, data = "", []
                continue
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not name:
                self.pings += 1
            elif name == "data":
                data.append(value)
            elif name == "event":
                name_of = value
            elif name == "id":
                self.last_id = value

    def until(self, wanted: Callable[[Said], bool]) -> Said:
        """The next event like this; the stream must not end before it."""
        return next(said for said in self if wanted(said))

    def named(self, event: str) -> Said:
        return self.until(lambda said: said.event == event)


@contextmanager
def reading(base: str, path: str, account: int = 1, **headers: str) -> Iterator[Reader]:
    sent = {"x-account": str(account), **{k.replace("_", "-"): v for k, v in headers.items()}}
    with (
        httpx.Client(base_url=base, timeout=WITHIN_S) as client,
        client.stream("GET", path, headers=sent) as response,
    ):
        assert response.status_code == 200, response.read()
        yield Reader(response)


@contextmanager
def following(base: str, path: str, last_event_id: str = "") -> Iterator[Reader]:
    with reading(base, path, accept="text/event-stream", last_event_id=last_event_id) as reader:
        yield reader


def write_events(db: Database, count: int, *, first: int = 0, batch_id: int | None = None) -> int:
    with db.write() as conn:
        return chain.append_all(
            conn,
            [
                chain.Entry(
                    BatchMoved(before="pending", after="queued", reason=f"n{first + number}"),
                    "cli:ana",
                    batch_id=batch_id,
                )
                for number in range(count)
            ],
        )


def add_batch(db: Database, key: str) -> int:
    with db.write() as conn:
        result = conn.execute(
            insert(ingest_batch).values(
                source="nas",
                batch_key=key,
                state="pending",
                fingerprint=key,
                found_at=now(),
                updated_at=now(),
            )
        )
        number = int((result.inserted_primary_key or [0])[0])
        found = BatchFound(batch_key=key, type="asset", action="import", items=1, bytes=1)
        chain.append(conn, found, actor="cli:ana", source="nas", batch_id=number)
    return number


def move_batch(db: Database, number: int, state: str) -> None:
    with db.write() as conn:
        conn.execute(update(ingest_batch).where(ingest_batch.c.id == number).values(state=state))
        moved = BatchMoved(before="pending", after=state)
        chain.append(conn, moved, actor="cli:ana", batch_id=number)


def add_running_job(db: Database) -> int:
    with db.write() as conn:
        result = conn.execute(
            insert(import_job).values(
                kind="import", params="{}", status="running", batch_id=7, created_at=now()
            )
        )
        return int((result.inserted_primary_key or [0])[0])


def head_of(db: Database) -> int:
    with db.read() as conn:
        return int(conn.scalars(select(ledger_head.c.seq)).one())


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for what other threads bring about; the test's own limit of time ends it."""
    between = threading.Event()
    while not condition():
        between.wait(0.01)


@contextmanager
def ledger_away(db: Database) -> Iterator[None]:
    """For the block, the database answers nobody who asks for the ledger."""
    with db.write() as conn:
        conn.exec_driver_sql("ALTER TABLE ledger_head RENAME TO ledger_head_away")
    try:
        yield
    finally:
        with db.write() as conn:
            conn.exec_driver_sql("ALTER TABLE ledger_head_away RENAME TO ledger_head")
