"""Reads what a verb needs to know of its targets, and has each judged by the rules.

The same query serves a preview, which groups it, and the operation, which walks it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Integer,
    Label,
    Row,
    Select,
    Subquery,
    and_,
    case,
    func,
    literal,
    null,
    or_,
    select,
)

from lading.ingest.parts import IMPORT_JOB_KIND
from lading.jobs.states import JobState
from lading.jobs.tables import import_job, import_job_dep
from lading.ledger.states import BatchState
from lading.ledger.tables import ingest_batch
from lading.library.packages import require_package
from lading.library.photo_dates import is_corrected, shiftable, was_changed_last_by
from lading.library.photo_timeline import clock_is_wrong
from lading.library.sites import require_site
from lading.library.tables import (
    access_package_asset,
    access_package_container,
    asset,
    asset_site_membership,
    container_site_membership,
    photo,
)
from lading.operations.acknowledging import BATCH, JOB, is_acknowledged
from lading.operations.filters import CONTAINER_KINDS, bytes_column, name_column, table_of
from lading.operations.photo_dates import DATE_VERBS
from lading.operations.rules import Judged, judge_batch, judge_date, judge_holding, judge_job
from lading.operations.tables import operation, selection_member
from lading.operations.values import Resource, Verb

_ENDED_BADLY: Final = (JobState.FAILED.value, JobState.CANCELLED.value)
_member = selection_member.c


@dataclass(frozen=True, slots=True)
class Subject:
    """The targets of one operation. `query` has `target_id`, `target_name`, `bytes`, `job_id` and
    the columns named in `facts`, which are never null and are all that `judge` looks at.
    """

    query: Select[Any]
    facts: Sequence[str]
    judge: Callable[[Row[Any]], Judged]


def subject(
    conn: Connection, resource: Resource, verb: Verb, params: Mapping[str, Any], selection_id: int
) -> Subject:
    """What `verb` needs to know of the selection's members.

    Raises `UnknownSite` and `UnknownPackage`.
    """
    if resource is Resource.BATCHES:
        return _batches(verb, params, selection_id)
    if resource is Resource.JOBS:
        return _jobs(verb, params, selection_id)
    if verb in DATE_VERBS:
        return _dates(verb, params, selection_id)
    return _holdings(conn, resource, verb, params, selection_id)


def _batches(verb: Verb, params: Mapping[str, Any], selection_id: int) -> Subject:
    batch = ingest_batch.c
    # A batch has at most one unfinished import job; that one alone has its active key.
    its_job = import_job.alias("its_job")
    job_of = and_(
        its_job.c.batch_id == batch.id,
        its_job.c.kind == IMPORT_JOB_KIND,
        its_job.c.active_key.is_not(None),
    )
    joined = verb in {Verb.CANCEL, Verb.PRIORITISE}
    facts = [
        batch.state.label("state"),
        batch.source.label("source"),
        _flag("acknowledged", is_acknowledged(BATCH, batch.id, batch.updated_at)),
        _flag(
            "same_priority",
            func.coalesce(its_job.c.priority, -1) == params.get("priority", -2) if joined else None,
        ),
    ]
    tables = selection_member.join(ingest_batch, batch.id == _member.target_id)
    if joined:
        tables = tables.outerjoin(its_job, job_of)
    query = _query(
        Resource.BATCHES, facts, its_job.c.id if joined else null(), selection_id
    ).select_from(tables)

    def judge(row: Row[Any]) -> Judged:
        return judge_batch(
            verb,
            BatchState(row.state),
            acknowledged=bool(row.acknowledged),
            same_priority=bool(row.same_priority),
        )

    return Subject(query, [fact.name for fact in facts], judge)


def _jobs(verb: Verb, params: Mapping[str, Any], selection_id: int) -> Subject:
    job = import_job.c
    tables = selection_member.join(import_job, job.id == _member.target_id)
    other_job: ColumnElement[bool] | None = None
    spoiled_parent: ColumnElement[bool] | None = None
    if verb is Verb.RETRY:
        first = _first_of_key(selection_id)
        tables = tables.join(first, first.c.id == job.id)
        holder = import_job.alias("holder")
        held = (
            select(literal(1))
            .where(holder.c.active_key == job.own_key)
            .correlate_except(holder)
            .exists()
        )
        other_job = or_(held, and_(job.own_key.is_not(None), first.c.first_id < job.id))
        spoiled_parent = _spoiled_parent(selection_id)
    facts = [
        job.status.label("status"),
        _flag("acknowledged", is_acknowledged(JOB, job.id, job.finished_at)),
        _flag("same_priority", job.priority == params.get("priority", -2)),
        _flag("stopping", job.stop_requested),
        _flag("other_job", other_job),
        _flag("spoiled_parent", spoiled_parent),
    ]
    query = _query(Resource.JOBS, facts, job.id, selection_id).select_from(tables)

    def judge(row: Row[Any]) -> Judged:
        flags = {name: bool(getattr(row, name)) for name in names[1:]}
        return judge_job(verb, JobState(row.status), **flags)

    names = [fact.name for fact in facts]
    return Subject(query, names, judge)


def _first_of_key(selection_id: int) -> Subquery:
    """Of selected jobs that do the same work, the first: only that one can be run again.

    MariaDB errs about a window function within a condition, so that it is a column of its own.
    """
    job = import_job.c
    retryable = case((job.status.in_(_ENDED_BADLY), job.id))
    return (
        select(job.id, func.min(retryable).over(partition_by=job.own_key).label("first_id"))
        .select_from(selection_member.join(import_job, job.id == _member.target_id))
        .where(_member.selection_id == selection_id)
        .subquery("first_of_key")
    )


def _spoiled_parent(selection_id: int) -> ColumnElement[bool]:
    """It waits for a job that ended badly and is not retried along with it."""
    parent, dep = import_job.alias("parent"), import_job_dep
    along = selection_member.alias("along")
    chosen = (
        select(literal(1))
        .where(along.c.selection_id == selection_id, along.c.target_id == parent.c.id)
        .correlate_except(along)
        .exists()
    )
    return (
        select(literal(1))
        .select_from(dep.join(parent, parent.c.id == dep.c.wait_for_id))
        .where(dep.c.job_id == import_job.c.id, parent.c.status.in_(_ENDED_BADLY), ~chosen)
        .correlate(import_job)
        .exists()
    )


def _holdings(
    conn: Connection,
    resource: Resource,
    verb: Verb,
    params: Mapping[str, Any],
    selection_id: int,
) -> Subject:
    rows = table_of(resource)
    facts = [
        _flag("deleted", rows.c.deleted_at.is_not(None)),
        _flag("linked", _linked(conn, resource, verb, params)),
    ]
    tables = selection_member.join(rows, rows.c.id == _member.target_id)
    query = _query(resource, facts, null(), selection_id).select_from(tables)

    def judge(row: Row[Any]) -> Judged:
        return judge_holding(verb, deleted=bool(row.deleted), linked=bool(row.linked))

    return Subject(query, [fact.name for fact in facts], judge)


def _dates(verb: Verb, params: Mapping[str, Any], selection_id: int) -> Subject:
    of_operation = params.get("operation")
    possible = standing = None
    if verb is Verb.SHIFT_TAKEN:
        # What has no time but one that cannot be is judged when it is shifted.
        first, end = shiftable(timedelta(seconds=params["shift_s"]))
        possible = or_(
            asset.c.captured_at.is_(None),
            and_(asset.c.captured_at >= first, asset.c.captured_at < end),
        )
    elif verb is Verb.RESTORE_TAKEN:
        # What an earlier chunk put back along with another one is done as well.
        mine = select(operation.c.key).where(operation.c.selection_id == selection_id)
        own = or_(is_corrected(), was_changed_last_by(mine.scalar_subquery()))
        standing = was_changed_last_by(of_operation) if of_operation else own
    facts = [
        _flag("photo", photo.c.asset_id.is_not(None)),
        _flag("dated", or_(asset.c.captured_at.is_not(None), clock_is_wrong())),
        _flag("possible", possible),
        _flag("standing", standing),
    ]
    tables = selection_member.join(asset, asset.c.id == _member.target_id)
    tables = tables.outerjoin(photo, photo.c.asset_id == asset.c.id)
    query = _query(Resource.ASSETS, facts, null(), selection_id).select_from(tables)
    names = [fact.name for fact in facts]

    def judge(row: Row[Any]) -> Judged:
        flags = {name: bool(getattr(row, name)) for name in names}
        return judge_date(verb, undoing=of_operation is not None, **flags)

    return Subject(query, names, judge)


def _linked(
    conn: Connection, resource: Resource, verb: Verb, params: Mapping[str, Any]
) -> ColumnElement[bool] | None:
    """Whether the row is linked to the site or package that the verb is about."""
    rows = table_of(resource)
    kind = CONTAINER_KINDS.get(resource)
    if verb in {Verb.GRANT_SITE, Verb.REVOKE_SITE}:
        site_id = require_site(conn, params["site"]).id
        if kind is None:
            link = asset_site_membership.c
            which = (link.site_id == site_id) & (link.asset_id == asset.c.id)
        else:
            link = container_site_membership.c
            which = (link.site_id == site_id) & (link.container_kind == kind.value)
            which &= link.container_id == rows.c.id
    elif verb in {Verb.ADD_TO_PACKAGE, Verb.REMOVE_FROM_PACKAGE}:
        package_id = require_package(conn, params["package"]).id
        if kind is None:
            link = access_package_asset.c
            which = (link.package_id == package_id) & (link.content_hash == asset.c.content_hash)
        else:
            link = access_package_container.c
            which = (link.package_id == package_id) & (link.container_kind == kind.value)
            which &= link.container_id == rows.c.id
    else:
        return None
    return select(literal(1)).where(which).correlate(rows).exists()


def _query(
    resource: Resource, facts: Sequence[Label[Any]], job_id: Any, selection_id: int
) -> Select[Any]:
    return select(
        _member.target_id.label("target_id"),
        name_column(resource).label("target_name"),
        bytes_column(resource).label("bytes"),
        job_id.label("job_id"),
        *facts,
    ).where(_member.selection_id == selection_id)


def _flag(name: str, condition: ColumnElement[bool] | None) -> Label[Any]:
    """A fact that is 0 or 1; what nobody asks about is 0."""
    if condition is None:
        return literal(0, Integer).label(name)
    return case((condition, 1), else_=0).label(name)
