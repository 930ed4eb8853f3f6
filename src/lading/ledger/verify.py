"""Proves the ledger whole: every event in place, unchanged, chained to the one before (G10)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from lading.ledger.chain import GENESIS_HASH, HEAD_ID, link
from lading.ledger.tables import ingest_event, ledger_head

PAGE_EVENTS: Final = 2_000
FAULTS_MAX: Final = 100


@dataclass(frozen=True, slots=True)
class ChainFault:
    """One place where the chain does not hold: `missing`, `altered`, `unexpected` or `head`."""

    seq: int
    kind: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a chain at some time; kept elsewhere, it also proves that nothing was cut off."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read `<seq>:<hash>`; raises `ValueError` for anything else."""
        seq, _, digest = text.strip().partition(":")
        if not seq.isdigit() or len(digest) != len(GENESIS_HASH):
            raise ValueError("a checkpoint reads <number>:<64 hex digits>")
        return cls(int(seq), digest)


@dataclass(slots=True)
class ChainReport:
    """What a verification read and found."""

    events: int = 0
    head: Checkpoint = field(default_factory=lambda: Checkpoint(0, GENESIS_HASH))
    faults: list[ChainFault] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether nothing was edited, deleted or moved."""
        return not self.faults


def verify_chain(
    conn: Connection,
    *,
    expected: Checkpoint | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> ChainReport:
    """Read all events in one snapshot and recompute the chain; constant memory.

    `expected` is a checkpoint noted earlier, which must still lie on the chain. After a fault the
    chain is taken up again from the stored hash, so that each fault is reported once.
    """
    report = ChainReport()
    head = conn.execute(
        select(ledger_head.c.seq, ledger_head.c.hash).where(ledger_head.c.id == HEAD_ID)
    ).one_or_none()
    # The head is read first: events appended meanwhile lie beyond it and are not our concern.
    head_seq, head_hash = (int(head.seq), str(head.hash)) if head else (0, "")
    report.head = Checkpoint(head_seq, head_hash)
    seq, digest = 0, GENESIS_HASH
    passed_checkpoint = expected is None or expected.seq == 0
    while seq < head_seq and len(report.faults) < FAULTS_MAX:
        rows = conn.execute(
            select(ingest_event)
            .where(ingest_event.c.seq > seq, ingest_event.c.seq <= head_seq)
            .order_by(ingest_event.c.seq)
            .limit(PAGE_EVENTS)
        ).all()
        if not rows:
            break
        for row in rows:
            digest = _check(report, row, seq, digest)
            seq = int(row.seq)
            if expected is not None and seq == expected.seq:
                passed_checkpoint = row.hash == expected.hash
        if on_progress:
            on_progress(report.events)
    if len(report.faults) < FAULTS_MAX:
        _check_ends(conn, report, seq, digest)
    if not passed_checkpoint and expected is not None:
        report.faults.append(
            ChainFault(expected.seq, "head", "the noted checkpoint does not lie on the chain")
        )
    return report


def _check(report: ChainReport, row: Row[Any], before: int, digest: str) -> str:
    report.events += 1
    seq = int(row.seq)
    if seq != before + 1:
        first, last = before + 1, seq - 1
        span = f"event {first} is" if first == last else f"events {first} to {last} are"
        report.faults.append(ChainFault(first, "missing", f"{span} missing"))
        # What the missing events hashed to is unknown; go on from what is stored.
        return str(row.hash)
    computed = link(
        digest,
        seq=seq,
        at=row.at,
        kind=row.kind,
        actor=row.actor,
        source=row.source,
        batch_id=row.batch_id,
        job_id=row.job_id,
        payload=row.payload,
    )
    if computed != row.hash:
        report.faults.append(
            ChainFault(seq, "altered", f"event {seq} ({row.kind}) was altered or moved")
        )
    return str(row.hash)


def _check_ends(conn: Connection, report: ChainReport, seq: int, digest: str) -> None:
    if seq != report.head.seq:
        report.faults.append(
            ChainFault(
                seq + 1, "missing", f"events {seq + 1} to {report.head.seq} are missing at the end"
            )
        )
    elif digest != report.head.hash:
        report.faults.append(ChainFault(seq, "head", "the head does not match the last event"))
    below = conn.scalar(select(ingest_event.c.seq).where(ingest_event.c.seq < 1).limit(1))
    beyond = conn.execute(
        select(ingest_event.c.seq, ingest_event.c.hash)
        .where(ingest_event.c.seq > report.head.seq)
        .order_by(ingest_event.c.seq)
        .limit(1)
    ).one_or_none()
    if below is not None:
        report.faults.append(ChainFault(int(below), "unexpected", f"event {below} has no place"))
    if beyond is not None and _head_seq(conn) < int(beyond.seq):
        report.faults.append(
            ChainFault(int(beyond.seq), "unexpected", f"event {beyond.seq} lies beyond the head")
        )


def _head_seq(conn: Connection) -> int:
    """The head as it is now: on READ COMMITTED others may have appended since we began."""
    return int(conn.scalar(select(ledger_head.c.seq).where(ledger_head.c.id == HEAD_ID)) or 0)
