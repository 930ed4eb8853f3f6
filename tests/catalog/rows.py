"""Rows the tests register, as two nodes of one session would."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from lading.catalog.values import ModalityRow, ParticipantRow, RecordingRow

STARTED = datetime(2026, 5, 20, 19, 56, 28, 123456, tzinfo=UTC)


def a_hash(name: str) -> str:
    """The hash of a recording called `name`."""
    return hashlib.sha256(name.encode()).hexdigest()


def a_recording(name: str = "r", **others: Any) -> RecordingRow:
    facts: dict[str, Any] = {
        "recording_hash": a_hash(name),
        "started_at": STARTED,
        "ended_at": STARTED + timedelta(seconds=60),
        "duration_s": 60.0,
        "participant_ids": ("P-1",),
        "metadata": {"manifest_recording_id": f"rec_20260520_195628_{name}"},
    }
    return RecordingRow(**{**facts, **others})


def a_modality(
    name: str = "r", modality: str = "eeg", worker_id: str = "a", **others: Any
) -> ModalityRow:
    facts: dict[str, Any] = {
        "recording_hash": a_hash(name),
        "modality": modality,
        "worker_id": worker_id,
        "location": f"recordings/rec_{name}/{modality}_{worker_id}",
        "keys": ("0001.bin", "0002.bin"),
        "size_bytes": 2048,
    }
    return ModalityRow(**{**facts, **others})


def a_participant(participant_id: str = "P-1", **others: Any) -> ParticipantRow:
    return ParticipantRow(
        **{"participant_id": participant_id, "display_name": "Aria Lin", **others}
    )


def no_wait(seconds: float) -> None:
    """The wait between two tries, for tests in which nobody else is at work."""
    assert 0 < seconds <= 2
