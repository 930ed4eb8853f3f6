"""Verify: compares what the library says it holds with the bytes that are there.

It writes nothing but its own event. Files are checked by size, or read and hashed; over the whole
library it also finds bytes that nothing owns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, Row, select

from lading.base.errors import LadingError
from lading.base.progress import Progress
from lading.base.stopping import StopSignal
from lading.ingest.parts import IngestParts
from lading.ingest.source import ItemRefused, KeepsElsewhere
from lading.ledger import chain
from lading.ledger.batches import Batch, get_batch
from lading.ledger.events import BatchVerified
from lading.ledger.items import count_outcomes
from lading.ledger.states import SUCCESSFUL_OUTCOMES, Outcome
from lading.ledger.tables import ingest_batch_item
from lading.library.tables import CONTAINERS, ContainerKind, asset, asset_file
from lading.storage.placement import CONTENT_PREFIX, content_hash_of
from lading.storage.port import ObjectMissing
from lading.storage.transfer import digest_chunks

CHUNK_ROWS: Final = 500
PROBLEMS_MAX: Final = 1_000
ORPHAN_AGE_MIN_S: Final = 24 * 3600.0
"""Younger objects without an owner may belong to an import that is under way."""


class VerifyLevel(StrEnum):
    """How closely files are looked at."""

    SIZE = "size"
    SHA256 = "sha256"


@dataclass(frozen=True, slots=True)
class VerifyProblem:
    """One thing that is not as the library says."""

    kind: str
    subject: str
    expected: str | None = None
    found: str | None = None
    content_hash: str | None = None


@dataclass(slots=True)
class VerifyReport:
    """What was looked at and what was wrong; the list of problems is cut at `PROBLEMS_MAX`."""

    level: VerifyLevel
    files: int = 0
    bytes: int = 0
    problems_total: int = 0
    problems: list[VerifyProblem] = field(default_factory=list)
    orphans_total: int = 0
    orphan_bytes: int = 0

    def add(self, problem: VerifyProblem) -> None:
        """Take note of a problem."""
        self.problems_total += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


@dataclass(frozen=True, slots=True)
class _FileElsewhere:
    """A file that a source keeps in a place of its own, in the terms of the library's rows."""

    path: str
    store: str
    location: str
    size_bytes: int
    sha256: str | None
    md5: str | None = None
    content_hash: str | None = None


class _Verification:
    def __init__(
        self,
        parts: IngestParts,
        report: VerifyReport,
        stop: StopSignal | None,
        on_progress: Callable[[Progress], None] | None,
    ) -> None:
        self.parts = parts
        self.report = report
        self._stop = stop or StopSignal()
        self._on_progress = on_progress

    def check_files(self, rows: Iterable[Row[Any] | _FileElsewhere]) -> None:
        for row in rows:
            self._stop.check()
            self.report.files += 1
            try:
                self._check_file(row)
            except LadingError as error:
                if error.transient:
                    raise
                problem = VerifyProblem(
                    error.code,
                    row.location,
                    None if error.expected is None else str(error.expected),
                    None if error.found is None else str(error.found),
                    row.content_hash,
                )
                self.report.add(problem)
            if self._on_progress is not None:
                self._on_progress(
                    Progress(
                        items_done=self.report.files,
                        bytes_moved=self.report.bytes,
                        current=row.path,
                    )
                )

    def check_elsewhere(self, name: str, rows: Sequence[Row[Any]]) -> None:
        """Check what items brought in of a source that keeps it in a place of its own."""
        source = self.parts.sources.get(name)
        if not isinstance(source, KeepsElsewhere):
            return
        for row in rows:
            detail = json.loads(row.detail or "{}")
            kept = source.kept_file(row.kind, detail)
            if kept is not None:
                self.check_files(
                    [
                        _FileElsewhere(
                            kept.path, f"source:{name}", kept.location, kept.size_bytes, kept.sha256
                        )
                    ]
                )
                continue
            try:
                source.require_kept(row.kind, detail)
            except ItemRefused as error:
                self.report.add(VerifyProblem(error.reason.code, row.item_key, found=error.message))

    def _check_file(self, row: Row[Any] | _FileElsewhere) -> None:
        expected = row.sha256 or row.md5
        if self.report.level is VerifyLevel.SHA256:
            size, digest = self._hash(row)
        else:
            size, digest = self._size(row), expected
        if size is None:
            self._note(row, "object_missing", f"{row.size_bytes} bytes", "nothing")
        elif size != row.size_bytes:
            self._note(row, "size_mismatch", f"{row.size_bytes} bytes", f"{size} bytes")
        elif expected is not None and digest != expected:
            self._note(row, "hash_mismatch", expected, digest)

    def _note(
        self, row: Row[Any] | _FileElsewhere, kind: str, expected: str, found: str | None
    ) -> None:
        self.report.add(VerifyProblem(kind, row.location, expected, found, row.content_hash))

    def _size(self, row: Row[Any] | _FileElsewhere) -> int | None:
        if row.store.startswith("source:"):
            source = self.parts.source(row.store.removeprefix("source:"))
            return source.stat_location(row.location)
        known = self.parts.store.head(row.location)
        return known.size_bytes if known else None

    def _hash(self, row: Row[Any] | _FileElsewhere) -> tuple[int | None, str | None]:
        try:
            if row.store.startswith("source:"):
                source = self.parts.source(row.store.removeprefix("source:"))
                chunks = source.read_location(row.location)
            else:
                chunks = self.parts.store.get(row.location)
            # What an archive states is an md5; a file that nobody read whole has nothing better.
            algorithm = "md5" if row.sha256 is None else "sha256"
            (digest,), size = digest_chunks(chunks, (algorithm,), stop=self._stop)
        except ObjectMissing:
            return None, None
        self.report.bytes += size
        return size, digest


def verify_batch(
    parts: IngestParts,
    batch_id: int,
    *,
    actor: str,
    level: VerifyLevel = VerifyLevel.SIZE,
    stop: StopSignal | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> VerifyReport:
    """Check that everything a batch brought in is in the library and its bytes are there."""
    report = VerifyReport(level)
    run = _Verification(parts, report, stop, on_progress)
    with parts.db.read() as conn:
        batch = get_batch(conn, batch_id)
        outcomes = count_outcomes(conn, batch.id, batch.revision)
    total = sum(outcomes.values())
    if total and total != batch.items_total:
        problem = VerifyProblem(
            "accounting_mismatch", batch.batch_key, str(batch.items_total), str(total)
        )
        report.add(problem)
    for chunk in _imported_items(parts, batch):
        with parts.db.read() as conn:
            _check_present(conn, report, chunk)
            rows = _files_of(conn, [row.content_hash for row in chunk if row.kind == "asset"])
        run.check_files(rows)
        run.check_elsewhere(batch.source, chunk)
    event = BatchVerified(
        files=report.files, bytes=report.bytes, level=level.value, problems=report.problems_total
    )
    with parts.db.write() as conn:
        chain.append(conn, event, actor=actor, source=batch.source, batch_id=batch.id)
    return report


def verify_library(
    parts: IngestParts,
    *,
    level: VerifyLevel = VerifyLevel.SIZE,
    orphan_age_min_s: float = ORPHAN_AGE_MIN_S,
    stop: StopSignal | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> VerifyReport:
    """Check every file the library has, then look for stored bytes that nothing owns (G2)."""
    report = VerifyReport(level)
    run = _Verification(parts, report, stop, on_progress)
    for rows in _all_files(parts):
        run.check_files(rows)
    _find_orphans(parts, report, orphan_age_min_s, stop)
    return report


def _imported_items(parts: IngestParts, batch: Batch) -> Iterator[Sequence[Any]]:
    """Items of the batch that are to be in the library now, page by page."""
    item, seq = ingest_batch_item.c, -1
    wanted = [o.value for o in SUCCESSFUL_OUTCOMES - {Outcome.REMOVED}]
    while True:
        with parts.db.read() as conn:
            rows = conn.execute(
                select(item.seq, item.item_key, item.kind, item.content_hash, item.detail)
                .where(
                    item.batch_id == batch.id,
                    item.revision == batch.revision,
                    item.seq > seq,
                    item.outcome.in_(wanted),
                )
                .order_by(item.seq)
                .limit(CHUNK_ROWS)
            ).all()
        if not rows:
            return
        seq = rows[-1].seq
        yield rows


def _check_present(conn: Connection, report: VerifyReport, items: Sequence[Row[Any]]) -> None:
    hashes = [row.content_hash for row in items if row.kind == "asset"]
    there = set(conn.scalars(select(asset.c.content_hash).where(asset.c.content_hash.in_(hashes))))
    for row in items:
        if row.kind == "asset" and row.content_hash not in there:
            problem = VerifyProblem("asset_missing", row.item_key, row.content_hash, "nothing")
            report.add(problem)
    for kind in ContainerKind:
        details = [json.loads(row.detail or "{}") for row in items if row.kind == kind.value]
        keys = [detail["container_key"] for detail in details if "container_key" in detail]
        if keys:
            _check_containers(conn, report, kind, keys)


def _check_containers(
    conn: Connection, report: VerifyReport, kind: ContainerKind, keys: Sequence[str]
) -> None:
    container = CONTAINERS[kind][0]
    there = set(conn.scalars(select(container.c.key).where(container.c.key.in_(keys))))
    for key in sorted(set(keys) - there):
        report.add(VerifyProblem("container_missing", f"{kind.value} {key}"))


def _files_of(conn: Connection, hashes: Sequence[str]) -> Sequence[Row[Any]]:
    return conn.execute(
        _file_rows().where(asset.c.content_hash.in_(hashes)).order_by(asset_file.c.id)
    ).all()


def _all_files(parts: IngestParts) -> Iterator[Sequence[Row[Any]]]:
    last = 0
    while True:
        with parts.db.read() as conn:
            rows = conn.execute(
                _file_rows()
                .where(asset_file.c.id > last)
                .order_by(asset_file.c.id)
                .limit(CHUNK_ROWS)
            ).all()
        if not rows:
            return
        last = rows[-1].id
        yield rows


def _file_rows() -> Any:
    file = asset_file.c
    return (
        select(
            file.id,
            file.path,
            file.store,
            file.location,
            file.sha256,
            file.md5,
            file.size_bytes,
            asset.c.content_hash,
        )
        .join_from(asset_file, asset, asset.c.id == file.asset_id)
        .where(file.deleted_at.is_(None))
    )


def _find_orphans(
    parts: IngestParts, report: VerifyReport, age_min_s: float, stop: StopSignal | None
) -> None:
    """Content-addressed objects that no file row names, older than an import could be."""
    newest = datetime.now(UTC) - timedelta(seconds=age_min_s)
    objects = (known for known in parts.store.list(CONTENT_PREFIX) if known.modified_at <= newest)
    while chunk := list(islice(objects, CHUNK_ROWS)):
        if stop is not None:
            stop.check()
        digests = {content_hash_of(known.key): known for known in chunk}
        with parts.db.read() as conn:
            owned = set(
                conn.scalars(
                    select(asset_file.c.sha256)
                    .where(
                        asset_file.c.sha256.in_([d for d in digests if d]),
                        asset_file.c.store == parts.store.name,
                    )
                    .distinct()
                )
            )
        for digest, known in digests.items():
            if digest not in owned:
                report.orphans_total += 1
                report.orphan_bytes += known.size_bytes
                if report.orphans_total <= PROBLEMS_MAX:
                    found = f"{known.size_bytes} bytes nobody owns"
                    report.problems.append(VerifyProblem("orphan", known.key, found=found))
