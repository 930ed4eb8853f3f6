"""One inventory code with all that is known: its files, its master, its checksums, its history."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, and_, select

from lading.console.archive_words import CHECKED_BY_WORDS
from lading.console.parts import Console
from lading.console.readers.archive_objects import (
    FILE_WORDS,
    CodeLine,
    UnknownCode,
    held_lines,
    kind_of,
    rejected_line,
    require_code,
)
from lading.console.readers.archive_rejects import Reject, rejects_of_code
from lading.console.readers.archive_runs import (
    LOOKED_BACK_MAX,
    RUNS,
    archive_names,
    archives_of,
    latest_runs,
)
from lading.ledger.queries import EventView
from lading.ledger.states import Outcome
from lading.ledger.tables import ingest_batch, ingest_batch_item
from lading.library.known import asset_row, load_files
from lading.library.named_in_ledger import events_naming
from lading.library.tables import asset
from lading.library.values import FileRow
from lading.sources.archive.decide import CODE_ITEM, files_of, identity_of
from lading.sources.archive.formats import CONTAINERS
from lading.sources.archive.rules import code_kind
from lading.sources.archive.values import CodeKind, FileKind

KIND_WORDS: Final[Mapping[CodeKind, str]] = {CodeKind.VIDEO: "Film", CodeKind.AUDIO: "Recording"}
_MASTER: Final = {
    "file_name": "File name",
    "container": "Container",
    "mime": "MIME type",
    "mime_source": "MIME type from",
    "tool": "Described by",
    "size_bytes": "Bytes",
    "video_codec": "Video codec",
    "audio_codec": "Audio codec",
    "audio_channels": "Audio channels",
    "sample_rate_hz": "Sample rate",
}
_CHECKED: Final[Mapping[str | None, str]] = {"etag": "by ETag", "bytes": "by bytes"}
_REFUSED: Final = frozenset({Outcome.REJECTED.value, Outcome.FAILED.value})

_item = ingest_batch_item.c
_batch = ingest_batch.c


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveFileLine:
    """One file of a code. `key` is None for one that is not there."""

    kind: FileKind
    word: str
    key: str | None
    presence: str
    size_bytes: int | None = None
    media_type: str | None = None
    md5: str | None = None
    sha256: str | None = None
    etag: str | None = None
    checked: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeEvent:
    """What one run made of a code."""

    run: str
    source: str
    at: datetime
    outcome: str
    reason: str | None

    @property
    def url(self) -> str:
        """The page of the run."""
        return f"{RUNS}/runs/{self.run}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectDetail:
    """One code. `master` is (name, value) of what its sidecars say; `rejects` are of latest runs.

    `verdict` says whether the master's container is one that the source takes.
    """

    line: CodeLine
    kind_word: str
    content_hash: str | None
    files: Sequence[ArchiveFileLine]
    master: Sequence[tuple[str, Any]]
    width: int | None
    height: int | None
    duration_s: float | None
    checked_by: str | None
    checked_words: str
    verdict: str
    notes: Sequence[str]
    rejects: Sequence[Reject]
    history: Sequence[CodeEvent]
    by_hand: Sequence[EventView]


def read_object(console: Console, text: str) -> ObjectDetail:
    """One code, in the library or only ever rejected. Raises `UnknownCode`."""
    code = require_code(text)
    batches = latest_runs(console)
    with console.lading.db.read() as conn:
        rejects = rejects_of_code(conn, batches, code)
        history, newest = _history(conn, archive_names(console), code)
        held = conn.execute(
            select(asset).where(asset.c.content_hash == identity_of(code))
        ).one_or_none()
        if held is not None:
            row = asset_row(held)
            (line,) = held_lines(conn, [row])
            files = load_files(conn, [row.id]).get(row.id, [])
            detail: Mapping[str, Any] = row.facts.detail
            by_hand = events_naming(conn, row.facts.content_hash)
            facts = (row.facts.width, row.facts.height, row.facts.duration_s)
        elif newest is not None or rejects:
            line = _not_held(console, code, newest, rejects)
            files, detail, by_hand, facts = [], {}, [], (None, None, None)
        else:
            raise UnknownCode(
                "no run of an archive has met this inventory code",
                subject=code,
                expected="a code of the library, or of what the latest runs rejected",
                found="nothing of it",
            )
    checked_by = detail.get("checked_by")
    return ObjectDetail(
        line=line,
        kind_word=KIND_WORDS[line.kind],
        content_hash=identity_of(code) if line.asset_url else None,
        files=_files(line, files, newest, checked_by),
        master=_master(detail.get("master") or {}),
        width=facts[0],
        height=facts[1],
        duration_s=facts[2],
        checked_by=checked_by,
        checked_words=CHECKED_BY_WORDS.get(checked_by, CHECKED_BY_WORDS[None])
        if line.asset_url
        else "",
        verdict=_verdict(console, line),
        notes=list(detail.get("notes") or ()),
        rejects=rejects,
        history=history,
        by_hand=by_hand,
    )


def _history(
    conn: Connection, sources: Sequence[str], code: str
) -> tuple[list[CodeEvent], Any | None]:
    """What the latest runs made of a code, the newest first, and the newest item itself."""
    numbers = [
        number
        for source in sources
        for number in conn.scalars(
            select(_batch.id)
            .where(_batch.source == source)
            .order_by(_batch.id.desc())
            .limit(LOOKED_BACK_MAX)
        )
    ]
    if not numbers:
        return [], None
    of_batch = and_(_item.batch_id == _batch.id, _item.revision == _batch.revision)
    rows = conn.execute(
        select(ingest_batch_item, _batch.source)
        .join(ingest_batch, of_batch)
        .where(_item.batch_id.in_(numbers), _item.item_key == code, _item.kind == CODE_ITEM)
        .order_by(_item.batch_id.desc())
    ).all()
    events = [
        CodeEvent(
            run=str(row.batch_id),
            source=row.source,
            at=row.updated_at,
            outcome=row.outcome,
            reason=row.reason,
        )
        for row in rows
    ]
    return events, rows[0] if rows else None


def _not_held(
    console: Console, code: str, newest: Any | None, rejects: Sequence[Reject]
) -> CodeLine:
    """A code that is not held: rejected, waiting, or known by a rejected key alone."""
    if newest is not None and newest.outcome in _REFUSED:
        return rejected_line(console, newest)
    rejected = newest is None
    there = {file.kind for file in files_of(_detail(newest))} if newest is not None else set()
    return CodeLine(
        code=code,
        kind=code_kind(code),
        carrier=code[3:6],
        state="rejected" if rejected else "waiting",
        files={
            kind: "not known" if rejected else "present" if kind in there else "absent"
            for kind in FILE_WORDS
        },
        run=rejects[0].run if rejected else str(newest.batch_id if newest is not None else ""),
        rule=rejects[0].rejection.rule if rejected else None,
        updated_at=rejects[0].seen_at if newest is None else newest.updated_at,
    )


def _detail(row: Any) -> Mapping[str, Any]:
    return json.loads(row.detail) if row.detail else {}


def _files(
    line: CodeLine, files: Sequence[FileRow], newest: Any | None, checked_by: str | None
) -> list[ArchiveFileLine]:
    """The files by kind, those too that are not there."""
    lines = [
        ArchiveFileLine(
            kind=kind,
            word=FILE_WORDS[kind],
            key=file.facts.path,
            presence="present",
            size_bytes=file.facts.size_bytes,
            media_type=file.facts.media_type,
            md5=file.facts.md5,
            sha256=file.facts.sha256,
            etag=file.facts.etag,
            checked=_CHECKED.get(checked_by, "") if kind is FileKind.STREAMING else "",
        )
        for file in files
        if (kind := kind_of(file)) is not None
    ]
    if not files and newest is not None:
        lines = [
            ArchiveFileLine(
                kind=file.kind,
                word=FILE_WORDS[file.kind],
                key=file.key,
                presence=line.files[file.kind],
                size_bytes=file.size_bytes,
                etag=file.etag,
            )
            for file in files_of(_detail(newest))
        ]
    there = {one.kind for one in lines}
    lines += [
        ArchiveFileLine(kind=kind, word=word, key=None, presence=line.files[kind])
        for kind, word in FILE_WORDS.items()
        if kind not in there
    ]
    order = list(FILE_WORDS)
    return sorted(lines, key=lambda one: (order.index(one.kind), one.key or ""))


def _master(facts: Mapping[str, Any]) -> list[tuple[str, Any]]:
    found = []
    for name, words in _MASTER.items():
        value = facts.get(name)
        if value is None:
            continue
        if name == "container" and value in CONTAINERS:
            value = CONTAINERS[value].label
        found.append((words, f"{value:,} Hz" if name == "sample_rate_hz" else value))
    return found


def _verdict(console: Console, line: CodeLine) -> str:
    """Whether the source takes masters in this container, by its settings as they are now."""
    if line.container is None:
        return "not known: no metadata says what the master is in"
    label = CONTAINERS[line.container].label if line.container in CONTAINERS else line.container
    what = "films" if line.kind is CodeKind.VIDEO else "recordings"
    allowed = {
        name for source in archives_of(console) for name in source.options.containers[line.kind]
    }
    if line.container in allowed:
        return f"{label} is a container that is taken for masters of {what}"
    labels = sorted(CONTAINERS[name].label for name in allowed if name in CONTAINERS)
    return f"{label} is not taken for masters of {what} any more; expected {', '.join(labels)}"
