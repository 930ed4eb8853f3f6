"""Scan: what is there, compared with what is recorded (A2), behind the missing-mount guard (G1).

The source, or one folder of it, is walked once before anything is written, so that a scan which
must not be believed changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import Final, TypeVar

from sqlalchemy import Connection

from lading.base.errors import SourceError
from lading.ingest import scan_scope
from lading.ingest.known_root import require_same_root, root_before
from lading.ingest.parts import IngestParts
from lading.ingest.rules import (
    ENGINE_REASONS,
    GONE,
    WITHDRAWN,
    ScanFacts,
    ScanRefusal,
    is_gone,
    judge_scan,
    may_be_withdrawn,
    shall_be_retired,
    state_after_change,
)
from lading.ingest.scan_scope import Scope
from lading.ingest.source import Discovered, RetiresVanished, SourceMissing
from lading.ingest.source_faults import source_faults
from lading.ledger import chain
from lading.ledger.batches import (
    BatchOvertaken,
    FoundBatch,
    KnownBatch,
    batch_ids,
    known_batches,
    move,
    record_new,
    record_touched,
)
from lading.ledger.chain import Entry
from lading.ledger.events import BatchFound, BatchMoved, BatchUpdated
from lading.ledger.states import BatchState

WRITE_BATCHES: Final = 500
FOUND_EVERY: Final = 100

T = TypeVar("T")


class ScanNotBelieved(SourceError):
    """The guard stopped a scan: it would have retired more than is plausible. Nothing changed."""

    code = "scan_not_believed"
    http_status = 409
    next_step = (
        "Check that the right disk is mounted. If the change is real, run the scan again with"
        " --accept-root."
    )


@dataclass(frozen=True, slots=True)
class BatchChange:
    """What a scan recorded about one batch: `new`, `updated` or `superseded`."""

    batch_id: int | None
    batch_key: str
    what: str
    reason: str | None


@dataclass(slots=True)
class ScanReport:
    """What one scan of one source, or of one `folder` of it, saw and recorded.

    `unreadable` counts those that cannot be consumed as they are, not those whose items we refused.
    """

    source: str
    folder: str | None = None
    found: int = 0
    unchanged: int = 0
    unreadable: int = 0
    changes: list[BatchChange] = field(default_factory=list)

    @property
    def counts(self) -> dict[str, int]:
        """How many batches were new, updated, superseded."""
        counted = Counter(change.what for change in self.changes)
        return {what: counted[what] for what in ("new", "updated", "superseded")}


@dataclass(slots=True)
class _Seen:
    """What the walk saw, sorted by what is to be written."""

    new: list[Discovered] = field(default_factory=list)
    changed: list[tuple[Discovered, KnownBatch]] = field(default_factory=list)
    touched: dict[int, str] = field(default_factory=dict)


def scan(
    parts: IngestParts,
    source_name: str,
    *,
    actor: str,
    folder: str | None = None,
    accept_root: bool = False,
    dry_run: bool = False,
    on_found: Callable[[int], None] | None = None,
    job_id: int | None = None,
) -> ScanReport:
    """Walk a source once, or one folder of it, and record what is new, changed or gone.

    Raises `SourceMissing` when the root is not there and `ScanNotBelieved` at the guard;
    `accept_root` lets the guard pass. Raises `NoFolderScans` and `ScanFolderMissing` for a folder.
    `dry_run` writes nothing. `job_id` is the job that scans. For an unchanged source the number of
    statements does not depend on the number of batches.
    """
    source = parts.source(source_name)
    scope = scan_scope.scope_of(source, folder)
    with parts.db.read() as conn:
        known = known_batches(conn, source_name)
        before = root_before(conn, source_name)
    covered = scope.covered(known)

    def refuse(refusal: ScanRefusal, known: int, vanished: int, root: str | None = None) -> None:
        event = scan_scope.refused(scope, refusal, known=known, vanished=vanished, root=root)
        if not dry_run:
            with parts.db.write() as conn:
                chain.append(conn, event, actor=actor, source=source_name, job_id=job_id)

    try:
        with source_faults(source_name):
            identity = source.identity()
            report, seen, vanished = _walk(source_name, scope, known, covered, on_found)
            require_same_root(source, identity)  # else what it missed only seems to be gone
            scan_scope.require_there(scope, found=report.found, covered=covered)
            settled = _settled(scope, known, vanished)
            vanished -= settled
            gone = _gone(known, vanished) if isinstance(source, RetiresVanished) else set()
            moved = _moved(known, gone, seen)
            facts = ScanFacts(
                known=len(covered - settled),
                known_seen=len(covered - settled - vanished),
                retired=_retired(known, vanished - moved, gone),
                identity_before=before,
                identity_now=identity,
                moved=len(moved),
                folder_alone=scope.folder is not None,
                beside_seen=scan_scope.beside_seen(scope, known, covered),
            )
    except SourceMissing as error:
        refuse(ScanRefusal(error.code, error.message, 0), len(covered), len(covered))
        raise
    refused = None if accept_root else judge_scan(facts, parts.limits)
    if refused is not None:
        refuse(refused, facts.known, facts.known - facts.known_seen, identity)
        raise _not_believed(refused, facts, source_name, scope.folder)
    fingerprint = scan_scope.fingerprint_of(scope, GONE)
    seen.changed += [(Discovered(key, fingerprint), known[key]) for key in sorted(gone)]
    vanished -= gone
    if not dry_run:
        # A scan of one folder does not vouch for the root: the next of all of it judges that.
        root = identity if scope.folder is None or before is None else before
        _write(parts, report, seen, known, vanished, actor=actor)
        _finish(parts, scope, report, seen, root, actor=actor, job_id=job_id)
    else:
        report.changes = _foreseen(seen, known, vanished)
    return report


def _not_believed(
    refusal: ScanRefusal, facts: ScanFacts, source: str, folder: str | None
) -> ScanNotBelieved:
    return ScanNotBelieved(
        refusal.sentence,
        subject=source if folder is None else f"{source}/{folder}",
        expected=f"{facts.known} known batches, at most {refusal.threshold} of them gone",
        found=f"{facts.known_seen} of them",
    )


def _settled(scope: Scope, known: Mapping[str, KnownBatch], vanished: set[str]) -> set[str]:
    """Those of the vanished that were known to be gone."""
    return {key for key in vanished if scan_scope.is_settled(scope, known[key].fingerprint)}


def _retired(known: Mapping[str, KnownBatch], vanished: set[str], gone: set[str]) -> int:
    """How many of the vanished would be withdrawn, or lose what they brought."""
    return sum(key in gone or may_be_withdrawn(known[key].state) for key in vanished)


def _moved(known: Mapping[str, KnownBatch], gone: set[str], seen: _Seen) -> set[str]:
    """Those of the gone whose content was found under another key, each once.

    The digest of a manifest stands for its content: for a folder, it is of the names, sizes, times
    and inodes of what is in it.
    """
    back = (
        found
        for found, recorded in seen.changed
        if recorded.state is BatchState.SUPERSEDED or is_gone(recorded.fingerprint)
    )
    arrived = Counter(
        found.manifest_sha256 for found in (*seen.new, *back) if found.manifest_sha256
    )
    moved = set()
    for key in sorted(gone):
        digest = known[key].manifest_sha256
        if digest is not None and arrived[digest]:
            arrived[digest] -= 1
            moved.add(key)
    return moved


def _fingerprints(known: Mapping[str, KnownBatch]) -> dict[str, str]:
    """What tells a batch as unchanged; one that was taken away is read anew when it is back."""
    return {
        key: batch.fingerprint
        for key, batch in known.items()
        if batch.state is not BatchState.SUPERSEDED
    }


def _walk(
    source_name: str,
    scope: Scope,
    known: Mapping[str, KnownBatch],
    covered: set[str],
    on_found: Callable[[int], None] | None,
) -> tuple[ScanReport, _Seen, set[str]]:
    report, seen, vanished = ScanReport(source_name, scope.folder), _Seen(), set(covered)
    for batch in scope.discover(_fingerprints(known)):
        report.found += 1
        if on_found and report.found % FOUND_EVERY == 0:
            on_found(report.found)
        recorded = known.get(batch.key)
        vanished.discard(batch.key)
        reason = _code(batch)
        marked = replace(batch, fingerprint=scan_scope.fingerprint_of(scope, batch.fingerprint))
        if recorded is None:
            seen.new.append(batch)
        elif recorded.state is BatchState.SUPERSEDED:
            seen.changed.append((marked, recorded))
        elif recorded.fingerprint == batch.fingerprint:
            report.unchanged += 1
            reason = recorded.reason
        elif state_after_change(recorded.state) is None:
            report.unchanged += 1
        elif recorded.manifest_sha256 == batch.manifest_sha256 and recorded.reason == reason:
            seen.touched[recorded.id] = scan_scope.touched_fingerprint(
                scope, recorded.fingerprint, batch.fingerprint
            )
            report.unchanged += 1
        else:
            seen.changed.append((marked, recorded))
        report.unreadable += reason is not None and reason not in ENGINE_REASONS
    if on_found:
        on_found(report.found)
    return report, seen, vanished


def _gone(known: Mapping[str, KnownBatch], vanished: set[str]) -> set[str]:
    """Those of the vanished of which something may be in the library that shall not stay."""
    return {
        key
        for key in vanished
        if shall_be_retired(known[key].state, was_queued=known[key].was_queued)
    }


def _foreseen(seen: _Seen, known: dict[str, KnownBatch], vanished: set[str]) -> list[BatchChange]:
    """The changes a dry run reports; nothing has an id yet."""
    changes = [BatchChange(None, b.key, "new", _code(b)) for b in seen.new]
    changes += [BatchChange(k.id, b.key, "updated", _code(b)) for b, k in seen.changed]
    return changes + [
        BatchChange(known[key].id, key, "superseded", WITHDRAWN.code)
        for key in sorted(vanished)
        if may_be_withdrawn(known[key].state)
    ]


def _write(
    parts: IngestParts,
    report: ScanReport,
    seen: _Seen,
    known: dict[str, KnownBatch],
    vanished: set[str],
    *,
    actor: str,
) -> None:
    run, name = parts.db.run, report.source
    for new in _chunks(seen.new):
        report.changes += run(partial(_write_new, source=name, new=new, actor=actor))
    for changed in _chunks(seen.changed):
        report.changes += run(partial(_write_changed, source=name, changed=changed, actor=actor))
    gone = [(key, known[key]) for key in sorted(vanished) if may_be_withdrawn(known[key].state)]
    for some in _chunks(gone):
        report.changes += run(partial(_write_vanished, source=name, gone=some, actor=actor))


def _finish(
    parts: IngestParts,
    scope: Scope,
    report: ScanReport,
    seen: _Seen,
    identity: str,
    *,
    actor: str,
    job_id: int | None,
) -> None:
    def finish(conn: Connection) -> None:
        record_touched(conn, seen.touched)
        event = scan_scope.finished(
            scope,
            root_identity=identity,
            found=report.found,
            unchanged=report.unchanged,
            unreadable=report.unreadable,
            counts=report.counts,
        )
        chain.append(conn, event, actor=actor, source=report.source, job_id=job_id)

    parts.db.run(finish)


def _write_new(
    conn: Connection, *, source: str, new: Sequence[Discovered], actor: str
) -> list[BatchChange]:
    # Two scans of one source take turns here, so that neither records what the other just did.
    chain.lock(conn)
    there = batch_ids(conn, source, [batch.key for batch in new])
    new = [batch for batch in new if batch.key not in there]
    ids = record_new(conn, source, [_found(batch) for batch in new])
    chain.append_all(
        conn,
        [
            Entry(
                BatchFound(
                    batch_key=batch.key,
                    type=batch.type,
                    action=batch.action,
                    items=batch.items,
                    bytes=batch.bytes,
                    manifest_sha256=batch.manifest_sha256,
                    reason=_code(batch),
                ),
                actor,
                source=source,
                batch_id=ids[batch.key],
            )
            for batch in new
        ],
    )
    return [BatchChange(ids[batch.key], batch.key, "new", _code(batch)) for batch in new]


def _write_changed(
    conn: Connection,
    *,
    source: str,
    changed: Sequence[tuple[Discovered, KnownBatch]],
    actor: str,
) -> list[BatchChange]:
    changes, entries = [], []
    for batch, recorded in changed:
        after = state_after_change(recorded.state) or recorded.state
        try:
            move(conn, recorded, after, subject=batch.key, **_found(batch).values())
        except BatchOvertaken:
            continue  # it was queued meanwhile; its job sees the change, and so does the next scan
        changes.append(BatchChange(recorded.id, batch.key, "updated", _code(batch)))
        event = BatchUpdated(
            batch_key=batch.key,
            state=after.value,
            before_sha256=recorded.manifest_sha256,
            after_sha256=batch.manifest_sha256,
            reason=_code(batch),
        )
        entries.append(Entry(event, actor, source=source, batch_id=recorded.id))
    chain.append_all(conn, entries)
    return changes


def _write_vanished(
    conn: Connection, *, source: str, gone: Sequence[tuple[str, KnownBatch]], actor: str
) -> list[BatchChange]:
    changes, entries = [], []
    for key, recorded in gone:
        try:
            move(conn, recorded, BatchState.SUPERSEDED, subject=key, reason=WITHDRAWN.code)
        except BatchOvertaken:
            continue
        changes.append(BatchChange(recorded.id, key, "superseded", WITHDRAWN.code))
        event = BatchMoved(
            before=recorded.state.value, after=BatchState.SUPERSEDED.value, reason=WITHDRAWN.code
        )
        entries.append(Entry(event, actor, source=source, batch_id=recorded.id))
    chain.append_all(conn, entries)
    return changes


def _code(batch: Discovered) -> str | None:
    return batch.reason.code if batch.reason else None


def _found(batch: Discovered) -> FoundBatch:
    return FoundBatch(
        batch_key=batch.key,
        fingerprint=batch.fingerprint,
        manifest_sha256=batch.manifest_sha256,
        type=batch.type,
        action=batch.action,
        items_total=batch.items,
        bytes_total=batch.bytes,
        reason=_code(batch),
        detail=batch.detail,
    )


def _chunks(things: Sequence[T]) -> Iterator[list[T]]:
    iterator = iter(things)
    while chunk := list(islice(iterator, WRITE_BATCHES)):
        yield chunk
