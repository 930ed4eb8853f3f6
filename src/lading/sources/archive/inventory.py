"""What a listing found, sorted out by phase 1: codes with their files, rejected keys, and counts.

It lies in a temporary database of its own, so that memory does not follow the number of objects
and pages may come in any order.
"""

from __future__ import annotations

import hashlib
import sqlite3
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from typing import Any, Final

from lading.base.errors import printable
from lading.sources.archive.rules import KeyRules, KeyStage, KeyVerdict, judge_key
from lading.sources.archive.values import ArchiveFile, Fault, FileKind
from lading.storage.bucket import ListedObject, is_plain_key

LEFT_OUT_MAX: Final = 200
"""Values of a rule that are told apart; what more there are is counted together."""
EXAMPLES_MAX: Final = 5
FOUND_CHARS_MAX: Final = 200

_SCHEMA: Final = """
CREATE TABLE file (code TEXT, key TEXT, kind TEXT, size INTEGER, etag TEXT,
                   PRIMARY KEY (code, key)) WITHOUT ROWID;
CREATE TABLE rejected (key TEXT PRIMARY KEY, size INTEGER, stage TEXT, code TEXT, expected TEXT,
                       found TEXT) WITHOUT ROWID;
"""


@dataclass(slots=True)
class LeftOut:
    """Keys that configuration keeps out, by one value of one rule, with some of them."""

    stage: str
    value: str
    keys: int = 0
    examples: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Phase1:
    """The funnel of the listing: how many keys there were, and how many passed each rule (B3).

    `codes` is the number of inventory codes that the accepted keys belong to.
    """

    pages: int = 0
    listed: int = 0
    extension: int = 0
    folder: int = 0
    code: int = 0
    accepted: int = 0
    rejected: int = 0
    codes: int = 0
    bytes: int = 0

    def as_dict(self) -> dict[str, int]:
        """The counts as plain JSON values."""
        return asdict(self)


_PASSED: Final = {
    KeyStage.EXTENSION: 0,
    KeyStage.FOLDER_LEFT_OUT: 1,
    KeyStage.CODE: 2,
    KeyStage.TYPE: 3,
    KeyStage.ACCEPTED: 4,
}
"""How many rules of the funnel a key has passed that ended at a stage."""


class Inventory:
    """One listing, sorted out. Close it to give its disk space back."""

    def __init__(self, rules: KeyRules) -> None:
        self.counts = Phase1()
        self.seconds: float | None = None  # how long the listing took
        self.digest = ""  # of everything that a run would act on or report; empty until finished
        self._rules = rules
        self._left_out: dict[tuple[str, str], LeftOut] = {}
        # An empty name is a file that nobody else sees and that goes with the connection.
        self._db = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        for pragma in ("journal_mode = OFF", "synchronous = OFF"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        self._db.execute("BEGIN")
        # Whoever keeps a listing for later may never come to close it.
        self._end = weakref.finalize(self, self._db.close)

    def close(self) -> None:
        """Forget everything."""
        self._end()

    def add(self, page: Sequence[ListedObject]) -> None:
        """Sort a page of the listing out. A key that was listed already counts once."""
        files: list[tuple[Any, ...]] = []
        rejected: list[tuple[Any, ...]] = []
        self.counts.pages += 1
        for found in page:
            verdict = judge_listed(found.key, self._rules)
            self._count(found, verdict)
            if verdict.fault is not None:
                fault = verdict.fault
                facts = (verdict.stage.value, fault.code, fault.expected, fault.found)
                rejected.append((found.key, found.size_bytes, *facts))
            elif verdict.stage is KeyStage.ACCEPTED and verdict.kind is not None:
                kind = verdict.kind.value
                files.append((verdict.code, found.key, kind, found.size_bytes, found.etag))
        self._db.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?)", files)
        self._db.executemany("INSERT OR REPLACE INTO rejected VALUES (?, ?, ?, ?, ?, ?)", rejected)

    def finish(self) -> str:
        """Count the codes, and give the digest."""
        (self.counts.codes,) = self._db.execute("SELECT count(DISTINCT code) FROM file").fetchone()
        digest = hashlib.sha256()
        for row in self._db.execute("SELECT key, size, etag FROM file ORDER BY code, key"):
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
        for row in self._db.execute("SELECT key, code FROM rejected ORDER BY key"):
            digest.update(repr(row).encode("utf-8", "surrogatepass"))
        self.digest = digest.hexdigest()
        return self.digest

    def codes(self) -> Iterator[tuple[str, list[ArchiveFile]]]:
        """Every inventory code with its files, in the order of codes and keys."""
        rows = self._db.execute("SELECT code, key, kind, size, etag FROM file ORDER BY code, key")
        for code, of_code in groupby(rows, key=lambda row: str(row[0])):
            yield code, [ArchiveFile(key, FileKind(kind), *of) for _, key, kind, *of in of_code]

    def rejected(self) -> Iterator[tuple[str, int, KeyStage, Fault]]:
        """Every rejected key with its size, the rule it ended at and why, in order."""
        rows = self._db.execute("SELECT * FROM rejected ORDER BY key")
        for key, size, stage, code, expected, found in rows:
            yield key, size, KeyStage(stage), Fault(code, expected, found, key)

    def left_out(self) -> list[LeftOut]:
        """What configuration kept out, the largest first."""
        return sorted(self._left_out.values(), key=lambda one: (-one.keys, one.stage, one.value))

    def _count(self, found: ListedObject, verdict: KeyVerdict) -> None:
        counts, passed = self.counts, _PASSED[verdict.stage]
        counts.listed += 1
        counts.extension += passed > 0
        counts.folder += passed > 1
        counts.code += passed > 2
        counts.accepted += passed > 3
        counts.rejected += verdict.fault is not None
        if verdict.stage is KeyStage.ACCEPTED:
            counts.bytes += found.size_bytes
        if not verdict.left_out:
            return
        which = (verdict.stage.value, verdict.rule_value or "")
        if which not in self._left_out and len(self._left_out) >= LEFT_OUT_MAX:
            which = (verdict.stage.value, "…")
        one = self._left_out.setdefault(which, LeftOut(*which))
        one.keys += 1
        if len(one.examples) < EXAMPLES_MAX:
            one.examples.append(found.key)


def build_inventory(pages: Iterable[Sequence[ListedObject]], rules: KeyRules) -> Inventory:
    """The listing sorted out by `rules`; what `pages` raises comes out, and nothing is left."""
    inventory = Inventory(rules)
    try:
        for page in pages:
            inventory.add(page)
    except BaseException:
        inventory.close()
        raise
    return inventory


def judge_listed(key: str, rules: KeyRules) -> KeyVerdict:
    """What becomes of a listed key; one that nobody can ask for is rejected, whatever its name."""
    verdict = judge_key(key, rules)
    if verdict.stage is KeyStage.ACCEPTED and not is_plain_key(key):
        fault = Fault(
            "key_unreadable",
            "a path of plain folders and a name",
            printable(key, length_max=FOUND_CHARS_MAX),
            key,
        )
        return KeyVerdict(KeyStage.TYPE, verdict.code, verdict.kind, fault)
    return verdict
