"""How recordings, and what became of many of them, are told: tables for people, documents."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeVar

from lading.base.units import format_count, format_duration
from lading.catalog.values import ModalityRow, RecordingRow
from lading.cli import output
from lading.cli.recordings.naming import identifier_of
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.values import QueryResult

Done = TypeVar("Done")

HASH_SHOWN: Final = 12
COLUMNS: Final = ("recording", "hash", "started", "length", "participants")


def row_of(row: RecordingRow) -> tuple[object, ...]:
    """A recording under `COLUMNS`."""
    length = None if row.duration_s is None else format_duration(row.duration_s)
    return (
        identifier_of(row),
        row.recording_hash[:HASH_SHOWN],
        row.started_at,
        length,
        ", ".join(row.participant_ids),
    )


def recording_document(row: RecordingRow) -> dict[str, Any]:
    """A recording as a document; its identifier beside its columns."""
    return {"recording_id": identifier_of(row), **output.plain(row)}


def result_document(result: QueryResult) -> dict[str, Any]:
    """A recording with its modalities as a document."""
    return {
        **recording_document(result.recording),
        "modalities": {key: output.plain(row) for key, row in result.modalities.items()},
        "participants": output.plain(result.participants),
    }


def modality_table(modalities: Mapping[str, ModalityRow]) -> None:
    """Write modalities by their keys."""
    rows = (
        (key, row.status, row.files_count, output.size(row.size_bytes), row.location)
        for key, row in modalities.items()
    )
    output.table(("modality", "status", "items", "bytes", "location"), rows)


def parted(results: Iterable[Done | Failure]) -> tuple[list[Done], list[Failure]]:
    """What became of many recordings, and which of them failed; each in the order it came."""
    done: list[Done] = []
    failures: list[Failure] = []
    for each in results:
        if isinstance(each, Failure):
            failures.append(each)
        else:
            done.append(each)
    return done, failures


def emit_outcomes(done: Sequence[object], failures: Sequence[Failure], *, dry_run: bool) -> None:
    """Write what became of many recordings as one document."""
    output.emit(
        {
            "recordings": output.plain(done),
            "failures": [failure.as_dict() for failure in failures],
            "dry_run": dry_run,
        }
    )


def tell_failures(failures: Iterable[Failure]) -> None:
    """Name each recording that failed, why, and what to do, after everything else."""
    found = list(failures)
    if not found:
        return
    output.say()
    output.say(f"{format_count(len(found), 'recording')} failed:")
    for failure in found:
        output.say(f"  {output.cell(failure.subject)}: {output.cell(failure.message)}")
        output.say(f"    code:      {failure.code}")
        output.say(f"    next step: {output.cell(failure.next_step)}")


def counted(outcomes: Iterable[str]) -> str:
    """`3 uploaded, 1 failed`, in the order in which they came first."""
    return output.counts(Counter(outcomes))
