"""One Delta table: rows read by SQL, changed by merges that lose no race, and its past versions.

A change reads the rows it is about, decides, and merges on the very version it read. Delta refuses
the commit when somebody else changed the same partition since; then it is all done again, after a
wait, a bounded number of times. So a decision always rests on what it replaces.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Generic

from lading.base.errors import LadingError, RequestError
from lading.catalog.columns import BUCKET, Shape
from lading.catalog.delta import deltalake, faults
from lading.catalog.errors import (
    CatalogBusy,
    CatalogIncompatible,
    CatalogMoved,
    CatalogVersionMissing,
)
from lading.catalog.filters import (
    Where,
    buckets_named,
    condition,
    first_keys_condition,
    in_buckets,
    limit_clause,
    text_literal,
)
from lading.catalog.location import CatalogLocation
from lading.catalog.rules import BUCKETS, Key, Row, wait_s

ATTEMPTS_MAX: Final = 40
RETENTION_H_MIN: Final = 168
_FEW_ROWS: Final = 2_000
Decide = Callable[[Mapping[Key, Row]], Sequence[Row]]
"""Given the rows held, by key: the rows to write."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a table: its number, when it was committed, and by what."""

    number: int
    committed_at: datetime
    made_by: str


@dataclass(frozen=True, slots=True)
class Compacted:
    """What a compaction did: small files joined into fewer, old files deleted."""

    files_joined: int
    files_made: int
    files_deleted: int


@dataclass(frozen=True, slots=True)
class Reading(Generic[Row]):
    """Rows held, by key, and the table at the version that was read; None before it is made."""

    table: Any
    held: Mapping[Key, Row]


class DeltaRows(Generic[Row]):
    """The rows of one table below one prefix. Safe from several threads, processes and machines.

    It keeps no state but its address. The table is made by whoever first writes to it; until then
    it reads as empty. Raises `StoreUnavailable`, `StoreDenied`, `CatalogIncompatible`.
    """

    def __init__(
        self,
        location: CatalogLocation,
        prefix: str,
        shape: Shape[Row],
        *,
        wait: Callable[[float], object] = time.sleep,
        attempts_max: int = ATTEMPTS_MAX,
    ) -> None:
        self.shape: Shape[Row] = shape
        self.location = location
        self.address = location.address(prefix, shape.name)
        self._options = location.storage_options()
        self._wait = wait
        self._attempts_max = attempts_max

    def change(self, keys: Sequence[Key], decide: Decide[Row]) -> Sequence[Row]:
        """Write what `decide` makes of the rows held under `keys`, all in one commit.

        `decide` is asked again, with what is held by then, after each commit that was refused; an
        error out of it ends the change. Returns the rows written. Raises `CatalogBusy`.
        """
        for attempt in range(self._attempts_max):
            reading = self.read(keys)
            rows = decide(reading.held)
            if self.commit(reading, rows):
                return rows
            self._wait(wait_s(attempt, random.SystemRandom().random()))
        raise CatalogBusy(
            f"Others changed {self.shape.name} at each of {self._attempts_max} tries",
            subject=", ".join(keys[0]),
        )

    def read(self, keys: Collection[Key]) -> Reading[Row]:
        """The rows under these keys as of now, with what `commit` needs to write on top of them."""
        table = self._opened() if keys else None
        if table is None:
            return Reading(None, {})
        wanted = first_keys_condition(self.shape, {key[0] for key in keys})
        rows = self._select(table, wanted)
        named = set(keys)
        return Reading(
            table, {key: row for row in rows if (key := self.shape.key_of(row)) in named}
        )

    def commit(self, reading: Reading[Row], rows: Sequence[Row]) -> bool:
        """Whether the rows were written on top of what was read.

        They are not when somebody else changed a partition of theirs since. A reading serves once.
        """
        if not rows:
            return True
        table = reading.table
        if table is None:
            table = self._created()
            if table.version() > 0:  # somebody else made it and wrote to it
                return False
        return self._merged(table, rows)

    def rows(
        self,
        where: Where | None = None,
        *,
        limit: int | None = None,
        version: int | None = None,
        only: str = "true",
        beside: Mapping[str, Any] | None = None,
    ) -> Iterator[Row]:
        """The rows that a filter finds, in the order of their keys.

        Of recordings and modalities about a sixteenth is in memory at a time, or all where `limit`,
        hashes in `where`, or what it finds keep them few; participants are sorted as a whole.
        `version` reads the table as it was. `only` is a further condition of ours in SQL, over this
        table and those `beside` it.
        """
        wanted = f"{condition(self.shape, where)} AND {only}"
        last = limit_clause(limit)
        table = self._opened(version)
        if table is None:
            return iter(())
        bounded = last or buckets_named(self.shape, where) is not None
        if bounded or not self.shape.buckets_in_order:
            return self._select(table, wanted, last, beside)
        return self._in_turn(table, wanted, beside, few_at_once=bool(where))

    def first(self, wanted: str, order: str, limit: int) -> list[Row]:
        """The first rows in an order of ours that meet a condition of ours, both in SQL."""
        table = self._opened()
        if table is None:
            return []
        return list(self._select(table, wanted, f"LIMIT {limit}", order=order))

    def snapshot(self) -> Any:
        """The table as it is now, to be read `beside` another one; None before the first row."""
        return self._opened()

    def count(
        self,
        what: str = "count(*)",
        *,
        only: str = "true",
        beside: Mapping[str, Any] | None = None,
        among: str | None = None,
    ) -> int:
        """A number that an aggregate of ours gives; 0 when there is no table.

        It goes over the rows of this table, or over what `among` makes of them.
        """
        table = self._opened()
        if table is None:
            return 0
        statement = f"SELECT {what} AS n FROM {among or self.shape.name} WHERE {only}"
        (batch,) = self._batches(table, statement, beside)
        found: int = batch.column("n").to_pylist()[0]
        return found

    def version(self) -> int | None:
        """The number of the newest version; None before the first row."""
        table = self._opened()
        return None if table is None else int(table.version())

    def versions(self, limit: int = 50) -> list[Version]:
        """The newest versions, newest first."""
        table = self._opened()
        if table is None:
            return []
        with faults(self.location, "list the versions of", self.shape.name):
            history = table.history(limit)
        return [
            Version(
                int(entry["version"]),
                datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=entry["timestamp"]),
                str(entry["operation"]).lower(),
            )
            for entry in history
        ]

    def restore(self, to: int, *, expected: int) -> int:
        """Make the table what it was at version `to`, as a new version, whose number is returned.

        All that was written since goes out of sight, so the caller says which version they looked
        at. Raises `CatalogMoved` when it is not the newest, and `CatalogVersionMissing`.
        """
        self._opened(to)
        table = self._opened()
        self._require_version(table, expected)
        with faults(self.location, "restore", self.shape.name):
            try:
                table.restore(to)
            except deltalake().exceptions.CommitFailedError:
                self._require_version(self._opened(), expected)
                raise
        found: int = self._opened().version()
        return found

    def compact(self, *, retention_h: int = RETENTION_H_MIN, dry_run: bool = False) -> Compacted:
        """Join small files, and delete those that no version of the last `retention_h` hours has.

        Older versions can then not be restored. A week is the least: a reader or writer that
        began earlier may still need what would be deleted. One caller at a time is best. With
        `dry_run` nothing is changed, and what would be deleted is counted.
        """
        if retention_h < RETENTION_H_MIN:
            raise RequestError(
                "Files may still be in use",
                subject=self.shape.name,
                expected=f"at least {RETENTION_H_MIN} hours",
                found=f"{retention_h} hours",
            )
        conflict = deltalake().exceptions.CommitFailedError
        for attempt in range(self._attempts_max):
            table = self._opened()
            if table is None:
                return Compacted(0, 0, 0)
            try:
                with faults(self.location, "compact", self.shape.name):
                    if dry_run:
                        return Compacted(0, 0, len(table.vacuum(retention_hours=retention_h)))
                    done = table.optimize.compact()
                    deleted = table.vacuum(retention_hours=retention_h, dry_run=False)
            except conflict:
                self._wait(wait_s(attempt, random.SystemRandom().random()))
                continue
            return Compacted(done["numFilesRemoved"], done["numFilesAdded"], len(deleted))
        raise CatalogBusy("Others kept changing the table", subject=self.shape.name)

    def _merged(self, table: Any, rows: Sequence[Row]) -> bool:
        """Whether the rows were committed on top of the version that `table` is at."""
        buckets = sorted({self.shape.bucket_of_row(row) for row in rows})
        same = " AND ".join(f"held.{name} = given.{name}" for name in (BUCKET, *self.shape.key))
        merger = table.merge(
            self.shape.table(rows),
            predicate=f"{in_buckets(f'held.{BUCKET}', buckets)} AND {same}",
            source_alias="given",
            target_alias="held",
        )
        change = merger.when_matched_update_all().when_not_matched_insert_all()
        with faults(self.location, "write", self.shape.name):
            try:
                change.execute()
            except deltalake().exceptions.CommitFailedError:
                return False
        return True

    def _opened(self, version: int | None = None) -> Any:
        """The table at its newest or another version; None when there is none yet."""
        package = deltalake()
        with faults(self.location, "open", self.shape.name):
            try:
                table = package.DeltaTable(self.address, storage_options=self._options)
            except package.exceptions.TableNotFoundError:
                table = None
        if version is not None:
            if table is None or not 0 <= version <= table.version():
                raise CatalogVersionMissing(
                    "There is no such version", subject=self.shape.name, found=version
                )
            with faults(self.location, f"open version {version} of", self.shape.name):
                table.load_as_version(version)
        if table is None:
            return None
        self._require_columns(table)
        return table

    def _created(self) -> Any:
        """The table, made now unless somebody else was faster."""
        package = deltalake()
        fault: LadingError | None = None
        try:
            with faults(self.location, "create", self.shape.name):
                package.DeltaTable.create(
                    self.address,
                    self.shape.schema(),
                    mode="error",
                    partition_by=[BUCKET],
                    name=self.shape.name,
                    storage_options=self._options,
                )
        except LadingError as error:
            fault = error
        table = self._opened()
        if table is None:
            raise fault or CatalogIncompatible("The table vanished", subject=self.address)
        return table

    def _require_columns(self, table: Any) -> None:
        names = {field.name for field in table.schema().fields}
        if names != {BUCKET, *self.shape.columns}:
            raise CatalogIncompatible(
                f"The table {self.shape.name} has other columns",
                subject=str(self.location),
                expected=", ".join(self.shape.columns),
                found=", ".join(sorted(names)),
            )

    def _require_version(self, table: Any, expected: int) -> None:
        if table.version() != expected:
            raise CatalogMoved(
                f"The table {self.shape.name} was changed since",
                expected=f"version {expected}",
                found=f"version {table.version()}",
            )

    def _select(
        self,
        table: Any,
        wanted: str,
        last: str = "",
        beside: Mapping[str, Any] | None = None,
        *,
        order: str | None = None,
    ) -> Iterator[Row]:
        columns, order = ", ".join(self.shape.columns), order or ", ".join(self.shape.key)
        statement = (
            f"SELECT {columns} FROM {self.shape.name} WHERE {wanted} ORDER BY {order} {last}"
        )
        for batch in self._batches(table, statement, beside):
            yield from self.shape.rows(batch)

    def _in_turn(
        self, table: Any, wanted: str, beside: Mapping[str, Any] | None, *, few_at_once: bool
    ) -> Iterator[Row]:
        if few_at_once:  # one query instead of sixteen, should it find no more
            found = list(self._select(table, wanted, f"LIMIT {_FEW_ROWS + 1}", beside))
            if len(found) <= _FEW_ROWS:
                yield from found
                return
            del found
        for bucket in BUCKETS:
            within = f"{self.shape.name}.{BUCKET} = {text_literal(bucket)} AND {wanted}"
            yield from self._select(table, within, beside=beside)

    def _batches(
        self, table: Any, statement: str, beside: Mapping[str, Any] | None = None
    ) -> Iterator[Any]:
        with faults(self.location, "read", self.shape.name):
            query = deltalake().QueryBuilder().register(self.shape.name, table)
            for name, other in (beside or {}).items():
                query.register(name, other)
            batches = iter(query.execute(statement))
        while True:
            with faults(self.location, "read", self.shape.name):
                batch = next(batches, None)
            if batch is None:
                return
            yield batch
