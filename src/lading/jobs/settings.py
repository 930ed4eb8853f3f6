"""How a worker behaves: limits and intervals, each with the reason a person would change it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from lading.jobs.errors import BadWorkerSettings

HEARTBEATS_PER_STALE: Final = 5
"""A job may miss this many heartbeats before it is taken: closer than that, they race."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """Settings of one worker process. Raises `BadWorkerSettings` for a contradiction."""

    slots: int = 1
    """Jobs run at a time by one process."""

    stale_after_s: float = 900
    """A running job silent for so long is taken from its worker (A9)."""

    heartbeat_s: float = 15
    """Running work renews its heartbeat at most this often; at most a fifth of `stale_after_s`."""

    progress_event_s: float = 60
    """Progress is written to the ledger at most this often for each job."""

    rescue_every_s: float = 60
    """Each worker looks for silent jobs this often, and at its start."""

    schedule_every_s: float = 1
    """Each worker looks for waiting jobs whose time has come at least this often."""

    poll_min_s: float = 0.1
    """An idle worker asks again after this, then ever more seldom (SQLite, MariaDB, draining)."""

    poll_max_s: float = 1
    """The longest an idle worker leaves between two looks where nothing wakes it."""

    net_poll_s: float = 5
    """PostgreSQL wakes idle workers; they still look after this to twice this, as a net."""

    retry_base_s: float = 2
    """The first retry after a passing fault comes about this late; each further one doubles it."""

    retry_max_s: float = 300
    """No retry comes later than this."""

    database_retry_max_s: float = 30
    """While the database is away, a worker asks for it at least this often."""

    nice: int = 10
    """CPU priority given up, 0 (none) to 19 (C1)."""

    ionice: Literal["idle", "best_effort", "none"] = "idle"
    """I/O priority class (C1); `none` leaves it as it is."""

    def __post_init__(self) -> None:
        for name in (
            "slots",
            "stale_after_s",
            "heartbeat_s",
            "progress_event_s",
            "rescue_every_s",
            "schedule_every_s",
            "poll_min_s",
            "poll_max_s",
            "net_poll_s",
            "retry_base_s",
            "retry_max_s",
            "database_retry_max_s",
        ):
            if getattr(self, name) <= 0:
                raise BadWorkerSettings(
                    "a worker setting must be more than 0", subject=name, found=getattr(self, name)
                )
        if self.heartbeat_s > self.stale_after_s / HEARTBEATS_PER_STALE:
            raise BadWorkerSettings(
                "heartbeats are too far apart: a job could be taken from a live worker",
                subject="heartbeat_s",
                expected=f"at most {self.stale_after_s / HEARTBEATS_PER_STALE:g}",
                found=f"{self.heartbeat_s:g}",
            )
        if self.poll_min_s > self.poll_max_s:
            raise BadWorkerSettings(
                "the shortest wait is longer than the longest",
                subject="poll_min_s",
                expected=f"at most {self.poll_max_s:g}",
                found=f"{self.poll_min_s:g}",
            )
        if not 0 <= self.nice <= 19:
            raise BadWorkerSettings("nice is out of range", expected="0 to 19", found=self.nice)
