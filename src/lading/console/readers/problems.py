"""Open problems as pages and the API show them: groups, and each problem with what was found."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote, urlencode

from sqlalchemy import Connection, and_, select

from lading.console.parts import Console
from lading.console.readers.import_queue import batch_url
from lading.jobs.queries import job_row
from lading.jobs.tables import import_job
from lading.jobs.values import JobRow
from lading.ledger.batches import Batch, get_batches
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.operations.problems import ProblemGroup, ProblemKind, ProblemTarget
from lading.operations.wording import Retry

KIND_NOUNS: Final[Mapping[ProblemKind, tuple[str, str]]] = {
    ProblemKind.BATCH: ("batch", "batches"),
    ProblemKind.ITEM: ("item", "items"),
    ProblemKind.JOB: ("job", "jobs"),
    ProblemKind.SOURCE: ("source", "sources"),
}
RETRY_WORDS: Final[Mapping[Retry, str]] = {
    Retry.YES: "Trying again can help.",
    Retry.AFTER: "Trying again helps after the next step.",
    Retry.NO: "Trying again as it is does not help.",
}
_PATH_FACTS: Final = ("path", "file", "subject")
_SAID: Final = frozenset({*_PATH_FACTS, "expected", "found", "code", "message", "next_step"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemLine:
    """One problem with everything that is known of it. `attempts` is None where none are counted.

    `raw` is what was recorded, for who wants to see it.
    """

    target: ProblemTarget
    name: str
    url: str
    of: str = ""
    of_url: str | None = None
    path: str | None = None
    expected: str | None = None
    found: str | None = None
    said: str | None = None
    attempts: int | None = None
    raw: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemCard:
    """One group with its samples as lines; `url` is its list."""

    group: ProblemGroup
    samples: Sequence[ProblemLine]

    @property
    def url(self) -> str:
        """The list of its problems."""
        return problem_url(self.group.fingerprint)

    @property
    def noun(self) -> str:
        """What it is about: `item` or `items`."""
        return KIND_NOUNS[self.group.kind][self.group.count != 1]

    @property
    def retry_words(self) -> str:
        """Whether trying again can help."""
        return RETRY_WORDS[self.group.retry]

    @property
    def verb(self) -> str:
        """What its button says: what trying again means for it."""
        if self.group.kind is ProblemKind.SOURCE:
            return "Scan again"
        return "Retry this one" if self.group.count == 1 else f"Retry these {self.group.count:,}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemList:
    """All groups that are shown. Each list's length is the count of its group."""

    cards: Sequence[ProblemCard]
    problems: int
    hidden: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemPageView:
    """One group and a page of its problems."""

    card: ProblemCard
    lines: Sequence[ProblemLine]
    next_cursor: str | None
    prev_cursor: str | None


def problem_url(fingerprint: str) -> str:
    """The list of one group."""
    return f"/problems/{quote(fingerprint, safe='.')}"


def read_problems(
    console: Console, *, with_acknowledged: bool = False, source: str | None = None
) -> ProblemList:
    """The groups, the latest first."""
    if with_acknowledged:
        survey = console.operations.problems.survey(with_acknowledged=True)
    else:
        survey = console.problems.survey()
    groups = [group for group in survey.groups if source is None or group.source == source]
    lines = _lines(console, [target for group in groups for target in group.samples])
    cards = []
    for group in groups:
        samples, lines = lines[: len(group.samples)], lines[len(group.samples) :]
        cards.append(ProblemCard(group=group, samples=samples))
    return ProblemList(
        cards=cards,
        problems=sum(group.count for group in groups),
        hidden=sum(group.acknowledged for group in groups)
        if with_acknowledged
        else survey.acknowledged,
    )


def read_problem(
    console: Console,
    fingerprint: str,
    *,
    with_acknowledged: bool,
    cursor: str | None,
    limit: int,
) -> ProblemPageView:
    """One group, and a page of its problems. Raises `UnknownProblem` and `BadCursor`."""
    desk = console.operations.problems
    group = desk.get(fingerprint)
    page = desk.targets(
        fingerprint,
        # A group all of which is acknowledged is shown whole: an empty page would say nothing.
        with_acknowledged=with_acknowledged or group.acknowledged >= group.count,
        cursor=cursor,
        limit=limit,
    )
    return ProblemPageView(
        card=ProblemCard(group=group, samples=()),
        lines=_lines(console, page.targets),
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
    )


def _lines(console: Console, targets: Sequence[ProblemTarget]) -> list[ProblemLine]:
    """Problems with what was recorded of each, in a few statements for all."""
    of_batches = {t.id for t in targets if t.kind in {ProblemKind.BATCH, ProblemKind.ITEM}}
    with console.lading.db.read() as conn:
        batches = get_batches(conn, of_batches)
        items = _items(conn, [t for t in targets if t.kind is ProblemKind.ITEM])
        jobs = _jobs(conn, [t.id for t in targets if t.kind is ProblemKind.JOB])
    lines = []
    for target in targets:
        match target.kind:
            case ProblemKind.BATCH:
                lines.append(_of_batch(target, batches.get(target.id)))
            case ProblemKind.ITEM:
                facts = items.get((target.id, target.item or ""))
                lines.append(_of_item(target, batches.get(target.id), facts))
            case ProblemKind.JOB:
                lines.append(_of_job(target, jobs.get(target.id)))
            case ProblemKind.SOURCE:
                url = f"/sources/{quote(target.name)}"
                lines.append(ProblemLine(target=target, name=target.name, url=url))
    return lines


def _of_batch(target: ProblemTarget, batch: Batch | None) -> ProblemLine:
    detail = batch.detail if batch else {}
    return ProblemLine(
        target=target,
        name=target.name,
        url=batch_url(batch) if batch else f"/import/batches/{target.id}",
        of=batch.source if batch else "",
        of_url=f"/sources/{batch.source}" if batch else None,
        **_facts(detail),
    )


def _of_item(
    target: ProblemTarget, batch: Batch | None, facts: Mapping[str, Any] | None
) -> ProblemLine:
    known = facts or {}
    base = batch_url(batch) if batch else f"/import/batches/{target.id}"
    found = _facts(known.get("detail", {}))
    found["path"] = found["path"] or target.item
    if known.get("last_error") and not found["said"]:
        found["said"] = known["last_error"]
    number = known.get("seq")
    query = urlencode({"q": target.item or ""})
    return ProblemLine(
        target=target,
        name=known.get("title") or target.item or target.name,
        url=f"{base}/items?{query}" if number is None else f"{base}/items/{number + 1}",
        of=target.name,
        of_url=base,
        attempts=known.get("attempts"),
        **found,
    )


def _of_job(target: ProblemTarget, job: JobRow | None) -> ProblemLine:
    return ProblemLine(
        target=target,
        name=f"Job {target.id}",
        url=f"/jobs/{target.id}",
        said=job.error if job else None,
        attempts=job.attempt if job else None,
        raw=job.params if job else {},
    )


def _facts(detail: Mapping[str, Any]) -> dict[str, Any]:
    """What a recorded detail says, under the names that lines have for it."""
    path = next((detail[name] for name in _PATH_FACTS if detail.get(name)), None)
    return {
        "path": None if path is None else str(path),
        "expected": None if detail.get("expected") is None else str(detail["expected"]),
        "found": None if detail.get("found") is None else str(detail["found"]),
        "said": detail.get("message"),
        "raw": {name: value for name, value in detail.items() if name not in _SAID},
    }


def _items(
    conn: Connection, targets: Sequence[ProblemTarget]
) -> dict[tuple[int, str], Mapping[str, Any]]:
    if not targets:
        return {}
    item, batch = ingest_batch_item.c, ingest_batch.c
    rows = conn.execute(
        select(
            item.batch_id,
            item.item_key,
            item.seq,
            item.title,
            item.detail,
            item.last_error,
            item.attempts,
        )
        .join(ingest_batch, and_(item.batch_id == batch.id, item.revision == batch.revision))
        .where(
            item.batch_id.in_(sorted({target.id for target in targets})),
            item.item_key.in_(sorted({target.item or "" for target in targets})),
        )
    )
    return {
        (row.batch_id, row.item_key): {
            "seq": row.seq,
            "title": row.title,
            "detail": json.loads(row.detail) if row.detail else {},
            "last_error": row.last_error,
            "attempts": row.attempts,
        }
        for row in rows
    }


def _jobs(conn: Connection, ids: Sequence[int]) -> dict[int, JobRow]:
    if not ids:
        return {}
    rows = conn.execute(select(import_job).where(import_job.c.id.in_(sorted(set(ids)))))
    return {row.id: job_row(row) for row in rows}
