"""The catalog of recordings: what callers register, and what they read.

A registration writes participants, then modalities, then the recording, whose row is the commit
point: readers begin with recordings, so what was cut off before is not seen, and the same call
made again completes it (D2).
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from lading.base.errors import RequestError, printable
from lading.catalog import rules
from lading.catalog.columns import MODALITIES, PARTICIPANTS, RECORDINGS
from lading.catalog.errors import CatalogConflict, CatalogRowRefused, RecordingMissing
from lading.catalog.filters import Where, condition
from lading.catalog.location import CatalogLocation
from lading.catalog.pointer import POINTER_NAME, Pointer
from lading.catalog.rules import Conflict, Policies, Row, Unchanged, Write
from lading.catalog.tables import ATTEMPTS_MAX, RETENTION_H_MIN, Compacted, DeltaRows, Version
from lading.catalog.values import ModalityRow, ParticipantRow, Policy, RecordingRow
from lading.storage.s3 import S3Options

Settle = Callable[[Row | None, Row], Write[Row] | Unchanged[Row] | Conflict]
_ONLY_OF_RECORDINGS: Final = frozenset({Policy.EXTEND, Policy.MERGE_PARTICIPANTS})


@dataclass(frozen=True, slots=True)
class Registered:
    """What a registration came to: the recording as it is held, and how many rows were written."""

    recording: RecordingRow
    recordings_written: int
    modalities_written: int
    participants_written: int


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
        strangers = {row.recording_hash for row in modalities} - {recording.recording_hash}
        if strangers:
            raise CatalogRowRefused(
                "A modality is of another recording",
                expected=recording.recording_hash,
                found=", ".join(sorted(strangers)),
            )
        rules.policies_of(on_conflict, allowed=frozenset(Policy))
        others = _policies_of_others(on_conflict)
        parts = (
            _Part(self._participants, participants, _settling(rules.register_participant, others)),
            _Part(self._modalities, modalities, _settling(rules.register_modality, others)),
            _Part(self._recordings, [recording], _settling(rules.register_recording, on_conflict)),
        )
        for part in parts:
            part.require_settled()
        written = [part.write(self._now()) for part in parts]
        return Registered(self.get_recording(recording.recording_hash), *reversed(written))

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
        settle = _settling(rules.register_modality, on_conflict)
        _Part(self._modalities, [row], settle).write(self._now())
        key = MODALITIES.key_of(row)
        return self._modalities.held([key])[key]

    def register_participant(
        self, row: ParticipantRow, *, on_conflict: Policies = Policy.ERROR
    ) -> ParticipantRow:
        """Register one participant, with `error` or `overwrite`; the row as it is held then."""
        settle = _settling(rules.register_participant, on_conflict)
        _Part(self._participants, [row], settle).write(self._now())
        key = PARTICIPANTS.key_of(row)
        return self._participants.held([key])[key]

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

    def compact(self, *, retention_h: int = RETENTION_H_MIN) -> Mapping[str, Compacted]:
        """Join small files of each table and delete old ones; see `DeltaRows.compact`."""
        return {
            each.shape.name: each.compact(retention_h=retention_h)
            for each in (self._participants, self._modalities, self._recordings)
        }

    def _table(self, name: str) -> DeltaRows[Any]:
        tables: dict[str, DeltaRows[Any]] = {
            RECORDINGS.name: self._recordings,
            MODALITIES.name: self._modalities,
            PARTICIPANTS.name: self._participants,
        }
        if name not in tables:
            raise RequestError(
                "The catalog has no such table",
                subject=printable(str(name)),
                expected=", ".join(tables),
            )
        return tables[name]

    def _rows_twice(self) -> int:
        return sum(
            self._table(shape.name).count(
                f"count(*) - count(distinct struct({', '.join(shape.key)}))"
            )
            for shape in (RECORDINGS, MODALITIES, PARTICIPANTS)
        )


_OF_A_RECORDING: Final = (  # with the partitions, so that one is read for one
    "EXISTS (SELECT 1 FROM recordings AS seen WHERE seen.bucket = modalities.bucket"
    " AND seen.recording_hash = modalities.recording_hash)"
)
_NAMED_BY_A_RECORDING: Final = "participant_id IN (SELECT unnest(participant_ids) FROM recordings)"
_PARTICIPANTS_NAMED: Final = "(SELECT unnest(participant_ids) AS id FROM recordings)"


class _Part:
    """The rows of one table in a registration."""

    def __init__(self, table: DeltaRows[Any], rows: Sequence[Any], settle: Settle[Any]) -> None:
        self._table = table
        self._settle = settle
        self._buckets: dict[str, dict[tuple[str, ...], Any]] = defaultdict(dict)
        for row in rows:
            key = table.shape.key_of(row)
            others = self._buckets[table.shape.bucket_of_row(row)]
            if others.setdefault(key, row) != row:
                raise CatalogRowRefused("Two rows of one key differ", subject=" ".join(key))

    def require_settled(self) -> None:
        """Raise `CatalogConflict` where a row held would refuse one of these."""
        for rows in self._buckets.values():
            self._decided(rows, self._table.held(list(rows)))

    def write(self, at: datetime) -> int:
        """Write what is new or changed, a partition at a time; how many rows that were."""
        written = 0
        for rows in self._buckets.values():

            def decide(held: Mapping[Any, Any], rows: Mapping[Any, Any] = rows) -> Sequence[Any]:
                return [
                    rules.stamped(each, held.get(key), at)
                    for key, each in self._decided(rows, held).items()
                ]

            written += len(self._table.change(list(rows), decide))
        return written

    def _decided(
        self, rows: Mapping[tuple[str, ...], Any], held: Mapping[tuple[str, ...], Any]
    ) -> dict[tuple[str, ...], Write[Any]]:
        writes = {}
        for key, row in rows.items():
            decided = self._settle(held.get(key), row)
            if isinstance(decided, Conflict):
                raise _conflict(self._table.shape.name, key, decided)
            if isinstance(decided, Write):
                writes[key] = decided
        return writes


def _settling(rule: Callable[..., Any], on_conflict: Policies) -> Settle[Any]:
    def settle(held: Any, proposed: Any) -> Any:
        return rule(held, proposed, on_conflict)

    return settle


def _policies_of_others(on_conflict: Policies) -> Policies:
    given = {on_conflict} if isinstance(on_conflict, str) else set(on_conflict)
    return Policy.ERROR if given <= _ONLY_OF_RECORDINGS else on_conflict


def _conflict(table: str, key: tuple[str, ...], conflict: Conflict) -> CatalogConflict:
    found = conflict.differences
    return CatalogConflict(
        f"The catalog holds another row in {table}: {', '.join(d.column for d in found)}",
        subject=" ".join(part for part in key if part),
        expected="; ".join(f"{d.column} {_shown(d.held)}" for d in found),
        found="; ".join(f"{d.column} {_shown(d.proposed)}" for d in found),
    )


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return printable(repr(value), length_max=120)
