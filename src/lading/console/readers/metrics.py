"""Series for charts: what came in, what failed and why, how long things take, what waits now.

Each series is made from the newest events of its time, a bounded number of them, and says when
there were more.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, select

from lading.base.counts import Count
from lading.base.errors import RequestError
from lading.bootstrap import Lading
from lading.db.clock import now
from lading.db.walks import first_number_since
from lading.jobs.figures import KindDurations, durations
from lading.jobs.queries import count_jobs_by_state, oldest_queued_s
from lading.jobs.states import JobState
from lading.ledger.events import BatchFinished, ItemFailed, JobFailed
from lading.ledger.states import SUCCESSFUL_OUTCOMES
from lading.ledger.tables import ingest_event

EVENTS_MAX: Final = 20_000
REASONS_MAX: Final = 8

_event = ingest_event.c
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UnknownRange(RequestError):
    """A time that no chart is made for."""

    code = "unknown_range"
    next_step = "Ask for one of those that are expected."


@dataclass(frozen=True, slots=True)
class Span:
    """How far back a chart goes and how long each of its steps is, in seconds."""

    name: str
    seconds: int
    step_s: int


SPANS: Final[Mapping[str, Span]] = {
    span.name: span
    for span in (Span("1h", 3_600, 60), Span("24h", 86_400, 1_800), Span("30d", 2_592_000, 86_400))
}
"""The times charts are made for; steps begin at whole multiples in UTC."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """What came in during one step: bytes moved, items that are in the library as they should."""

    at: datetime
    bytes: int
    items: int
    batches: int


@dataclass(frozen=True, slots=True)
class Throughput:
    """What came in, step by step; not `whole` when there was more than was looked at."""

    span: Span
    buckets: Sequence[Bucket]
    whole: bool


@dataclass(frozen=True, slots=True)
class Failures:
    """Failures by reason, step by step; the rarest reasons are one, called `other`."""

    span: Span
    steps: Sequence[datetime]
    by_reason: Mapping[str, Sequence[int]]
    whole: bool


@dataclass(frozen=True, slots=True)
class Backlog:
    """What waits right now, and for how long the oldest has waited."""

    queued: Count
    waiting: Count
    running: Count
    oldest_wait_s: float | None


class MetricsReader:
    """Reads series; may be called from several threads."""

    def __init__(self, lading: Lading) -> None:
        self._db = lading.db

    def throughput(self, span: str = "24h") -> Throughput:
        """Bytes and items by the end of their batch. Raises `UnknownRange`."""
        chosen = choose_span(span)
        with self._db.read() as conn:
            return read_throughput(conn, chosen)

    def failures(self, span: str = "30d") -> Failures:
        """Failed jobs and items by reason. Raises `UnknownRange`."""
        chosen = choose_span(span)
        with self._db.read() as conn:
            return read_failures(conn, chosen)

    def backlog(self) -> Backlog:
        """How much waits now."""
        with self._db.read() as conn:
            states = (JobState.QUEUED, JobState.WAITING, JobState.RUNNING)
            counts = count_jobs_by_state(conn, states=states)
            return Backlog(
                queued=counts[JobState.QUEUED],
                waiting=counts[JobState.WAITING],
                running=counts[JobState.RUNNING],
                oldest_wait_s=oldest_queued_s(conn),
            )

    def durations(self) -> list[KindDurations]:
        """How long the last jobs of each kind took."""
        with self._db.read() as conn:
            return durations(conn)


def choose_span(name: str) -> Span:
    """The span of that name. Raises `UnknownRange`."""
    try:
        return SPANS[name]
    except KeyError:
        raise UnknownRange(
            "there is no chart over that time", expected=", ".join(SPANS), found=name
        ) from None


def steps_of(span: Span, at: datetime) -> list[datetime]:
    """When each step of the span that ends now begins; the last one is not over yet."""
    last = _step_of(span, at)
    return [
        last - timedelta(seconds=span.step_s) * back
        for back in reversed(range(span.seconds // span.step_s))
    ]


def read_throughput(conn: Connection, span: Span, *, events_max: int = EVENTS_MAX) -> Throughput:
    """What came in during the span, from the ends of imports."""
    steps = steps_of(span, conn.scalars(select(now())).one())
    events, whole = _newest(conn, [BatchFinished.kind], steps[0], events_max)
    moved, items = dict.fromkeys(steps, 0), dict.fromkeys(steps, 0)
    batches = dict.fromkeys(steps, 0)
    for at, payload in events:
        step = _step_of(span, at)
        if step in batches:
            moved[step] += int(payload["bytes_moved"])
            outcomes = payload["outcomes"]
            items[step] += sum(outcomes.get(outcome.value, 0) for outcome in SUCCESSFUL_OUTCOMES)
            batches[step] += 1
    return Throughput(
        span, [Bucket(step, moved[step], items[step], batches[step]) for step in steps], whole
    )


def read_failures(conn: Connection, span: Span, *, events_max: int = EVENTS_MAX) -> Failures:
    """What failed during the span, by reason; jobs that failed because of another are left out."""
    steps = steps_of(span, conn.scalars(select(now())).one())
    kinds = [JobFailed.kind, ItemFailed.kind]
    events, whole = _newest(conn, kinds, steps[0], events_max)
    places = {step: place for place, step in enumerate(steps)}
    found: dict[str, list[int]] = {}
    for at, payload in events:
        place = places.get(_step_of(span, at))
        if place is not None and payload.get("failed_by") is None:
            found.setdefault(str(payload["code"]), [0] * len(steps))[place] += 1
    frequent = sorted(found, key=lambda code: (-sum(found[code]), code))
    shown = {code: found[code] for code in frequent[:REASONS_MAX]}
    rest = [found[code] for code in frequent[REASONS_MAX:]]
    if rest:
        shown["other"] = [sum(column) for column in zip(*rest, strict=True)]
    return Failures(span, steps, shown, whole)


def _step_of(span: Span, at: datetime) -> datetime:
    whole_steps = int((at - _EPOCH).total_seconds()) // span.step_s
    return _EPOCH + timedelta(seconds=whole_steps * span.step_s)


def _newest(
    conn: Connection, kinds: Sequence[str], since: datetime, events_max: int
) -> tuple[list[tuple[datetime, dict[str, Any]]], bool]:
    """The newest events of these kinds since then, at most so many of each; and if that is all."""
    first = first_number_since(conn, _event.seq, _event.at, since)
    found: list[tuple[datetime, dict[str, Any]]] = []
    whole = True
    for kind in kinds:
        rows = conn.execute(
            select(_event.at, _event.payload)
            .where(_event.kind == kind, _event.seq >= first, _event.at >= since)
            .order_by(_event.seq.desc())
            .limit(events_max + 1)
        ).all()
        whole &= len(rows) <= events_max
        found += [(row.at, json.loads(row.payload)) for row in rows[:events_max]]
    return found, whole
