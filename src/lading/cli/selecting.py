"""Turns what people type into batches: names, or the batches that a plan speaks of."""

from __future__ import annotations

from collections.abc import Sequence

from lading.db import Database
from lading.ingest.plan import Plan, PlanOutdated
from lading.ledger.batches import Batch, batch_ids
from lading.ledger.queries import find_batch


def by_names(db: Database, names: Sequence[str]) -> list[Batch]:
    """The batches named, each once, in the order given. Raises `BatchMissing`."""
    with db.read() as conn:
        found = [find_batch(conn, name) for name in names]
    return list({batch.id: batch for batch in found}.values())


def by_plan(db: Database, plan: Plan) -> list[int]:
    """The numbers of the batches a plan speaks of. Raises `PlanOutdated` for an unknown one."""
    keys: dict[str, list[str]] = {}
    for planned in plan.batches:
        keys.setdefault(planned.source, []).append(planned.batch_key)
    with db.read() as conn:
        known = {source: batch_ids(conn, source, names) for source, names in keys.items()}
    numbers = []
    for planned in plan.batches:
        number = known[planned.source].get(planned.batch_key)
        if number is None:
            raise PlanOutdated(
                "the plan speaks of a batch that is not recorded here",
                subject=f"{planned.source}/{planned.batch_key}",
            )
        numbers.append(number)
    return numbers
