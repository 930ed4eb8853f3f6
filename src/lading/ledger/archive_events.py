"""What was asked of an archive and what it said, as events of the ledger (B6, B7, B9)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from lading.ledger.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRunStarted(Event):
    """A run of an archive was asked for; `outcome` says whether there was anything to import.

    The event is of the run's batch and of the job that looked; `import_job` is the one that
    imports.
    """

    kind: ClassVar[str] = "archive_run_started"
    run: str
    outcome: str
    safe_run: bool
    prefix: str = ""
    again: bool = False
    import_job: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveRehearsed(Event):
    """A dry run of an archive ended; it wrote nothing but this.

    `report` is the run's report as plain values, `rejections` the first of what would have been
    rejected, `rejected` how many there were.
    """

    kind: ClassVar[str] = "archive_rehearsed"
    run: str
    safe_run: bool
    prefix: str
    report: dict[str, Any]
    rejections: list[dict[str, Any]]
    rejected: int
