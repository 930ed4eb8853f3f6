"""Tells of what was just changed about people and faces, and whether it can be undone.

`done` in an address is the number of an event, 0 where nothing was changed, `jobs-2-14` for what
was put in line; `-gone-3` at its end says of how many faces nothing is known any more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection

from lading.base.units import format_count
from lading.db import Database
from lading.ledger.people_events import FacesDecided, FacesPassedOver, PersonChanged
from lading.ledger.queries import EventView, list_events

_DONE: Final = re.compile(
    r"(?:(?P<seq>[0-9]{1,18})|jobs-(?P<scans>[0-9]{1,9})-(?P<matches>[0-9]{1,9}))"
    r"(?:-gone-(?P<gone>[0-9]{1,9}))?"
)
_DECIDED: Final[Mapping[str, str]] = {
    "confirmed": "{faces} confirmed to be {name}.",
    "refused": "{faces} said not to be {name}.",
    "withdrawn": "What was said of {faces} and {name} was taken back.",
}
_CHANGED: Final[Mapping[str, str]] = {
    "added": "{name} was added.",
    "renamed": "{before} is called {name} now.",
    "merged": "{name} was merged into this person.",
    "unmerged": "{name} is a person of their own again.",
    "reference_added": "{name} is recognised by one more image.",
    "reference_removed": "{name} is not recognised by that image any more.",
}
UNDONE_KINDS: Final = (FacesDecided.kind, FacesPassedOver.kind)
"""What can be undone by its event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleTold:
    """What was done, in a sentence; `undo` is the number of the event that can be undone."""

    sentence: str
    undo: int | None = None


def done_words(seq: int, gone: int = 0) -> str:
    """What an address says of a change."""
    return f"{seq}-gone-{gone}" if gone else str(seq)


def read_told(db: Database, done: str | None) -> PeopleTold | None:
    """What the page says of the change that its address names."""
    found = _DONE.fullmatch(done or "")
    if found is None:
        return None
    gone = int(found["gone"] or 0)
    rest = f" {format_count(gone, 'face')} not there any more." if gone else ""
    if found["seq"] is None:
        scans, matches = int(found["scans"]), int(found["matches"])
        return PeopleTold(sentence=_lined(scans, matches))
    if not int(found["seq"]):
        return PeopleTold(sentence=f"Nothing was changed: it was so already.{rest}")
    with db.read() as conn:
        event = event_of(conn, int(found["seq"]))
    if event is None or event.kind not in _SENTENCES:
        return None
    undo = event.seq if can_undo(event) else None
    return PeopleTold(sentence=_SENTENCES[event.kind](event.payload) + rest, undo=undo)


def event_of(conn: Connection, seq: int) -> EventView | None:
    """One event of the ledger, by its number."""
    found = list_events(conn, after=seq - 1, limit=1)
    return found[0] if found and found[0].seq == seq else None


def can_undo(event: EventView) -> bool:
    """Whether there is a way back; not from what took something back itself."""
    if event.kind == FacesDecided.kind:
        return event.payload.get("decision") in {"confirmed", "refused"}
    return event.kind == FacesPassedOver.kind and not event.payload.get("again")


def _lined(scans: int, matches: int) -> str:
    if not scans + matches:
        return "Nothing waits, or all that does is in line already."
    jobs = [
        f"{format_count(count, 'job')} that {one if count == 1 else several}"
        for count, one, several in (
            (scans, "looks for faces", "look for faces"),
            (matches, "matches them", "match them"),
        )
        if count
    ]
    return f"In line for a worker: {' and '.join(jobs)}."


def _decided(said: Mapping[str, Any]) -> str:
    faces = format_count(len(said.get("faces", ())), "face")
    return _DECIDED.get(str(said.get("decision")), "{faces}: {name}.").format(
        faces=faces, name=said.get("name")
    )


def _passed_over(said: Mapping[str, Any]) -> str:
    faces = format_count(len(said.get("faces", ())), "face")
    again = said.get("again")
    return f"{faces} back among those that wait for a name." if again else f"{faces} passed over."


def _changed(said: Mapping[str, Any]) -> str:
    words = _CHANGED.get(str(said.get("change")), "{name} was changed.")
    return words.format(name=said.get("name"), before=said.get("before"))


_SENTENCES: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    FacesDecided.kind: _decided,
    FacesPassedOver.kind: _passed_over,
    PersonChanged.kind: _changed,
}
