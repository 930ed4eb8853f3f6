"""Says how long work about faces will take, from how long such jobs took: or that nobody knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

from sqlalchemy import Connection, select

from lading.jobs.states import JobState
from lading.jobs.tables import import_job

_LOOKED_BACK: Final = 200
"""Among so many of the newest jobs of a kind, those that ended well are measured."""


@dataclass(frozen=True, slots=True)
class Speed:
    """What a job takes before its first item, and what each item takes, in seconds.

    `jobs` were measured, with `items` together.
    """

    start_s: float
    item_s: float
    jobs: int
    items: int

    def seconds(self, *, jobs: float, items: float) -> float:
        """How long so many jobs with so many items together take, one after the other."""
        return self.start_s * jobs + self.item_s * items

    @classmethod
    def fitted(cls, measured: list[tuple[int, float]]) -> Self | None:
        """The line that fits (items, seconds) of jobs best; None without any.

        Where all have as many items, all of the time is taken to be theirs: too long rather than
        too short.
        """
        if not measured:
            return None
        count = len(measured)
        items = sum(each for each, _ in measured)
        mean_items, mean_s = items / count, sum(s for _, s in measured) / count
        spread = sum((each - mean_items) ** 2 for each, _ in measured)
        if spread:
            together = sum((each - mean_items) * (s - mean_s) for each, s in measured)
            item_s = max(0.0, together / spread)
        else:
            item_s = mean_s / mean_items if mean_items else 0.0
        return cls(max(0.0, mean_s - item_s * mean_items), item_s, count, items)


def measured_speed(conn: Connection, kind: str) -> Speed | None:
    """The speed of the newest jobs of a kind that ended well; None when none did."""
    newest = (
        select(
            import_job.c.status,
            import_job.c.items_done + import_job.c.items_failed,
            import_job.c.started_at,
            import_job.c.finished_at,
        )
        .where(import_job.c.kind == kind)
        .order_by(import_job.c.id.desc())
        .limit(_LOOKED_BACK)
    )
    return Speed.fitted(
        [
            (items, max(0.0, (finished - started).total_seconds()))
            for status, items, started, finished in conn.execute(newest)
            if status == JobState.DONE and started is not None and finished is not None
        ]
    )
