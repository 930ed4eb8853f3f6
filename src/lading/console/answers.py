"""What every list of the API answers with, and the same list as CSV or one JSON object a line."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from datetime import UTC, datetime
from typing import Any, Final, Generic, Literal, Protocol, TypeVar

import msgspec
from litestar import Response
from litestar.response import Stream

from lading.base.spreadsheets import as_text
from lading.db.counting import Count

T = TypeVar("T")
ListFormat = Literal["json", "csv", "ndjson"]

MEDIA_TYPES: Final[Mapping[str, str]] = {
    "csv": "text/csv",
    "ndjson": "application/x-ndjson",
}
EXPORT_PAGE: Final = 500


@dataclass(frozen=True, slots=True)
class Many(Generic[T]):
    """One page of a list. `count` is of the whole list and knows whether it is exact.

    `next` and `prev` are cursors. None as a count: nobody counts this list.
    """

    items: Sequence[T]
    next: str | None
    prev: str | None
    count: Count | None
    as_of: datetime


class Paged(Protocol):
    """A page as readers give it."""

    @property
    def next_cursor(self) -> str | None:
        """The cursor of the page after it."""
        ...

    @property
    def prev_cursor(self) -> str | None:
        """The cursor of the page before it."""
        ...


def many(items: Sequence[T], page: Paged, count: Count | None) -> Many[T]:
    """A page of a list as the API answers it."""
    return Many(items, page.next_cursor, page.prev_cursor, count, datetime.now(UTC))


def export(
    name: str,
    format: Literal["csv", "ndjson"],  # noqa: A002 - the parameter's name in the address
    fetch: Callable[[str | None], tuple[Sequence[Any], str | None]],
    columns: type[Any],
) -> Response[Any]:
    """The whole list, page by page in constant memory; `fetch` gives the rows after a cursor.

    `columns` is the dataclass of the rows. Times are UTC with their offset. A cell that a
    spreadsheet would take for a formula gets an apostrophe in front.
    """
    write = _csv_lines if format == "csv" else _json_lines
    first = fetch(None)  # what is wrong with the request is said before anything is sent
    return Stream(
        write(_walk(fetch, first), [f.name for f in fields(columns)]),
        media_type=MEDIA_TYPES[format],
        headers={"Content-Disposition": f'attachment; filename="lading-{name}.{format}"'},
    )


def _walk(
    fetch: Callable[[str | None], tuple[Sequence[Any], str | None]],
    first: tuple[Sequence[Any], str | None],
) -> Iterator[Any]:
    rows, cursor = first
    yield from rows
    while cursor is not None:
        rows, cursor = fetch(cursor)
        yield from rows


def _json_lines(rows: Iterator[Any], _columns: Sequence[str]) -> Iterator[bytes]:
    for row in rows:
        yield msgspec.json.encode(_plain(row)) + b"\n"


def _csv_lines(rows: Iterator[Any], columns: Sequence[str]) -> Iterator[bytes]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        facts = _plain(row)
        writer.writerow([_cell(facts.get(column)) for column in columns])
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue().encode()


def _plain(row: Any) -> dict[str, Any]:
    if is_dataclass(row) and not isinstance(row, type):
        return asdict(row)
    return dict(row)


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping | list | tuple):
        return msgspec.json.encode(value).decode()
    return as_text(value) if isinstance(value, str) else value
