"""The accounts of a batch: every item found has exactly one outcome, and they add up (G5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from lading.ledger.batches import Batch
from lading.ledger.items import count_outcomes
from lading.ledger.queries import sum_bytes
from lading.ledger.states import Outcome


@dataclass(frozen=True, slots=True)
class Account:
    """What became of the items found in one batch; sizes in bytes."""

    found: int
    outcomes: Mapping[Outcome, int]
    bytes_settled: int
    bytes_pending: int

    @property
    def adds_up(self) -> bool:
        """Whether each item found has exactly one outcome; true too before any was decided."""
        return sum(self.outcomes.values()) in {0, self.found}

    def __str__(self) -> str:
        if not any(self.outcomes.values()):
            return f"{self.found:,} announced, none decided yet"
        parts = " + ".join(f"{count:,} {outcome}" for outcome, count in self.outcomes.items())
        return f"{self.found:,} found = {parts}"


def read_account(conn: Connection, batch: Batch) -> Account:
    """The accounts of the batch's present revision."""
    settled, pending = sum_bytes(conn, batch)
    outcomes = count_outcomes(conn, batch.id, batch.revision)
    return Account(batch.items_total, outcomes, settled, pending)
