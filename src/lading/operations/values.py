"""The plain values that go into operations and come out of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from lading.operations.states import OperationState, TargetOutcome


class Resource(StrEnum):
    """What can be selected."""

    BATCHES = "batches"
    JOBS = "jobs"
    ASSETS = "assets"
    GALLERIES = "galleries"
    COLLECTIONS = "collections"
    EVENTS = "events"


class Verb(StrEnum):
    """What can be done to many things at once."""

    PREFLIGHT = "preflight"
    QUEUE = "queue"
    CANCEL = "cancel"
    PRIORITISE = "prioritise"
    STOP = "stop"
    RESUME = "resume"
    RETRY = "retry"
    ACKNOWLEDGE = "acknowledge"
    UNACKNOWLEDGE = "unacknowledge"
    DELETE = "delete"
    RESTORE = "restore"
    GRANT_SITE = "grant_site"
    REVOKE_SITE = "revoke_site"
    ADD_TO_PACKAGE = "add_to_package"
    REMOVE_FROM_PACKAGE = "remove_from_package"
    SHIFT_TAKEN = "shift_taken"
    SET_TAKEN = "set_taken"
    RESTORE_TAKEN = "restore_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """A set that was fixed when it was made. `filter` is None for what was picked by hand.

    `ledger_seq` is the newest event at `as_of`; `digest` is the sha256 over the members' numbers.
    """

    id: int
    key: str
    actor: str
    resource: Resource
    filter: Mapping[str, Any] | None
    as_of: datetime
    ledger_seq: int
    count: int
    bytes: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What an operation works on: a selection by its key, or things of one resource by number."""

    selection: str | None = None
    resource: Resource | None = None
    ids: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """One target that an operation would leave as it is, and why."""

    target_id: int
    target_name: str
    code: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Conflict:
    """Content that more than one of the chosen batches brings; the first to run creates it."""

    content_hash: str
    batch_ids: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class DateChange:
    """When a photo counts as taken, before and after: moments, and minutes east of UTC."""

    target_id: int
    name: str
    before: datetime | None
    before_offset_min: int | None
    after: datetime | None
    after_offset_min: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an operation would do if it were started now. `total` is the sum of the three counts.

    `auto_preflight` targets are decided about first and then done, or refused for what is found.
    `skipped` and `conflicts` are the first of them. `bytes` are those of what would be done;
    `free_after_bytes` is None where the store has no room that could be measured. `removes`
    counts what batches that remove would put in the trash, as far as they are decided about.
    `dates` are the first of those whose date would change.
    """

    verb: Verb
    resource: Resource
    total: int
    eligible: int
    auto_preflight: int = 0
    skipped_total: int = 0
    skipped: Sequence[Skipped] = ()
    skipped_counts: Mapping[str, int] = field(default_factory=dict)
    bytes: int = 0
    free_after_bytes: int | None = None
    removes: int = 0
    conflicts: Sequence[Conflict] = ()
    dates: Sequence[DateChange] = ()
    warnings: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation as it stands. `totals` counts its targets by outcome."""

    id: int
    key: str
    verb: Verb
    resource: Resource
    params: Mapping[str, Any]
    actor: str
    selection: str
    filter: Mapping[str, Any] | None
    as_of: datetime
    state: OperationState
    job_id: int | None
    total: int
    totals: Mapping[TargetOutcome, int]
    created_at: datetime
    finished_at: datetime | None
    undoes: str | None
    undone_by: str | None
    undo_until: datetime | None
    undoable: bool
    error: str | None = None
    error_code: str | None = None

    @property
    def settled(self) -> int:
        """How many targets have their result."""
        return sum(self.totals.values())


@dataclass(frozen=True, slots=True)
class OperationPage:
    """Operations, newest first, and the cursors of the pages around them."""

    operations: Sequence[Operation]
    next_cursor: str | None
    prev_cursor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What became of one target. `code` and `sentence` say more where there is more to say."""

    position: int
    target_kind: str
    target_id: int
    target_name: str
    outcome: TargetOutcome
    code: str | None = None
    sentence: str | None = None
    job_id: int | None = None


@dataclass(frozen=True, slots=True)
class ResultPage:
    """Results in the order in which they came, and the cursors of the pages around them."""

    results: Sequence[Result]
    next_cursor: str | None
    prev_cursor: str | None = None
