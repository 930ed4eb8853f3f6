"""What pages show of a topic while it changes: each registers who renders it, and upon what.

A renderer is called in a thread, with what of its page is visible and touched, and answers with
fragments of HTML, each for one element, and with notices that scripts on the page understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final, TypeAlias

from lading.accounts.values import Caller
from lading.console.live.ticks import Tick

_ID: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
_EVENT: Final = re.compile(r"[a-z]+(:[a-z]+)?")


@dataclass(frozen=True, slots=True)
class Fragment:
    """One element as it is now; it replaces the one with this id, which must be its own id too."""

    target_id: str
    html: str

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.target_id):
            raise ValueError(f"not an id of an element: {self.target_id!r}")

    def as_partial(self) -> str:
        """The fragment as htmx takes it, morphed into its place."""
        return (
            f'<hx-partial hx-target="#{self.target_id}" hx-swap="outerMorph">'
            f"{self.html}</hx-partial>"
        )


@dataclass(frozen=True, slots=True)
class Notice:
    """A named event with facts, such as `batches:changed` with how many are new."""

    event: str
    facts: Mapping[str, object]

    def __post_init__(self) -> None:
        if not _EVENT.fullmatch(self.event):
            raise ValueError(f"not a name of an event: {self.event!r}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Visible:
    """What a page shows: numbers of batches and jobs, and the ledger's number it was read at.

    `above` is the highest number there was of what the page lists.
    """

    batches: frozenset[int] = frozenset()
    jobs: frozenset[int] = frozenset()
    since: int = 0
    above: int = 0


class Rows(StrEnum):
    """The things that pages show in rows."""

    BATCHES = "batches"
    JOBS = "jobs"


Renderer: TypeAlias = Callable[[Any, Caller, Visible, Tick], Sequence[Fragment | Notice]]


@dataclass(frozen=True, slots=True)
class _Entry:
    render: Renderer
    rows: Rows | None
    kinds: frozenset[str]
    on_clock: bool

    def concerned(self, visible: Visible, tick: Tick) -> Visible | None:
        """What of the page this has to render again after `tick`; None for nothing."""
        if not tick.complete or (self.on_clock and tick.clock):
            return visible
        if self.rows is not None:
            batches, jobs = visible.batches & tick.batch_ids, visible.jobs & tick.job_ids
            touched = batches if self.rows is Rows.BATCHES else jobs
            return replace(visible, batches=batches, jobs=jobs) if touched else None
        if self.kinds:
            return visible if self.kinds & tick.kinds else None
        return visible if tick.says_something else None


class Fragments:
    """The topics of one process, by name."""

    def __init__(self) -> None:
        self._entries: dict[str, list[_Entry]] = {}

    def register(
        self,
        topic: str,
        render: Renderer,
        *,
        rows: Rows | None = None,
        kinds: Collection[str] = (),
        on_clock: bool = False,
    ) -> None:
        """Add a renderer to a topic; a topic may have several.

        With `rows` it is called with the visible rows that changed, and only if there are any;
        with `kinds` after events of these kinds; with neither after every change. With `on_clock`
        also every few seconds, for what is judged by age.
        """
        entry = _Entry(render, rows, frozenset(kinds), on_clock)
        self._entries.setdefault(topic, []).append(entry)

    @property
    def topics(self) -> frozenset[str]:
        """All names."""
        return frozenset(self._entries)

    def render(
        self, console: Any, caller: Caller, topics: Collection[str], visible: Visible, tick: Tick
    ) -> list[Fragment | Notice]:
        """What of these topics has to be sent after `tick`, in their order."""
        made: list[Fragment | Notice] = []
        for topic in topics:
            for entry in self._entries.get(topic, ()):
                concerned = entry.concerned(visible, tick)
                if concerned is not None:
                    made += entry.render(console, caller, concerned, tick)
        return made
