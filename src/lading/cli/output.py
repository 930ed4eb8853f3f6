"""How results are written: aligned tables and short facts for people, JSON for programs.

Nothing here colours, cuts or animates what goes into a pipe. Text from outside is escaped, so that
a file name cannot steer a terminal.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lading.base.errors import printable
from lading.base.naming import without_middle
from lading.base.units import format_bytes

PIPE_WIDTH: Final = 100_000
NAME_WIDTH_MAX: Final = 48
_RIGHT: Final = frozenset({"id", "items", "bytes", "job", "priority", "attempt", "seq"})


def emit(document: object) -> None:
    """Write one JSON document on standard output; over several lines on a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(plain(document), indent=indent, ensure_ascii=False) + "\n")


def emit_line(document: object) -> None:
    """Write one line of NDJSON on standard output, at once."""
    sys.stdout.write(json.dumps(plain(document), ensure_ascii=False) + "\n")
    sys.stdout.flush()


def plain(value: object) -> Any:
    """`value` as JSON values: times in UTC, members of enums as their words."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(plain(key)): plain(inner) for key, inner in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(inner) for inner in value]
    return value


def say(text: str = "") -> None:
    """Write a line for people on standard output."""
    sys.stdout.write(text + "\n")


def note(text: str) -> None:
    """Write a line that is not part of the result on standard error."""
    sys.stderr.write(text + "\n")


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write rows under a heading; wrapped to a terminal's width, never in a pipe."""
    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    for column in columns:
        grid.add_column(column, justify="right" if column in _RIGHT else "left", no_wrap=True)
    grid.columns[-1].no_wrap = False
    for row in rows:
        grid.add_row(*(Text(cell(value)) for value in row))
    _write(grid)


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Write labelled values, one to a line; those that are None are left out."""
    known = [(label, value) for label, value in pairs if value is not None]
    width = max((len(label) for label, _ in known), default=0)
    for label, value in known:
        say(f"{label + ':':<{width + 1}}  {cell(value)}")


def cell(value: object) -> str:
    """One value as people read it; `-` stands for what is not there."""
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, Enum):
        return str(value.value)
    return printable(str(value))


def in_table(name: str) -> str:
    """A name that may be long, for a table: without its middle on a terminal, whole in a pipe."""
    return without_middle(name, NAME_WIDTH_MAX) if sys.stdout.isatty() else name


def moment(at: datetime | None) -> str:
    """A time in UTC, to the second."""
    return "-" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z"


def counts(numbered: Mapping[Any, int], *, nothing: str = "nothing") -> str:
    """`12 created, 3 unchanged`, leaving out what is none."""
    parts = [f"{count:,} {cell(word)}" for word, count in numbered.items() if count]
    return ", ".join(parts) or nothing


def words(values: Mapping[str, Any]) -> str:
    """Plain values as `name value, name value`, leaving out what is empty."""
    return ", ".join(
        f"{name} {cell(plain(value))}"
        for name, value in values.items()
        if value is not None and value not in ("", [], {})
    )


def size(size_bytes: int | None) -> str:
    """Bytes in decimal units."""
    return format_bytes(size_bytes)


def _write(renderable: Table) -> None:
    terminal = sys.stdout.isatty()
    console = Console(
        file=sys.stdout,
        width=None if terminal else PIPE_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
        no_color=None if terminal else True,
        force_terminal=None if terminal else False,
    )
    if terminal:
        console.print(renderable)
        return
    # Rich pads the last column; trailing blanks are a nuisance to whoever reads the pipe.
    with console.capture() as capture:
        console.print(renderable)
    sys.stdout.writelines(line.rstrip() + "\n" for line in capture.get().splitlines())
