"""`lading batch`: the whole truth about one batch, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import click

from lading.cli import output
from lading.cli.accounts import Account, read_account
from lading.cli.batch_jobs import BatchJob, newest_jobs
from lading.cli.commands.batches import as_document
from lading.cli.naming import name_of
from lading.cli.reasons import Reasons
from lading.cli.session import Session, with_session
from lading.cli.trouble import TROUBLED_OUTCOMES, trouble_lines
from lading.ledger.batches import Batch
from lading.ledger.queries import (
    EventView,
    ItemView,
    count_reasons,
    find_batch,
    list_events,
    list_items,
)
from lading.ledger.states import BatchState, Outcome

EVENTS_SHOWN: Final = 20


@click.command("batch")
@click.argument("batch_name", metavar="BATCH")
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice([outcome.value for outcome in Outcome]),
    help="Only items with this outcome; may be given several times.",
)
@click.option(
    "--limit", type=click.IntRange(1, 1_000), default=50, show_default=True, help="Items to list."
)
@click.option("--cursor", help="Go on after the page of items that named this cursor.")
@with_session
def command(
    session: Session, batch_name: str, outcomes: Sequence[str], limit: int, cursor: str | None
) -> None:
    """Show one batch: its items, reasons, accounts and events.

    BATCH is its key (a sync_id), a beginning of that of at least four characters which no other
    batch shares, or its number. Where digits are the key of one and the number of another, write
    `number:12`.
    """
    settings = session.load_settings()
    with session.open_database() as db, db.read() as conn:
        batch = find_batch(conn, batch_name)
        items, next_cursor = list_items(
            conn, batch, outcomes=[Outcome(o) for o in outcomes], cursor=cursor, limit=limit
        )
        account = read_account(conn, batch)
        reasons_counted = count_reasons(conn, batch)
        job = newest_jobs(conn, [batch.id]).get(batch.id)
        events = list_events(conn, batch_id=batch.id)
    reasons = Reasons(settings)
    if session.as_json:
        output.emit(
            {
                **as_document(batch, job),
                "revision": batch.revision,
                "manifest_sha256": batch.manifest_sha256,
                "plan_digest": batch.plan_digest,
                "detail": batch.detail,
                "why": _explained(reasons, batch.source, batch.reason),
                "account": {
                    "found": account.found,
                    "adds_up": account.adds_up,
                    "outcomes": account.outcomes,
                    "bytes_settled": account.bytes_settled,
                    "bytes_pending": account.bytes_pending,
                },
                "reasons": [
                    {**(_explained(reasons, batch.source, code) or {}), "items": count}
                    for code, count in reasons_counted.items()
                ],
                "items": [_item_document(reasons, batch, item) for item in items],
                "items_next_cursor": next_cursor,
                "events": events,
            }
        )
        return
    _show_head(batch, job, account, reasons)
    _show_trouble(batch, items, reasons)
    _show_items(items, next_cursor)
    _show_events(events)


def next_step(batch: Batch, reasons: Reasons) -> str:
    """What a person does next about the batch, in one sentence."""
    reason = reasons.find(batch.source, batch.reason)
    if reason is not None:
        return reason.next_step
    name = name_of(batch.batch_key, batch.id)
    return {
        BatchState.PENDING: f"`lading preflight {name}` or `lading queue {name}`.",
        BatchState.PREFLIGHTING: "Wait for preflight to end, or run it again.",
        BatchState.PREFLIGHT_PASSED: f"`lading queue {name}`.",
        BatchState.PREFLIGHT_FAILED: "See the reasons of its items.",
        BatchState.PREFLIGHT_STALE: f"`lading preflight {name}`: its manifest changed.",
        BatchState.QUEUED: "A worker takes it when its turn comes; `lading worker` starts one.",
        BatchState.IMPORTING: f"Wait; `lading events --follow --batch {name}` shows how it goes.",
        BatchState.IMPORTED: "Nothing.",
        BatchState.PARTIAL: f"See its failed items, then `lading queue {name}`.",
        BatchState.FAILED: f"See its failed items, then `lading queue {name}`.",
        BatchState.CANCELLED: f"`lading queue {name}` if it is wanted after all.",
        BatchState.SUPERSEDED: "Nothing: the upstream took it away.",
    }[batch.state]


def _explained(reasons: Reasons, source: str, code: str | None) -> dict[str, Any] | None:
    reason = reasons.find(source, code)
    if reason is None:
        return None
    return {"code": reason.code, "sentence": reason.sentence, "next_step": reason.next_step}


def _item_document(reasons: Reasons, batch: Batch, item: ItemView) -> dict[str, Any]:
    document: dict[str, Any] = output.plain(item)
    document["why"] = _explained(reasons, batch.source, item.reason)
    return document


def _show_head(batch: Batch, job: BatchJob | None, account: Account, reasons: Reasons) -> None:
    why = reasons.find(batch.source, batch.reason)
    output.facts(
        (
            ("batch", f"{batch.batch_key} (number {batch.id})"),
            ("source", batch.source),
            ("about", f"{batch.type or '-'} {batch.action or '-'}"),
            ("state", batch.state),
            ("why", None if why is None else f"{why.code}: {why.sentence}"),
            ("upstream", output.words(batch.detail) or None),
            ("next step", next_step(batch, reasons)),
            ("job", None if job is None else f"{job.id}, {job.state}"),
            ("items", str(account)),
            ("bytes", output.size(batch.bytes_total)),
            ("manifest", batch.manifest_sha256),
            ("found", batch.found_at),
            ("preflighted", batch.preflighted_at),
            ("queued", batch.queued_at),
            ("finished", batch.finished_at),
        )
    )
    if not account.adds_up:
        output.say("The outcomes do NOT add up to the items found; run `lading verify`.")


def _show_trouble(batch: Batch, items: Sequence[ItemView], reasons: Reasons) -> None:
    for item in items:
        if item.outcome in TROUBLED_OUTCOMES:
            output.say()
            for line in trouble_lines(item, reasons.find(batch.source, item.reason)):
                output.say(line)


def _show_items(items: Sequence[ItemView], next_cursor: str | None) -> None:
    if not items:
        return
    output.say()
    output.table(
        ("seq", "item", "kind", "bytes", "planned", "outcome", "reason", "title"),
        (
            (
                item.seq, item.key, item.kind, output.size(item.bytes), item.planned,
                item.outcome, item.reason, item.title,
            )
            for item in items
        ),
    )  # fmt: skip
    if next_cursor is not None:
        output.note(f"More items: add --cursor {next_cursor}")


def _show_events(events: Sequence[EventView]) -> None:
    output.say()
    if len(events) > EVENTS_SHOWN:
        output.say(f"The last {EVENTS_SHOWN} of {len(events):,} events:")
    output.table(
        ("seq", "at", "event", "by", "payload"),
        (
            (event.seq, event.at, event.kind, event.actor, output.words(event.payload))
            for event in events[-EVENTS_SHOWN:]
        ),
    )
