"""What runs, moves and previews of sorting are called, and how they look; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from lading.base.units import format_count
from lading.console.vocabulary import Family, Icon, Look
from lading.sorting.previews import PreviewState, Show
from lading.sorting.values import (
    MoveState,
    RunState,
    SortRun,
    Verdict,
    planned_moves,
)

RUN_LOOKS: Final[Mapping[RunState, Look]] = {
    RunState.PLANNING: Look(
        Family.ACTIVE, Icon.HALF_DISC, "Planning", "What goes where is being worked out."
    ),
    RunState.SORTING: Look(Family.ACTIVE, Icon.HALF_DISC, "Sorting", "Files are being moved."),
    RunState.SORTED: Look(Family.DONE, Icon.CHECK, "Sorted", "Every move has ended."),
    RunState.UNDOING: Look(
        Family.ACTIVE, Icon.HALF_DISC, "Taking back", "Files are being put back."
    ),
    RunState.UNDONE: Look(
        Family.NEUTRAL, Icon.CHECK, "Taken back", "What could go back is where it was."
    ),
    RunState.OVERTAKEN: Look(
        Family.ATTENTION,
        Icon.TRIANGLE,
        "Plan changed",
        "What would be moved was no longer what was accepted; nothing was moved.",
    ),
}

MOVE_LOOKS: Final[Mapping[MoveState, Look]] = {
    MoveState.PLANNED: Look(Family.NEUTRAL, Icon.RING, "Waiting", "It is to be moved."),
    MoveState.WRITTEN: Look(
        Family.ACTIVE, Icon.HALF_DISC, "At both places", "Its old place is taken away next."
    ),
    MoveState.MOVED: Look(Family.DONE, Icon.CHECK, "Moved", "It is at its new place alone."),
    MoveState.COPIED: Look(
        Family.DONE, Icon.CHECK, "Copied", "It is at its new place, and the original stayed."
    ),
    MoveState.REFUSED: Look(
        Family.ATTENTION, Icon.TRIANGLE, "Refused", "It stayed where it was; see why."
    ),
    MoveState.UNWRITTEN: Look(
        Family.ACTIVE, Icon.HALF_DISC, "Going back", "Its new place is taken away next."
    ),
    MoveState.UNDONE: Look(Family.NEUTRAL, Icon.CHECK, "Put back", "It is where it was."),
}

VERDICT_LOOKS: Final[Mapping[Verdict, Look]] = {
    Verdict.MOVE: Look(Family.ACTIVE, Icon.RING_PLAY, "Move", "It would go there."),
    Verdict.SET_ASIDE: Look(
        Family.ACTIVE, Icon.RING_PLAY, "Set aside", "It would go to the duplicates."
    ),
    Verdict.ALREADY_THERE: Look(
        Family.NEUTRAL, Icon.RING, "Already there", "The same content is at its place; it stays."
    ),
    Verdict.IN_PLACE: Look(Family.DONE, Icon.CHECK, "In place", "It is where it belongs."),
    Verdict.LEFT: Look(
        Family.ATTENTION, Icon.TRIANGLE, "Left", "It cannot be sorted as it is; see why."
    ),
}

SHOW_WORDS: Final[Mapping[Show, str]] = {
    **{Show(verdict.value): look.word for verdict, look in VERDICT_LOOKS.items()},
    Show.UNDATED: "Undated",
    Show.NUMBERED: "Numbered",
    Show.COMPANIONS: "Companions",
    Show.COPIED: "Copied",
}
"""What a preview can be narrowed to."""


def shown_counts(state: PreviewState) -> Mapping[Show, int]:
    """How many files of a preview each narrowing leaves."""
    return {
        **{Show(verdict.value): number for verdict, number in state.verdicts.items()},
        Show.UNDATED: state.undated,
        Show.NUMBERED: state.numbered,
        Show.COMPANIONS: state.companions,
        Show.COPIED: state.copied,
    }


def preview_sentence(state: PreviewState) -> str:
    """What sorting would do, in one sentence."""
    stays = state.files - state.moves
    words = f"{format_count(state.moves, 'file')} would be moved, {stays:,} would stay"
    if state.complete:
        return f"{words}."
    return f"{words}, of {format_count(state.files, 'file')} that were looked at so far."


def run_sentence(run: SortRun) -> str:
    """Where a run stands, in one sentence with its counts."""
    total = planned_moves(run.verdicts)
    match run.state:
        case RunState.PLANNING:
            return "What goes where is being worked out; nothing was moved yet."
        case RunState.OVERTAKEN:
            return "What would be moved was no longer what was accepted, so nothing was moved."
        case RunState.SORTING:
            return f"{total - waiting(run):,} of {format_count(total, 'file')} done."
        case _:
            found = ", ".join(
                f"{number:,} {look.word.lower()}" for look, number in move_counts(run)
            )
            return f"{found[:1].upper()}{found[1:]}." if found else "There was nothing to move."


def move_counts(run: SortRun) -> Sequence[tuple[Look, int]]:
    """How many moves of a run are in which state, those without any left out."""
    return [(look, run.moves[state]) for state, look in MOVE_LOOKS.items() if run.moves.get(state)]


def waiting(run: SortRun) -> int:
    """How many moves of a run have not come to their end."""
    if run.state is RunState.UNDOING:
        on_the_way = (MoveState.MOVED, MoveState.COPIED, MoveState.UNWRITTEN)
    else:
        on_the_way = (MoveState.PLANNED, MoveState.WRITTEN, MoveState.UNWRITTEN)
    return sum(run.moves.get(state, 0) for state in on_the_way)


def share_done(run: SortRun) -> float | None:
    """How much of a run that is under way is done, from 0 to 1; None while nobody can tell."""
    total = sum(run.moves.values())
    if run.state is RunState.PLANNING or not total:
        return None
    return (total - waiting(run)) / total
