"""The step boundaries of work that writes, enumerated: tests end the process at each (G2).

Production code calls `reach(step)`; it costs one comparison. Only `lading.testing` installs an
observer.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any


class Step(StrEnum):
    """Every place where an import could be cut off with something done and something not."""

    JOB_CLAIMED = "job_claimed"
    MANIFEST_SPOOLED = "manifest_spooled"
    BATCH_IMPORTING = "batch_importing"
    ITEM_STARTED = "item_started"
    FILE_OPENED = "file_opened"
    FILE_WRITTEN = "file_written"
    FILE_SYNCED = "file_synced"
    FILE_PLACED = "file_placed"
    ITEM_FETCHED = "item_fetched"
    ITEM_GUARDED = "item_guarded"
    ITEM_WRITTEN = "item_written"
    ITEM_COMMITTED = "item_committed"
    ITEMS_DONE = "items_done"
    BATCH_FINISHED = "batch_finished"
    JOB_FINISHED = "job_finished"


class RecordingStep(StrEnum):
    """Every place where taking a recording in could be cut off (D2), from first to last."""

    POOL_STARTING = "pool_starting"
    PART_SENT = "part_sent"
    BYTES_SENT = "bytes_sent"
    FILE_STORED = "file_stored"
    MANIFEST_STORED = "manifest_stored"
    PARTICIPANTS_WRITTEN = "participants_written"
    MODALITIES_WRITTEN = "modalities_written"
    RECORDING_WRITTEN = "recording_written"


class SortStep(StrEnum):
    """Every place where sorting photos, or taking that back, could be cut off."""

    SORT_PLANNED = "sort_planned"
    SORT_COPIED = "sort_copied"
    SORT_PLACED = "sort_placed"
    SORT_GROUP_PLACED = "sort_group_placed"
    SORT_WRITTEN = "sort_written"
    SORT_COMMITTED = "sort_committed"
    SORT_REMOVED = "sort_removed"
    SORT_SETTLED = "sort_settled"


class FaceStep(StrEnum):
    """Every place where finding faces, or saying whose they are, could be cut off."""

    FACES_FOUND = "faces_found"
    FACES_WRITTEN = "faces_written"
    FACES_COMMITTED = "faces_committed"
    MATCHES_WRITTEN = "matches_written"
    MATCHES_COMMITTED = "matches_committed"


AnyStep = Step | RecordingStep | SortStep | FaceStep

_observer: Callable[[Any], None] | None = None  # which compares, whatever kind of step comes


def reach(step: AnyStep) -> None:
    """Say that the work stands at this boundary."""
    if _observer is not None:
        _observer(step)


def observe(observer: Callable[[Any], None] | None) -> None:
    """Install the one observer, or remove it with None. For `lading.testing` alone."""
    global _observer  # noqa: PLW0603 - one hook for the whole process is the point
    _observer = observer
