"""What runs of archives rejected, by rule: where a name goes wrong, and what to do (B9)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from lading.base.errors import printable
from lading.console.archive_funnel import rejects_url
from lading.console.archive_words import Marked, mark
from lading.console.listing import Field
from lading.console.parts import Console
from lading.console.readers.archive_runs import (
    DRY,
    latest_runs,
    read_run,
    rehearsal_of,
)
from lading.console.readers.problems import problem_url
from lading.db.counting import Count
from lading.db.keyset import Key
from lading.db.walks import Walk, fetch_merged
from lading.ledger.batches import Batch, get_batches
from lading.ledger.states import Outcome
from lading.ledger.tables import ingest_batch_item
from lading.operations.errors import UnknownProblem
from lading.operations.problems import ProblemKind, fingerprint_of
from lading.sources.archive.decide import CODE_ITEM, files_of
from lading.sources.archive.reports import Rejection, reason_of, rejection_of
from lading.sources.archive.rules import CODE_LENGTH, first_wrong_character, split_name
from lading.sources.archive.run_jobs import read_rejection

SAMPLES: Final = 5
"""How many of a rule are shown while all rules are."""
REJECT_FIELDS: Final = (
    Field("rule", "Rule"),
    Field("source", "Source"),
    Field("run", "Run"),
)
_REFUSED: Final = (Outcome.REJECTED, Outcome.FAILED)

_item = ingest_batch_item.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Reject:
    """One rejected key or code. `marked` says where its name goes wrong, if that is why.

    `prefix` narrows a run to it; None where no form could hold its key.
    """

    rejection: Rejection
    source: str
    run: str
    code: str | None
    marked: Marked | None
    prefix: str | None
    seen_at: datetime

    @property
    def code_url(self) -> str | None:
        """The page of its inventory code, if it has one."""
        return f"/archive/objects/{self.code}" if self.code else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """Whether the problems of a rule and source are acknowledged, and where that is done."""

    source: str
    url: str
    shown: int
    hidden: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroup:
    """The rejections by one rule, or the first of them. `url` lists all."""

    rule: str
    sentence: str
    next_step: str
    count: int
    rejects: Sequence[Reject]
    url: str
    ignored: Sequence[Ignored]


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectList:
    """Rejections of the runs named in `runs`; `rules` counts all of them by rule.

    `groups` are by rule, with samples; `rejects` is a page of the rules that were asked for. `cut`
    is how many a dry run had more than were kept of it.
    """

    runs: Sequence[tuple[str, str]]
    rules: Mapping[str, int]
    groups: Sequence[RuleGroup]
    rejects: Sequence[Reject]
    count: Count
    next_cursor: str | None = None
    prev_cursor: str | None = None
    cut: int = 0


def read_rejects(
    console: Console,
    *,
    rules: Sequence[str] = (),
    source: str | None = None,
    run: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
    samples: int = SAMPLES,
) -> RejectList:
    """What was rejected by the latest run of each archive, or by `run`.

    Raises `RunMissing` and `BadCursor`.
    """
    if run is not None and run.startswith(DRY):
        return _of_rehearsal(console, run, rules, samples)
    batches = _batches(console, source, run)
    with console.lading.db.read() as conn:
        counts = _count(conn, batches)
        wanted = [rule for rule in counts if not rules or rule in rules]
        page = _page(conn, batches, wanted if rules else (), cursor=cursor, limit=limit)
        by_rule = {
            rule: _page(conn, batches, [rule], cursor=None, limit=samples).rejects
            for rule in (() if rules or not samples else wanted)
        }
    groups = [
        _group(rule, counts[rule], by_rule.get(rule, ()), run, _ignored(console, batches, rule))
        for rule in wanted
    ]
    return RejectList(
        runs=[(str(batch.id), batch.source) for batch in batches],
        rules=counts,
        groups=groups,
        rejects=page.rejects,
        count=Count(sum(counts[rule] for rule in wanted)),
        next_cursor=page.next_cursor,
        prev_cursor=page.prev_cursor,
    )


def rejects_of_code(conn: Connection, batches: Sequence[Batch], code: str) -> list[Reject]:
    """What was rejected in these runs of one well-formed code: itself, and keys that name it."""
    found = []
    for batch in batches:
        rows = conn.execute(
            select(ingest_batch_item)
            .where(
                *rejected_in(batch),
                _item.item_key.contains(code, autoescape=True),
            )
            .order_by(_item.seq)
            .limit(SAMPLES * 4)
        )
        found += [_reject(row, batch) for row in rows]
    return [one for one in found if one.code == code]


def rejected_in(batch: Batch) -> list[Any]:
    """The conditions of what a run rejected."""
    return [
        _item.batch_id == batch.id,
        _item.revision == batch.revision,
        _item.outcome.in_([outcome.value for outcome in _REFUSED]),
    ]


@dataclass(frozen=True, slots=True)
class _Page:
    rejects: Sequence[Reject]
    next_cursor: str | None
    prev_cursor: str | None


def _batches(console: Console, source: str | None, run: str | None) -> list[Batch]:
    if run is None:
        found = latest_runs(console)
    else:
        number = read_run(console, run).line.batch_id or 0
        with console.lading.db.read() as conn:
            found = list(get_batches(conn, [number]).values())
    return [batch for batch in found if source is None or batch.source == source]


def _count(conn: Connection, batches: Sequence[Batch]) -> dict[str, int]:
    """How many were rejected by each rule, the largest first."""
    counts: dict[str, int] = {}
    for batch in batches:
        rows = conn.execute(
            select(_item.reason, func.count())
            .where(*rejected_in(batch), _item.reason.is_not(None))
            .group_by(_item.reason)
        )
        for rule, count in rows:
            counts[rule] = counts.get(rule, 0) + int(count)
    return dict(sorted(counts.items(), key=lambda one: (-one[1], one[0])))


def _page(
    conn: Connection,
    batches: Sequence[Batch],
    rules: Sequence[str],
    *,
    cursor: str | None,
    limit: int,
) -> _Page:
    by_id = {batch.id: batch for batch in batches}
    mine = [
        [_item.batch_id == batch.id, _item.revision == batch.revision, _item.outcome == o.value]
        for batch in batches
        for o in _REFUSED
    ]
    walks = [
        Walk([*of_batch, *by_rule])
        for of_batch in mine
        for by_rule in [[_item.reason == rule] for rule in rules] or [[]]
    ]
    if not walks:
        return _Page([], None, None)
    order = [Key(_item.batch_id, descending=True), Key(_item.seq)]
    page = fetch_merged(conn, ingest_batch_item, walks, order, cursor=cursor, limit=limit)
    rejects = [_reject(row, by_id[row.batch_id]) for row in page.rows]
    return _Page(rejects, page.next_cursor, page.prev_cursor)


def _of_rehearsal(console: Console, run: str, rules: Sequence[str], samples: int) -> RejectList:
    event = rehearsal_of(console, run)
    facts = event.payload
    source = str(facts["report"]["source"])
    kept = [_made(read_rejection(dict(one)), source, run, event.at) for one in facts["rejections"]]
    counts = dict(sorted(facts["report"]["rules"].items(), key=lambda one: (-one[1], one[0])))
    wanted = [rule for rule in counts if not rules or rule in rules]
    by_rule = {rule: [r for r in kept if r.rejection.rule == rule] for rule in wanted}
    return RejectList(
        runs=[(run, source)],
        rules=counts,
        groups=[_group(rule, counts[rule], by_rule[rule][:samples], run, ()) for rule in wanted],
        rejects=[one for one in kept if one.rejection.rule in by_rule],
        count=Count(sum(counts[rule] for rule in wanted)),
        cut=int(facts["rejected"]) - len(kept),
    )


def _group(
    rule: str, count: int, rejects: Sequence[Reject], run: str | None, ignored: Sequence[Ignored]
) -> RuleGroup:
    reason = reason_of(rule)
    return RuleGroup(
        rule=rule,
        sentence=reason.sentence if reason else rule,
        next_step=reason.next_step if reason else "",
        count=count,
        rejects=rejects,
        url=rejects_url(run, [rule]),
        ignored=ignored,
    )


def _ignored(console: Console, batches: Sequence[Batch], rule: str) -> list[Ignored]:
    """What there is to ignore of a rule: its open problems, by source."""
    found = []
    for source in sorted({batch.source for batch in batches}):
        fingerprint = fingerprint_of(ProblemKind.ITEM, source, rule)
        try:
            group = console.operations.problems.get(fingerprint)
        except UnknownProblem:
            continue
        found.append(
            Ignored(
                source=source,
                url=problem_url(fingerprint),
                shown=max(0, group.count - group.acknowledged),
                hidden=group.acknowledged,
            )
        )
    return found


def _reject(row: Row[Any], batch: Batch) -> Reject:
    found = _made(rejection_of(row), batch.source, str(batch.id), row.updated_at)
    files = files_of(json.loads(row.detail)) if row.detail else ()
    # What a code lacks has no key of its own; its other files say in which folder it lies.
    return replace(found, prefix=_prefix(files[0].key)) if files else found


def _made(found: Rejection, source: str, run: str, seen_at: datetime) -> Reject:
    stem, _ = split_name(found.subject.rpartition("/")[2])
    name = found.found if found.rule == "code_malformed" and found.found else stem
    wrong = first_wrong_character(name)
    named_by_key = found.kind != CODE_ITEM or found.subject != found.item
    return Reject(
        rejection=found,
        source=source,
        run=run,
        code=stem[:CODE_LENGTH] if wrong == -1 else None,
        marked=mark(name) if found.rule == "code_malformed" else None,
        prefix=_prefix(found.subject) if named_by_key else None,
        seen_at=seen_at,
    )


def _prefix(key: str) -> str | None:
    """What a run is narrowed by to look at one key again, with the files of its code."""
    stem, _ = split_name(key.rpartition("/")[2])
    folder = key.rpartition("/")[0]
    wrong = first_wrong_character(stem)
    name = stem[:CODE_LENGTH] if wrong == -1 else stem
    prefix = f"{folder}/{name}" if folder else name
    return prefix if prefix and printable(prefix, length_max=10_000) == prefix else None
