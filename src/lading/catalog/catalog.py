"""The catalog of recordings: what callers register, and what they read.

A registration writes participants, then modalities, then the recording, whose row is the commit
point: readers begin with recordings, so what was cut off before is not seen, and the same call
made again completes it (D2).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, TypeVar

from lading.base.errors import RequestError, printable
from lading.catalog import pages, rules
from lading.catalog.columns import MODALITIES, PARTICIPANTS, RECORDINGS
from lading.catalog.comparing import CatalogDifference, differing
from lading.catalog.errors import CatalogConflict, RecordingMissing
from lading.catalog.filters import Where, condition
from lading.catalog.location import CatalogLocation
from lading.catalog.pages import RecordingPage
from lading.catalog.pointer import POINTER_NAME, Pointer
from lading.catalog.registering import Registering, Registration, register_alone
from lading.catalog.rules import Policies
from lading.catalog.tables import ATTEMPTS_MAX, RETENTION_H_MIN, Compacted, DeltaRows, Version
from lading.catalog.values import ModalityRow, ParticipantRow, Policy, RecordingRow
from lading.storage.s3 import S3Options

T = TypeVar("T")
_TOGETHER_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Registered:
    """What a registration came to: the recording as it is held, and how many rows were written."""

    recording: RecordingRow
    recordings_written: int
    modalities_written: int
    participants_written: int


@dataclass(frozen=True, slots=True)
class RegisteredMany:
    """What many registrations came to; the three add up to how many were given.

    Recordings whose row was new or changed, recordings whose row was held so already, and the
    hashes of those that were refused, in the order given, each with the reason.
    """

    recordings_written: int
    unchanged: int
    conflicts: tuple[tuple[str, CatalogConflict], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """What a catalog holds, and what is not as it shall be: all but the first three shall be 0.

    Orphans are left by registrations that were cut off; they are not seen by readers, and belong
    to the recording as soon as it is registered. A row twice is a fault of ours.
    """

    recordings: int
    modalities: int
    participants: int
    modalities_orphaned: int
    participants_orphaned: int
    participants_missing: int
    rows_twice: int


class Catalog:
    """The catalog at one location under one prefix.

    Safe from several threads, processes and machines at once; start processes with `spawn`. Raises
    `StoreUnavailable`, `StoreDenied`, `CatalogIncompatible`, and `MissingExtra`.
    """

    def __init__(
        self,
        location: CatalogLocation,
        prefix: str,
        *,
        wait: Callable[[float], object] = time.sleep,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        attempts_max: int = ATTEMPTS_MAX,
    ) -> None:
        self.location = location
        self.prefix = prefix
        self._now = now
        bounds: dict[str, Any] = {"wait": wait, "attempts_max": attempts_max}
        self._recordings = DeltaRows(location, prefix, RECORDINGS, **bounds)
        self._modalities = DeltaRows(location, prefix, MODALITIES, **bounds)
        self._participants = DeltaRows(location, prefix, PARTICIPANTS, **bounds)
        self._tables: Mapping[str, DeltaRows[Any]] = {
            RECORDINGS.name: self._recordings,
            MODALITIES.name: self._modalities,
            PARTICIPANTS.name: self._participants,
        }

    @classmethod
    def open(
        cls,
        location: S3Options | str | os.PathLike[str],
        *,
        pointer: str = POINTER_NAME,
        prefix: str | None = None,
        **bounds: Any,
    ) -> Catalog:
        """The catalog that is live at a location (E1): a bucket's options, or a folder.

        `prefix` takes another one than the pointer names, such as one that is being rebuilt.
        `bounds` are `wait`, `now` and `attempts_max`. Raises `PointerMissing`, `PointerGarbled`.
        """
        place = CatalogLocation.of(location)
        return cls(place, prefix or Pointer(place, pointer).read().prefix, **bounds)

    @classmethod
    def create(
        cls,
        location: S3Options | str | os.PathLike[str],
        *,
        prefix: str,
        pointer: str = POINTER_NAME,
        **bounds: Any,
    ) -> Catalog:
        """A new catalog under `prefix`, live at once. Raises `CatalogMoved` where one is live."""
        place = CatalogLocation.of(location)
        catalog = cls(place, prefix, **bounds)
        Pointer(place, pointer).create(prefix)
        return catalog

    def register(
        self,
        recording: RecordingRow,
        modalities: Sequence[ModalityRow] = (),
        participants: Sequence[ParticipantRow] = (),
        *,
        on_conflict: Policies = Policy.ERROR,
    ) -> Registered:
        """Register a recording with what belongs to it (D2, E6, E9); a second time changes nothing.

        `overwrite` goes for all three kinds of row; `extend` and `merge_participants` are for the
        recording alone. What conflicts is found before anything is written; should somebody else
        register the same meanwhile, it may be found later, with rows of a prior table written.
        Raises `CatalogConflict`, `CatalogRowRefused`, `CatalogBusy`.
        """
        work = self._registering([Registration(recording, modalities, participants)], on_conflict)
        for conflict in work.conflicts.values():
            raise conflict
        work.write(self._now())
        for conflict in work.conflicts.values():
            raise conflict
        return Registered(
            work.recordings[recording.recording_hash],
            *(work.rows_written[shape.name] for shape in (RECORDINGS, MODALITIES, PARTICIPANTS)),
        )

    def register_many(
        self, registrations: Iterable[Registration], *, on_conflict: Policies = Policy.ERROR
    ) -> RegisteredMany:
        """Register any number of recordings, 1,000 at a time, each by the rules of `register`.

        They go by the order given: a second registration of one recording meets the first. One
        that conflicts is reported, leaves nothing, and stops no other. What was written before an
        error of the store or of `registrations` stays, and is skipped when given again. Raises
        `CatalogRowRefused`, `CatalogBusy`.
        """
        rules.policies_of(on_conflict, allowed=frozenset(Policy))
        written = unchanged = 0
        conflicts: list[tuple[str, CatalogConflict]] = []
        for chunk in _chunks(registrations, _TOGETHER_MAX):
            work = self._registering(chunk, on_conflict)
            work.write(self._now())
            written += len(work.writing)
            unchanged += len(chunk) - len(work.writing) - len(work.conflicts)
            conflicts += [
                (chunk[position].recording.recording_hash, conflict)
                for position, conflict in sorted(work.conflicts.items())
            ]
        return RegisteredMany(written, unchanged, tuple(conflicts))

    def register_recording(
        self, row: RecordingRow, *, on_conflict: Policies = Policy.ERROR
    ) -> RecordingRow:
        """Register a recording alone (E6); the row as it is held then."""
        return self.register(row, on_conflict=on_conflict).recording

    def register_modality(
        self, row: ModalityRow, *, on_conflict: Policies = Policy.ERROR
    ) -> ModalityRow:
        """Register one modality, with `error` or `overwrite` (E6); the row as it is held then.

        It is seen as soon as its recording is registered.
        """

        def settle(held: ModalityRow | None, proposed: ModalityRow) -> Any:
            return rules.register_modality(held, proposed, on_conflict)

        return register_alone(self._modalities, row, settle, self._now())

    def register_participant(
        self, row: ParticipantRow, *, on_conflict: Policies = Policy.ERROR
    ) -> ParticipantRow:
        """Register one participant, with `error` or `overwrite`; the row as it is held then."""

        def settle(held: ParticipantRow | None, proposed: ParticipantRow) -> Any:
            return rules.register_participant(held, proposed, on_conflict)

        return register_alone(self._participants, row, settle, self._now())

    def get_recording(self, recording_hash: str, *, version: int | None = None) -> RecordingRow:
        """One recording, or as it was at a version of its table (E7). Raises `RecordingMissing`."""
        found = self._recordings.rows({"recording_hash": recording_hash}, limit=1, version=version)
        for row in found:
            return row
        raise RecordingMissing(
            "The catalog has no such recording", subject=printable(str(recording_hash))
        )

    def list_recordings(
        self, where: Where | None = None, *, limit: int | None = None, version: int | None = None
    ) -> Iterator[RecordingRow]:
        """Recordings in the order of their hashes, a part of them in memory at a time (E7).

        `where` names columns with the value, or values, they shall have:
        `{"participant_ids": "P-1", "status": ["raw"]}`. Raises `CatalogFilterRefused`.
        """
        return self._recordings.rows(where, limit=limit, version=version)

    def list_modalities(
        self, where: Where | None = None, *, limit: int | None = None
    ) -> Iterator[ModalityRow]:
        """Modalities of registered recordings, by recording, family and worker (E7)."""
        recordings = self._recordings.snapshot()  # before the modalities, which come first
        if recordings is None:
            condition(MODALITIES, where)
            return iter(())
        return self._modalities.rows(
            where, limit=limit, only=_OF_A_RECORDING, beside={RECORDINGS.name: recordings}
        )

    def list_participants(
        self, where: Where | None = None, *, limit: int | None = None
    ) -> Iterator[ParticipantRow]:
        """Participants whom a registered recording names, by identifier (E7)."""
        recordings = self._recordings.snapshot()
        if recordings is None:
            condition(PARTICIPANTS, where)
            return iter(())
        return self._participants.rows(
            where, limit=limit, only=_NAMED_BY_A_RECORDING, beside={RECORDINGS.name: recordings}
        )

    def participants_held(
        self, where: Where | None = None, *, limit: int | None = None
    ) -> Iterator[ParticipantRow]:
        """Participants as `list_participants`, and those whom no recording names yet.

        For whoever registers a recording and has to name somebody who was registered before.
        """
        return self._participants.rows(where, limit=limit)

    def page(
        self,
        where: Where | None = None,
        *,
        text: str | None = None,
        limit: int,
        after: str | None = None,
        newest_first: bool = True,
    ) -> RecordingPage:
        """A page of at most `limit` recordings (1 to 1,000) by when they started, unknown last.

        `after` is the cursor that the page before has as `next`. `text` narrows to recordings whose
        hash begins with it, or whose manifest's identifier or one of whose participants' holds it,
        in upper or lower case. Raises `CatalogFilterRefused`.
        """
        rows_max = pages.rows_wanted(limit)
        wanted = pages.search(where, text)
        beyond = pages.after_condition(after, newest_first=newest_first)
        found = self._recordings.first(
            f"{wanted} AND {beyond}", pages.order(newest_first=newest_first), rows_max + 1
        )
        rows, more = tuple(found[:rows_max]), len(found) > rows_max
        return RecordingPage(
            rows, pages.cursor_after(rows[-1], newest_first=newest_first) if more else None
        )

    def count(self, where: Where | None = None, *, text: str | None = None) -> int:
        """How many recordings a filter and a text find, as `page` does."""
        return self._recordings.count(only=pages.search(where, text))

    def recordings_held(self, hashes: Iterable[str]) -> dict[str, RecordingRow]:
        """Those of many recordings that are registered, by hash; one query for each 1,000."""
        return {
            key[0]: row
            for some in _chunks(sorted(set(hashes)), _TOGETHER_MAX)
            for key, row in self._recordings.read([(each,) for each in some]).held.items()
        }

    def modalities_of(self, hashes: Iterable[str]) -> dict[str, list[ModalityRow]]:
        """The modalities of many recordings, by hash; none for one that is not registered.

        One query for each 1,000 recordings.
        """
        found: dict[str, list[ModalityRow]] = {each: [] for each in hashes}
        for some in _chunks(found, _TOGETHER_MAX):
            for row in self.list_modalities({"recording_hash": some}):
                found[row.recording_hash].append(row)
        return found

    def participants_of(self, hashes: Iterable[str]) -> dict[str, list[ParticipantRow]]:
        """The registered participants of many recordings, by hash, as `modalities_of` has it.

        Two queries for each 1,000 recordings.
        """
        found: dict[str, list[ParticipantRow]] = {each: [] for each in hashes}
        for some in _chunks(found, _TOGETHER_MAX):
            recordings = self.recordings_held(some)
            named = {(each,) for row in recordings.values() for each in row.participant_ids}
            held = self._participants.read(named).held
            for each, row in recordings.items():
                ids = row.participant_ids
                found[each] = [held[(name,)] for name in ids if (name,) in held]
        return found

    def compare(self, other: Catalog) -> Iterator[CatalogDifference]:
        """What differs between this catalog and another, as readers see both (D2).

        By table, in the order of keys, a part of the recordings and modalities in memory at a time;
        bookkeeping and what registrations that were cut off left behind are not compared. For a
        catalog that was rebuilt under another prefix, before the pointer is flipped.
        """
        yield from differing(RECORDINGS, self.list_recordings(), other.list_recordings())
        yield from differing(MODALITIES, self.list_modalities(), other.list_modalities())
        yield from differing(PARTICIPANTS, self.list_participants(), other.list_participants())

    def check(self) -> Checked:
        """Count what is held and what is not as it shall be; changes nothing.

        What is being registered meanwhile may be counted as orphaned.
        """
        recordings = self._recordings.snapshot()
        beside = {} if recordings is None else {RECORDINGS.name: recordings}
        seen, named = (_OF_A_RECORDING, _NAMED_BY_A_RECORDING) if beside else ("false", "false")
        participants = self._participants.count(only=named, beside=beside)
        wanted = self._recordings.count("count(distinct id)", among=_PARTICIPANTS_NAMED)
        return Checked(
            recordings=self._recordings.count(),
            modalities=self._modalities.count(only=seen, beside=beside),
            participants=participants,
            modalities_orphaned=self._modalities.count(only=f"NOT ({seen})", beside=beside),
            participants_orphaned=self._participants.count(only=f"NOT ({named})", beside=beside),
            participants_missing=wanted - participants,
            rows_twice=self._rows_twice(),
        )

    def versions(self, table: str, *, limit: int = 50) -> list[Version]:
        """The newest versions of `recordings`, `modalities` or `participants`, newest first."""
        return self._table(table).versions(limit)

    def restore(self, table: str, to: int, *, expected: int) -> int:
        """Make one table what it was at version `to`; the number of the new version.

        The way back after a wrong overwrite of many rows; for a single row, read it by
        `get_recording(..., version=)` and register it with `overwrite`. What anyone registered
        since `to` goes out of sight too, so `expected` names the newest version that was looked
        at. Raises `CatalogMoved`, `CatalogVersionMissing`.
        """
        return self._table(table).restore(to, expected=expected)

    def compact(
        self, *, retention_h: int = RETENTION_H_MIN, dry_run: bool = False
    ) -> Mapping[str, Compacted]:
        """Join small files of each table and delete old ones; see `DeltaRows.compact`."""
        return {
            each.shape.name: each.compact(retention_h=retention_h, dry_run=dry_run)
            for each in (self._participants, self._modalities, self._recordings)
        }

    def _table(self, name: str) -> DeltaRows[Any]:
        if name not in self._tables:
            raise RequestError(
                "The catalog has no such table",
                subject=printable(str(name)),
                expected=", ".join(self._tables),
            )
        return self._tables[name]

    def _rows_twice(self) -> int:
        return sum(
            table.count(f"count(*) - count(distinct struct({', '.join(table.shape.key)}))")
            for table in self._tables.values()
        )

    def _registering(
        self, registrations: Sequence[Registration], on_conflict: Policies
    ) -> Registering:
        work = Registering(self._tables, registrations, on_conflict)
        work.settle()
        return work


_OF_A_RECORDING: Final = (  # with the partitions, so that one is read for one
    "EXISTS (SELECT 1 FROM recordings AS seen WHERE seen.bucket = modalities.bucket"
    " AND seen.recording_hash = modalities.recording_hash)"
)
_NAMED_BY_A_RECORDING: Final = "participant_id IN (SELECT unnest(participant_ids) FROM recordings)"
_PARTICIPANTS_NAMED: Final = "(SELECT unnest(participant_ids) AS id FROM recordings)"


def _chunks(given: Iterable[T], size: int) -> Iterator[list[T]]:
    rows = iter(given)
    while chunk := list(islice(rows, size)):
        yield chunk
