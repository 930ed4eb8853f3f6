"""What needs someone, how far batches got today, and what to do first, as the overview says it.

Each number is that of the list it leads to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from lading.base.counts import Count
from lading.base.units import format_count
from lading.console.formats import format_utc
from lading.console.parts import Console
from lading.console.readers.import_queue import count_view, has_any
from lading.console.readers.overview import FunnelStep, Overview
from lading.console.readers.problems import ProblemCard, read_problems
from lading.operations.problems import ProblemKind

REASONS_SHOWN: Final = 5
_FUNNEL_LISTS: Final[Mapping[str, str]] = {
    "found": "batch_found",
    "preflighted": "batch_preflighted",
    "queued": "batch_queued",
    "imported": "batch_finished",
    "verified": "batch_verified",
}


@dataclass(frozen=True, slots=True)
class NeedLine:
    """Something that needs someone: how much of it, what, and the list of it."""

    count: Count
    words: str
    url: str
    family: str
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class FunnelLine:
    """One step of the way through, and the events that say so."""

    step: FunnelStep
    url: str


@dataclass(frozen=True, slots=True)
class FirstStep:
    """One thing to do before anything can arrive."""

    words: str
    how: str
    done: bool
    url: str | None = None
    label: str = ""


def needs_of(console: Console, overview: Overview) -> list[NeedLine]:
    """What a person should look at, the gravest first. Each number is that of the list it opens."""
    problems = read_problems(console)
    lines = _missing_sources(overview, problems.cards)
    lines += [_problem_line(card) for card in problems.cards[:REASONS_SHOWN]]
    rest = problems.cards[REASONS_SHOWN:]
    if rest:
        others = Count(sum(card.group.count for card in rest))
        words = f"for {format_count(len(rest), 'further reason')}"
        lines.append(NeedLine(others, words, "/problems", "failed"))
    with console.lading.db.read() as conn:
        ready = count_view(conn, "ready")
    if ready:
        words = (
            "batch waits for you to preflight or queue it"
            if ready.value == 1
            else "batches wait for you to preflight or queue them"
        )
        lines.append(NeedLine(ready, words, "/import?view=ready", "neutral"))
    return lines


def _missing_sources(overview: Overview, cards: Sequence[ProblemCard]) -> list[NeedLine]:
    """Sources that cannot be read now; one whose last scan said so is a problem already."""
    known = {card.group.source for card in cards if card.group.kind is ProblemKind.SOURCE}
    missing = [s for s in overview.sources if s.missing is not None and s.name not in known]
    if not missing:
        return []
    noun = "source" if len(missing) == 1 else "sources"
    return [NeedLine(Count(len(missing)), f"{noun} cannot be read", "/sources", "failed")]


def _problem_line(card: ProblemCard) -> NeedLine:
    group = card.group
    words = f"{card.noun}: {group.code.replace('_', ' ')}"
    return NeedLine(Count(group.count), words, card.url, "failed", group.sentence)


def funnel_of(overview: Overview) -> list[FunnelLine]:
    """The way through in the last day; each step leads to the events that say so."""
    since = format_utc(overview.funnel_since)
    return [
        FunnelLine(
            step,
            "/audit?" + urlencode({"action": _FUNNEL_LISTS[step.name], "since": since}, safe=":,"),
        )
        for step in overview.funnel
    ]


def first_steps(console: Console, overview: Overview) -> list[FirstStep]:
    """What to do first, in order, while nothing was ever imported; then nothing."""
    with console.lading.db.read() as conn:
        if has_any(conn, "done"):
            return []
    sources = bool(overview.sources)
    scanned = any(source.last_scan is not None for source in overview.sources)
    workers = any(now.alive for now in overview.workers)
    return [
        FirstStep(
            "Configure a source",
            "Name the folder that your upstream fills under [sources] in the settings file.",
            sources,
            "/settings",
            "Settings",
        ),
        FirstStep(
            "Start a worker",
            "Run `lading worker` on this machine; `lading up` brings one along.",
            workers,
            "/workers",
            "Workers",
        ),
        FirstStep(
            "Scan the source",
            "A scan reads the source and records every bundle that is complete.",
            scanned,
            "/import",
            "Import media",
        ),
        FirstStep(
            "Queue what was found",
            "Tick the batches you want, and choose Queue. A worker does the rest.",
            False,
            "/import?view=ready",
            "What is ready",
        ),
    ]
