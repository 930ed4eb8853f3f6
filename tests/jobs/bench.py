"""A queue with its database, and short words for the steps that its tests take."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import select, text, update

from lading.db import Database
from lading.db.clock import now
from lading.jobs.queue import Queue
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import Claim, NewJob
from lading.ledger.chain import GENESIS_HASH, HEAD_ID, link
from lading.ledger.tables import ingest_event, ledger_head

_WAITERS = {
    "postgresql": "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    " AND datname = current_database()",
    "mariadb": "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'",
}


def wait_for(condition: Callable[[], bool], look_every_s: float = 0.01) -> None:
    """Return when the condition holds; the test's own time limit ends it otherwise."""
    tick = threading.Event()
    while not condition():
        tick.wait(look_every_s)


class Bench:
    """A queue with its database, and the steps tests take again and again."""

    def __init__(self, database: Database) -> None:
        self.db = database
        self.queue = Queue(database)

    def put(self, *jobs: NewJob) -> list[int]:
        with self.db.write() as conn:
            return [made.job_id for made in self.queue.enqueue(conn, jobs, actor="test")]

    def one(self, kind: str = "copy", **fields: Any) -> int:
        return self.put(NewJob(kind, **fields))[0]

    def claim(self, worker: str = "w1") -> Claim:
        claim = self.queue.claim(worker)
        assert claim is not None
        return claim

    def running(self, **fields: Any) -> Claim:
        """A new job, claimed; the only one in line."""
        job_id = self.one(**fields)
        claim = self.claim()
        assert claim.job_id == job_id
        return claim

    def state(self, job_id: int) -> JobState:
        return self.queue.get(job_id).status

    def states(self, ids: Sequence[int]) -> list[str]:
        return [self.state(job_id).value for job_id in ids]

    def silence(self, job_id: int, silent_s: float = 1_000) -> None:
        """As if the worker of this job had not been heard of for so long."""
        with self.db.write() as conn:
            conn.execute(
                update(import_job)
                .where(import_job.c.id == job_id)
                .values(heartbeat_at=now(-silent_s))
            )

    def let_time_come(self) -> None:
        """As if the time of every waiting job had come."""
        with self.db.write() as conn:
            conn.execute(
                update(import_job)
                .where(import_job.c.not_before.is_not(None))
                .values(not_before=now(-1))
            )

    def events(self, job_id: int) -> list[str]:
        with self.db.read() as conn:
            query = (
                select(ingest_event.c.kind)
                .where(ingest_event.c.job_id == job_id)
                .order_by(ingest_event.c.seq)
            )
            return list(conn.execute(query).scalars())

    def check_chain(self) -> int:
        """Recompute the hash chain; returns the number of events."""
        digest = GENESIS_HASH
        with self.db.read() as conn:
            rows = conn.execute(select(ingest_event).order_by(ingest_event.c.seq)).all()
            head = conn.execute(select(ledger_head).where(ledger_head.c.id == HEAD_ID)).one()
        for number, row in enumerate(rows, start=1):
            assert row.seq == number
            digest = link(
                digest,
                seq=row.seq,
                at=row.at,
                kind=row.kind,
                actor=row.actor,
                source=row.source,
                batch_id=row.batch_id,
                job_id=row.job_id,
                payload=row.payload,
            )
            assert row.hash == digest
        assert (head.seq, head.hash) == (len(rows), digest)
        return len(rows)

    def wait_until_blocked(self) -> None:
        """Return when some transaction of this server waits for a lock.

        SQLite does not tell; there, one writer simply comes after the other.
        """
        if self.db.dialect == "sqlite":
            return
        # MariaDB refreshes this view only when nobody has read it for a tenth of a second.
        wait_for(self._anyone_blocked, 0.01 if self.db.dialect == "postgresql" else 0.15)

    def _anyone_blocked(self) -> bool:
        with self.db.read() as conn:
            return bool(conn.execute(text(_WAITERS[self.db.dialect])).scalar())
