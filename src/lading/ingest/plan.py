"""A plan: what importing some batches would do, as a file that can be read, kept and applied (G6).

A plan binds: queueing by it does exactly what it says, or refuses because the source or the
decisions changed since it was made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from lading.base.errors import RequestError
from lading.db import Database
from lading.ledger.batches import Batch, get_batch
from lading.ledger.items import count_decisions
from lading.ledger.queries import ItemView, list_items
from lading.ledger.states import BatchState

FORMAT: Final = "lading-plan-1"
PAGE_ITEMS: Final = 1_000


class BadPlan(RequestError):
    """A file that is not a plan of this format."""

    code = "bad_plan"
    next_step = "Make a new one with `lading plan BATCH -o FILE`."


class PlanOutdated(RequestError):
    """What a plan says no longer holds: the manifest, the decisions or the state changed."""

    code = "plan_outdated"
    http_status = 409
    next_step = "Make a new plan, look at it, and queue by that one."


class NotPreflighted(RequestError):
    """A plan was asked for a batch that has no decisions to plan with."""

    code = "not_preflighted"
    http_status = 409
    next_step = (
        "Run `lading preflight` on it first; if it failed there, see why with `lading batch`."
    )


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """What would be done with one batch. `items` are left out of a summary."""

    source: str
    batch_key: str
    type: str
    action: str
    manifest_sha256: str
    plan_digest: str
    items_total: int
    bytes_total: int
    decisions: dict[str, int]
    items: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """What queueing these batches would do."""

    batches: list[PlannedBatch]
    format: str = FORMAT

    def to_json(self) -> str:
        """The plan as the text of its file."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """Read a plan's file. Raises `BadPlan`."""
        try:
            raw = json.loads(text)
            if not isinstance(raw, dict) or raw.get("format") != FORMAT:
                raise ValueError(f"it is not of the format {FORMAT}")
            batches = [PlannedBatch(**batch) for batch in raw["batches"]]
            for batch in batches:
                facts = (batch.source, batch.batch_key, batch.manifest_sha256, batch.plan_digest)
                if not all(isinstance(fact, str) for fact in facts):
                    raise TypeError("a name or a digest is not text")
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BadPlan(f"the plan cannot be read: {error}") from error
        return cls(batches)

    def find(self, source: str, batch_key: str) -> PlannedBatch | None:
        """The part of the plan about one batch."""
        for batch in self.batches:
            if (batch.source, batch.batch_key) == (source, batch_key):
                return batch
        return None


def make_plan(db: Database, batch_ids: Sequence[int], *, with_items: bool = True) -> Plan:
    """The plan for preflighted batches, from the decisions in the ledger.

    Raises `NotPreflighted`. A plan with items grows with them: it is a file to be read.
    """
    return Plan([_plan_batch(db, batch_id, with_items) for batch_id in batch_ids])


def _plan_batch(db: Database, batch_id: int, with_items: bool) -> PlannedBatch:
    with db.read() as conn:
        batch = get_batch(conn, batch_id)
        decisions = count_decisions(conn, batch.id, batch.revision)
    if batch.state is not BatchState.PREFLIGHT_PASSED:
        raise NotPreflighted(
            "the batch has no decisions that could be carried out",
            subject=batch.batch_key,
            expected=BatchState.PREFLIGHT_PASSED,
            found=batch.state,
        )
    items = [_plan_item(item) for item in _walk_items(db, batch)] if with_items else []
    return PlannedBatch(
        source=batch.source,
        batch_key=batch.batch_key,
        type=batch.type,
        action=batch.action,
        manifest_sha256=batch.preflight_sha256 or "",
        plan_digest=batch.plan_digest or "",
        items_total=batch.items_total,
        bytes_total=batch.bytes_total,
        decisions=decisions,
        items=items,
    )


def _plan_item(item: ItemView) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "key": item.key,
        "kind": item.kind,
        "decision": item.planned,
        "bytes": item.bytes,
    }
    optional = {"title": item.title, "content_hash": item.content_hash, "reason": item.reason}
    return facts | {name: value for name, value in optional.items() if value is not None}


def _walk_items(db: Database, batch: Batch) -> Iterator[ItemView]:
    cursor: str | None = None
    while True:
        with db.read() as conn:
            items, cursor = list_items(conn, batch, cursor=cursor, limit=PAGE_ITEMS)
        yield from items
        if cursor is None:
            return


def require_current(plan: PlannedBatch, batch: Batch) -> None:
    """Raise `PlanOutdated` unless the batch still is what the plan was made of."""
    for what, expected, found in (
        ("its state", BatchState.PREFLIGHT_PASSED.value, batch.state.value),
        ("its manifest", plan.manifest_sha256, batch.preflight_sha256),
        ("the decisions about its items", plan.plan_digest, batch.plan_digest),
    ):
        if expected != found:
            raise PlanOutdated(
                f"{what} changed since the plan was made",
                subject=batch.batch_key,
                expected=expected,
                found=found,
            )
