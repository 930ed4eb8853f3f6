"""One batch as its page and the API show it: where it stands, what was planned, what became of it.

Everything is of the batch's present revision; the history says what earlier ones were.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, func, select

from lading.console.parts import Console
from lading.console.readers.import_queue import QueueLine, read_lines
from lading.db.clock import now
from lading.jobs.queries import job_row
from lading.jobs.tables import import_job
from lading.jobs.values import JobRow
from lading.ledger.batches import Batch, BatchMissing
from lading.ledger.event_lists import EventFilter, EventPage, list_event_page
from lading.ledger.events import BatchFinished, BatchPreflighted
from lading.ledger.item_lists import (
    Accounting,
    ItemFilter,
    ItemPage,
    count_plan,
    list_item_page,
    read_accounting,
)
from lading.ledger.queries import (
    DigitsAre,
    EventView,
    ItemView,
    count_reasons,
    find_batch,
    item_view,
)
from lading.ledger.states import (
    ACTIVE_BATCH_STATES,
    SUCCESSFUL_OUTCOMES,
    BatchState,
    Decision,
    Outcome,
)
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.library.tables import CONTAINERS, ContainerKind, asset, asset_ai_run, asset_source
from lading.operations.acknowledging import BATCH, is_acknowledged

AS_PLANNED: Final[Mapping[Decision, Outcome]] = {
    Decision.CREATE: Outcome.CREATED,
    Decision.UPDATE: Outcome.UPDATED,
    Decision.UNCHANGED: Outcome.UNCHANGED,
    Decision.REMOVE: Outcome.REMOVED,
    Decision.REJECT: Outcome.REJECTED,
}
"""What an item becomes when everything goes as it was decided."""

_CONTAINER_PAGES: Final = {
    ContainerKind.GALLERY: "galleries",
    ContainerKind.COLLECTION: "collections",
    ContainerKind.EVENT: "events",
}
_WRITTEN: Final = frozenset(outcome.value for outcome in SUCCESSFUL_OUTCOMES)
PLACE_MAX: Final = 2**31 - 1
HISTORY_JOBS_MAX: Final = 50
HISTORY_EVENTS_MAX: Final = 100

_item = ingest_batch_item.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """One step on the way of a batch, and how long the way from the one before took."""

    label: str
    at: datetime | None
    lasted_s: float | None = None
    lasting: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """How many items were planned so, how many became that, and what the others became."""

    decision: Decision
    planned: int
    as_planned: int
    pending: int
    otherwise: Mapping[Outcome, int]

    @property
    def expected(self) -> Outcome:
        """What its items become when all goes as planned."""
        return AS_PLANNED[self.decision]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchHead:
    """What every tab of a batch's page has at its top."""

    line: QueueLine
    acknowledged: bool
    accounting: Accounting
    plan: Sequence[PlanRow]
    reasons: Mapping[str, int]
    milestones: Sequence[Milestone]

    @property
    def batch(self) -> Batch:
        """The batch itself."""
        return self.line.batch

    @property
    def job(self) -> JobRow | None:
        """Its newest import job."""
        return self.line.job


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisCount:
    """How many results of one kind of analysis a batch brought (A12)."""

    kind: str
    assets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a batch came from, and by which manifest it was decided about and imported (A6).

    `consumed` is the event of its last import, with the manifest's hash recomputed then.
    """

    found: EventView | None
    preflighted: EventView | None
    consumed: EventView | None
    source_documents: int
    analyses: Sequence[AnalysisCount]


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One set of decisions that a batch had."""

    number: int
    items: int
    bytes: int
    decided_at: datetime
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened to a batch as a whole: its revisions, its jobs, its moves."""

    revisions: Sequence[Revision]
    jobs: Sequence[JobRow]
    events: Sequence[EventView]


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLine:
    """One item, and the page of what the library has of it."""

    item: ItemView
    library_url: str | None = None

    @property
    def path(self) -> str | None:
        """The file that is meant, where one is named."""
        found = self.item.detail.get("subject") or self.item.detail.get("file")
        return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchItem:
    """One item, with its neighbours in the order of import."""

    line: ItemLine
    previous: int | None
    following: int | None

    @property
    def item(self) -> ItemView:
        """The item itself."""
        return self.line.item


class ItemMissing(BatchMissing):
    """The batch has no item of this number in its present revision."""

    code = "item_missing"
    next_step = "Look at the list of the batch's items."


def find(console: Console, name: str) -> Batch:
    """The batch with this number, key, or unique beginning of a key. Raises `BatchMissing`.

    Pages link to numbers, so that digits in an address are one wherever there is such a batch.
    """
    with console.lading.db.read() as conn:
        return find_batch(conn, name, digits=DigitsAre.NUMBER)


def find_namesakes(console: Console, name: str) -> list[Batch]:
    """The batches of several sources that have exactly this key."""
    with console.lading.db.read() as conn:
        rows = conn.execute(
            select(ingest_batch)
            .where(ingest_batch.c.batch_key == name)
            .order_by(ingest_batch.c.source)
            .limit(20)
        )
        return [Batch.from_row(row) for row in rows]


def read_head(console: Console, batch: Batch) -> BatchHead:
    """The top of the batch's page."""
    with console.lading.db.read() as conn:
        (line,) = read_lines(conn, [batch])
        pairs = count_plan(conn, batch)
        outcomes = {
            outcome: sum(count for (_, became), count in pairs.items() if became is outcome)
            for outcome in Outcome
        }
        at: datetime = conn.scalar(select(now()))  # type: ignore[assignment] # never null
        return BatchHead(
            line=line,
            acknowledged=_acknowledged(conn, batch),
            accounting=read_accounting(conn, batch, outcomes),
            plan=_plan(pairs),
            reasons=count_reasons(conn, batch),
            milestones=_milestones(batch, line.job, at),
        )


def read_items(
    console: Console,
    batch: Batch,
    filters: ItemFilter,
    *,
    cursor: str | None,
    limit: int,
) -> ItemPage:
    """One page of the batch's items in the order of import. Raises `BadCursor`."""
    with console.lading.db.read() as conn:
        return list_item_page(conn, batch, filters, cursor=cursor, limit=limit)


def read_item_lines(console: Console, items: Sequence[ItemView]) -> list[ItemLine]:
    """Items with the way to what the library has of them, in a few statements for all."""
    hashes = sorted({item.content_hash for item in items if item.content_hash})
    written = [i for i in items if i.outcome in _WRITTEN and "container_key" in i.detail]
    urls: dict[tuple[str, str], str] = {}
    with console.lading.db.read() as conn:
        if hashes:
            held = select(asset.c.content_hash).where(asset.c.content_hash.in_(hashes))
            urls.update((("", h), f"/library/assets/{h}") for h in conn.scalars(held))
        for kind, page in _CONTAINER_PAGES.items():
            keys = sorted({str(i.detail["container_key"]) for i in written if i.kind == kind})
            if keys:
                table = CONTAINERS[kind][0]
                rows = conn.execute(select(table.c.id, table.c.key).where(table.c.key.in_(keys)))
                urls.update(((kind, row.key), f"/library/{page}/{row.id}") for row in rows)
    return [ItemLine(item=item, library_url=urls.get(_named(item))) for item in items]


def _named(item: ItemView) -> tuple[str, str]:
    if item.content_hash:
        return "", item.content_hash
    return item.kind, str(item.detail.get("container_key", ""))


def read_item(console: Console, batch: Batch, number: int) -> BatchItem:
    """One item by its place, from 1. Raises `ItemMissing`."""
    if not 0 < number <= PLACE_MAX:
        raise _no_item(batch, number)
    with console.lading.db.read() as conn:
        row = conn.execute(
            select(ingest_batch_item).where(
                _item.batch_id == batch.id,
                _item.revision == batch.revision,
                _item.seq == number - 1,
            )
        ).one_or_none()
        if row is None:
            raise _no_item(batch, number)
        item = item_view(row)
        last = conn.scalar(
            select(func.max(_item.seq)).where(
                _item.batch_id == batch.id, _item.revision == batch.revision
            )
        )
    (line,) = read_item_lines(console, [item])
    return BatchItem(
        line=line,
        previous=number - 1 if number > 1 else None,
        following=number + 1 if last is not None and number <= int(last) else None,
    )


def _no_item(batch: Batch, number: int) -> ItemMissing:
    return ItemMissing("the batch has no such item", subject=f"{batch.batch_key}, item {number}")


def read_events(
    console: Console,
    batch: Batch,
    *,
    cursor: str | None,
    limit: int,
    newest_first: bool,
    upto: int | None = None,
) -> EventPage:
    """One page of the events about the batch, none after event `upto`. Raises `BadCursor`."""
    with console.lading.db.read() as conn:
        return list_event_page(
            conn,
            EventFilter(batch_id=batch.id, before_seq=None if upto is None else upto + 1),
            newest_first=newest_first,
            cursor=cursor,
            limit=limit,
        )


def read_provenance(console: Console, batch: Batch) -> Provenance:
    """Where the batch came from."""
    mine = and_(
        asset.c.content_hash == _item.content_hash,
        _item.batch_id == batch.id,
        _item.revision == batch.revision,
    )
    of_batch = ingest_batch_item.join(asset, mine)
    with console.lading.db.read() as conn:
        documents = conn.scalar(
            select(func.count())
            .select_from(of_batch.join(asset_source, asset_source.c.asset_id == asset.c.id))
            .where(asset_source.c.batch_id == batch.id)
        )
        kinds = conn.execute(
            select(asset_ai_run.c.analysis_kind, func.count().label("assets"))
            .select_from(of_batch.join(asset_ai_run, asset_ai_run.c.asset_id == asset.c.id))
            .where(asset_ai_run.c.batch_id == batch.id)
            .group_by(asset_ai_run.c.analysis_kind)
            .order_by(asset_ai_run.c.analysis_kind)
        ).all()
        return Provenance(
            found=_newest(conn, batch, "batch_found", "batch_updated"),
            preflighted=_newest(conn, batch, BatchPreflighted.kind),
            consumed=_newest(conn, batch, BatchFinished.kind),
            source_documents=int(documents or 0),
            analyses=[
                AnalysisCount(kind=row.analysis_kind, assets=int(row.assets)) for row in kinds
            ],
        )


def read_history(console: Console, batch: Batch) -> History:
    """What happened to the batch as a whole."""
    with console.lading.db.read() as conn:
        revisions = conn.execute(
            select(
                _item.revision,
                func.count().label("items"),
                func.sum(_item.bytes).label("size"),
                func.min(_item.updated_at).label("decided_at"),
            )
            .where(_item.batch_id == batch.id)
            .group_by(_item.revision)
            .order_by(_item.revision.desc())
        ).all()
        jobs = conn.execute(
            select(import_job)
            .where(import_job.c.batch_id == batch.id)
            .order_by(import_job.c.id.desc())
            .limit(HISTORY_JOBS_MAX)
        )
        events = list_event_page(
            conn,
            EventFilter(batch_id=batch.id, kinds=_MOVES),
            limit=HISTORY_EVENTS_MAX,
        )
        return History(
            revisions=[
                Revision(
                    number=row.revision,
                    items=int(row.items),
                    bytes=int(row.size or 0),
                    decided_at=row.decided_at,
                    current=row.revision == batch.revision,
                )
                for row in revisions
            ],
            jobs=[job_row(row) for row in jobs],
            events=events.events,
        )


def reread(console: Console, batch_id: int) -> Batch | None:
    """The batch as it is now, for the live stream; None when there is none of this number."""
    with console.lading.db.read() as conn:
        row = conn.execute(select(ingest_batch).where(ingest_batch.c.id == batch_id)).one_or_none()
        return None if row is None else Batch.from_row(row)


_MOVES: Final = (
    "batch_found",
    "batch_updated",
    "batch_moved",
    "batch_preflighted",
    "batch_queued",
    "batch_finished",
    "batch_verified",
)


def _acknowledged(conn: Connection, batch: Batch) -> bool:
    columns = ingest_batch.c
    known = is_acknowledged(BATCH, columns.id, columns.updated_at)
    return conn.scalar(select(columns.id).where(columns.id == batch.id, known)) is not None


def _newest(conn: Connection, batch: Batch, *kinds: str) -> EventView | None:
    page = list_event_page(conn, EventFilter(batch_id=batch.id, kinds=kinds), limit=1)
    return next(iter(page.events), None)


def _plan(pairs: Mapping[tuple[Decision, Outcome], int]) -> list[PlanRow]:
    rows = []
    for decision, expected in AS_PLANNED.items():
        became = {o: count for (planned, o), count in pairs.items() if planned is decision}
        if became:
            rows.append(
                PlanRow(
                    decision=decision,
                    planned=sum(became.values()),
                    as_planned=became.pop(expected, 0),
                    pending=became.pop(Outcome.PENDING, 0),
                    otherwise=became,
                )
            )
    return rows


def _milestones(batch: Batch, job: JobRow | None, at: datetime) -> list[Milestone]:
    """The way of the batch so far; what is not reached yet has no time."""
    queued = batch.queued_at
    # A job of an earlier round says nothing of this one.
    mine = job if job and queued and job.created_at >= queued else None
    started = mine.started_at if mine else None
    over = batch.finished_at if batch.state not in ACTIVE_BATCH_STATES else None
    if batch.state in _UNDECIDED:
        queued = started = over = None
    steps = [
        ("Found", batch.found_at),
        ("Preflighted", None if batch.state is BatchState.PENDING else batch.preflighted_at),
        ("Queued", queued),
        ("Claimed by a worker", started),
        ("Finished", over),
    ]
    reached_last = max(index for index, (_, reached) in enumerate(steps) if reached)
    # What an earlier version did not note down was passed all the same.
    steps = [step for index, step in enumerate(steps) if step[1] or index > reached_last]
    made: list[Milestone] = []
    before: datetime | None = None
    for label, reached in steps:
        lasted = (reached - before).total_seconds() if reached and before else None
        made.append(
            Milestone(label=label, at=reached, lasted_s=lasted if lasted and lasted >= 0 else None)
        )
        before = reached or before
    if batch.state is BatchState.IMPORTING and started is not None:
        made[-1] = Milestone(
            label="Finished", at=None, lasted_s=(at - started).total_seconds(), lasting=True
        )
    return made


_UNDECIDED: Final = frozenset(
    {
        BatchState.PENDING,
        BatchState.PREFLIGHTING,
        BatchState.PREFLIGHT_PASSED,
        BatchState.PREFLIGHT_FAILED,
        BatchState.PREFLIGHT_STALE,
    }
)
