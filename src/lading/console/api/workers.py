"""Workers: who lives, who fell silent, and what each has in hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from lading.console.answers import Many
from lading.console.api.conventions import reads, whole
from lading.console.api.jobs import JobItem, job_item
from lading.console.parts import Console
from lading.console.readers.workers import WorkerView, read_worker, read_workers

TAG: Final = "workers"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerItem:
    """One worker. `said` is how it does; `fate` what becomes of its jobs if it is gone."""

    id: str
    host: str
    pid: int
    version: str
    other_version: bool
    slots: int
    said: str
    fate: str
    started_at: datetime
    seen_at: datetime
    stopped_at: datetime | None
    silent_s: float
    rate_bytes_s: float | None
    jobs: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerAnswer:
    """One worker, the jobs it has in hand, and those it had lately."""

    worker: WorkerItem
    in_hand: Sequence[JobItem]
    lately: Sequence[JobItem]


def routes() -> list[HTTPRouteHandler]:
    """The workers, and one of them."""
    return [list_of_workers, one_worker]


@reads("/workers", "The workers of the last days", tag=TAG)
def list_of_workers(console: NamedDependency[Console]) -> Many[WorkerItem]:
    """Those that should be running, then those that ended."""
    found = read_workers(console)
    return whole([_item(view) for view in (*found.running, *found.stopped)])


@reads("/workers/{worker_id:str}", "One worker", tag=TAG)
def one_worker(console: NamedDependency[Console], worker_id: FromPath[str]) -> WorkerAnswer:
    """One worker with its jobs."""
    found = read_worker(console, worker_id)
    return WorkerAnswer(
        worker=_item(found.worker),
        in_hand=[job_item(line) for line in found.worker.in_hand],
        lately=[job_item(line) for line in found.lately],
    )


def _item(view: WorkerView) -> WorkerItem:
    row = view.row
    return WorkerItem(
        id=row.id,
        host=row.host,
        pid=row.pid,
        version=row.version,
        other_version=view.other_version,
        slots=row.slots,
        said=view.look.word,
        fate=view.fate,
        started_at=row.started_at,
        seen_at=row.seen_at,
        stopped_at=row.stopped_at,
        silent_s=row.silent_s,
        rate_bytes_s=view.rate_bytes_s,
        jobs=[line.job.id for line in view.in_hand],
    )
