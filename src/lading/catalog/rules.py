"""What shall be written when a row is proposed, how modalities are named, where rows lie; pure.

A row that says the same as the one held is skipped under every policy. Where they differ, each
policy may settle certain columns; a difference in any other is a conflict (E6).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from typing import Any, Final, Generic, TypeVar

from lading.base.errors import RequestError
from lading.catalog.values import (
    UNKNOWN_PARTICIPANT,
    ModalityRow,
    ParticipantRow,
    Policy,
    RecordingRow,
)

Row = TypeVar("Row", RecordingRow, ModalityRow, ParticipantRow)
Policies = str | Collection[str]
Key = tuple[str, ...]

BUCKETS: Final = tuple("0123456789abcdef")
WAIT_S_MAX: Final = 2.0
_WAIT_S: Final = 0.05
_BOOKKEEPING: Final = frozenset({"created_at", "updated_at"})
_SETTLES: Final[Mapping[Policy, frozenset[str]]] = {
    Policy.ERROR: frozenset(),
    Policy.EXTEND: frozenset({"duration_s", "ended_at"}),
    Policy.MERGE_PARTICIPANTS: frozenset({"participant_ids"}),
}


@dataclass(frozen=True, slots=True)
class Write(Generic[Row]):
    """The row shall be written, in place of one that is held if `replaces`."""

    row: Row
    replaces: bool


@dataclass(frozen=True, slots=True)
class Unchanged(Generic[Row]):
    """Nothing is to be written; `row` is held and stays."""

    row: Row


@dataclass(frozen=True, slots=True)
class Difference:
    """A column in which two rows of one key differ."""

    column: str
    held: object
    proposed: object


@dataclass(frozen=True, slots=True)
class Conflict:
    """The rows differ in what no given policy settles."""

    differences: tuple[Difference, ...]


def register_recording(
    held: RecordingRow | None, proposed: RecordingRow, on_conflict: Policies = Policy.ERROR
) -> Write[RecordingRow] | Unchanged[RecordingRow] | Conflict:
    """What becomes of a proposed recording (E6, E9).

    `extend` and `merge_participants` may be given together, for a half that brings both a longer
    duration and another participant. `extend` takes duration and end from the longer row;
    `merge_participants` unites.
    """
    policies = policies_of(on_conflict, allowed=frozenset(Policy))
    if held is None or Policy.OVERWRITE in policies:
        return _settled(held, proposed, proposed, policies)
    merged = held
    if Policy.EXTEND in policies:
        merged = _extended(merged, proposed)
    if Policy.MERGE_PARTICIPANTS in policies:
        merged = replace(merged, participant_ids=_united(held, proposed))
    return _settled(held, proposed, merged, policies)


def register_modality(
    held: ModalityRow | None, proposed: ModalityRow, on_conflict: Policies = Policy.ERROR
) -> Write[ModalityRow] | Unchanged[ModalityRow] | Conflict:
    """What becomes of a proposed modality; only `error` and `overwrite` make sense (E6)."""
    policies = policies_of(on_conflict, allowed=frozenset({Policy.ERROR, Policy.OVERWRITE}))
    return _settled(held, proposed, proposed, policies)


def register_participant(
    held: ParticipantRow | None, proposed: ParticipantRow, on_conflict: Policies = Policy.ERROR
) -> Write[ParticipantRow] | Unchanged[ParticipantRow] | Conflict:
    """What becomes of a proposed participant; only `error` and `overwrite` make sense."""
    policies = policies_of(on_conflict, allowed=frozenset({Policy.ERROR, Policy.OVERWRITE}))
    return _settled(held, proposed, proposed, policies)


Settle = Callable[[Any, Any], Write[Any] | Unchanged[Any] | Conflict]
"""What becomes of a proposed row, given the one held under its key or None."""


@dataclass(slots=True)
class Settled:
    """What registrations come to that were settled one after the other.

    `writes` are the rows to write, by key; `writing` the positions of the registrations that wrote
    any; `conflicts` says of each that was refused which of its rows, and why.
    """

    writes: dict[Key, Write[Any]] = field(default_factory=dict)
    writing: set[int] = field(default_factory=set)
    conflicts: dict[int, tuple[Key, Conflict]] = field(default_factory=dict)


def settle_in_order(
    held: Mapping[Key, Any], proposed: Mapping[int, Mapping[Key, Any]], settle: Settle
) -> Settled:
    """Settle registrations in the order given, each on what the ones before it left.

    `proposed` are the rows of each, by its position. One of which any row conflicts leaves nothing.
    """
    result = Settled()
    for position, rows in proposed.items():
        writes: dict[Key, Write[Any]] = {}
        for key, row in rows.items():
            before = result.writes.get(key)
            decided = settle(before.row if before else held.get(key), row)
            if isinstance(decided, Conflict):
                result.conflicts[position] = (key, decided)
                break
            if isinstance(decided, Write):
                writes[key] = decided
        else:
            result.writes.update(writes)
            if writes:
                result.writing.add(position)
    return result


def compared(
    here: Iterator[Row], there: Iterator[Row], key_of: Callable[[Row], Key]
) -> Iterator[tuple[Row | None, Row | None]]:
    """Rows of two tables side by side, each pair under one key; None where a side has none.

    Both come in the order of their keys, and are read once, a row at a time.
    """
    one, other = next(here, None), next(there, None)
    while one is not None or other is not None:
        if other is None or (one is not None and key_of(one) < key_of(other)):
            yield one, None
            one = next(here, None)
        elif one is None or key_of(other) < key_of(one):
            yield None, other
            other = next(there, None)
        else:
            yield one, other
            one, other = next(here, None), next(there, None)


def policies_of(given: Policies, *, allowed: Collection[Policy]) -> frozenset[Policy]:
    """The policies named, one or several. Raises `RequestError` for an unknown or unfit one."""
    names = [given] if isinstance(given, str) else list(given)
    wanted = {name for name in names if name in set(allowed)}
    if not names or len(wanted) < len(set(names)):
        raise RequestError(
            "There is no such policy for this kind of row",
            expected=" or ".join(sorted(allowed)),
            found=", ".join(sorted(map(repr, names))) or "none",
        )
    if len(wanted) > 1 and wanted & {Policy.ERROR, Policy.OVERWRITE}:
        raise RequestError(
            "These policies contradict each other",
            expected="extend and merge_participants together, or one alone",
            found=", ".join(sorted(wanted)),
        )
    return frozenset(Policy(name) for name in wanted)


def modality_keys(rows: Sequence[ModalityRow]) -> dict[str, ModalityRow]:
    """The rows of one recording by the key readers see (E7).

    The family alone where one worker recorded it (`eeg`), else family and worker (`eeg_a`). Two
    that would still read the same are told apart by a `~` between family and worker.
    """
    families = Counter(row.modality for row in rows)
    names = [
        f"{row.modality}_{row.worker_id}"
        if families[row.modality] > 1 and row.worker_id
        else row.modality
        for row in rows
    ]
    taken = Counter(names)
    keyed = {
        name if taken[name] == 1 else f"{row.modality}~{row.worker_id}": row
        for name, row in zip(names, rows, strict=True)
    }
    if len(keyed) < len(rows):
        raise RequestError(
            "These modalities are of several recordings or statuses; ask for one of each"
        )
    return dict(sorted(keyed.items()))


def bucket_of_hash(recording_hash: str) -> str:
    """The partition of a recording's rows: the first digit of its hash."""
    return recording_hash[0]


def bucket_of_participant(participant_id: str) -> str:
    """The partition of a participant, whose identifier may be any text."""
    return hashlib.sha256(participant_id.encode()).hexdigest()[0]


def wait_s(attempt: int, chance: float) -> float:
    """How long to wait before trying a commit again; `chance` in 0..1 spreads the writers."""
    longest = min(WAIT_S_MAX, _WAIT_S * 2.0 ** min(attempt, 16))
    return longest * (0.5 + chance / 2)


def differences(held: Row, proposed: Row) -> tuple[Difference, ...]:
    """The columns in which two rows differ, bookkeeping left out."""
    return tuple(
        Difference(each.name, getattr(held, each.name), getattr(proposed, each.name))
        for each in fields(held)
        if each.name not in _BOOKKEEPING
        and getattr(held, each.name) != getattr(proposed, each.name)
    )


def stamped(decided: Write[Row], held: Row | None, at: datetime) -> Row:
    """The row with its bookkeeping: made when it was first written, changed `at`."""
    created_at = at if held is None else held.created_at
    return replace(decided.row, created_at=created_at, updated_at=at)


def _settled(
    held: Row | None, proposed: Row, result: Row, policies: frozenset[Policy]
) -> Write[Row] | Unchanged[Row] | Conflict:
    if held is None:
        return Write(proposed, replaces=False)
    found = differences(held, proposed)
    if Policy.OVERWRITE not in policies:
        settled = frozenset[str]().union(*(_SETTLES[policy] for policy in policies))
        if _same_length_other_end(result, proposed):
            settled -= {"ended_at"}  # neither is the longer one, so neither is right
        if left := tuple(each for each in found if each.column not in settled):
            return Conflict(left)
    if not differences(held, result):
        return Unchanged(held)
    return Write(result, replaces=True)


def _extended(held: RecordingRow, proposed: RecordingRow) -> RecordingRow:
    if _length(proposed) < _length(held):
        return held
    if _length(proposed) == _length(held):
        return replace(held, ended_at=held.ended_at or proposed.ended_at)
    ended_at = proposed.ended_at
    if ended_at is None and held.started_at is not None and proposed.duration_s is not None:
        ended_at = held.started_at + timedelta(seconds=proposed.duration_s)
    return replace(held, duration_s=proposed.duration_s, ended_at=ended_at)


def _united(held: RecordingRow, proposed: RecordingRow) -> tuple[str, ...]:
    """The participants of both; nobody known yields to somebody who is."""
    ids = {*held.participant_ids, *proposed.participant_ids}
    return tuple(sorted(ids - {UNKNOWN_PARTICIPANT} or ids))


def _length(row: RecordingRow) -> float:
    return -1.0 if row.duration_s is None else row.duration_s


def _same_length_other_end(result: object, proposed: object) -> bool:
    return (
        isinstance(result, RecordingRow)
        and isinstance(proposed, RecordingRow)
        and result.duration_s == proposed.duration_s
        and proposed.ended_at is not None
        and result.ended_at != proposed.ended_at
    )
