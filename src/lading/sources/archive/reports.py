"""What a run did, for whoever reads about it: its funnel, and every rejection with its rule (B9).

The same report is made of a run that the ledger has and of a dry run that nothing has.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, select

from lading.base.reasons import Reason
from lading.db import Database
from lading.ingest.rehearsal import RefusedItem, Rehearsal
from lading.ingest.rules import ENGINE_REASONS
from lading.ledger.batches import get_batch
from lading.ledger.item_lists import count_plan
from lading.ledger.queries import count_reasons
from lading.ledger.states import Decision, Outcome
from lading.ledger.tables import ingest_batch_item
from lading.sources.archive.decide import CODE_ITEM
from lading.sources.archive.source import ALL_REASONS

PAGE_ROWS: Final = 500
REFUSED_OUTCOMES: Final = (Outcome.REJECTED, Outcome.FAILED)

_item = ingest_batch_item.c


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run as a funnel. `phase1` has the counts of `Phase1`; nothing is in two counts.

    `new` codes were parsed, `held` ones skipped; of the new ones `created` and `updated` are (or,
    in a dry run, would be) in the library, `refused` are not, `pending` wait for the workers.
    `rules` counts rejections by reason code, of keys, codes and contents alike. `seconds` is by
    phase, as far as it is over.
    """

    source: str
    run: str
    batch_id: int | None
    dry_run: bool
    safe_run: bool
    state: str
    started_at: datetime | None
    finished_at: datetime | None
    phase1: Mapping[str, int]
    left_out: Sequence[Mapping[str, Any]]
    held: int
    new: int
    created: int
    updated: int
    unchanged: int
    rejected: int
    refused: int
    pending: int
    rules: Mapping[str, int]
    seconds: Mapping[str, float] = field(default_factory=dict)
    job_id: int | None = None
    error: str | None = None

    @property
    def problems(self) -> int:
        """How many keys and codes somebody has to look at."""
        return self.rejected + self.refused


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One key or code that was not taken in. `subject` is the object's key where one is meant."""

    item: str
    kind: str
    phase: int
    rule: str
    sentence: str
    next_step: str
    subject: str
    expected: str | None = None
    found: str | None = None


def report_of_run(db: Database, batch_id: int, *, safe_run: bool = False) -> RunReport:
    """The report of a recorded run. Raises `BatchMissing`."""
    with db.read() as conn:
        batch = get_batch(conn, batch_id)
        plan = count_plan(conn, batch)
        rules = count_reasons(conn, batch)
    detail = batch.detail or {}
    outcomes: dict[Outcome, int] = dict.fromkeys(Outcome, 0)
    new = 0
    for (decision, outcome), count in plan.items():
        outcomes[outcome] += count
        new += count if decision in {Decision.CREATE, Decision.UPDATE} else 0
    return RunReport(
        source=batch.source,
        run=batch.batch_key,
        batch_id=batch.id,
        dry_run=False,
        safe_run=safe_run,
        state=batch.state.value,
        started_at=batch.found_at,
        finished_at=batch.finished_at or batch.preflighted_at,
        phase1=detail.get("phase1", {}),
        left_out=detail.get("left_out", ()),
        held=int(detail.get("held", 0)),
        new=new,
        created=outcomes[Outcome.CREATED],
        updated=outcomes[Outcome.UPDATED],
        unchanged=outcomes[Outcome.UNCHANGED],
        rejected=outcomes[Outcome.REJECTED],
        refused=outcomes[Outcome.FAILED],
        pending=outcomes[Outcome.PENDING],
        rules=rules,
        seconds=_seconds(detail, batch.queued_at, batch.finished_at),
        error=batch.reason,
    )


def rejections_of_run(db: Database, batch_id: int) -> Iterator[Rejection]:
    """Every rejection of a recorded run, in the order of its items, some read at a time."""
    with db.read() as conn:
        batch = get_batch(conn, batch_id)
    after = -1
    while True:
        with db.read() as conn:
            rows = conn.execute(
                select(ingest_batch_item)
                .where(
                    _item.batch_id == batch.id,
                    _item.revision == batch.revision,
                    _item.outcome.in_([outcome.value for outcome in REFUSED_OUTCOMES]),
                    _item.seq > after,
                )
                .order_by(_item.seq)
                .limit(PAGE_ROWS)
            ).all()
        yield from map(rejection_of, rows)
        if len(rows) < PAGE_ROWS:
            return
        after = rows[-1].seq


def rejection_of(row: Row[Any]) -> Rejection:
    """The rejection that a row of `ingest_batch_item` with all its columns is."""
    detail = json.loads(row.detail) if row.detail else {}
    in_fetch = row.outcome == Outcome.FAILED.value
    phase = 3 if in_fetch else 2 if row.kind == CODE_ITEM else 1
    return _rejection(
        row.item_key, row.kind, row.reason or "", phase=phase, detail=detail, said=row.last_error
    )


def report_of_rehearsal(
    found: Rehearsal,
    *,
    source: str,
    safe_run: bool,
    started_at: datetime,
    finished_at: datetime,
) -> RunReport:
    """The report of a dry run: what would have been written."""
    rejected = found.refused_by_phase.get("decide", 0)
    refused = found.refused_by_phase.get("fetch", 0)
    return RunReport(
        source=source,
        run=found.batch_key,
        batch_id=None,
        dry_run=True,
        safe_run=safe_run,
        state="rehearsed",
        started_at=started_at,
        finished_at=finished_at,
        phase1=found.detail.get("phase1", {}),
        left_out=found.detail.get("left_out", ()),
        held=found.unchanged,
        new=found.create + found.update + refused,
        created=found.create,
        updated=found.update,
        unchanged=0,
        rejected=rejected,
        refused=refused,
        pending=0,
        rules=dict(found.refused),
        seconds={
            **found.detail.get("seconds", {}),
            "all": round((finished_at - started_at).total_seconds(), 3),
        },
    )


def rejection_of_refused(item: RefusedItem) -> Rejection:
    """The rejection that an item of a dry run would be."""
    phase = 3 if item.phase == "fetch" else 2 if item.kind == CODE_ITEM else 1
    return _rejection(
        item.key, item.kind, item.reason, phase=phase, detail=item.detail, said=item.sentence
    )


def reason_of(code: str) -> Reason | None:
    """What a rule says, whoever gives it."""
    return ALL_REASONS.get(code) or ENGINE_REASONS.get(code)


def _rejection(
    item: str, kind: str, code: str, *, phase: int, detail: Mapping[str, Any], said: str | None
) -> Rejection:
    reason = reason_of(code)
    return Rejection(
        item=item,
        kind=kind,
        phase=phase,
        rule=code,
        sentence=reason.sentence if reason else said or code,
        next_step=reason.next_step if reason else "",
        subject=str(detail.get("key") or detail.get("subject") or item),
        expected=_text(detail.get("expected")),
        found=_text(detail.get("found")),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _seconds(
    detail: Mapping[str, Any], queued_at: datetime | None, finished_at: datetime | None
) -> dict[str, float]:
    """By phase; the time in line counts as a part of the import."""
    seconds = {str(phase): float(took) for phase, took in detail.get("seconds", {}).items()}
    if finished_at is not None and queued_at is not None and finished_at >= queued_at:
        seconds["import"] = round((finished_at - queued_at).total_seconds(), 3)
    return seconds
