"""What people did to many things at once, as events of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lading.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationStarted(Event):
    """Someone began to do one thing to many; what it does to each has its own events."""

    kind: ClassVar[str] = "operation_started"
    operation: str
    verb: str
    resource: str
    targets: int
    selection: str
    digest: str
    params: dict[str, Any] | None = None
    undoes: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationFinished(Event):
    """Every target of an operation has its result; the outcomes add up to the targets."""

    kind: ClassVar[str] = "operation_finished"
    operation: str
    verb: str
    outcomes: dict[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemsAcknowledged(Event):
    """Someone took note of problems, so that they are hidden, or took that back."""

    kind: ClassVar[str] = "problems_acknowledged"
    target_kind: str
    targets: list[str]
    acknowledged: bool
    snoozed_until: str | None = None
    note: str | None = None
