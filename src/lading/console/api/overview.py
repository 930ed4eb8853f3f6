"""The overview and its charts: what needs someone, what came through, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeAlias

from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import QueryParameter

from lading.console.answers import Many
from lading.console.api.conventions import reads, whole
from lading.console.parts import Console
from lading.console.readers.backlog import Backlog, read_backlog
from lading.console.readers.engine import EngineStrip, SourceNow
from lading.console.readers.metrics import SPANS, Failures, Throughput
from lading.console.readers.needs import (
    FirstStep,
    FunnelLine,
    NeedLine,
    first_steps,
    funnel_of,
    needs_of,
)
from lading.console.readers.overview import RoleSize, WorkerNow
from lading.console.readers.running import RunningJob
from lading.console.readers.watching import Volume
from lading.jobs.figures import KindDurations
from lading.ledger.queries import EventView

TAG: Final = "overview"
Range: TypeAlias = Annotated[
    str, QueryParameter(name="range", description=f"One of {', '.join(SPANS)}.")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewAnswer:
    """Everything on the overview. `roles` is None until they were added up for the first time."""

    at: datetime
    engine: EngineStrip
    needs: Sequence[NeedLine]
    first_steps: Sequence[FirstStep]
    jobs: Sequence[RunningJob]
    funnel_since: datetime
    funnel: Sequence[FunnelLine]
    volumes: Sequence[Volume]
    roles: Sequence[RoleSize] | None
    workers: Sequence[WorkerNow]
    sources: Sequence[SourceNow]
    recent: Sequence[EventView]


def routes() -> list[HTTPRouteHandler]:
    """The overview, and a series each."""
    return [overview, throughput, failures, backlog, durations]


@reads("/overview", "Whether it works, what needs someone, what came through", tag=TAG)
def overview(console: NamedDependency[Console]) -> OverviewAnswer:
    """The overview as it is now."""
    found = console.overview.read()
    return OverviewAnswer(
        at=found.at,
        engine=found.engine.strip,
        needs=needs_of(console, found),
        first_steps=first_steps(console, found),
        jobs=found.jobs,
        funnel_since=found.funnel_since,
        funnel=funnel_of(found),
        volumes=found.volumes,
        roles=found.roles,
        workers=found.workers,
        sources=found.sources,
        recent=found.recent,
    )


@reads("/metrics/throughput", "Bytes and items that came in, step by step", tag=TAG)
def throughput(console: NamedDependency[Console], *, span: Range = "24h") -> Throughput:
    """What came in."""
    return console.metrics.throughput(span)


@reads("/metrics/failures", "Failures by reason, step by step", tag=TAG)
def failures(console: NamedDependency[Console], *, span: Range = "30d") -> Failures:
    """What failed."""
    return console.metrics.failures(span)


@reads("/metrics/backlog", "How long the line of jobs was, step by step", tag=TAG)
def backlog(console: NamedDependency[Console], *, span: Range = "24h") -> Backlog:
    """What waited."""
    return read_backlog(console.lading.db, span)


@reads("/metrics/durations", "How long the last jobs of each kind took", tag=TAG)
def durations(console: NamedDependency[Console]) -> Many[KindDurations]:
    """How long things take."""
    return whole(console.metrics.durations())
