"""Previews of sorting that a process keeps for a while, so that nobody waits for a whole plan.

A thread works each plan out into a private file that is gone with it; totals, the word and pages
of files are read from there while it goes on. Nothing is written to trees or databases (G6).
"""

from __future__ import annotations

import secrets
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from time import monotonic
from typing import Final

from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.db import Database
from lading.db.keyset import BadCursor
from lading.sorting.queries import newest_change
from lading.sorting.sorting import Sorting
from lading.sorting.values import PlanCount, PlannedFile, Verdict, Wanted

KEPT_MAX: Final = 8
"""So many previews are kept; with one more, the one that was looked at longest ago is gone."""
LISTED_MAX: Final = 100_000
"""So many files of a preview can be looked at; all are counted, and the word stands for all."""
_AT_ONCE: Final = 2
_FLUSH_FILES: Final = 500
_FLUSH_S: Final = 0.25
_TABLE: Final = (
    "CREATE TABLE file (position INTEGER PRIMARY KEY, source TEXT, target TEXT, verdict TEXT,"
    " why TEXT, main TEXT, size INTEGER, stays INTEGER, undated INTEGER, numbered INTEGER,"
    " companion INTEGER)"
)
_COLUMNS: Final = "position, source, target, verdict, why, main, size, stays, undated, numbered"


class Show(StrEnum):
    """Which files of a preview are looked at: by what shall become of them, or how they go."""

    MOVE = "move"
    SET_ASIDE = "set_aside"
    ALREADY_THERE = "already_there"
    IN_PLACE = "in_place"
    LEFT = "left"
    UNDATED = "undated"
    NUMBERED = "numbered"
    COMPANIONS = "companions"
    COPIED = "copied"


_WHERE: Final[Mapping[Show, str]] = {
    **{Show(verdict.value): f"verdict = '{verdict.value}'" for verdict in Verdict},
    Show.UNDATED: "undated",
    Show.NUMBERED: "numbered",
    Show.COMPANIONS: "companion",
    Show.COPIED: "stays",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewState:
    """How far a preview is. `accept` is its word, once every file was looked at.

    `verdicts` count files; `undated`, `numbered`, `companions` and `copied` those of them that go
    and of which it is so. `listed` of them can be looked at.
    """

    complete: bool = False
    files: int = 0
    moves: int = 0
    bytes: int = 0
    verdicts: Mapping[Verdict, int]
    undated: int = 0
    numbered: int = 0
    companions: int = 0
    copied: int = 0
    listed: int = 0
    accept: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewLine:
    """One file of a preview; `main` is the file it goes with, its own path for a main one."""

    source_path: str
    target_path: str | None
    verdict: Verdict
    why: str
    main: str
    size_bytes: int
    copied: bool
    undated: bool
    numbered: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewPage:
    """Files in the order of the plan, and the cursor of the next page, if there is more yet."""

    lines: Sequence[PreviewLine]
    next_cursor: str | None
    prev_cursor: str | None = None


class Preview:
    """One preview, under way or whole; safe to share between threads."""

    def __init__(self, wanted: Wanted, as_of: int) -> None:
        self.key = secrets.token_hex(6)
        self.wanted = wanted
        self.as_of = as_of
        self.began_at = datetime.now(UTC)
        self._stop = StopSignal()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self._state = _state(PlanCount(), 0)
        # An empty name is a file that SQLite makes, spills into when it must, and removes.
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._file.execute(_TABLE)

    def wait(self, timeout_s: float) -> PreviewState:
        """How far it is when it has ended, or after so many seconds.

        Raises what kept it from its end, as `Sorting.preview` does.
        """
        self._ended.wait(timeout_s)
        with self._lock:
            if self._error is not None:
                raise self._error
            return self._state

    @property
    def failed(self) -> bool:
        """Whether something kept it from its end."""
        return self._error is not None

    def page(
        self,
        *,
        show: Show | None = None,
        path: str | None = None,
        cursor: str | None = None,
        limit: int = 50,
    ) -> PreviewPage:
        """A page of the files that were looked at so far, or of those that go with `path`.

        Raises `BadCursor`, also for a cursor of a preview that is gone.
        """
        where = ["position > ?"]
        values: list[str | int] = [self._position(cursor)]
        if show is not None:
            where.append(_WHERE[show])
        if path is not None:
            where.append("main IN (SELECT main FROM file WHERE source = ?)")
            values.append(path)
        query = f"SELECT {_COLUMNS} FROM file WHERE {' AND '.join(where)} ORDER BY position LIMIT ?"
        with self._lock:
            rows = self._file.execute(query, [*values, limit + 1]).fetchall()
        shown = rows[:limit]
        return PreviewPage(
            lines=[_line(row) for row in shown],
            next_cursor=f"{self.key}.{shown[-1][0]}" if len(rows) > limit else None,
        )

    def stop(self) -> None:
        """Let it end; nobody looks at it any more."""
        self._stop.request(StopReason.SHUTDOWN)

    def work_out(self, sorting: Sorting) -> None:
        """Go through the whole plan, in the thread of the caller."""
        count = PlanCount()
        try:
            for files in _in_time(sorting.preview(self.wanted, stop=self._stop)):
                self._stop.check()
                self._add(files, count)
            with self._lock:
                self._state = _state(count, self._state.listed, complete=True)
        except Interrupted:
            pass
        except Exception as error:  # noqa: BLE001 - told to whoever asks, in their thread
            with self._lock:
                self._error = error
        finally:
            self._ended.set()

    def _add(self, files: Sequence[PlannedFile], count: PlanCount) -> None:
        listed = self._state.listed
        rows = [_row(listed + n, file) for n, file in enumerate(files[: LISTED_MAX - listed], 1)]
        for file in files:
            count.add(file)
        with self._lock:
            self._file.execute("BEGIN")
            self._file.executemany(f"INSERT INTO file VALUES ({', '.join('?' * 11)})", rows)
            self._file.execute("COMMIT")
            self._state = _state(count, listed + len(rows))

    def _position(self, cursor: str | None) -> int:
        if cursor is None:
            return 0
        key, _, position = cursor.partition(".")
        if key != self.key or not (position.isascii() and position.isdigit()):
            raise BadCursor("this page is of a preview that is not kept any more")
        return min(int(position[:18]), LISTED_MAX)


class Previews:
    """The previews of one process; safe to share between threads."""

    def __init__(self, db: Database, sorting: Sorting, *, kept_max: int = KEPT_MAX) -> None:
        self._db = db
        self._sorting = sorting
        self._kept_max = kept_max
        self._lock = threading.Lock()
        self._kept: OrderedDict[Wanted, Preview] = OrderedDict()
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="sort-preview")

    def of(self, wanted: Wanted, *, cursor: str | None = None, not_this: str = "") -> Preview:
        """The preview of this, begun now unless one is kept that still tells what would be.

        It tells that until a scan or a run of sorting has ended; the page of a `cursor` is one of
        the preview that handed it out. `not_this` is the key of one to be made anew. Raises as
        `Sorting.check`.
        """
        self._sorting.check(wanted)
        with self._db.read() as conn:
            as_of = newest_change(conn, wanted.source, wanted.target)
        with self._lock:
            kept = self._kept.get(wanted)
            if (
                kept is not None
                and not kept.failed
                and (
                    (cursor is not None and cursor.startswith(f"{kept.key}."))
                    or (kept.as_of == as_of and kept.key != not_this)
                )
            ):
                self._kept.move_to_end(wanted)
                return kept
            self._let_go(wanted)
            made = self._kept[wanted] = Preview(wanted, as_of)
            while len(self._kept) > self._kept_max:
                self._let_go(next(iter(self._kept)))
            self._threads.submit(made.work_out, self._sorting)
            return made

    def close(self) -> None:
        """Let all previews end; no more are begun."""
        with self._lock:
            for wanted in list(self._kept):
                self._let_go(wanted)
            self._threads.shutdown(wait=True, cancel_futures=True)

    def _let_go(self, wanted: Wanted) -> None:
        # Its file is gone when nobody reads it any more.
        if (preview := self._kept.pop(wanted, None)) is not None:
            preview.stop()


def _in_time(files: Iterator[PlannedFile]) -> Iterator[list[PlannedFile]]:
    """Files in lists: of a slow disk few at a time, of a quick one many."""
    found: list[PlannedFile] = []
    since = monotonic()
    for file in files:
        found.append(file)
        if len(found) >= _FLUSH_FILES or monotonic() - since >= _FLUSH_S:
            yield found
            found, since = [], monotonic()
    yield found


def _state(count: PlanCount, listed: int, *, complete: bool = False) -> PreviewState:
    return PreviewState(
        complete=complete,
        files=count.files,
        moves=count.moves,
        bytes=count.bytes,
        verdicts={verdict: count.verdicts[verdict] for verdict in Verdict},
        undated=count.undated,
        numbered=count.numbered,
        companions=count.companions,
        copied=count.copied,
        listed=listed,
        accept=count.digest if complete else None,
    )


def _row(position: int, file: PlannedFile) -> tuple[object, ...]:
    return (
        *(position, file.source_path, file.target_path, file.verdict.value, file.why, file.group),
        *(file.stamp.size_bytes, file.stays, file.undated, file.numbered),
        file.goes and file.is_companion,
    )


def _line(row: Sequence[object]) -> PreviewLine:
    _, source, target, verdict, why, main, size, stays, undated, numbered = row
    return PreviewLine(
        source_path=str(source),
        target_path=None if target is None else str(target),
        verdict=Verdict(str(verdict)),
        why=str(why),
        main=str(main),
        size_bytes=int(str(size)),
        copied=bool(stays),
        undated=bool(undated),
        numbered=bool(numbered),
    )
