"""`ingest` and `ingest_from_r2` as functions, for daemons that hold a `DataInterface` (D1, D10)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lading.data_interface.interface import DataInterface
from lading.sources.recordings.values import IngestResult, UploadProgress


def ingest(
    data: DataInterface,
    manifest_path: Path | str,
    *,
    source_dir: Path | str,
    participant_id: str | None,
    is_active: Callable[[], bool] | None = None,
    progress: Callable[[UploadProgress], None] | None = None,
    overwrite: bool = False,
    collapse_modalities: bool = True,
    max_concurrent_files: int = 4,
) -> IngestResult:
    """Upload a recording's files and register it; see `DataInterface.ingest`."""
    return data.ingest(
        manifest_path=manifest_path,
        source_dir=source_dir,
        participant=participant_id,
        is_active=is_active,
        progress=progress,
        overwrite=overwrite,
        collapse_modalities=collapse_modalities,
        max_concurrent_files=max_concurrent_files,
    )


def ingest_from_r2(data: DataInterface, rec_id: str, *, participant_id: str | None) -> IngestResult:
    """Register a recording that is stored already; see `DataInterface.ingest_from_r2`."""
    return data.ingest_from_r2(rec_id=rec_id, participant=participant_id)
