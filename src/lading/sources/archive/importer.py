"""Phase 3: reads the sidecars of an inventory code, checks them, and writes its rows (B5, B11).

The bytes of a streaming copy are read only when nothing else proves its checksum.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from sqlalchemy import Connection

from lading.base.reasons import Reason
from lading.ingest.source import BatchRef, FetchContext, Item, ItemRefused, SourceMissing
from lading.ledger.states import Outcome
from lading.library.assets import save_assets
from lading.library.tables import FileRole
from lading.library.values import AssetFacts, FileFacts
from lading.sources.archive.bucket_reasons import SAFE_RUN_NOTED
from lading.sources.archive.checksums import (
    ChecksumLine,
    compare,
    described,
    etag_md5,
    judge_described,
    parse_checksums,
)
from lading.sources.archive.decide import CodeFiles, RejectedKey, identity_of
from lading.sources.archive.documents import check_pdf, parse_metadata
from lading.sources.archive.master import read_master
from lading.sources.archive.options import ArchiveOptions
from lading.sources.archive.rules import code_kind, type_code
from lading.sources.archive.values import ArchiveFile, Fault, Faulty, FileKind, MasterFacts
from lading.storage.bucket import Bucket, BucketMissing, ObjectChanged
from lading.storage.port import ObjectMissing, StoreDenied, StoreUnavailable
from lading.storage.transfer import digest_chunks

ASSET_SUBTYPE: Final = "archive_master"
READS_MAX: Final = 3
"""How often an object is read before its trouble is its own, besides the client's own retries."""
PDF_ENDS_BYTES: Final = 2048
MEDIA_TYPES: Final = {
    "mp4": "video/mp4",
    "mp3": "audio/mpeg",
    "json": "application/json",
    "md5": "text/plain",
    "pdf": "application/pdf",
}

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Fetched:
    """A code that passed every rule: its master and its files, ready to be written."""

    facts: AssetFacts
    files: tuple[FileFacts, ...]


@dataclass(slots=True)
class _Reading:
    """What was learnt of one code so far; `digests` are (md5, sha256) by key."""

    code: str
    files: tuple[ArchiveFile, ...]
    documents: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    checksums: list[tuple[str, ChecksumLine]] = field(default_factory=list)
    digests: dict[str, tuple[str, str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    checked_by: str | None = None
    stated_md5: dict[str, str] = field(default_factory=dict)


class Importer:
    """Takes the codes of one open run in; the same one serves several threads."""

    def __init__(
        self,
        batch: BatchRef,
        source: str,
        bucket: Bucket,
        options: ArchiveOptions,
        reasons: Mapping[str, Reason],
    ) -> None:
        self._batch = batch
        self._source = source
        self._bucket = bucket
        self._options = options
        self._reasons = reasons
        self._counts: Counter[str] = Counter()
        self._counting = threading.Lock()

    def counts(self) -> dict[str, int]:
        """What was read and written so far."""
        with self._counting:
            return dict(sorted(self._counts.items()))

    def fetch(self, item: Item, context: FetchContext) -> Fetched:
        """Read and check the sidecars of one code, reading each byte once.

        Raises `ItemRefused` for what is wrong with it, `SourceMissing` and `StoreUnavailable` for
        the bucket, `Interrupted`.
        """
        payload = item.payload
        if isinstance(payload, RejectedKey):
            raise self._refused(payload.fault, item.key)
        try:
            fetched = self._fetch(payload, context)
        except Faulty as error:
            self._note(refused=1)
            raise self._refused(error.fault, item.key) from error
        self._note(codes=1)
        return fetched

    def write(self, conn: Connection, fetched: Sequence[Fetched]) -> list[Outcome]:
        """Write the rows of some codes in the caller's transaction; a second time does nothing."""
        outcomes = save_assets(
            conn, [(one.facts, one.files) for one in fetched], batch_id=self._batch.id
        )
        self._note(**Counter(outcome.value for outcome in outcomes))
        return outcomes

    def _fetch(self, payload: CodeFiles, context: FetchContext) -> Fetched:
        reading = _Reading(payload.code, payload.files)
        for file in payload.files:
            context.stop.check()
            if file.kind is FileKind.METADATA:
                body = self._read(reading, file, context)
                document = parse_metadata(body, file.key, bytes_max=self._bytes_max(file))
                reading.documents.append((file.key, document))
            elif file.kind is FileKind.CHECKSUM:
                body = self._read(reading, file, context)
                lines = parse_checksums(body, file.key)
                reading.checksums += ((file.key, line) for line in lines)
            elif file.kind is FileKind.REPORT:
                self._check_report(reading, file, context)
        master = None
        if reading.documents:
            kind = code_kind(payload.code)
            master = read_master(reading.documents, kind, self._options.containers)
            reading.notes += master.notes
        self._check_sums(reading, context)
        if context.strict and reading.notes:
            raise ItemRefused(
                SAFE_RUN_NOTED,
                subject=payload.code,
                expected="nothing odd",
                found="; ".join(reading.notes),
            )
        return Fetched(self._facts(reading, master), tuple(self._rows(reading)))

    def _read(self, reading: _Reading, file: ArchiveFile, context: FetchContext) -> bytes:
        bytes_max = self._bytes_max(file)
        body = self._reading(
            file,
            lambda: self._bucket.read(
                file.key, bytes_max=bytes_max, etag=file.etag, size_bytes=file.size_bytes
            ),
        )
        md5 = hashlib.md5(body, usedforsecurity=False).hexdigest()
        reading.digests[file.key] = (md5, hashlib.sha256(body).hexdigest())
        context.meter.moved(len(body))
        self._note(sidecars=1, bytes=len(body))
        return body

    def _check_report(self, reading: _Reading, file: ArchiveFile, context: FetchContext) -> None:
        ends = _Ends(PDF_ENDS_BYTES)
        digests = self._stream(file, context, ends)
        fault = check_pdf(ends.head, ends.tail, file.size_bytes, file.key)
        if fault is not None:
            raise Faulty(fault)
        reading.digests[file.key] = digests
        self._note(sidecars=1, bytes=file.size_bytes)

    def _stream(
        self, file: ArchiveFile, context: FetchContext, ends: _Ends | None = None
    ) -> tuple[str, str]:
        """md5 and sha256 of an object, read once."""

        def read() -> tuple[str, str]:
            chunks: Iterator[bytes] = self._bucket.stream(
                file.key, etag=file.etag, size_bytes=file.size_bytes
            )
            if ends is not None:
                chunks = ends.watch(chunks)
            digests, _ = digest_chunks(
                chunks, ("md5", "sha256"), meter=context.meter, stop=context.stop
            )
            return digests[0], digests[1]

        return self._reading(file, read)

    def _check_sums(self, reading: _Reading, context: FetchContext) -> None:
        """Compare what the checksums say with the bytes they describe (B11)."""
        by_key = {file.key: file for file in reading.files}
        for sidecar in dict.fromkeys(key for key, _ in reading.checksums):
            lines = [line for key, line in reading.checksums if key == sidecar]
            about = [
                described(
                    line,
                    sidecar,
                    reading.files,
                    bare_is_master=self._options.bare_checksum == "master",
                )
                for line in lines
            ]
            fault = judge_described(about, reading.code, sidecar)
            if fault is not None:
                raise Faulty(fault)
            for line, one in zip(lines, about, strict=True):
                if one.key is not None:
                    self._compare(reading, by_key[one.key], line.digest, context)
                elif one.other is not None:
                    reading.notes.append(f"the checksum of {one.other} has nothing to compare with")
        streaming = [file for file in reading.files if file.kind is FileKind.STREAMING]
        for file in streaming:
            if file.key not in reading.stated_md5 and reading.checksums:
                reading.notes.append(f"no checksum describes {file.name}")
            if file.key not in reading.digests:
                context.meter.skipped(file.size_bytes)

    def _compare(
        self, reading: _Reading, file: ArchiveFile, digest: str, context: FetchContext
    ) -> None:
        streaming = file.kind is FileKind.STREAMING
        if file.key not in reading.digests:
            if etag_md5(file.etag) == digest:
                reading.checked_by = "etag" if streaming else reading.checked_by
                reading.stated_md5[file.key] = digest
                return
            # An ETag that is another digest proves nothing: it may be of encrypted bytes.
            reading.digests[file.key] = self._stream(file, context)
            self._note(streamed=1, bytes=file.size_bytes)
        fault = compare(digest, reading.digests[file.key][0], file.key)
        if fault is not None:
            raise Faulty(fault)
        reading.stated_md5[file.key] = digest
        if streaming:
            reading.checked_by = "bytes"

    def _facts(self, reading: _Reading, master: MasterFacts | None) -> AssetFacts:
        code = reading.code
        kinds = {file.kind for file in reading.files}
        detail: dict[str, Any] = {
            "inventory_code": code,
            "carrier": type_code(code),
            "complete": kinds == set(FileKind),
        }
        if reading.checked_by:
            detail["checked_by"] = reading.checked_by
        if reading.notes:
            detail["notes"] = list(reading.notes)
        if master is not None:
            detail["master"] = _known(
                mime=master.mime,
                mime_source=master.mime_source,
                container=master.container,
                tool=master.tool,
                file_name=master.file_name,
                size_bytes=master.size_bytes,
                video_codec=master.video_codec,
                audio_codec=master.audio_codec,
                audio_channels=master.audio_channels,
                sample_rate_hz=master.sample_rate_hz,
            )
        return AssetFacts(
            content_hash=identity_of(code),
            asset_type=code_kind(code).value,
            asset_subtype=ASSET_SUBTYPE,
            title=code,
            width=master.width if master else None,
            height=master.height if master else None,
            duration_s=master.duration_s if master else None,
            detail=detail,
        )

    def _rows(self, reading: _Reading) -> Iterator[FileFacts]:
        for file in reading.files:
            md5, sha256 = reading.digests.get(file.key, (None, None))
            streaming = file.kind is FileKind.STREAMING
            yield FileFacts(
                role=FileRole.STREAMING if streaming else FileRole.SIDECAR,
                path=file.key,
                sha256=sha256,
                md5=reading.stated_md5.get(file.key) or md5,
                etag=file.etag or None,
                size_bytes=file.size_bytes,
                store=f"source:{self._source}",
                location=file.key,
                variant=None if streaming else file.kind.value,
                media_type=MEDIA_TYPES.get(file.extension),
            )

    def _reading(self, file: ArchiveFile, read: Callable[[], T]) -> T:
        """What `read` gives; trouble that is this object's alone is a refusal of its item.

        That the bucket answers does not say so yet: it may have come back just then.
        """
        for attempt in range(1, READS_MAX + 1):
            try:
                return read()
            except ObjectMissing as error:
                self._require_bucket()
                if attempt == READS_MAX:
                    raise self._object(file, "object_missing") from error
            except ObjectChanged as error:
                raise self._object(file, "object_changed", error.expected, error.found) from error
            except BucketMissing as error:
                raise SourceMissing(str(error), subject=self._source) from error
            except StoreDenied as error:
                self._require_bucket()
                if attempt == READS_MAX:
                    raise self._object(file, "object_denied") from error
            except StoreUnavailable as error:
                self._require_bucket()
                if attempt == READS_MAX:
                    raise self._object(
                        file, "object_unreadable", error.expected, error.found or str(error)
                    ) from error
        raise AssertionError("the last attempt returns or raises")

    def _require_bucket(self) -> None:
        """Raise when the trouble is the whole bucket's: the attempt then ends and is repeated."""
        try:
            self._bucket.require()
        except (BucketMissing, StoreDenied) as error:
            raise SourceMissing(str(error), subject=self._source, next_step=error.advice) from error

    def _object(
        self, file: ArchiveFile, code: str, expected: object = None, found: object = None
    ) -> Faulty:
        return Faulty(
            Fault(
                code,
                None if expected is None else str(expected),
                None if found is None else str(found),
                file.key,
            )
        )

    def _bytes_max(self, file: ArchiveFile) -> int:
        return self._options.file_rules.size_max_bytes[file.kind]

    def _refused(self, fault: Fault, subject: str) -> ItemRefused:
        return ItemRefused(
            self._reasons[fault.code],
            subject=fault.key or subject,
            expected=fault.expected,
            found=fault.found,
        )

    def _note(self, **counts: int) -> None:
        with self._counting:
            self._counts.update(counts)


class _Ends:
    """Keeps the first and the last bytes of a stream that passes by."""

    def __init__(self, size: int) -> None:
        self._size = size
        self.head = b""
        self.tail = b""

    def watch(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        self.head = self.tail = b""
        for chunk in chunks:
            if len(self.head) < self._size:
                self.head += chunk[: self._size - len(self.head)]
            self.tail = (self.tail + chunk[-self._size :])[-self._size :]
            yield chunk


def _known(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
