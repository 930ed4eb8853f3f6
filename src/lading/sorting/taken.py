"""Remembers which places a plan has given away, in a private file that is gone with the process.

A plan of a million files takes as much memory as one of a thousand. Places are compared without
regard to case and to the form of accents, as some file systems do.
"""

from __future__ import annotations

import hashlib
import sqlite3
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from lading.media.rules import folded


@dataclass(frozen=True, slots=True)
class Promise:
    """What a plan put at a place: its spelling, and the content of a file (None for a folder)."""

    path: str
    sha256: str | None


class Taken:
    """The places of one plan, to be used in a `with` block of one thread."""

    def __enter__(self) -> Self:
        # An empty name is a file that SQLite makes, spills into when it must, and removes.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("CREATE TABLE place (key BLOB PRIMARY KEY, path TEXT, sha256 TEXT)")
        self._db.execute("CREATE TABLE next (key BLOB PRIMARY KEY, number INTEGER)")
        self._db.execute("CREATE TABLE content (key BLOB PRIMARY KEY, number INTEGER)")
        self._db.execute("BEGIN")
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._db.close()

    def at(self, path: str) -> Promise | None:
        """What was promised at this place, or at one that differs in case or accents alone."""
        row = self._db.execute(
            "SELECT path, sha256 FROM place WHERE key = ?", (_key(path),)
        ).fetchone()
        return None if row is None else Promise(*row)

    def promise(self, path: str, sha256: str | None) -> None:
        """Give a place to a file of this content, or to a folder; it has to be free."""
        self._db.execute("INSERT INTO place VALUES (?, ?, ?)", (_key(path), path, sha256))

    def named_so(self, stem: str) -> int:
        """How many files were promised that have this path but for their ending."""
        return self._number("next", f"{stem}\0stem") or 0

    def name_so(self, stem: str, files: int) -> None:
        """Remember that so many more files have this path but for their ending."""
        self.given(f"{stem}\0stem", self.named_so(stem) + files)

    def next_number(self, row: str) -> int | None:
        """The first number that was not given for this row of names; None before any was."""
        return self._number("next", row)

    def number_with(self, row: str, sha256: str) -> int | None:
        """Under which number of a row this content is, as far as was remembered."""
        return self._number("content", f"{row}/{sha256}")

    def remember(self, row: str, sha256: str, number: int) -> None:
        """Remember that a content is under this number of a row."""
        self._db.execute(
            "INSERT OR IGNORE INTO content VALUES (?, ?)", (_key(f"{row}/{sha256}"), number)
        )

    def given(self, row: str, number: int) -> None:
        """Remember that the numbers before this one are given for a row of names."""
        self._db.execute("INSERT OR REPLACE INTO next VALUES (?, ?)", (_key(row), number))

    def _number(self, table: str, key: str) -> int | None:
        found = self._db.execute(
            f"SELECT number FROM {table} WHERE key = ?", (_key(key),)
        ).fetchone()
        return None if found is None else int(found[0])


def _key(path: str) -> bytes:
    return hashlib.sha256(folded(path).encode("utf-8", "surrogateescape")).digest()
