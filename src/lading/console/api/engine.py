"""The engine and its status: what it is doing, and pausing and resuming intake."""

from __future__ import annotations

from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from lading.accounts.values import Caller, Permission
from lading.console.actions.engine import pause_intake, resume_intake
from lading.console.api.conventions import Body, Done, DryRun, Name, creates, reads, rehearsed
from lading.console.parts import Console
from lading.console.readers.engine import EngineStrip
from lading.console.status import Status
from lading.jobs.values import Intake

TAG = "engine"


class PauseBody(Body, frozen=True):
    """Why intake is paused."""

    why: Name


def routes() -> list[HTTPRouteHandler]:
    """Status, engine, pause and resume."""
    return [status, engine, pause, resume]


@reads("/status", "What the engine is doing, counts by state, workers and last events", tag=TAG)
def status(console: NamedDependency[Console]) -> Status:
    """The status as it is now."""
    return console.status.read()


@reads("/engine", "What every page says of the engine", tag=TAG)
def engine(console: NamedDependency[Console]) -> EngineStrip:
    """The strip, at most half a second old."""
    return console.engine.read()


@creates(
    "/engine/pause",
    "Let workers claim nothing more; what runs goes on",
    tag=TAG,
    permission=Permission.OPERATE,
)
def pause(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[PauseBody],
    *,
    dry_run: DryRun = False,
) -> Done[Intake]:
    """Pause intake."""
    with rehearsed(dry_run):
        pause_intake(console, caller, data.why)
    if dry_run:
        intake = Intake(paused=True, paused_by=caller.actor, why=data.why)
    else:
        intake = console.lading.queue.intake()
    return Done(dry_run=dry_run, result=intake)


@creates("/engine/resume", "Let workers claim again", tag=TAG, permission=Permission.OPERATE)
def resume(
    console: NamedDependency[Console], caller: NamedDependency[Caller], *, dry_run: DryRun = False
) -> Done[Intake]:
    """Resume intake."""
    with rehearsed(dry_run):
        resume_intake(console, caller)
    intake = Intake(paused=False) if dry_run else console.lading.queue.intake()
    return Done(dry_run=dry_run, result=intake)
