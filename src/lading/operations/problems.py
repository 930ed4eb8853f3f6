"""What went wrong and is still so, read from the database and grouped by kind, source and reason.

A list and its count come from the same query. What somebody took note of is left out until it
changes or the time it was put off for has passed.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import (
    Connection,
    Row,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal_column,
    null,
    or_,
    select,
)

from lading.db.keyset import Key, fetch_page
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.ledger.events import ScanFinished, ScanRefused
from lading.ledger.queries import last_event
from lading.ledger.states import BatchState, Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.library.statements import chunked
from lading.operations.acknowledging import (
    BATCH,
    JOB,
    acknowledged_sources,
    hides,
)
from lading.operations.errors import UnknownProblem
from lading.operations.rules import PROBLEM_BATCH_STATES
from lading.operations.scans import SCAN_JOB_KIND
from lading.operations.tables import acknowledgement
from lading.operations.wording import Retry, Wording

SAMPLES: Final = 3
COUNT_CAP: Final = 10_000

_PROBLEM_STATES: Final = sorted(state.value for state in PROBLEM_BATCH_STATES)
# Written out as in the index of just these items (see `ledger.tables`), and not as parameters.
_SPOILED: Final = ingest_batch_item.c.outcome.in_(
    [literal_column(f"'{outcome.value}'") for outcome in (Outcome.REJECTED, Outcome.FAILED)]
)
_ALL_REJECTED: Final = "all_rejected"
# Joined, not asked for in a condition, which databases work out anew wherever it is named.
_HIDDEN: Final = case((acknowledgement.c.id.is_not(None), 1), else_=0).label("hidden")


class ProblemKind(StrEnum):
    """What is wrong: a whole batch, items of batches, a job, or a source."""

    BATCH = "batch"
    ITEM = "item"
    JOB = "job"
    SOURCE = "source"


@dataclass(frozen=True, slots=True)
class ProblemTarget:
    """One problem. `id` is the batch's or job's, 0 for a source; `item` is the key of an item.

    `retry_job` is the failed job that can be retried for it.
    """

    kind: ProblemKind
    id: int
    name: str
    item: str | None
    seen_at: datetime
    acknowledged: bool
    retry_job: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemGroup:
    """All problems of one kind, source (of jobs: kind of job) and code.

    `count` has those that are shown, `acknowledged` those that are hidden (both, when asked for).
    """

    fingerprint: str
    kind: ProblemKind
    code: str
    source: str
    count: int
    first_seen: datetime
    last_seen: datetime
    samples: Sequence[ProblemTarget]
    retry: Retry
    sentence: str
    next_step: str
    acknowledged: int


@dataclass(frozen=True, slots=True)
class ProblemCount:
    """How many groups and how many problems in them; when not `exact`, there are more."""

    groups: int
    problems: int
    exact: bool = True


@dataclass(frozen=True, slots=True)
class ProblemSurvey:
    """All groups with something to show, and how many problems are acknowledged in all groups."""

    groups: Sequence[ProblemGroup]
    acknowledged: int

    def counted(self, cap: int = COUNT_CAP) -> ProblemCount:
        """The groups, and the problems in them up to `cap`."""
        total = sum(group.count for group in self.groups)
        return ProblemCount(len(self.groups), min(total, cap), total <= cap)


@dataclass(frozen=True, slots=True)
class ProblemPage:
    """Problems of one group, the latest row first, and the cursor of the page after them."""

    targets: Sequence[ProblemTarget]
    next_cursor: str | None
    prev_cursor: str | None = None


def list_problem_groups(
    conn: Connection,
    wording: Wording,
    *,
    kinds: Collection[ProblemKind] = tuple(ProblemKind),
    source: str | None = None,
    with_acknowledged: bool = False,
) -> list[ProblemGroup]:
    """All groups that have something to show, the latest first. A constant number of statements."""
    found = survey_problems(conn, wording, kinds=kinds, with_acknowledged=with_acknowledged)
    return [group for group in found.groups if source is None or group.source == source]


def survey_problems(
    conn: Connection,
    wording: Wording,
    *,
    kinds: Collection[ProblemKind] = tuple(ProblemKind),
    with_acknowledged: bool = False,
) -> ProblemSurvey:
    """All groups that have something to show, and how much is acknowledged, read once."""
    groups: list[ProblemGroup] = []
    for kind in (ProblemKind.BATCH, ProblemKind.ITEM, ProblemKind.JOB):
        if kind in kinds:
            groups += _groups(conn, wording, kind, with_acknowledged=with_acknowledged)
    if ProblemKind.SOURCE in kinds:
        groups += _source_groups(conn, wording, with_acknowledged=with_acknowledged)
    shown = [group for group in groups if group.count]
    return ProblemSurvey(
        sorted(shown, key=lambda group: (group.last_seen, group.fingerprint), reverse=True),
        sum(group.acknowledged for group in groups),
    )


def count_problems(conn: Connection, wording: Wording, *, cap: int = COUNT_CAP) -> ProblemCount:
    """What a badge shows: the groups of the list, and the problems in them up to `cap`."""
    return survey_problems(conn, wording).counted(cap)


def get_problem_group(conn: Connection, wording: Wording, fingerprint: str) -> ProblemGroup:
    """One group, acknowledged or not. Raises `UnknownProblem`."""
    kind, _, _ = parse_fingerprint(fingerprint)
    for group in list_problem_groups(conn, wording, kinds=[kind], with_acknowledged=True):
        if group.fingerprint == fingerprint:
            return group
    raise UnknownProblem("nothing of this kind is wrong now", subject=fingerprint)


def list_problem_targets(
    conn: Connection,
    wording: Wording,
    fingerprint: str,
    *,
    with_acknowledged: bool = False,
    cursor: str | None = None,
    limit: int = 50,
) -> ProblemPage:
    """A page of the problems of one group. Raises `UnknownProblem`, `BadCursor`."""
    kind, source, code = parse_fingerprint(fingerprint)
    if kind is ProblemKind.SOURCE:
        found = _source_problems(conn, wording, source, with_acknowledged=with_acknowledged)
        return ProblemPage([target for known, target in found if known == code], None)
    rows = _rows(kind)
    query = select(rows).where(rows.c.source == source, rows.c.code == code)
    if not with_acknowledged:
        query = query.where(rows.c.hidden == 0)
    order = [Key(rows.c.row_id, descending=True)]
    page = fetch_page(conn, query, order, cursor=cursor, limit=limit)
    targets = [_target(kind, row) for row in page.rows]
    return ProblemPage(targets, page.next_cursor, page.prev_cursor)


def problem_ids(fingerprint: str, *, with_acknowledged: bool = False) -> Select[Any]:
    """A query of the batches, or the jobs, that a group is about, each once.

    Raises `UnknownProblem`, also for a source, which has a name alone.
    """
    kind, source, code = parse_fingerprint(fingerprint)
    if kind is ProblemKind.SOURCE:
        raise UnknownProblem("a source has no number", subject=fingerprint)
    rows = _rows(kind)
    query = select(rows.c.target_id).where(rows.c.source == source, rows.c.code == code).distinct()
    return query if with_acknowledged else query.where(rows.c.hidden == 0)


def fingerprint_of(kind: ProblemKind, source: str, code: str) -> str:
    """`kind.source.code`; neither kinds nor sources have a dot."""
    return f"{kind}.{source}.{code}"


def parse_fingerprint(fingerprint: str) -> tuple[ProblemKind, str, str]:
    """The parts of a fingerprint. Raises `UnknownProblem`."""
    parts = fingerprint.split(".", 2)
    if len(parts) != 3 or parts[0] not in set(ProblemKind):
        raise UnknownProblem("there is no such group of problems", subject=fingerprint)
    return ProblemKind(parts[0]), parts[1], parts[2]


def _groups(
    conn: Connection, wording: Wording, kind: ProblemKind, *, with_acknowledged: bool
) -> list[ProblemGroup]:
    """The groups of a kind, those with nothing to show among them: what is hidden counts, too."""
    every = _rows(kind)
    column = every.c
    # Named twice below and gone through once: databases keep such a table until the end.
    rows = select(column.row_id, column.source, column.code, column.seen_at, column.hidden).cte(
        "found"
    )
    shown = rows.c.hidden <= int(with_acknowledged)
    seen = case((shown, rows.c.seen_at))
    groups = (
        select(
            rows.c.source,
            rows.c.code,
            func.sum(case((shown, 1), else_=0)).label("shown"),
            func.sum(rows.c.hidden).label("hidden"),
            func.min(seen, type_=rows.c.seen_at.type).label("first_seen"),
            func.max(seen, type_=rows.c.seen_at.type).label("last_seen"),
        )
        .group_by(rows.c.source, rows.c.code)
        .subquery("groups")
    )
    place = (
        func.row_number()
        .over(partition_by=(rows.c.source, rows.c.code), order_by=rows.c.row_id.desc())
        .label("place")
    )
    latest = (
        select(rows.c.row_id, rows.c.source, rows.c.code, place).where(shown).subquery("latest")
    )
    same = and_(
        latest.c.source == groups.c.source,
        latest.c.code == groups.c.code,
        latest.c.place <= SAMPLES,
    )
    found = conn.execute(
        select(groups, latest.c.row_id)
        .select_from(groups.outerjoin(latest, same))
        .order_by(groups.c.source, groups.c.code, latest.c.place)
    ).all()
    wanted = sorted(row.row_id for row in found if row.row_id is not None)
    targets = {
        row.row_id: _target(kind, row)
        for chunk in chunked(wanted)
        for row in conn.execute(select(every).where(column.row_id.in_(chunk)))
    }
    return [
        _group(
            wording,
            kind,
            source,
            code,
            count=int(rows_of[0].shown),
            hidden=int(rows_of[0].hidden),
            first_seen=rows_of[0].first_seen,
            last_seen=rows_of[0].last_seen,
            samples=[targets[row.row_id] for row in rows_of if row.row_id in targets],
        )
        for (source, code), rows_of in _by_group(found).items()
    ]


def _by_group(rows: Sequence[Row[Any]]) -> dict[tuple[str, str], list[Row[Any]]]:
    found: dict[tuple[str, str], list[Row[Any]]] = {}
    for row in rows:
        found.setdefault((row.source, row.code), []).append(row)
    return found


def _group(
    wording: Wording,
    kind: ProblemKind,
    source: str,
    code: str,
    *,
    count: int,
    hidden: int,
    first_seen: datetime,
    last_seen: datetime,
    samples: Sequence[ProblemTarget],
) -> ProblemGroup:
    reason = wording.find(source, code)
    return ProblemGroup(
        fingerprint=fingerprint_of(kind, source, code),
        kind=kind,
        code=code,
        source=source,
        count=count,
        first_seen=first_seen,
        last_seen=last_seen,
        samples=samples,
        retry=wording.retry(source, code),
        sentence=reason.sentence if reason else code,
        next_step=reason.next_step if reason else "",
        acknowledged=hidden,
    )


def _target(kind: ProblemKind, row: Any) -> ProblemTarget:
    return ProblemTarget(
        kind=kind,
        id=row.target_id,
        name=row.name,
        item=row.item,
        seen_at=row.seen_at,
        acknowledged=bool(row.hidden),
        retry_job=row.retry_job,
    )


def _rows(kind: ProblemKind) -> Subquery:
    """Every problem of a kind: `row_id, target_id, name, item, source, code, seen_at, hidden`."""
    match kind:
        case ProblemKind.BATCH:
            return _batch_rows().subquery("problems")
        case ProblemKind.ITEM:
            return _item_rows().subquery("problems")
    return _job_rows().subquery("problems")


def _batch_rows() -> Select[Any]:
    """Batches with a reason of their own; what only their items lack is counted by item."""
    batch = ingest_batch.c
    failed_job = (
        select(func.max(import_job.c.id))
        .where(
            import_job.c.batch_id == batch.id,
            import_job.c.status == JobState.FAILED.value,
            batch.state.in_([BatchState.FAILED.value, BatchState.PARTIAL.value]),
        )
        .correlate(ingest_batch)
        .scalar_subquery()
    )
    return (
        select(
            batch.id.label("row_id"),
            batch.id.label("target_id"),
            batch.batch_key.label("name"),
            null().label("item"),
            batch.source.label("source"),
            func.coalesce(batch.reason, batch.state).label("code"),
            batch.updated_at.label("seen_at"),
            _HIDDEN,
            failed_job.label("retry_job"),
        )
        .select_from(
            ingest_batch.outerjoin(acknowledgement, hides(BATCH, batch.id, batch.updated_at))
        )
        .where(
            batch.state.in_(_PROBLEM_STATES),
            or_(
                and_(batch.reason.is_not(None), batch.reason != _ALL_REJECTED),
                batch.state == BatchState.PREFLIGHT_STALE.value,
            ),
        )
    )


def _item_rows() -> Select[Any]:
    """Items of the decisions that stand, of batches that did not do well."""
    batch, item = ingest_batch.c, ingest_batch_item.c
    return (
        select(
            item.id.label("row_id"),
            batch.id.label("target_id"),
            batch.batch_key.label("name"),
            item.item_key.label("item"),
            batch.source.label("source"),
            func.coalesce(item.reason, item.outcome).label("code"),
            item.updated_at.label("seen_at"),
            _HIDDEN,
            null().label("retry_job"),
        )
        .select_from(
            ingest_batch.join(
                ingest_batch_item, and_(item.batch_id == batch.id, item.revision == batch.revision)
            ).outerjoin(acknowledgement, hides(BATCH, batch.id, batch.updated_at))
        )
        .where(batch.state.in_(_PROBLEM_STATES), _SPOILED)
    )


def _job_rows() -> Select[Any]:
    """Failed jobs that are about no batch, which shows its own; not if a later one took its place.

    A scan that the guard refused is a problem of its source.
    """
    job = import_job.c
    later = (
        select(import_job.c.own_key, func.max(import_job.c.id).label("last_id"))
        .where(import_job.c.batch_id.is_(None), import_job.c.own_key.is_not(None))
        .group_by(import_job.c.own_key)
        .subquery("later")
    )
    guarded = and_(
        job.kind == SCAN_JOB_KIND, job.error_code.in_(["source_missing", "scan_not_believed"])
    )
    return (
        select(
            job.id.label("row_id"),
            job.id.label("target_id"),
            job.kind.label("name"),
            null().label("item"),
            job.kind.label("source"),
            func.coalesce(job.error_code, job.status).label("code"),
            job.finished_at.label("seen_at"),
            _HIDDEN,
            job.id.label("retry_job"),
        )
        .select_from(
            import_job.outerjoin(later, later.c.own_key == job.own_key).outerjoin(
                acknowledgement, hides(JOB, job.id, job.finished_at)
            )
        )
        .where(
            job.status == JobState.FAILED.value,
            job.batch_id.is_(None),
            func.coalesce(later.c.last_id, job.id) <= job.id,
            ~guarded,
        )
    )


def _source_problems(
    conn: Connection, wording: Wording, source: str | None, *, with_acknowledged: bool
) -> list[tuple[str, ProblemTarget]]:
    """Sources whose last scan was refused, with its code."""
    noted = acknowledged_sources(conn)
    found = []
    for name in wording.sources if source is None else [source]:
        refused = last_event(conn, source=name, kind=ScanRefused.kind)
        finished = last_event(conn, source=name, kind=ScanFinished.kind)
        if refused is None or (finished is not None and finished.seq > refused.seq):
            continue
        hidden = name in noted and noted[name] >= refused.at
        if not hidden or with_acknowledged:
            code = str(refused.payload["reason"])
            target = ProblemTarget(ProblemKind.SOURCE, 0, name, None, refused.at, hidden)
            found.append((code, target))
    return found


def _source_groups(
    conn: Connection, wording: Wording, *, with_acknowledged: bool
) -> list[ProblemGroup]:
    return [
        _group(
            wording,
            ProblemKind.SOURCE,
            target.name,
            code,
            count=int(with_acknowledged or not target.acknowledged),
            hidden=int(target.acknowledged),
            first_seen=target.seen_at,
            last_seen=target.seen_at,
            samples=[target],
        )
        for code, target in _source_problems(conn, wording, None, with_acknowledged=True)
    ]
