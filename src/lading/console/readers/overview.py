"""The overview: is it working, what came through it today, who works, is there room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Connection, func, or_, select

from lading.base.counts import Count
from lading.bootstrap import Lading
from lading.console.readers.engine import EngineNow, EngineReader, SourceNow
from lading.console.readers.running import RunningJob
from lading.console.readers.watching import FIRST_LOOK_S, Volume, Watch
from lading.db import Database
from lading.db.counting import COUNT_CAP, count_each_capped
from lading.db.walks import first_number_since
from lading.jobs.values import WorkerRow
from lading.ledger.event_lists import list_event_page
from lading.ledger.events import (
    BatchFinished,
    BatchFound,
    BatchPreflighted,
    BatchQueued,
    BatchVerified,
)
from lading.ledger.queries import EventView
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_event
from lading.library.tables import asset_file

JOBS_SHOWN: Final = 5
EVENTS_SHOWN: Final = 20
FUNNEL_S: Final = 86_400
ROLES_EVERY_S: Final = 60.0

_event = ingest_event.c


@dataclass(frozen=True, slots=True)
class FunnelStep:
    """How many batches got this far in the time looked at; `kind` is of the events that say so."""

    name: str
    kind: str
    count: Count


@dataclass(frozen=True, slots=True)
class RoleSize:
    """What the files of one role take, those of assets in the trash too; sizes in bytes."""

    role: str
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class WorkerNow:
    """A worker and how many of the running jobs it has in hand."""

    worker: WorkerRow
    jobs: int
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """Everything on the overview. `roles` is None until they were added up for the first time."""

    at: datetime
    engine: EngineNow
    jobs: Sequence[RunningJob]
    funnel_since: datetime
    funnel: Sequence[FunnelStep]
    volumes: Sequence[Volume]
    roles: Sequence[RoleSize] | None
    workers: Sequence[WorkerNow]
    sources: Sequence[SourceNow]
    recent: Sequence[EventView]


class OverviewReader:
    """Reads the overview; may be called from several threads.

    What needs someone is not in it: that is what lists of batches and problems say.
    """

    def __init__(self, lading: Lading, engine: EngineReader) -> None:
        self._lading = lading
        self._engine = engine
        # Added up over every file, so not while a page waits for it.
        self._roles = Watch({"roles": lambda: _sum_roles(lading.db)}, every_s=ROLES_EVERY_S)

    def read(self) -> Overview:
        """The overview as it is now."""
        engine = self._engine.now()
        at = engine.strip.at
        since = at - timedelta(seconds=FUNNEL_S)
        roles = self._roles.read(wait_s=FIRST_LOOK_S)["roles"].value
        with self._lading.db.read() as conn:
            funnel = read_funnel(conn, since)
            recent = list_event_page(conn, limit=EVENTS_SHOWN).events
        return Overview(
            at=at,
            engine=engine,
            jobs=engine.jobs[:JOBS_SHOWN],
            funnel_since=since,
            funnel=funnel,
            volumes=engine.volumes,
            roles=roles,
            workers=_workers(engine),
            sources=engine.sources,
            recent=recent,
        )


def read_funnel(conn: Connection, since: datetime, cap: int = COUNT_CAP) -> list[FunnelStep]:
    """How many batches were found since then, preflighted, queued, imported and verified."""
    first = first_number_since(conn, _event.seq, _event.at, since)
    taken_in = or_(*(_says("state", s.value) for s in (BatchState.IMPORTED, BatchState.PARTIAL)))
    steps: dict[tuple[str, str], list[ColumnElement[bool]]] = {
        ("found", BatchFound.kind): [],
        ("preflighted", BatchPreflighted.kind): [],
        ("queued", BatchQueued.kind): [],
        ("imported", BatchFinished.kind): [taken_in],
        ("verified", BatchVerified.kind): [],
    }
    counts = count_each_capped(
        conn,
        {
            step: select(_event.batch_id)
            .where(_event.kind == step[1], _event.seq >= first, _event.at >= since, *conditions)
            .distinct()
            for step, conditions in steps.items()
        },
        cap,
    )
    return [FunnelStep(name, kind, count) for (name, kind), count in counts.items()]


def _says(name: str, value: str) -> ColumnElement[bool]:
    """The payload says so; it is stored as JSON without spaces."""
    return _event.payload.contains(f'"{name}":"{value}"', autoescape=True)


def _workers(engine: EngineNow) -> list[WorkerNow]:
    hands: dict[str, int] = {}
    for job in engine.jobs:
        if job.worker is not None:
            hands[job.worker] = hands.get(job.worker, 0) + 1
    return [
        WorkerNow(worker, hands.get(worker.id, 0), engine.is_alive(worker))
        for worker in engine.workers
    ]


def _sum_roles(db: Database) -> list[RoleSize]:
    with db.read() as conn:
        rows = conn.execute(
            select(
                asset_file.c.role,
                func.count().label("files"),
                func.coalesce(func.sum(asset_file.c.size_bytes), 0).label("bytes"),
            )
            .where(asset_file.c.deleted_at.is_(None))
            .group_by(asset_file.c.role)
        ).all()
    found = [RoleSize(row.role, int(row.files), int(row.bytes)) for row in rows]
    return sorted(found, key=lambda size: (-size.bytes, size.role))
