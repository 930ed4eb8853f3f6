"""Decides in what state the engine is, from what is known of it; the first that fits is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from lading.base.units import format_count, format_duration

SIGNS_MISSED_MAX: Final = 2.5
"""A worker that says seldom that it lives is not dead; one that missed two of its signs is."""


class EngineState(StrEnum):
    """What the engine is doing, or why it is not."""

    NEEDS_CONFIGURATION = "needs_configuration"
    DEGRADED = "degraded"
    PAUSED = "paused"
    WORKING = "working"
    IDLE = "idle"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What the state is decided on. `silences_s`: for how long each running worker was silent.

    A worker gives a sign of life every `sign_every_s` or so.
    """

    sources: int
    jobs_queued: int
    jobs_running: int
    intake_paused: bool
    silences_s: Sequence[float]
    sign_every_s: float
    oldest_queued_s: float | None = None


@dataclass(frozen=True, slots=True)
class EngineView:
    """The state and a sentence about it."""

    state: EngineState
    sentence: str


def judge_engine(facts: EngineFacts) -> EngineView:
    """The state of the engine."""
    silent_max_s = facts.sign_every_s * SIGNS_MISSED_MAX
    alive = sum(silent_s <= silent_max_s for silent_s in facts.silences_s)
    unfinished = facts.jobs_queued + facts.jobs_running
    if not facts.sources:
        return EngineView(EngineState.NEEDS_CONFIGURATION, "No source is configured.")
    if unfinished and not alive:
        waited = (
            f" for {format_duration(facts.oldest_queued_s)}"
            if facts.oldest_queued_s is not None
            else ""
        )
        return EngineView(
            EngineState.DEGRADED,
            f"{format_count(unfinished, 'job')} without a worker that is alive{waited}.",
        )
    if facts.intake_paused:
        running = f"; {format_count(facts.jobs_running, 'job')} still at work"
        return EngineView(
            EngineState.PAUSED, f"Intake is paused{running if facts.jobs_running else ''}."
        )
    if unfinished:
        return EngineView(
            EngineState.WORKING, f"{facts.jobs_running:,} running, {facts.jobs_queued:,} in line."
        )
    if not alive:
        return EngineView(EngineState.IDLE, "Nothing to do, and no worker is running.")
    return EngineView(EngineState.IDLE, "Awaiting jobs.")
