"""Decides in what state the engine is, from what is known of it; the first that fits is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lading.base.counts import Count
from lading.base.units import format_bytes, format_count, format_duration
from lading.console.formats import format_eta, format_rate, format_share

SIGNS_MISSED_MAX: Final = 2.5
"""A worker that says seldom that it lives is not dead; one that missed two of its signs is."""


class EngineState(StrEnum):
    """What the engine is doing, or why it is not."""

    STARTING = "starting"
    NEEDS_CONFIGURATION = "needs_configuration"
    DEGRADED = "degraded"
    PAUSED = "paused"
    SCANNING = "scanning"
    WORKING = "working"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class RunningScan:
    """A scan at work: of which source, and how many batches it has seen so far."""

    source: str
    found: int


@dataclass(frozen=True, slots=True)
class Shortage:
    """A disk with less room than is kept in reserve; sizes in bytes."""

    name: str
    free_bytes: int
    reserve_bytes: int


@dataclass(frozen=True, slots=True)
class Pause:
    """Who paused intake, for how many seconds it has been so, and why."""

    by: str
    for_s: float | None
    why: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """How far and how fast the running imports are together.

    `fell` says that the share is smaller than it was: more work came, or some began anew.
    """

    jobs: int
    share: float | None = None
    rate_bytes_s: float = 0.0
    eta_s: float | None = None
    stalled_s: float | None = None
    fell: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineFacts:
    """What the state is decided on. `silences_s`: for how long each running worker was silent.

    A worker gives a sign of life every `sign_every_s` or so. `running` counts all running jobs,
    `scans` and `work` say more of some of them.
    """

    starting: bool = False
    missing_settings: Sequence[str] = ()
    queued: Count = Count(0)  # noqa: RUF009 - frozen
    running: int = 0
    scans: Sequence[RunningScan] = ()
    work: Work | None = None
    oldest_queued_s: float | None = None
    silences_s: Sequence[float] = ()
    sign_every_s: float = 60.0
    sources_missing: Sequence[str] = ()
    shortages: Sequence[Shortage] = ()
    pause: Pause | None = None
    problems: Count = Count(0)  # noqa: RUF009 - frozen
    last_job_s: float | None = None
    next_scan_s: float | None = None

    @property
    def silent_max_s(self) -> float:
        """For how long a worker that lives may be silent."""
        return self.sign_every_s * SIGNS_MISSED_MAX

    @property
    def alive(self) -> int:
        """How many workers gave a sign of life lately enough."""
        return sum(silent_s <= self.silent_max_s for silent_s in self.silences_s)


@dataclass(frozen=True, slots=True)
class EngineView:
    """The state and a sentence about it."""

    state: EngineState
    sentence: str


@dataclass(frozen=True, slots=True)
class EngineVerdict:
    """The state, what is said of it first, and what stands below that.

    `title` goes before a page's own title, `favicon` is one of busy, attention, failed, idle.
    """

    state: EngineState
    headline: str
    details: Sequence[str] = ()
    title: str = ""
    favicon: str = "idle"


def judge_engine(facts: EngineFacts) -> EngineVerdict:
    """The state of the engine: the first row of the table that fits."""
    for row in _ROWS:
        verdict = row(facts)
        if verdict is not None:
            return verdict
    return EngineVerdict(
        EngineState.IDLE, _idle_line(facts), favicon="attention" if facts.problems else "idle"
    )


def _starting(facts: EngineFacts) -> EngineVerdict | None:
    if not facts.starting:
        return None
    return EngineVerdict(
        EngineState.STARTING, "Starting - checking settings.", title="Starting", favicon="busy"
    )


def _needs_configuration(facts: EngineFacts) -> EngineVerdict | None:
    if not facts.missing_settings:
        return None
    return EngineVerdict(
        EngineState.NEEDS_CONFIGURATION,
        f"Configuration needed: {', '.join(facts.missing_settings)}.",
        title="Configuration needed",
        favicon="attention",
    )


def _degraded(facts: EngineFacts) -> EngineVerdict | None:
    hindrances = _hindrances(facts)
    if not hindrances:
        return None
    paused = [] if facts.pause is None else [_paused_line(facts, facts.pause)]
    return EngineVerdict(
        EngineState.DEGRADED,
        hindrances[0],
        [*hindrances[1:], *paused, *_at_work(facts)],
        title="Degraded",
        favicon="failed",
    )


def _paused(facts: EngineFacts) -> EngineVerdict | None:
    if facts.pause is None:
        return None
    return EngineVerdict(
        EngineState.PAUSED,
        _paused_line(facts, facts.pause),
        _at_work(facts),
        title="Paused",
        favicon="attention",
    )


def _scanning(facts: EngineFacts) -> EngineVerdict | None:
    if not facts.scans or len(facts.scans) != facts.running or facts.queued:
        return None
    return EngineVerdict(
        EngineState.SCANNING, f"{_scans(facts)}.", title="Scanning", favicon="busy"
    )


def _working(facts: EngineFacts) -> EngineVerdict | None:
    if not facts.running and not facts.queued:
        return None
    return EngineVerdict(
        EngineState.WORKING, _working_line(facts), title=_working_title(facts), favicon="busy"
    )


_ROWS: Final = (_starting, _needs_configuration, _degraded, _paused, _scanning, _working)


def _at_work(facts: EngineFacts) -> list[str]:
    """What goes on all the same: a problem never hides the progress."""
    return [_working_line(facts)] if facts.running else []


def _hindrances(facts: EngineFacts) -> list[str]:
    """What keeps work from going on, a sentence each, the gravest first."""
    found = []
    waiting = facts.queued + Count(facts.running)
    if waiting and not facts.alive:
        found.append(_no_worker(facts, waiting))
    found += [
        f"Source {name} is missing: mount it or correct its address."
        for name in facts.sources_missing
    ]
    found += [
        f"{short.name} has {format_bytes(short.free_bytes)} left, less than the"
        f" {format_bytes(short.reserve_bytes)} kept in reserve."
        for short in facts.shortages
    ]
    return found


def _no_worker(facts: EngineFacts, waiting: Count) -> str:
    jobs = f"{waiting.of('job')} waiting"
    if facts.silences_s:
        return f"{jobs}, no worker alive for {format_duration(min(facts.silences_s))}."
    if facts.oldest_queued_s is not None:
        jobs += f" for {format_duration(facts.oldest_queued_s)}"
    return f"{jobs}, no worker is running."


def _paused_line(facts: EngineFacts, pause: Pause) -> str:
    since = "" if pause.for_s is None else f" {format_duration(pause.for_s)} ago"
    why = f" - {pause.why}" if pause.why else ""
    return f"Paused by {pause.by}{since}{why} - {facts.queued} queued."


def _working_line(facts: EngineFacts) -> str:
    work = facts.work
    others = facts.running - len(facts.scans) - (work.jobs if work else 0)
    parts = []
    if work is not None:
        parts.append(f"Importing {format_count(work.jobs, 'job')}")
        parts += _pace(work)
    if facts.scans:
        parts.append(_scans(facts))
    if others:
        parts.append(f"{format_count(others, 'other job' if parts else 'job')} running")
    if not facts.running:
        parts.append(f"{facts.queued.of('job')} queued, about to start")
    elif facts.queued:
        parts.append(f"{facts.queued} queued")
    if facts.problems:
        parts.append(facts.problems.of("problem"))
    return f"{' - '.join(parts)}."


def _pace(work: Work) -> list[str]:
    parts = []
    if work.share is not None:
        why = " (work was added or begun anew)" if work.fell else ""
        parts.append(f"{format_share(work.share)}{why}")
    if work.stalled_s is not None:
        return [*parts, f"stalled {format_duration(work.stalled_s)}"]
    if work.rate_bytes_s > 0:
        parts.append(format_rate(work.rate_bytes_s))
    if work.eta_s is not None:
        parts.append(format_eta(work.eta_s))
    return parts


def _scans(facts: EngineFacts) -> str:
    return ", ".join(
        f"Scanning {scan.source} - {scan.found:,} found so far" for scan in facts.scans
    )


def _working_title(facts: EngineFacts) -> str:
    if facts.work is None:
        return "Working"
    share = facts.work.share
    return "Importing" if share is None else f"{format_share(share)} - Importing"


def _idle_line(facts: EngineFacts) -> str:
    parts = ["Awaiting jobs"]
    if facts.last_job_s is not None:
        parts.append(f"last job {format_duration(facts.last_job_s)} ago")
    if facts.next_scan_s is not None:
        due_s = facts.next_scan_s
        parts.append(f"next scan in {format_duration(due_s)}" if due_s >= 1 else "next scan now")
    if not facts.alive:
        parts.append("no worker is running")
    return f"{' - '.join(parts)}."
