"""Inventory codes as pages and the API show them: what is there of each, and what became of it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, false, func, or_, select

from lading.base.errors import RequestError
from lading.console.archive_words import CODE_STATES
from lading.console.listing import Field
from lading.console.parts import Console
from lading.console.readers.archive_rejects import rejected_in
from lading.console.readers.archive_runs import archives_of, latest_runs
from lading.console.readers.library import asset_url
from lading.console.vocabulary import Look
from lading.db.counting import Count, count_each_capped
from lading.db.keyset import Key
from lading.db.walks import Walk, fetch_merged, starts_with
from lading.ledger.batches import Batch
from lading.ledger.tables import ingest_batch_item
from lading.library.filters import AssetFilter, asset_conditions
from lading.library.known import asset_row, load_files
from lading.library.tables import FileRole, asset
from lading.library.values import AssetRow, FileRow
from lading.sources.archive.decide import CODE_ITEM, files_of, identity_of
from lading.sources.archive.importer import ASSET_SUBTYPE
from lading.sources.archive.reports import rejection_of
from lading.sources.archive.rules import (
    CODE_LENGTH,
    CODE_PATTERN,
    code_kind,
    first_wrong_character,
    is_type_code,
    type_code,
)
from lading.sources.archive.values import CodeKind, FileKind

FILE_WORDS: Final[Mapping[FileKind, str]] = {
    FileKind.STREAMING: "Streaming copy",
    FileKind.METADATA: ".json",
    FileKind.REPORT: ".pdf",
    FileKind.CHECKSUM: ".md5",
}
"""The files of a code in the order in which they are shown."""
STATES: Final = ("complete", "incomplete", "rejected")
OBJECT_FIELDS: Final = (
    Field("q", "Code begins with"),
    Field("state", "State", {name: CODE_STATES[name].word.lower() for name in STATES}),
    Field("carrier", "Type"),
)
PRESENT, ABSENT, INVALID = "present", "absent", "invalid"

_item = ingest_batch_item.c


class UnknownCode(RequestError):
    """An inventory code that no run of an archive has met."""

    code = "unknown_inventory_code"
    http_status = 404
    next_step = (
        "Look under Archive, Rejects for a name that is nearly so, and for what the last run left "
        "out; then do a dry run of its folder, or ask the archive."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeLine:
    """One inventory code in a list. `files` says of each kind of file whether it is there.

    `run` names the run that took it in, or that rejected it for `rule`.
    """

    code: str
    kind: CodeKind
    carrier: str
    state: str
    files: Mapping[FileKind, str]
    mime: str | None = None
    mime_source: str | None = None
    container: str | None = None
    master_bytes: int | None = None
    asset_url: str | None = None
    run: str | None = None
    rule: str | None = None
    updated_at: datetime

    @property
    def url(self) -> str:
        """Its page."""
        return object_url(self.code)

    @property
    def look(self) -> Look:
        """How its state is shown."""
        return CODE_STATES[self.state]


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectList:
    """A page of codes. `counts` are of what each state's list has, whatever else is asked for."""

    lines: Sequence[CodeLine]
    count: Count
    counts: Mapping[str, Count]
    next_cursor: str | None
    prev_cursor: str | None


def object_url(code: str) -> str:
    """The page of an inventory code."""
    return f"/archive/objects/{code}"


def read_objects(
    console: Console,
    *,
    state: str | None = None,
    carrier: str | None = None,
    q: str | None = None,
    cursor: str | None = None,
    limit: int = 50,
    counted: bool = True,
) -> ObjectList:
    """A page of codes: those of the library, the newest first, or those that were rejected.

    `rejected` are those of the latest run of each archive. Without `counted` no list is counted,
    for who reads all of one. Raises `BadCursor`.
    """
    batches = latest_runs(console)
    with console.lading.db.read() as conn:
        counts = _count(conn, batches, carrier, q) if counted else {}
        if state == "rejected":
            walks = [Walk([*rejected_in(b), *_items(carrier, q)]) for b in batches]
            table, order = ingest_batch_item, [Key(_item.batch_id, descending=True), Key(_item.seq)]
        else:
            held = _held(conn, state or "", carrier, q)
            walks = [Walk([asset.c.asset_type == kind.value, *held]) for kind in CodeKind]
            table, order = asset, [Key(asset.c.id, descending=True)]
        rows: Sequence[Row[Any]] = []
        next_cursor = prev_cursor = None
        if walks:
            page = fetch_merged(conn, table, walks, order, cursor=cursor, limit=limit)
            rows, next_cursor, prev_cursor = page.rows, page.next_cursor, page.prev_cursor
        if state == "rejected":
            lines = [rejected_line(console, row) for row in rows]
        else:
            lines = held_lines(conn, [asset_row(row) for row in rows])
    return ObjectList(
        lines=lines,
        count=counts.get(state or "", Count(0, exact=False)),
        counts=counts,
        next_cursor=next_cursor,
        prev_cursor=prev_cursor,
    )


def _count(
    conn: Connection, batches: Sequence[Batch], carrier: str | None, q: str | None
) -> dict[str, Count]:
    """How many codes each state's list has; that of all that is held is the nameless one."""
    return count_each_capped(
        conn,
        {
            **{
                name: select(asset.c.id).where(*_held(conn, name, carrier, q))
                for name in ("", "complete", "incomplete")
            },
            "rejected": _all_rejected(batches, carrier, q),
        },
    )


def held_lines(conn: Connection, rows: Sequence[AssetRow]) -> list[CodeLine]:
    """Codes that the library has."""
    files = load_files(conn, [row.id for row in rows])
    return [_held_line(row, files.get(row.id, [])) for row in rows]


def rejected_line(console: Console, row: Row[Any]) -> CodeLine:
    """A code that a run rejected, from a row of `ingest_batch_item`."""
    found = rejection_of(row)
    detail = json.loads(row.detail) if row.detail else {}
    return CodeLine(
        code=row.item_key,
        kind=code_kind(row.item_key),
        carrier=type_code(row.item_key),
        state="rejected",
        files=_listed_files(console, detail, found.subject),
        run=str(row.batch_id),
        rule=found.rule,
        updated_at=row.updated_at,
    )


def require_code(text: str) -> str:
    """`text` if it is an inventory code. Raises `UnknownCode`."""
    wrong = first_wrong_character(text)
    if wrong != -1 or len(text) != CODE_LENGTH:
        raise UnknownCode(
            "this is no inventory code",
            subject=text[:100],
            expected=f"{CODE_PATTERN}, such as VO-BRD-14387",
            found=f"{text[:100]!r}, which goes wrong at character {(wrong % 13) + 1}",
        )
    return text


def _held_line(row: AssetRow, files: Sequence[FileRow]) -> CodeLine:
    detail = row.facts.detail
    master: Mapping[str, Any] = detail.get("master") or {}
    code = str(row.facts.title)
    there = {kind_of(file) for file in files}
    complete = "complete" if detail.get("complete") else "incomplete"
    return CodeLine(
        code=code,
        kind=CodeKind(row.facts.asset_type),
        carrier=str(detail.get("carrier", "")),
        state="trash" if row.deleted else complete,
        files={kind: PRESENT if kind in there else ABSENT for kind in FILE_WORDS},
        mime=master.get("mime"),
        mime_source=master.get("mime_source"),
        container=master.get("container"),
        master_bytes=master.get("size_bytes"),
        asset_url=asset_url(row.facts.content_hash),
        run=None if row.batch_id is None else str(row.batch_id),
        updated_at=row.updated_at,
    )


def kind_of(file: FileRow) -> FileKind | None:
    """What a file of the library is to its code."""
    if file.facts.role == FileRole.STREAMING:
        return FileKind.STREAMING
    return FileKind(file.facts.variant) if file.facts.variant in set(FileKind) else None


def _listed_files(console: Console, detail: Mapping[str, Any], subject: str) -> dict[FileKind, str]:
    """What a rejection tells of the files of its code; one that it names is invalid."""
    there = {file.kind for file in files_of(detail)}
    found = {kind: PRESENT if kind in there else ABSENT for kind in FILE_WORDS}
    extension = subject.rpartition(".")[2].lower()
    for source in archives_of(console):
        kind = source.options.key_rules.extensions.get(extension)
        if kind is not None and "." in subject:
            found[kind] = INVALID
    return found


def _held(
    conn: Connection, state: str, carrier: str | None, q: str | None
) -> list[ColumnElement[bool]]:
    """The conditions of codes that the library has; what a code is stands in its title."""
    code = asset.c.title
    found = [
        *asset_conditions(conn, AssetFilter(subtypes=[ASSET_SUBTYPE])),
        asset.c.asset_type.in_([kind.value for kind in CodeKind]),
        *_named(code, carrier, q),
    ]
    if len(q or "") == CODE_LENGTH:
        # A whole code is found by its index, however many there are.
        found.append(asset.c.content_hash == identity_of((q or "").upper()))
    if state:
        said = f'"complete":{json.dumps(state == "complete")}'  # as details are written: no spaces
        found.append(asset.c.detail.contains(said, autoescape=True))
    return found


def _items(carrier: str | None, q: str | None) -> list[ColumnElement[bool]]:
    return [_item.kind == CODE_ITEM, *_named(_item.item_key, carrier, q)]


def _all_rejected(batches: Sequence[Batch], carrier: str | None, q: str | None) -> Select[Any]:
    each = [and_(*rejected_in(batch)) for batch in batches]
    return select(_item.id).where(or_(false(), *each), *_items(carrier, q))


def _named(code: Any, carrier: str | None, q: str | None) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if q:
        found.append(starts_with(code, q.upper()))
    if carrier:
        known = is_type_code(carrier.upper())
        found.append(func.substr(code, 4, 3) == carrier.upper() if known else false())
    return found
