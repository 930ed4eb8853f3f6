"""What a list shows is in its address: filters, order, page. Read, explained and written anew here.

A parameter that is unknown or does not fit is left out of the filter and said on the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode

from litestar import Request

PAGE_SIZES: Final = (50, 100, 200)
TEXT_LENGTH_MAX: Final = 500
PAGING: Final = frozenset({"cursor", "limit", "sort", "sel", "done", "help", "view", "format"})
"""Parameters that every list may have besides its filters. `done` names an operation to tell of."""

_INSTANT = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?(Z|[+-]\d{2}:?\d{2})?"
)

_YEARS: Final = range(1900, 9000)
"""Nearer the ends of the calendar another zone, or the day before, can be none any more."""


@dataclass(frozen=True, slots=True)
class Field:
    """One filter of a list. With `choices` (value to words) several may be given, by commas."""

    name: str
    label: str
    choices: Mapping[str, str] | None = None
    kind: str = "text"  # text, instant or number


@dataclass(frozen=True, slots=True)
class Chip:
    """One filter that is set, in words, and the address without it."""

    label: str
    value: str
    remove_url: str


@dataclass(frozen=True, slots=True)
class ListQuery:
    """What the address of a list says. `values` has only what fits; `ignored` what does not."""

    path: str
    fields: Sequence[Field]
    values: Mapping[str, Sequence[str]]
    ignored: Sequence[str]
    sort: str
    default_sort: str
    limit: int
    default_limit: int
    cursor: str | None
    selection: str | None
    done: str | None
    extra: Mapping[str, str] = field(default_factory=dict)  # `view` and the like, kept as they are

    def many(self, name: str) -> list[str]:
        """All values given for a filter."""
        return list(self.values.get(name, ()))

    def one(self, name: str) -> str | None:
        """The value of a filter, or None."""
        return next(iter(self.values.get(name, ())), None)

    def instant(self, name: str) -> datetime | None:
        """A filter that is an instant; without an offset it is UTC."""
        text = self.one(name)
        return None if text is None else parse_instant(text)

    def number(self, name: str) -> int | None:
        """A filter that is a whole number."""
        text = self.one(name)
        return None if text is None else int(text)

    @property
    def filtered(self) -> bool:
        """Whether anything is left out of the list."""
        return bool(self.values)

    @property
    def chips(self) -> list[Chip]:
        """Every filter that is set, with the way to take it away."""
        chips = []
        for known in self.fields:
            chosen = self.values.get(known.name, ())
            for value in chosen:
                words = (known.choices or {}).get(value, value)
                rest = [other for other in chosen if other != value]
                chips.append(Chip(known.label, words, self.url(**{known.name: rest})))
        return chips

    @property
    def clear_url(self) -> str:
        """The list without any filter."""
        return self.url(**{known.name: None for known in self.fields})

    def parameters(self) -> dict[str, str]:
        """What the address carries, cursor left out, as it is written again."""
        found = {name: ",".join(chosen) for name, chosen in self.values.items() if chosen}
        if self.sort != self.default_sort:
            found["sort"] = self.sort
        if self.limit != self.default_limit:
            found["limit"] = str(self.limit)
        if self.selection:
            found["sel"] = self.selection
        return found | dict(self.extra)

    def url(self, **changes: str | int | Iterable[str] | None) -> str:
        """This list's address with some parameters changed; None takes one away.

        Any change but that of the cursor begins at the first page.
        """
        found = self.parameters()
        if self.cursor and set(changes) <= {"done", "sel"}:
            found["cursor"] = self.cursor
        for name, value in changes.items():
            if value is not None and not isinstance(value, str | int):
                value = ",".join(value)  # noqa: PLW2901 - the same value, as it is written
            if value is None or value == "":
                found.pop(name, None)
            else:
                found[name] = str(value)
        if found.get("sort") == self.default_sort:
            del found["sort"]
        return f"{self.path}?{urlencode(found, safe=',:')}" if found else self.path

    @property
    def here(self) -> str:
        """The address of just this page, to come back to."""
        return self.url(cursor=self.cursor)

    def sort_url(self, column: str) -> str:
        """Sorts by a column; a second time the other way round."""
        return self.url(sort=column if self.sort == f"-{column}" else f"-{column}")

    def sorted_by(self, column: str) -> str | None:
        """`ascending` or `descending`, as `aria-sort` has it; None if by another column."""
        if self.sort == column:
            return "ascending"
        return "descending" if self.sort == f"-{column}" else None


def read_query(
    request: Request[Any, Any, Any],
    fields: Sequence[Field],
    *,
    sorts: Sequence[str] = (),
    default_sort: str = "",
    page_size: int = PAGE_SIZES[0],
    extra: Mapping[str, Sequence[str]] | None = None,
) -> ListQuery:
    """What the request's address asks of a list with these filters.

    `extra` names further parameters and the values each may have.
    """
    return parse_query(
        request.url.path,
        list(request.query_params.multi_items()),
        fields,
        sorts=sorts,
        default_sort=default_sort,
        page_size=page_size,
        extra=extra,
    )


def parse_query(
    path: str,
    given: Sequence[tuple[str, str]],
    fields: Sequence[Field],
    *,
    sorts: Sequence[str] = (),
    default_sort: str = "",
    page_size: int = PAGE_SIZES[0],
    extra: Mapping[str, Sequence[str]] | None = None,
) -> ListQuery:
    """The same of an address that is not the request's own, as the list someone came from."""
    known = {f.name: f for f in fields}
    allowed = extra or {}
    values: dict[str, list[str]] = {}
    ignored: list[str] = []
    kept: dict[str, str] = {}
    for name, text in given:
        if not text:
            continue
        if name in known:
            fits, refused = fitting(known[name], text[:TEXT_LENGTH_MAX])
            values.setdefault(name, []).extend(v for v in fits if v not in values.get(name, []))
            ignored += [f"{name}={value}" for value in refused]
        elif name in allowed:
            if text in allowed[name]:
                kept[name] = text
            else:
                ignored.append(f"{name}={text[:50]}")
        elif name not in PAGING:
            ignored.append(name[:50])
    single = {name: text for name, text in given if text}
    sort = single.get("sort", default_sort)
    if sort.lstrip("-") not in {s.lstrip("-") for s in (*sorts, default_sort)}:
        ignored.append(f"sort={sort[:50]}")
        sort = default_sort
    limit_text = single.get("limit", "")
    limit = int(limit_text) if limit_text in {str(size) for size in PAGE_SIZES} else page_size
    if limit_text and limit_text != str(limit):
        ignored.append(f"limit={limit_text[:20]}")
    return ListQuery(
        path=path,
        fields=fields,
        # In the order of the fields, whatever order they were given in: one list, one address.
        values={f.name: values[f.name] for f in fields if values.get(f.name)},
        ignored=sorted(ignored),
        sort=sort,
        default_sort=default_sort,
        limit=limit,
        default_limit=page_size,
        cursor=single.get("cursor"),
        selection=single.get("sel"),
        done=single.get("done"),
        extra=kept,
    )


def parse_instant(text: str) -> datetime | None:
    """An instant as addresses have it; UTC without an offset, None for anything else."""
    if _INSTANT.fullmatch(text.strip()) is None:
        return None
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if at.year not in _YEARS:
        return None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def fitting(known: Field, text: str) -> tuple[list[str], list[str]]:
    """The values in `text` that a filter can have, and those that it cannot."""
    if known.choices is not None:
        parts = [part.strip() for part in text.split(",") if part.strip()]
        return (
            [part for part in parts if part in known.choices],
            [part for part in parts if part not in known.choices],
        )
    fits = "\0" not in text
    if known.kind == "instant":
        fits = parse_instant(text) is not None
    elif known.kind == "number":
        fits = text.isascii() and text.isdigit() and len(text) < 19
    return ([text.strip()], []) if fits else ([], [text])
