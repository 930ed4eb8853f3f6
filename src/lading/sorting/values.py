"""What a plan of sorting says of each file, and what a run of it is, as plain values."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from lading.library.photo_values import FileStamp

DEFAULT_PATTERN: Final = "{year}/{year}-{month:02}-{day:02}/{name}{ext}"
UNDATED_PATTERN: Final = "undated/{folder}/{name}{ext}"
DUPLICATES_PATTERN: Final = "duplicates/{folder}/{name}{ext}"


class Verdict(StrEnum):
    """What shall be done with a file."""

    MOVE = "move"
    SET_ASIDE = "set_aside"
    IN_PLACE = "in_place"
    ALREADY_THERE = "already_there"
    LEFT = "left"


class MoveState(StrEnum):
    """Where the move of one file stands; `written` and `unwritten` are on the way."""

    PLANNED = "planned"
    WRITTEN = "written"
    MOVED = "moved"
    COPIED = "copied"
    REFUSED = "refused"
    UNWRITTEN = "unwritten"
    UNDONE = "undone"


class RunState(StrEnum):
    """Where a run of sorting stands; `overtaken` when the plan was not the accepted one."""

    PLANNING = "planning"
    SORTING = "sorting"
    SORTED = "sorted"
    UNDOING = "undoing"
    UNDONE = "undone"
    OVERTAKEN = "overtaken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be sorted: a source, or a folder of it, into a tree, by patterns.

    With `set_aside`, a file whose content is at its place already goes to the duplicates.
    """

    source: str
    target: str
    folder: str = ""
    pattern: str = DEFAULT_PATTERN
    undated: str = UNDATED_PATTERN
    duplicates: str = DUPLICATES_PATTERN
    set_aside: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedFile:
    """One file of a plan, by its path below the root: what shall become of it, and why.

    `group` is the path of the file it stays together with, its own for a main one. With
    `stays`, the source cannot be written to: the file is copied and the original stays.
    `undated` files go by the pattern of those without a date; `numbered` ones found their name
    taken.
    """

    source_path: str
    target_path: str | None
    verdict: Verdict
    why: str
    group: str
    stamp: FileStamp
    sha256: str | None
    stays: bool = False
    undated: bool = False
    numbered: bool = False

    @property
    def goes(self) -> bool:
        """Whether the file is moved at all."""
        return self.verdict in {Verdict.MOVE, Verdict.SET_ASIDE}

    @property
    def is_companion(self) -> bool:
        """Whether the file goes where another one goes."""
        return self.group != self.source_path


@dataclass(slots=True)
class PlanCount:
    """How many files have which verdict, and a digest that stands for every move.

    `undated`, `numbered`, `companions` and `copied` count, of the files that go, those of which
    that is so; one may be counted in several.
    """

    verdicts: Counter[Verdict] = field(default_factory=Counter)
    bytes: int = 0
    undated: int = 0
    numbered: int = 0
    companions: int = 0
    copied: int = 0
    _digest: hashlib._Hash = field(default_factory=hashlib.sha256)

    def add(self, file: PlannedFile) -> None:
        """Count one file of the plan, in the plan's order."""
        self.verdicts[file.verdict] += 1
        if file.goes:
            self.bytes += file.stamp.size_bytes
            self.undated += file.undated
            self.numbered += file.numbered
            self.companions += file.is_companion
            self.copied += file.stays
            facts = (
                *(file.source_path, file.target_path, file.verdict.value, file.sha256),
                *(file.stamp.size_bytes, file.stamp.mtime_ns, file.stays),
            )
            self._digest.update(json.dumps(facts).encode() + b"\n")

    @property
    def digest(self) -> str:
        """What tells this plan from one that would move other files, or to other places."""
        return self._digest.hexdigest()[:16]

    @property
    def files(self) -> int:
        """How many files were looked at."""
        return self.verdicts.total()

    @property
    def moves(self) -> int:
        """How many files are moved."""
        return self.verdicts[Verdict.MOVE] + self.verdicts[Verdict.SET_ASIDE]


def planned_moves(verdicts: Mapping[str, int]) -> int:
    """How many files a plan moves, by its counts of verdicts."""
    return verdicts.get(Verdict.MOVE.value, 0) + verdicts.get(Verdict.SET_ASIDE.value, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SortRun:
    """One run of sorting as it is recorded; counts of files by verdict and by state of move."""

    id: int
    key: str
    wanted: Wanted
    state: RunState
    actor: str
    digest: str | None
    identities: Mapping[str, str]
    verdicts: Mapping[str, int]
    moves: Mapping[MoveState, int]
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The move of one file as the journal has it; `placed` is its stamp at its target.

    With `stays`, the original is not removed.
    """

    position: int
    group: str
    source_path: str
    target_path: str
    sha256: str
    stamp: FileStamp
    placed: FileStamp | None
    stays: bool
    state: MoveState
    code: str | None = None
    sentence: str | None = None
