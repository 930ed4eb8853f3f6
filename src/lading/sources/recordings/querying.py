"""Recordings with their modalities, as readers ask for them (E7)."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import islice
from typing import Final

from lading.base.errors import RequestError
from lading.catalog.catalog import Catalog
from lading.catalog.filters import Where
from lading.catalog.rules import modality_keys
from lading.catalog.values import RAW, ModalityRow, ParticipantRow, RecordingRow
from lading.sources.recordings.values import QueryResult

TOGETHER: Final = 200
"""How many recordings' modalities are asked for at once."""


def query(
    catalog: Catalog,
    *,
    recording_hash: str | Sequence[str] | None = None,
    modalities: Collection[str] | None = None,
    status: str | None = RAW,
    participant: str | None = None,
    where: Where | None = None,
    limit: int | None = None,
) -> Iterator[QueryResult]:
    """Recordings with those of their modalities that are wanted, in the order of their hashes.

    `modalities` are families or keys; `status` is that of modalities (None: any). A recording with
    nothing that is wanted is left out. Memory holds a part of them at a time.
    """
    if isinstance(modalities, str):
        raise RequestError("modalities are several words, in a list", found=modalities)
    wanted = dict(where or {})
    if recording_hash is not None:
        wanted["recording_hash"] = recording_hash
    if participant is not None:
        wanted["participant_ids"] = participant
    recordings = catalog.list_recordings(wanted)
    found = _results(catalog, recordings, modalities, status)
    yield from found if limit is None else islice(found, max(0, limit))


def _results(
    catalog: Catalog,
    recordings: Iterator[RecordingRow],
    modalities: Collection[str] | None,
    status: str | None,
) -> Iterator[QueryResult]:
    while some := list(islice(recordings, TOGETHER)):
        hashes = [row.recording_hash for row in some]
        held, people = catalog.modalities_of(hashes), catalog.participants_of(hashes)
        for row in some:
            result = _result(
                row, held[row.recording_hash], people[row.recording_hash], modalities, status
            )
            if result is not None:
                yield result


def _result(
    recording: RecordingRow,
    rows: Sequence[ModalityRow],
    people: Sequence[ParticipantRow],
    modalities: Collection[str] | None,
    status: str | None,
) -> QueryResult | None:
    known = modality_keys([row for row in rows if status in (None, row.status)])
    kept = {
        key: row
        for key, row in known.items()
        if modalities is None or key in modalities or row.modality in modalities
    }
    if not kept:
        return None
    return QueryResult(recording, kept, tuple(people))
