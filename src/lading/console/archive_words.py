"""Says in words what an archive's runs were asked for and did, and where a name goes wrong.

Pure: it is given what is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from lading.base.units import format_count
from lading.console.vocabulary import BATCH_LOOKS, Family, Icon, Look
from lading.ledger.states import BatchState
from lading.sources.archive.rules import CODE_LENGTH, first_wrong_character
from lading.sources.archive.runs import RunOutcome

DRY_RUN: Final = Look(
    Family.NEUTRAL, Icon.CHECK, "Rehearsed", "A dry run: everything was checked, nothing written."
)
CODE_STATES: Final[Mapping[str, Look]] = {
    "complete": Look(Family.DONE, Icon.CHECK, "Complete", "In the library, with all of its files."),
    "incomplete": Look(
        Family.ATTENTION, Icon.TRIANGLE, "Incomplete", "In the library; a file is not there."
    ),
    "rejected": Look(Family.FAILED, Icon.CROSS, "Rejected", "A rule refused it; see the reason."),
    "waiting": Look(Family.NEUTRAL, Icon.RING, "Waiting", "A run will take it in."),
    "trash": Look(Family.NEUTRAL, Icon.RING, "In trash", "Put in the trash; runs leave it there."),
}
"""Where an inventory code stands."""

PRESENCE_WORDS: Final = ("present", "absent", "invalid", "not known")
OUTCOME_WORDS: Final[Mapping[str, str]] = {
    RunOutcome.QUEUED.value: "an import was put in line",
    RunOutcome.UNDER_WAY.value: "an import of this very listing was under way",
    RunOutcome.NOTHING_NEW.value: "the listing was that of a run that is done",
    RunOutcome.NOTHING_TO_IMPORT.value: "everything that was new was rejected",
}
CHECKED_BY_WORDS: Final[Mapping[str | None, str]] = {
    "etag": "by its ETag, which the store made of the same bytes; they were not read",
    "bytes": "by its bytes, all of which were read",
    None: "not compared: no checksum describes it",
}
_LETTER: Final = "A-Z or 0-9"
_DIGIT: Final = "a digit"
_HYPHEN: Final = "a hyphen"
_PLACES: Final = (
    *("V or A", "O or C", _HYPHEN),
    *(_LETTER, _LETTER, _LETTER, _HYPHEN),
    *(_DIGIT, _DIGIT, _DIGIT, _DIGIT, _DIGIT),
    "nothing more, or one of . _ - and a space",
)
_ZERO_FOR_O: Final = 1


@dataclass(frozen=True, slots=True)
class Marked:
    """A name that breaks the inventory code: what is before the wrong character, it, the rest.

    `wrong` is empty where the name ends too early. `wanted` says what may stand there, `place` is
    counted from 1, `suggestion` is a name that would do if one is near.
    """

    before: str
    wrong: str
    after: str
    place: int
    wanted: str
    suggestion: str | None = None


def mark(name: str) -> Marked | None:
    """Where `name`, a file's name without its extension, breaks the code; None where it does not.

    Raises nothing.
    """
    index = first_wrong_character(name)
    if index < 0:
        return None
    return Marked(
        before=name[:index],
        wrong=name[index : index + 1],
        after=name[index + 1 :],
        place=index + 1,
        wanted=_PLACES[min(index, CODE_LENGTH)],
        suggestion=suggest(name),
    )


def suggest(name: str) -> str | None:
    """A well-formed name that `name` was likely meant to be, or None.

    Only slips that leave no doubt: small letters, other strokes for the hyphen, zero for O.
    """
    text = name.strip().upper().replace("_", "-").replace(" ", "-")
    if text[_ZERO_FOR_O : _ZERO_FOR_O + 1] == "0":
        text = f"{text[:_ZERO_FOR_O]}O{text[_ZERO_FOR_O + 1 :]}"
    return text if text != name and first_wrong_character(text) == -1 else None


def options_words(*, dry_run: bool, safe_run: bool, prefix: str, again: bool = False) -> str:
    """What a run was asked to be, such as `dry run, safe run, keys that begin with BRD/`."""
    said = ["dry run"] if dry_run else []
    if safe_run:
        said.append("safe run")
    if again:
        said.append("again")
    if prefix:
        said.append(f"keys that begin with {prefix}")
    return ", ".join(said) or "a usual run of everything"


def look_of_run(state: str) -> Look:
    """How a run is shown: as its batch, or as a dry run."""
    return BATCH_LOOKS[BatchState(state)] if state in set(BatchState) else DRY_RUN


def result_words(
    *, dry_run: bool, safe_run: bool, stopped: bool, inserted: int, updated: int, pending: int
) -> str:
    """What a run did or would do, in a sentence without its full stop."""
    if dry_run:
        more = f" and update {updated:,}" if updated else ""
        return f"would insert {inserted:,}{more}, wrote nothing"
    if safe_run and stopped:
        return "stopped at first warning, wrote nothing"
    said = f"inserted {inserted:,}"
    if updated:
        said += f", updated {updated:,}"
    if pending:
        said += f", {format_count(pending, 'code')} waiting"
    return said
