"""Rows are well-formed or are not made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from lading.catalog.errors import CatalogRowRefused
from tests.catalog.rows import STARTED, a_modality, a_participant, a_recording


def test_a_row_is_the_same_however_it_was_written_down() -> None:
    east = timezone(timedelta(hours=9))
    one = a_recording(
        participant_ids=["P-2", "P-1", "P-2"], started_at=STARTED.astimezone(east), duration_s=60
    )
    other = a_recording(participant_ids=("P-1", "P-2"))
    assert one == other
    assert one.started_at is not None
    assert one.started_at.tzinfo is UTC
    assert a_modality(keys=["b", "a", "b"]).files_count == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"recording_hash": "ABCDEF0123456789"},
        {"recording_hash": "0123"},
        {"recording_hash": "' OR '1'='1"},
        {"recording_hash": "a" * 64 + "\n"},
        {"started_at": datetime(2026, 1, 1)},  # noqa: DTZ001 - what is refused
        {"started_at": "2026-01-01"},
        {"ended_at": datetime.min.replace(tzinfo=UTC)},
        {"duration_s": -1},
        {"duration_s": float("nan")},
        {"duration_s": True},
        {"participant_ids": "P-1"},
        {"participant_ids": [""]},
        {"participant_ids": ["\ud800"]},
        {"status": "two words"},
        {"metadata": {"x": {1, 2}}},
        {"metadata": {"x": float("inf")}},
        {"metadata": {"x": "\ud800"}},
        {"metadata": ["x"]},
    ],
    ids=repr,
)
def test_a_recording_that_cannot_be_one_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CatalogRowRefused):
        a_recording(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"modality": ""},
        {"modality": "eeg~a"},
        {"worker_id": "a/b"},
        {"worker_id": None},
        {"size_bytes": -1},
        {"size_bytes": 2**63},
        {"size_bytes": 1.5},
        {"location": "x" * 2000},
        {"keys": "a"},
    ],
    ids=lambda wrong: str(wrong)[:40],
)
def test_a_modality_that_cannot_be_one_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(CatalogRowRefused):
        a_modality(**wrong)


def test_a_participant_may_be_called_anything_but_nothing() -> None:
    assert a_participant("Ärzte'; DROP TABLE participants; --\x00").display_name == "Aria Lin"
    with pytest.raises(CatalogRowRefused, match="needs an identifier"):
        a_participant("")
