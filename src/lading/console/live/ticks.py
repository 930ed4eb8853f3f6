"""What changed between two looks at the ledger and the queue, and how two such changes add up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

IDS_MAX: Final = 10_000
"""Who listens more slowly than things change is told no more numbers than this, but to look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What changed: everything in the ledger above `since` up to `seq`, and progress of jobs.

    Not `complete`: more than could be named, so anything may have changed. `clock`: some seconds
    passed, and what is judged by the age of a heartbeat may have changed by that alone.
    """

    since: int
    seq: int
    at: datetime
    batch_ids: frozenset[int] = frozenset()
    job_ids: frozenset[int] = frozenset()
    kinds: frozenset[str] = frozenset()
    complete: bool = True
    clock: bool = False

    def then(self, later: Tick) -> Tick:
        """Both changes as one."""
        batch_ids = self.batch_ids | later.batch_ids
        job_ids = self.job_ids | later.job_ids
        few = len(batch_ids) + len(job_ids) <= IDS_MAX
        return Tick(
            since=min(self.since, later.since),
            seq=max(self.seq, later.seq),
            at=later.at,
            batch_ids=batch_ids if few else frozenset(),
            job_ids=job_ids if few else frozenset(),
            kinds=self.kinds | later.kinds,
            complete=self.complete and later.complete and few and later.since <= self.seq,
            clock=self.clock or later.clock,
        )

    @property
    def says_something(self) -> bool:
        """Whether more happened than that time passed."""
        return self.seq > self.since or bool(self.job_ids) or not self.complete
