"""Registrations carried out: settled together, then written a table at a time.

Participants go first, then modalities, then recordings, whose rows are the commit point (D2).
Each table is written in one commit on top of what was read; where somebody else was faster, its
partitions are changed one by one, so that many writers do not keep refusing each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lading.base.errors import printable
from lading.base.steps import RecordingStep, reach
from lading.catalog import rules
from lading.catalog.columns import MODALITIES, PARTICIPANTS, RECORDINGS, Shape
from lading.catalog.errors import CatalogConflict, CatalogRowRefused
from lading.catalog.rules import Conflict, Key, Policies, Row, Settle, Settled
from lading.catalog.tables import DeltaRows, Reading
from lading.catalog.values import ModalityRow, ParticipantRow, Policy, RecordingRow

Tables = Mapping[str, DeltaRows[Any]]
_IN_ORDER: Final[tuple[Shape[Any], ...]] = (PARTICIPANTS, MODALITIES, RECORDINGS)
_STEPS: Final = {
    PARTICIPANTS.name: RecordingStep.PARTICIPANTS_WRITTEN,
    MODALITIES.name: RecordingStep.MODALITIES_WRITTEN,
    RECORDINGS.name: RecordingStep.RECORDING_WRITTEN,
}
_ONLY_OF_RECORDINGS: Final = frozenset({Policy.EXTEND, Policy.MERGE_PARTICIPANTS})


@dataclass(frozen=True, slots=True)
class Registration:
    """A recording with its modalities and participants, to be registered at once.

    Raises `CatalogRowRefused` for a modality of another recording, and for two rows of one key.
    """

    recording: RecordingRow
    modalities: Sequence[ModalityRow] = ()
    participants: Sequence[ParticipantRow] = ()

    def __post_init__(self) -> None:
        strangers = {row.recording_hash for row in self.modalities} - {self.recording_hash}
        if strangers:
            raise CatalogRowRefused(
                "A modality is of another recording",
                expected=self.recording_hash,
                found=", ".join(sorted(strangers)),
            )
        self.rows()

    @property
    def recording_hash(self) -> str:
        """The hash of the recording."""
        return self.recording.recording_hash

    def rows(self) -> dict[Key, Any]:
        """Its rows, by the name of their table followed by their key there."""
        given: dict[Key, Any] = {}
        for shape, rows in zip(
            _IN_ORDER, (self.participants, self.modalities, (self.recording,)), strict=True
        ):
            for row in rows:
                key = shape.key_of(row)
                if given.setdefault((shape.name, *key), row) != row:
                    raise CatalogRowRefused("Two rows of one key differ", subject=" ".join(key))
        return given


class Registering:
    """Registrations that are settled together, in the order given, then written.

    `rows_written` counts rows by table; `recordings` are those held at the end, by hash. By the
    position of a registration: `conflicts` says why it was refused, `writing` that its recording's
    row was written.
    """

    def __init__(
        self, tables: Tables, registrations: Sequence[Registration], on_conflict: Policies
    ) -> None:
        self.rows_written: Counter[str] = Counter()
        self.recordings: dict[str, RecordingRow] = {}
        self.conflicts: dict[int, CatalogConflict] = {}
        self.writing: set[int] = set()
        self._tables = tables
        self._settle = _settling(on_conflict)
        self._rows = {position: each.rows() for position, each in enumerate(registrations)}
        self._readings: dict[str, Reading[Any]] = {}

    def settle(self) -> None:
        """Read what is held, and find what conflicts, before anything is written."""
        held: dict[Key, Any] = {}
        for shape in _IN_ORDER:
            keys = {key[1:] for each in self._rows.values() for key in each if key[0] == shape.name}
            reading = self._tables[shape.name].read(keys)
            self._readings[shape.name] = reading
            held.update({(shape.name, *key): row for key, row in reading.held.items()})
        self._refuse(rules.settle_in_order(held, self._rows, self._settle))

    def write(self, at: datetime) -> None:
        """Write what was not refused; what is refused only now is not written to later tables."""
        for shape in _IN_ORDER:
            table, reading = self._tables[shape.name], self._readings.pop(shape.name)
            together = _Part(shape, self._of_table(shape), self._settle, at)
            if table.commit(reading, together.decide(reading.held)):
                self._take(together)
            else:
                self._write_apart(shape, together.buckets(), at)
            reach(_STEPS[shape.name])

    def _write_apart(self, shape: Shape[Any], buckets: Sequence[str], at: datetime) -> None:
        for bucket in buckets:
            part = _Part(shape, self._of_table(shape, bucket), self._settle, at)
            if keys := part.keys():
                self._tables[shape.name].change(keys, part.decide)
                self._take(part)

    def _of_table(self, shape: Shape[Any], bucket: str | None = None) -> dict[int, dict[Key, Any]]:
        """The rows for one table, or for one partition of it, of what was not refused."""
        return {
            position: {
                key: row
                for key, row in rows.items()
                if key[0] == shape.name and bucket in (None, shape.bucket_of(key[1]))
            }
            for position, rows in self._rows.items()
        }

    def _take(self, part: _Part) -> None:
        """Note what became of rows that are now committed."""
        self.rows_written[part.shape.name] += len(part.settled.writes)
        self._refuse(part.settled)
        if part.shape is RECORDINGS:
            self.writing |= part.settled.writing
            self.recordings.update({key[1]: row for key, row in part.held.items()})

    def _refuse(self, settled: Settled) -> None:
        for position, (key, conflict) in settled.conflicts.items():
            self.conflicts[position] = catalog_conflict(key, conflict)
            del self._rows[position]


class _Part:
    """Rows for one table, or for one partition of it, and what was last decided about them."""

    def __init__(
        self, shape: Shape[Any], rows: Mapping[int, Mapping[Key, Any]], settle: Settle, at: datetime
    ) -> None:
        self.shape = shape
        self.settled = Settled()
        self.held: dict[Key, Any] = {}
        self._rows = rows
        self._settle = settle
        self._at = at

    def keys(self) -> list[Key]:
        """The keys of the rows, as the table has them."""
        return sorted({key[1:] for rows in self._rows.values() for key in rows})

    def buckets(self) -> list[str]:
        """The partitions they lie in."""
        return sorted({self.shape.bucket_of(key[0]) for key in self.keys()})

    def decide(self, held: Mapping[Key, Any]) -> Sequence[Any]:
        """The rows to write, given those held."""
        self.held = {(self.shape.name, *key): row for key, row in held.items()}
        self.settled = rules.settle_in_order(self.held, self._rows, self._settle)
        stamped = {
            key: rules.stamped(each, self.held.get(key), self._at)
            for key, each in self.settled.writes.items()
        }
        self.held.update(stamped)
        return list(stamped.values())


def _settling(on_conflict: Policies) -> Settle:
    """The rule for rows of all three kinds. Raises `RequestError` for policies that are none."""
    rules.policies_of(on_conflict, allowed=frozenset(Policy))
    given = {on_conflict} if isinstance(on_conflict, str) else set(on_conflict)
    others = Policy.ERROR if given <= _ONLY_OF_RECORDINGS else on_conflict

    def settle(held: Any, proposed: Any) -> Any:
        if isinstance(proposed, RecordingRow):
            return rules.register_recording(held, proposed, on_conflict)
        if isinstance(proposed, ModalityRow):
            return rules.register_modality(held, proposed, others)
        return rules.register_participant(held, proposed, others)

    return settle


def register_alone(
    table: DeltaRows[Row], row: Row, settle: Callable[[Row | None, Row], Any], at: datetime
) -> Row:
    """Register one row of one table; the row as it is held then. Raises `CatalogConflict`."""
    key: Key = table.shape.key_of(row)
    named = (table.shape.name, *key)
    part = _Part(table.shape, {0: {named: row}}, settle, at)
    table.change([key], part.decide)
    if refused := part.settled.conflicts.get(0):
        raise catalog_conflict(*refused)
    found: Row = part.held[named]
    return found


def catalog_conflict(key: Key, conflict: Conflict) -> CatalogConflict:
    """The error that says in which columns the row held and the one proposed differ.

    `key` begins with the name of the table.
    """
    table, *rest = key
    found = conflict.differences
    return CatalogConflict(
        f"The catalog holds another row in {table}: {', '.join(d.column for d in found)}",
        subject=" ".join(part for part in rest if part),
        expected="; ".join(f"{d.column} {_shown(d.held)}" for d in found),
        found="; ".join(f"{d.column} {_shown(d.proposed)}" for d in found),
    )


def _shown(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return printable(repr(value), length_max=120)
