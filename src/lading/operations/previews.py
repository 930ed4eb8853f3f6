"""Says what an operation would do if it were started now, without writing anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, and_, distinct, func, or_, select

from lading.base.units import format_count
from lading.ingest.parts import IngestParts
from lading.ledger.states import BatchState, Decision
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.operations.photo_dates import DATE_VERBS, date_changes
from lading.operations.rules import SENTENCES, Judged
from lading.operations.subjects import Subject, subject
from lading.operations.tables import selection_member
from lading.operations.values import Conflict, Preview, Selection, Skipped, Verb
from lading.storage.space import free_bytes

SKIPPED_SHOWN: Final = 50
CONFLICTS_SHOWN: Final = 20
DATES_SHOWN: Final = 20
_LOOKED_AT: Final = 1_000
CONFLICT_BATCHES_MAX: Final = 2_000
"""Among more batches than that, nobody waits for a comparison of all their items."""

_member = selection_member.c


@dataclass(slots=True)
class Sums:
    """How many targets would be done, decided about first, or skipped, and their bytes."""

    eligible: int = 0
    auto_preflight: int = 0
    bytes: int = 0
    bytes_by_source: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)


def preview(
    conn: Connection,
    parts: IngestParts,
    chosen: Selection,
    verb: Verb,
    params: Mapping[str, Any],
    *,
    intake_paused: bool,
) -> Preview:
    """What `verb` would do to the members of `chosen`. The number of statements is constant."""
    about = subject(conn, chosen.resource, verb, params, chosen.id)
    sums, skipping = count(conn, about)
    free_after = None
    removes, conflicts, warnings = 0, [], []
    if verb is Verb.QUEUE:
        free_after = _free_after(parts, sums)
        removes = _count_removes(conn, chosen.id)
        if chosen.count <= CONFLICT_BATCHES_MAX:
            conflicts = _conflicts(conn, chosen.id)
        else:
            warnings.append("So many batches are not compared with each other beforehand.")
        warnings += _queue_warnings(sums, free_after, removes, conflicts, paused=intake_paused)
    shown = _eligible(conn, about) if verb in DATE_VERBS else []
    return Preview(
        verb=verb,
        resource=chosen.resource,
        total=chosen.count,
        eligible=sums.eligible,
        auto_preflight=sums.auto_preflight,
        skipped_total=sums.skipped.total(),
        skipped=_skipped(conn, about, skipping),
        skipped_counts=dict(sorted(sums.skipped.items())),
        bytes=sums.bytes,
        free_after_bytes=free_after,
        removes=removes,
        conflicts=conflicts,
        dates=date_changes(conn, verb, params, shown, selection_id=chosen.id),
        warnings=warnings,
    )


def count(conn: Connection, about: Subject) -> tuple[Sums, list[tuple[Any, Judged]]]:
    """The sums over all targets, and the combinations of facts that would be skipped."""
    rows = about.query.subquery()
    facts = [rows.c[name] for name in about.facts]
    sums, skipping = Sums(), []
    for row in conn.execute(
        select(
            *facts, func.count().label("targets"), func.sum(rows.c.bytes).label("size")
        ).group_by(*facts)
    ):
        judged = about.judge(row)  # type: ignore[arg-type] # it has the facts
        if judged.code is not None:
            sums.skipped[judged.code] += row.targets
            skipping.append((row, judged))
            continue
        sums.bytes += int(row.size or 0)
        if "source" in about.facts:
            sums.bytes_by_source[row.source] += int(row.size or 0)
        if judged.preflight:
            sums.auto_preflight += row.targets
        else:
            sums.eligible += row.targets
    return sums, skipping


def _skipped(conn: Connection, about: Subject, skipping: list[tuple[Any, Judged]]) -> list[Skipped]:
    if not skipping:
        return []
    rows = about.query.subquery()
    combinations = [
        and_(*(rows.c[name] == getattr(found, name) for name in about.facts))
        for found, _ in skipping
    ]
    query = select(rows).where(or_(*combinations)).order_by(rows.c.target_id).limit(SKIPPED_SHOWN)
    shown = []
    for row in conn.execute(query):
        code = about.judge(row).code or ""
        shown.append(Skipped(row.target_id, row.target_name, code, SENTENCES[code]))
    return shown


def _eligible(conn: Connection, about: Subject) -> list[int]:
    """The first targets that it would be done to."""
    rows = conn.execute(about.query.order_by(_member.target_id).limit(_LOOKED_AT)).all()
    return [row.target_id for row in rows if about.judge(row).code is None][:DATES_SHOWN]


def _free_after(parts: IngestParts, sums: Sums) -> int | None:
    """The room left in the store; files that stay where they are need none."""
    free = free_bytes(parts.store)
    if free is None:
        return None
    moved = sum(
        size
        for source, size in sums.bytes_by_source.items()
        if getattr(parts.sources.get(source), "keep", "copy") != "in_place"
    )
    return free - moved


def _count_removes(conn: Connection, selection_id: int) -> int:
    """Items that would go to the trash: as decided, or as the manifest says while undecided."""
    batch, item = ingest_batch.c, ingest_batch_item.c
    mine = selection_member.join(ingest_batch, batch.id == _member.target_id)
    decided = conn.scalar(
        select(func.count())
        .select_from(
            mine.join(
                ingest_batch_item, and_(item.batch_id == batch.id, item.revision == batch.revision)
            )
        )
        .where(
            _member.selection_id == selection_id,
            batch.action == "remove",
            batch.state == BatchState.PREFLIGHT_PASSED.value,
            item.planned == Decision.REMOVE.value,
        )
    )
    unsure = (
        BatchState.PREFLIGHT_PASSED,
        BatchState.QUEUED,
        BatchState.IMPORTING,
        BatchState.IMPORTED,
        BatchState.SUPERSEDED,
    )
    undecided = conn.scalar(
        select(func.coalesce(func.sum(batch.items_total), 0))
        .select_from(mine)
        .where(
            _member.selection_id == selection_id,
            batch.action == "remove",
            batch.state.not_in([state.value for state in unsure]),
        )
    )
    return int(decided or 0) + int(undecided or 0)


def _conflicts(conn: Connection, selection_id: int) -> list[Conflict]:
    """Content that two or more of the batches ready to be queued would create."""
    batch, item = ingest_batch.c, ingest_batch_item.c
    ready = selection_member.join(ingest_batch, batch.id == _member.target_id).join(
        ingest_batch_item, and_(item.batch_id == batch.id, item.revision == batch.revision)
    )
    which = and_(
        _member.selection_id == selection_id,
        batch.state == BatchState.PREFLIGHT_PASSED.value,
        item.content_hash.is_not(None),
        item.planned == Decision.CREATE.value,
    )
    twice = conn.scalars(
        select(item.content_hash)
        .select_from(ready)
        .where(which)
        .group_by(item.content_hash)
        .having(func.count(distinct(item.batch_id)) > 1)
        .order_by(item.content_hash)
        .limit(CONFLICTS_SHOWN)
    ).all()
    if not twice:
        return []
    found: dict[str, list[int]] = {digest: [] for digest in twice if digest}
    for row in conn.execute(
        select(item.content_hash.label("digest"), item.batch_id)
        .distinct()
        .select_from(ready)
        .where(which, item.content_hash.in_(twice))
        .order_by(item.batch_id)
    ):
        found[row.digest].append(row.batch_id)
    return [Conflict(digest, ids) for digest, ids in found.items()]


def _queue_warnings(
    sums: Sums,
    free_after: int | None,
    removes: int,
    conflicts: list[Conflict],
    *,
    paused: bool,
) -> list[str]:
    warnings = []
    if free_after is not None and free_after < 0:
        warnings.append("The store has less room than the batches may need.")
    if removes:
        put = format_count(removes, "item")
        warnings.append(f"{put} would be put in the trash, and can be restored.")
    if conflicts:
        warnings.append("Some content is in more than one of these batches; it is taken in once.")
    if paused and sums.eligible + sums.auto_preflight:
        warnings.append("Intake is paused: nothing of it begins until it is resumed.")
    return warnings
