"""Who was recorded: names brought after the fact, participants counted and renamed (E10).

A name goes into the store first and into the catalog then, so that a catalog
that is rebuilt from the store finds it, and a run that was cut off is completed by the next.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice
from typing import Final

from lading.base.errors import LadingError, RequestError, printable
from lading.base.stopping import StopSignal
from lading.catalog.catalog import Catalog
from lading.catalog.errors import RecordingMissing
from lading.catalog.registering import Registration
from lading.catalog.values import UNKNOWN_PARTICIPANT, ParticipantRow, Policy, RecordingRow
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.registering import participants_named
from lading.sources.recordings.repository import HEADS_AT_ONCE, PARTICIPANT_FILES, Repository

_TOGETHER: Final = 100
"""How many recordings are looked at, and registered, together."""


class ParticipantHeld(RequestError):
    """A recording names somebody already, who is not who shall be named."""

    code = "participant_held"
    http_status = 409
    next_step = "Find out who it was; then run it again for this recording with `overwrite`."


class ParticipantMissing(RequestError):
    """No recording names such a participant."""

    code = "participant_missing"
    http_status = 404
    next_step = "List the participants; a participant is known by the identifier."


class BackfillOutcome(StrEnum):
    """What became of the participant of one recording."""

    NAMED = "named"
    """Nobody was known; now somebody is."""
    REPLACED = "replaced"
    """Somebody else was named before."""
    UNCHANGED = "unchanged"
    """They were named already."""
    UNKNOWN = "unknown"
    """Nobody is known, neither by the names given nor by `participant.txt`."""


@dataclass(frozen=True, slots=True)
class Backfilled:
    """What became of one recording, or would (dry run).

    `before` and `now` are the participants it names; `stored` says that `participant.txt` was
    written.
    """

    recording_hash: str
    recording_id: str | None
    outcome: BackfillOutcome
    before: tuple[str, ...]
    now: tuple[str, ...]
    stored: bool = False


@dataclass(frozen=True, slots=True)
class ParticipantCount:
    """A participant, and in how many recordings they are named."""

    participant: ParticipantRow
    recordings: int


def backfill_participants(
    repository: Repository,
    *,
    names: Mapping[str, str] | None = None,
    also_known: bool = False,
    overwrite: bool = False,
    dry_run: bool = False,
    stop: StopSignal | None = None,
) -> Iterator[Backfilled | Failure]:
    """Name who was recorded where the catalog does not know, each recording on its own (E10).

    `names` are of recordings, by identifier or hash; where they say nothing, the stored
    `participant.txt` does. Recordings of known participants are looked at only if `names` has them:
    then another name is a `Failure`, or with `overwrite` replaces who was named, there and in
    `participant.txt`. With `also_known`, those of known participants get a `participant.txt` where
    it is missing. Names of recordings that there are not come last, as failures. Raises
    `Interrupted`.
    """
    wanted = {key: " ".join(name.split()) for key, name in (names or {}).items()}
    work = _Backfill(repository, wanted, overwrite=overwrite, dry_run=dry_run)
    rows = work.candidates(also_known=also_known)
    while some := list(islice(rows, _TOGETHER)):
        if stop is not None:
            stop.check()
        yield from work.done(some)
    for key in sorted(wanted.keys() - work.met):
        error = RecordingMissing("The catalog has no such recording", subject=printable(key))
        yield Failure(key, error)


def participants_counted(catalog: Catalog) -> Iterator[ParticipantCount]:
    """The participants whom recordings name, by identifier, with how many recordings do."""
    counts = Counter(each for row in catalog.list_recordings() for each in row.participant_ids)
    for participant in catalog.list_participants():
        if count := counts.pop(participant.participant_id, 0):
            yield ParticipantCount(participant, count)
    for participant_id, count in sorted(counts.items()):  # named, and registered by nobody
        yield ParticipantCount(ParticipantRow(participant_id=participant_id), count)


def rename_participant(catalog: Catalog, participant_id: str, display_name: str) -> ParticipantRow:
    """Give a participant another display name; the identifier stays. Raises `ParticipantMissing`.

    It is held by the catalog alone: a rebuild takes it over from the catalog that is live.
    """
    clean = " ".join(display_name.split())
    if not clean:
        raise RequestError("A display name is empty", subject=printable(participant_id))
    for held in catalog.list_participants({"participant_id": participant_id}, limit=1):
        renamed = replace(held, display_name=clean)
        return catalog.register_participant(renamed, on_conflict=Policy.OVERWRITE)
    raise ParticipantMissing(
        "No recording names such a participant", subject=printable(participant_id)
    )


@dataclass(frozen=True, slots=True)
class _Deed:
    """What shall be done to one recording; `names` are those that shall be stored."""

    row: RecordingRow
    done: Backfilled
    participants: tuple[ParticipantRow, ...] = ()
    names: tuple[str, ...] = ()


class _Backfill:
    """One call: the names looked up, and the keys of `names` that were met."""

    def __init__(
        self, repository: Repository, names: Mapping[str, str], *, overwrite: bool, dry_run: bool
    ) -> None:
        self.met: set[str] = set()
        self._repository = repository
        self._names = names
        self._overwrite = overwrite
        self._dry_run = dry_run
        self._known: dict[tuple[str, ...], tuple[ParticipantRow, ...]] = {}

    def candidates(self, *, also_known: bool) -> Iterator[RecordingRow]:
        """The recordings that nobody is known of, and those that names were given for."""
        for row in self._repository.catalog.list_recordings():
            keys = {row.recording_hash, _id_of(row)} & self._names.keys()
            self.met |= {key for key in keys if key}
            if keys or also_known or _nobody_known(row):
                yield row

    def done(self, rows: list[RecordingRow]) -> Iterator[Backfilled | Failure]:
        """What became of some recordings, in the order given."""
        with ThreadPoolExecutor(HEADS_AT_ONCE, thread_name_prefix="participants") as pool:
            stored = list(pool.map(self._stored_names, rows))
            deeds = [self._deed_for(row, names) for row, names in zip(rows, stored, strict=True)]
            if not self._dry_run:
                deeds = list(pool.map(self._store, deeds))
        refused = {} if self._dry_run else self._registered(deeds)
        for deed in deeds:
            if isinstance(deed, Failure):
                yield deed
            elif deed.row.recording_hash in refused:
                yield Failure(_name_of(deed.row), refused[deed.row.recording_hash])
            else:
                yield deed.done

    def _stored_names(self, row: RecordingRow) -> tuple[str, ...] | LadingError:
        recording_id = _id_of(row)
        if recording_id is None:
            return ()
        try:
            return self._repository.participants(recording_id, PARTICIPANT_FILES)
        except LadingError as error:
            return error

    def _deed_for(
        self, row: RecordingRow, stored: tuple[str, ...] | LadingError
    ) -> _Deed | Failure:
        if isinstance(stored, LadingError):
            return Failure(_name_of(row), stored)
        try:
            return self._decided(row, stored)
        except LadingError as error:
            return Failure(_name_of(row), error)

    def _decided(self, row: RecordingRow, stored: tuple[str, ...]) -> _Deed:
        """What to do with one. Raises `ParticipantHeld`, and what the catalog raises."""
        recording_id, before = _id_of(row), row.participant_ids
        given = self._names.get(row.recording_hash) or self._names.get(recording_id or "")
        if not given and not _nobody_known(row):
            missing = [each for each in before if not stored or each not in self._ids(stored)]
            names = (*stored, *missing) if recording_id and missing else ()
            return _deed(row, BackfillOutcome.UNCHANGED, before, names=names)
        names = (given,) if given else stored
        if not names or names == (UNKNOWN_PARTICIPANT,):
            return _deed(row, BackfillOutcome.UNKNOWN, before)
        participants = self._participants(names)
        ids = self._ids(names)
        if _nobody_known(row):
            outcome = BackfillOutcome.NAMED
        elif set(ids) <= set(before):
            outcome, ids = BackfillOutcome.UNCHANGED, before
        else:
            outcome = BackfillOutcome.REPLACED
        contradicted = bool(stored) and not set(self._ids(stored)) <= set(ids)
        replaces = contradicted or outcome is BackfillOutcome.REPLACED
        if replaces and not self._overwrite:
            raise ParticipantHeld(
                "Somebody else is named already",
                subject=_name_of(row),
                expected=printable(", ".join(names)),
                found=printable(", ".join(stored if contradicted else before)),
            )
        wanted = names if recording_id and (not stored or contradicted) else ()
        return _deed(row, outcome, ids, participants, names=wanted)

    def _participants(self, names: tuple[str, ...]) -> tuple[ParticipantRow, ...]:
        if names not in self._known:
            self._known[names] = participants_named(self._repository.catalog, names)
        return self._known[names]

    def _ids(self, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(each.participant_id for each in self._participants(names))

    def _store(self, deed: _Deed | Failure) -> _Deed | Failure:
        if isinstance(deed, Failure) or not deed.names or deed.done.recording_id is None:
            return deed
        try:
            recording_id = deed.done.recording_id
            self._repository.write_participants(recording_id, deed.names, PARTICIPANT_FILES)
        except LadingError as error:
            return Failure(_name_of(deed.row), error)
        return deed

    def _registered(self, deeds: Iterable[_Deed | Failure]) -> dict[str, LadingError]:
        """Why some were refused, by hash: those of unknown participants together, others alone."""
        catalog = self._repository.catalog
        refused: dict[str, LadingError] = {}
        naming = []
        for deed in deeds:
            if isinstance(deed, Failure):
                continue
            row = replace(deed.row, participant_ids=deed.done.now)
            if deed.done.outcome is BackfillOutcome.NAMED:
                naming.append(Registration(row, (), deed.participants))
            elif deed.done.outcome is BackfillOutcome.REPLACED:
                try:
                    self._replace(deed)
                except LadingError as error:
                    refused[row.recording_hash] = error
        try:
            many = catalog.register_many(naming, on_conflict=Policy.MERGE_PARTICIPANTS)
            refused |= dict(many.conflicts)
        except LadingError as error:
            refused |= {each.recording_hash: error for each in naming}
        return refused

    def _replace(self, deed: _Deed) -> None:
        """Overwrite the participants of the row as it is held now, if it names whom it named."""
        catalog = self._repository.catalog
        held = catalog.get_recording(deed.row.recording_hash)
        if held.participant_ids != deed.done.before:
            raise ParticipantHeld(
                "Somebody else changed who is named",
                subject=_name_of(deed.row),
                expected=", ".join(deed.done.before),
                found=", ".join(held.participant_ids),
            )
        row = replace(held, participant_ids=deed.done.now)
        catalog.register(row, (), deed.participants, on_conflict=Policy.OVERWRITE)


def _deed(
    row: RecordingRow,
    outcome: BackfillOutcome,
    now: tuple[str, ...],
    participants: tuple[ParticipantRow, ...] = (),
    *,
    names: tuple[str, ...] = (),
) -> _Deed:
    done = Backfilled(
        row.recording_hash, _id_of(row), outcome, row.participant_ids, now, stored=bool(names)
    )
    return _Deed(row, done, participants, names)


def _nobody_known(row: RecordingRow) -> bool:
    return not set(row.participant_ids) - {UNKNOWN_PARTICIPANT}


def _id_of(row: RecordingRow) -> str | None:
    found = row.metadata.get("manifest_recording_id")
    return found if isinstance(found, str) and found else None


def _name_of(row: RecordingRow) -> str:
    return _id_of(row) or row.recording_hash
