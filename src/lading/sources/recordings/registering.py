"""Registers what is stored: checks that every file is there, then writes the catalog's rows (D2).

A second half of a session is merged into the first (E9); anything else that differs from what is
held is a conflict, unless a policy says otherwise (E6).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from lading.catalog import rules as catalog_rules
from lading.catalog.catalog import Catalog
from lading.catalog.columns import MODALITIES, RECORDINGS
from lading.catalog.errors import CatalogConflict
from lading.catalog.registering import catalog_conflict
from lading.catalog.rules import Conflict, Policies, Write
from lading.catalog.values import (
    RAW,
    UNKNOWN_PARTICIPANT,
    ModalityRow,
    ParticipantRow,
    Policy,
    RecordingRow,
)
from lading.sources.recordings.errors import (
    ManifestInvalid,
    ManifestsDisagree,
    PlaceTaken,
    RecordingHeldElsewhere,
    StoredFilesMissing,
)
from lading.sources.recordings.layout import location_of, object_name
from lading.sources.recordings.repository import Repository, is_manifest
from lading.sources.recordings.rules import (
    HALVES,
    is_half,
    known_name,
    leaves_others,
    modality_rows,
    overwritten_half,
    participant_ids,
    proposed_beside,
    recording_row,
)
from lading.sources.recordings.values import Manifest, ManifestFile

_NAMED_MAX: Final = 5

log = structlog.get_logger("lading.recordings")


@dataclass(frozen=True, slots=True)
class Proposal:
    """The rows of a recording as they would be registered, beside those that are held.

    `settled` says that nothing of it would change the catalog, `leaves_others` that the catalog has
    more of the recording than this: another half.
    """

    recording: RecordingRow
    modalities: tuple[ModalityRow, ...]
    participants: tuple[ParticipantRow, ...]
    held: RecordingRow | None
    policies: Policies
    settled: bool
    leaves_others: bool


def propose(
    repository: Repository,
    manifest: Manifest,
    files: Sequence[ManifestFile],
    recording_id: str,
    *,
    participant: str | Sequence[str] | None,
    collapse_modalities: bool = True,
    on_conflict: Policies = Policy.ERROR,
) -> Proposal:
    """Work out a recording's rows and look at what is held, before a byte is moved.

    `files` are the manifest's, with their sizes. Raises `CatalogConflict` where the rows held
    differ in what no policy settles, `RecordingHeldElsewhere` and `PlaceTaken`.
    """
    recording_hash = manifest.require_complete(recording_id)
    catalog = repository.catalog
    held = catalog.recordings_held([recording_hash]).get(recording_hash)
    held_modalities = tuple(catalog.list_modalities({"recording_hash": recording_hash}))
    _require_own_place(repository, held, recording_id, recording_hash)
    found = modality_rows(
        files,
        recording_id,
        recording_hash,
        prefix=repository.prefix,
        collapse=collapse_modalities,
    )
    _require_same_modalities(held_modalities, found.rows)
    participants = participants_named(repository.catalog, participant)
    proposed = recording_row(
        manifest, recording_id, recording_hash, [row.participant_id for row in participants]
    )
    policies = on_conflict
    others_left = leaves_others(held_modalities, found.rows)
    if held is not None and policies == Policy.OVERWRITE and others_left:
        proposed = overwritten_half(held, proposed)
    elif held is not None and policies != Policy.OVERWRITE:
        proposed = proposed_beside(held, proposed)
        if policies == Policy.ERROR and (
            is_half(held_modalities, found.rows) or held.participant_ids == (UNKNOWN_PARTICIPANT,)
        ):
            policies = HALVES
    participants = tuple(p for p in participants if p.participant_id in proposed.participant_ids)
    changes = _changes(held, held_modalities, proposed, found.rows, policies)
    for family in found.collided if changes and collapse_modalities else ():
        log.warning(
            "several workers recorded one modality", modality=family, recording=recording_id
        )
    return Proposal(
        proposed,
        found.rows,
        participants,
        held,
        policies,
        settled=not changes,
        leaves_others=others_left,
    )


def require_stored(
    repository: Repository,
    recording_id: str,
    files: Sequence[ManifestFile],
    sizes: Mapping[str, int] | None = None,
) -> list[ManifestFile]:
    """The files with their sizes, once the store has each of them (E3).

    Raises `StoredFilesMissing`, also where a stored file has another size than the manifest says.
    """
    stored = repository.sizes(recording_id) if sizes is None else sizes
    missing, found = [], []
    for file in files:
        size_bytes = stored.get(object_name(file.rel_path))
        if size_bytes is None:
            missing.append(file.rel_path)
        elif file.size_bytes not in (None, size_bytes):
            missing.append(f"{file.rel_path} ({size_bytes} bytes of {file.size_bytes})")
        else:
            found.append(ManifestFile(file.rel_path, file.sha256, size_bytes))
    if missing:
        named = ", ".join(missing[:_NAMED_MAX])
        raise StoredFilesMissing(
            "The store has not every file of the recording, so it is not registered",
            subject=location_of(recording_id, repository.prefix),
            expected=f"{len(files)} files",
            found=f"{len(missing)} missing or of another size: {named}"
            + (", …" if len(missing) > _NAMED_MAX else ""),
        )
    return found


def require_same_contents(
    repository: Repository, recording_id: str, manifest: Manifest, sizes: Mapping[str, int]
) -> None:
    """Raise `ManifestsDisagree` where a stored manifest states another content of a file.

    A recording's hash may be stated for all of a session, so it does not tell the two apart; and
    what is registered is not replaced unasked. A stored manifest that is a ruin states nothing.
    """
    proposed = {file.rel_path: file.sha256 for file in manifest.files}
    for name in sorted(filter(is_manifest, sizes)):
        try:
            stored = repository.manifests(recording_id, [name]).get(name)
        except ManifestInvalid:
            continue
        if stored is None or stored.recording_hash != manifest.recording_hash:
            continue
        for file in stored.files:
            if proposed.get(file.rel_path, file.sha256) != file.sha256:
                raise ManifestsDisagree(
                    "The recording is registered with another content of this file",
                    subject=file.rel_path,
                    expected=f"sha256 {file.sha256}, by {repository.key(recording_id, name)}",
                    found=f"sha256 {proposed[file.rel_path]}",
                    next_step="If the file here is the right one, take it in with overwrite; else"
                    " restore the file that was registered.",
                )


def register(repository: Repository, proposal: Proposal) -> RecordingRow:
    """Write the rows that are not held yet (D2); the recording as it is held then.

    They go into the catalog that is live by now: uploads take long. Raises `CatalogConflict`,
    `CatalogBusy`.
    """
    now = repository.current()
    if proposal.settled and proposal.held is not None and now is repository:
        return proposal.held
    registered = now.catalog.register(
        proposal.recording,
        proposal.modalities,
        proposal.participants,
        on_conflict=proposal.policies,
    )
    return registered.recording


def participants_named(
    catalog: Catalog, names: str | Sequence[str] | None
) -> tuple[ParticipantRow, ...]:
    """Those who were named, as the catalog has them where it knows them; nobody: `__unknown__`."""
    given: Sequence[str | None] = [names] if isinstance(names, str) else names or [None]
    return tuple(_participant(catalog, name) for name in given)


def _participant(catalog: Catalog, name: str | None) -> ParticipantRow:
    (typed,) = participant_ids(name)
    if typed != UNKNOWN_PARTICIPANT:
        for column in ("participant_id", "display_name"):
            known = list(catalog.participants_held({column: typed}, limit=2))
            if len(known) == 1:
                return known[0]
    return ParticipantRow(participant_id=typed, display_name=known_name(name) or "")


def _require_own_place(
    repository: Repository, held: RecordingRow | None, recording_id: str, recording_hash: str
) -> None:
    held_id = held.metadata.get("manifest_recording_id") if held else None
    if held_id not in (None, recording_id):
        raise RecordingHeldElsewhere(
            "The catalog has this recording under another identifier",
            subject=recording_id,
            expected=recording_hash,
            found=str(held_id),
        )
    if held is None:
        location = location_of(recording_id, repository.prefix)
        for other in repository.catalog.list_modalities({"location": location}, limit=1):
            raise PlaceTaken(
                "Another recording is registered whose files lie here",
                subject=location,
                expected=recording_hash,
                found=other.recording_hash,
            )


def _require_same_modalities(held: Sequence[ModalityRow], proposed: Sequence[ModalityRow]) -> None:
    """Raise `CatalogConflict` where files would be in a second modality as well."""
    modality_of = {
        (row.location, key): (row.modality, row.worker_id)
        for row in held
        if row.status == RAW
        for key in row.keys
    }
    for row in proposed:
        named = (row.modality, row.worker_id)
        for key in row.keys:
            other = modality_of.get((row.location, key), named)
            if other != named:
                raise CatalogConflict(
                    "The catalog has this file under another modality",
                    subject=f"{row.location}/{key}",
                    expected=" ".join(filter(None, other)),
                    found=" ".join(filter(None, named)),
                    next_step="Take the recording in with the same collapse_modalities as the"
                    " first time; a rebuilt catalog may have other modalities.",
                )


def _changes(
    held: RecordingRow | None,
    held_modalities: Sequence[ModalityRow],
    proposed: RecordingRow,
    modalities: Sequence[ModalityRow],
    policies: Policies,
) -> bool:
    """Whether registering would write a row. Raises `CatalogConflict` where it would be refused."""
    others = Policy.OVERWRITE if policies == Policy.OVERWRITE else Policy.ERROR
    by_key = {MODALITIES.key_of(row): row for row in held_modalities}
    decided: list[tuple[tuple[str, ...], object]] = [
        (
            (RECORDINGS.name, *RECORDINGS.key_of(proposed)),
            catalog_rules.register_recording(held, proposed, policies),
        )
    ]
    for row in modalities:
        key = MODALITIES.key_of(row)
        found = catalog_rules.register_modality(by_key.get(key), row, others)
        decided.append(((MODALITIES.name, *key), found))
    for named, decision in decided:
        if isinstance(decision, Conflict):
            raise catalog_conflict(named, decision)
    return any(isinstance(decision, Write) for _, decision in decided)
