"""Follows ledger and queue in one thread per process, and wakes everyone who listens.

It looks at most twice a second, and only while anyone listens. A listener that is slow finds what
it missed added up in one tick: nothing is queued for it, however long it takes.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic
from typing import Any, Final

import structlog
from sqlalchemy import Connection, select

from lading.console.live.ticks import Tick
from lading.db import Database
from lading.db.clock import now
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.ledger.chain import HEAD_ID
from lading.ledger.tables import ingest_event, ledger_head

LOOK_EVERY_S: Final = 0.5
CLOCK_EVERY_S: Final = 5.0
EVENTS_NAMED_MAX: Final = 2_000
RUNNING_MAX: Final = 500

_log = structlog.get_logger(__name__)
_event = ingest_event.c
_job = import_job.c


@dataclass(frozen=True, slots=True)
class News:
    """Why a listener woke: something changed, the database is away, it shall end, or nothing."""

    tick: Tick | None = None
    stale: bool = False
    ended: str | None = None


class Subscription:
    """One listener. `next` is for the event loop it was made in; the rest for any thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._woken = asyncio.Event()
        self._lock = threading.Lock()
        self._tick: Tick | None = None
        self._stale = False
        self._ended: str | None = None
        self._called = False

    async def next(self, timeout_s: float) -> News:
        """What happened since the last call; waits up to `timeout_s` for it."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._woken.wait()
        except TimeoutError:
            pass
        with self._lock:
            self._woken.clear()
            self._called = False
            tick, self._tick = self._tick, None
            return News(tick, self._stale, self._ended)

    def offer(self, tick: Tick) -> None:
        """Something changed."""
        with self._lock:
            self._tick = tick if self._tick is None else self._tick.then(tick)
            self._stale = False
            self._wake()

    def grow_stale(self) -> None:
        """The database does not answer."""
        with self._lock:
            if not self._stale:
                self._stale = True
                self._wake()

    def end(self, why: str) -> None:
        """Nothing more will come; the first reason stays."""
        with self._lock:
            self._ended = self._ended or why
            self._wake()

    def _wake(self) -> None:
        if self._called:
            return
        self._called = True
        try:
            self._loop.call_soon_threadsafe(self._woken.set)
        except RuntimeError:
            # The loop is closed: whoever listened is gone, and forgot to say so.
            self._called = False


class Feed:
    """The follower of one process. Its thread starts with the first listener."""

    def __init__(
        self,
        db: Database,
        *,
        look_every_s: float = LOOK_EVERY_S,
        clock_every_s: float = CLOCK_EVERY_S,
    ) -> None:
        self._db = db
        self._look_every_s = look_every_s
        self._clock_every_s = clock_every_s
        self._changed = threading.Condition()
        self._listeners: set[Subscription] = set()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._seq: int | None = None
        self._running: dict[int, tuple[Any, ...]] = {}
        self._clock_at_s = 0.0

    def subscribe(self) -> Subscription:
        """A new listener, for the running event loop; give it back with `leave`."""
        subscription = Subscription(asyncio.get_running_loop())
        with self._changed:
            if self._closed:
                subscription.end("closed")
                return subscription
            self._listeners.add(subscription)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._follow, name="lading-live", daemon=True
                )
                self._thread.start()
            self._changed.notify_all()
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget a listener."""
        with self._changed:
            self._listeners.discard(subscription)

    @contextmanager
    def listening(self) -> Iterator[Subscription]:
        """A listener for the block."""
        subscription = self.subscribe()
        try:
            yield subscription
        finally:
            self.leave(subscription)

    @property
    def listeners(self) -> int:
        """How many listen now."""
        return len(self._listeners)

    def close(self) -> None:
        """Stop following and end every listener. May be called twice, and from any thread."""
        with self._changed:
            self._closed = True
            listeners, thread = list(self._listeners), self._thread
            self._changed.notify_all()
        for listener in listeners:
            listener.end("closed")
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def glance(self, after: int | None) -> Tick:
        """What changed since `after`, read now, for a listener that missed something."""
        with self._db.read() as conn:
            return _read_changes(conn, after)

    def _follow(self) -> None:
        while self._wait_for_listeners():
            try:
                tick = self._look()
            except Exception as error:  # noqa: BLE001 - whoever listens is told, and we look again
                self._say_stale(error)
            else:
                self._say(tick)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=self._look_every_s)

    def _wait_for_listeners(self) -> bool:
        with self._changed:
            if not self._listeners:
                # What happens until someone listens again is theirs to catch up with.
                self._seq = None
                self._changed.wait_for(lambda: self._closed or self._listeners)
            return not self._closed

    def _look(self) -> Tick:
        with self._db.read() as conn:
            tick = _read_changes(conn, self._seq) if self._seq is not None else _read_head(conn)
            running = _read_running(conn)
        moved = frozenset(
            number
            for number in running.keys() | self._running.keys()
            if running.get(number) != self._running.get(number)
        )
        batches = frozenset(
            found[0]
            for number in moved
            for found in (running.get(number), self._running.get(number))
            if found is not None and found[0] is not None
        )
        first = self._seq is None
        self._seq, self._running = tick.seq, running
        clock = monotonic() - self._clock_at_s >= self._clock_every_s
        if clock:
            self._clock_at_s = monotonic()
        progress = Tick(
            since=tick.seq,
            seq=tick.seq,
            at=tick.at,
            batch_ids=frozenset() if first else batches,
            job_ids=frozenset() if first else moved,
            clock=clock,
        )
        return tick.then(progress)

    def _say(self, tick: Tick) -> None:
        if tick.says_something or tick.clock:
            for listener in self._all():
                listener.offer(tick)

    def _say_stale(self, error: Exception) -> None:
        _log.warning("live_feed_stale", error=repr(error))
        for listener in self._all():
            listener.grow_stale()

    def _all(self) -> list[Subscription]:
        with self._changed:
            return list(self._listeners)


def _read_head(conn: Connection) -> Tick:
    head, at = conn.execute(
        select(ledger_head.c.seq, now().label("at")).where(ledger_head.c.id == HEAD_ID)
    ).one()
    return Tick(since=head, seq=head, at=at)


def _read_changes(conn: Connection, after: int | None) -> Tick:
    head = _read_head(conn)
    if after is None or not 0 <= head.seq - after <= EVENTS_NAMED_MAX:
        # Too far behind, or ahead of a ledger that was restored from before.
        return Tick(since=min(after or 0, head.seq), seq=head.seq, at=head.at, complete=False)
    rows = conn.execute(
        select(_event.kind, _event.batch_id, _event.job_id)
        .where(_event.seq > after, _event.seq <= head.seq)
        .distinct()
    ).all()
    return Tick(
        since=after,
        seq=head.seq,
        at=head.at,
        kinds=frozenset(row.kind for row in rows),
        batch_ids=frozenset(row.batch_id for row in rows if row.batch_id is not None),
        job_ids=frozenset(row.job_id for row in rows if row.job_id is not None),
    )


def _read_running(conn: Connection) -> dict[int, tuple[Any, ...]]:
    """What is seen of running jobs while they run; the batch first."""
    rows = conn.execute(
        select(
            _job.id,
            _job.batch_id,
            _job.lease,
            _job.stop_requested,
            _job.items_done,
            _job.items_skipped,
            _job.items_failed,
            _job.items_total,
            _job.bytes_moved,
            _job.bytes_skipped,
            _job.bytes_total,
            _job.current_item,
        )
        .where(_job.status == JobState.RUNNING.value)
        .order_by(_job.id)
        .limit(RUNNING_MAX)
    )
    return {row[0]: tuple(row[1:]) for row in rows}
