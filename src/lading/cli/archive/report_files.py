"""A run's report as text, JSON and CSV, to a stream or to a file that is whole or not there (B9).

Everything is written rejection by rejection, so that memory does not follow their number.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Final
from uuid import uuid4

from lading.base.errors import RequestError, printable
from lading.base.spreadsheets import as_text
from lading.cli.archive.report_text import headline, next_step, report_lines
from lading.cli.archive.runs import ArchiveRun
from lading.cli.output import plain
from lading.sources.archive.reports import Rejection

BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it, the usual spreadsheet program takes UTF-8 for the code page of its country."""
COLUMNS: Final = ("item", "key", "rule", "meaning", "expected", "found", "what_to_do")
CELL_CHARS_MAX: Final = 32_000
"""A spreadsheet takes a little more than this into one cell."""

Writer = Callable[[ArchiveRun, IO[str]], None]


class ReportNotWritten(RequestError):
    """A file for the report cannot be written; the run itself stands."""

    code = "report_not_written"
    next_step = "Correct the path, or make room; `lading archive report` writes it again."


def write_text(run: ArchiveRun, stream: IO[str]) -> None:
    """The report for people."""
    stream.writelines(line + "\n" for line in report_lines(run))


def write_json(run: ArchiveRun, stream: IO[str]) -> None:
    """The whole report as one JSON document, a rejection on each line."""
    head = {
        "ending": run.ending,
        "exit_status": run.exit_status,
        "headline": headline(run),
        "next_step": next_step(run),
        "followed": run.followed,
        "error": run.error,
        "error_code": run.error_code,
        "report": run.report,
    }
    members = json.dumps(plain(head), ensure_ascii=False)
    stream.write(f'{members[:-1]}, "rejections": [')
    separator = "\n"
    for rejection in run.rejections:
        stream.write(separator + json.dumps(plain(rejection), ensure_ascii=False))
        separator = ",\n"
    stream.write("]}\n")


def write_csv(run: ArchiveRun, stream: IO[str]) -> None:
    """One line for each rejection, for a spreadsheet: UTF-8 with a byte order mark."""
    stream.write(BYTE_ORDER_MARK)
    stream.writelines(csv_lines(run.rejections))


def csv_lines(rejections: Iterable[Rejection]) -> Iterator[str]:
    """The heading and the lines, each with its end, without byte order mark."""
    yield _csv_line(COLUMNS)
    for one in rejections:
        yield _csv_line(
            (one.item, one.subject, one.rule, one.sentence, one.expected, one.found, one.next_step)
        )


def cell_of(value: str | None) -> str:
    """Text as a spreadsheet shows it and never runs it: what looks like a formula gets a `'`."""
    return as_text(printable(value or "", length_max=CELL_CHARS_MAX))


def require_writable(path: Path) -> None:
    """Raise `ReportNotWritten` for a file that could not be written later, after a long run."""
    folder = path.absolute().parent
    if path.is_dir():
        raise ReportNotWritten("a folder is there", subject=str(path), expected="a file's name")
    if not folder.is_dir():
        raise ReportNotWritten("there is no such folder", subject=str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ReportNotWritten("this account cannot write there", subject=str(folder))


def write_file(path: Path, run: ArchiveRun, writer: Writer) -> None:
    """Write a report beside its place and move it there, whole. Raises `ReportNotWritten`."""
    path = path.absolute()
    temporary = path.with_name(f".{path.name[:100]}.{uuid4().hex}")
    try:
        # Not by `tempfile`, whose files nobody else may read.
        with temporary.open("x", encoding="utf-8", errors="backslashreplace", newline="") as stream:
            writer(run, stream)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(path)
    except OSError as error:
        raise ReportNotWritten(error.strerror or str(error), subject=str(path)) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def _csv_line(cells: Iterable[str | None]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow([cell_of(cell) for cell in cells])
    return line.getvalue()
