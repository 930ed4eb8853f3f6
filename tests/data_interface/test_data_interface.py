"""The Python API as notebooks, daemons and operators use it; its names and signatures stay."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lading
from lading import (
    DataInterface,
    DownloadProgress,
    IngestResult,
    UploadInterrupted,
    UploadProgress,
    WritesNotEnabled,
    augment_manifest,
)
from lading.base.errors import RequestError
from lading.catalog.catalog import Catalog
from lading.catalog.errors import CatalogConflict
from lading.catalog.values import RecordingRow
from lading.data_interface import QueryResult, ingest, ingest_from_r2
from lading.sources.recordings.errors import ManifestIncomplete
from lading.testing.servers_s3 import S3Facts
from tests.recordings.making import (
    FILES,
    PREFIX,
    REC_ID,
    make_recording,
    own_prefix,
    write_profile,
)


@pytest.fixture
def config(tmp_path: Path, s3_server_of: Callable[[str], S3Facts]) -> Path:
    """A configuration whose profile `r2` is a bucket with an empty catalog."""
    options = s3_server_of("ministack").options(prefix=own_prefix())
    Catalog.create(options, prefix=PREFIX)
    return write_profile(tmp_path / "recordings.yaml", options)


def test_the_published_signatures_are_as_they_were_published() -> None:
    assert str(inspect.signature(ingest)).replace("'", "") == (
        "(data: DataInterface, manifest_path: Path | str, *, source_dir: Path | str,"
        " participant_id: str | None, is_active: Callable[[], bool] | None = None,"
        " progress: Callable[[UploadProgress], None] | None = None, overwrite: bool = False,"
        " collapse_modalities: bool = True, max_concurrent_files: int = 4) -> IngestResult"
    )
    assert str(inspect.signature(ingest_from_r2)).replace("'", "") == (
        "(data: DataInterface, rec_id: str, *, participant_id: str | None) -> IngestResult"
    )
    assert list(IngestResult.__dataclass_fields__)[:5] == [
        "paused", "recording", "files_uploaded", "files_skipped", "bytes_uploaded",
    ]  # fmt: skip
    assert list(UploadProgress.__dataclass_fields__) == [
        "files_done", "files_total", "bytes_uploaded", "bytes_processed", "bytes_total",
        "current_file",
    ]  # fmt: skip
    assert issubclass(UploadInterrupted, RuntimeError)
    for name in lading.__all__:
        assert getattr(lading, name) is not None
    with pytest.raises(AttributeError):
        lading.nothing_of_this_name  # noqa: B018


def test_importing_lading_loads_nothing_heavy() -> None:
    code = (
        "import lading, sys; print(lading.__version__);"
        "assert not {'deltalake', 'obstore', 'botocore', 'pydantic'} & set(sys.modules);"
        "from lading import DataInterface;"
        "assert not {'deltalake', 'botocore', 'sqlalchemy', 'litestar'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_backlog_is_brought_from_a_nas_and_checked(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    nas_root = tmp_path / "recordings"
    names = [f"rec_20260520_19562{n}_b1d{n}" for n in range(3)]
    for name in names:
        make_recording(nas_root, name)
    (nas_root / names[2] / "manifest.json").unlink()

    data = DataInterface(profile="r2", config_path=config)
    data.enable_writes(roles=("assets_rw", "raw_rw"))
    lines = []
    for rec_dir in sorted(nas_root.glob("rec_*")):
        manifest = rec_dir / "manifest.json"
        if not manifest.exists():
            lines.append(f"SKIP {rec_dir.name}")
            continue
        pfile = rec_dir / "participant.txt"
        participant = pfile.read_text().strip() if pfile.exists() else None
        result = data.ingest(manifest_path=manifest, source_dir=rec_dir, participant=participant)
        lines.append(f"OK {rec_dir.name}: {result.files_uploaded}, {result.files_skipped}")
    assert lines == [f"OK {names[0]}: 6, 0", f"OK {names[1]}: 6, 0", f"SKIP {names[2]}"]

    recording_hash = json.loads((nas_root / names[0] / "manifest.json").read_text())[
        "recording_hash"
    ]
    reader = DataInterface(profile="r2", config_path=config)
    rec = reader.get_recording(recording_hash)
    assert (rec.metadata or {}).get("manifest_recording_id") == names[0]
    assert rec.participant_ids == ("Aria Lin",)
    mods = reader.list_modalities(where={"recording_hash": rec.recording_hash})
    assert [(m.modality, m.worker_id) for m in mods] == [
        ("camera", "0"), ("eeg", "4559"), ("mic", "1"), ("notes", "a"), ("session", ""),
    ]  # fmt: skip

    results = reader.query(recording_hash=rec.recording_hash, modalities=["camera"], status="raw")
    assert isinstance(results[0], QueryResult)
    dest = tempfile.mkdtemp(prefix="verify_", dir=tmp_path)
    said: list[DownloadProgress] = []
    fetched = reader.download(results, dest=dest, progress=said.append)
    assert fetched.files_downloaded == 2
    for path in FILES:
        there = Path(dest) / names[0] / path
        assert there.exists() is path.startswith("camera_0/")
        if there.exists():
            assert there.read_bytes() == (nas_root / names[0] / path).read_bytes()
    assert [each.phase.value for each in said] == [
        "start", "plan_done", "modality_start", "file_done", "file_done", "modality_done", "finish",
    ]  # fmt: skip


def test_progress_and_pause_reach_the_caller(config: Path, tmp_path: Path) -> None:
    folder = make_recording(tmp_path)
    data = DataInterface(profile="r2", config_path=config)
    data.enable_writes(roles=("assets_rw", "raw_rw"))
    said: list[UploadProgress] = []
    paused = ingest(
        data,
        folder / "manifest.json",
        source_dir=folder,
        participant_id="P-07",
        is_active=lambda: bool(said),
        progress=said.append,
        max_concurrent_files=1,
    )
    assert (paused.paused, paused.recording) == (True, None)
    assert 1 <= paused.files_uploaded == said[-1].files_done < len(FILES)
    done = ingest(data, folder / "manifest.json", source_dir=folder, participant_id="P-07")
    assert done.recording is not None
    assert done.skipped_by == {"size_and_sha256": paused.files_uploaded}


def test_what_is_stored_is_registered_from_elsewhere(config: Path, tmp_path: Path) -> None:
    folder = make_recording(tmp_path, participant=None)
    data = DataInterface(profile="r2", config_path=config)
    data.enable_writes(roles=("assets_rw", "raw_rw"))
    data.ingest(folder / "manifest.json", source_dir=folder)
    version = data.catalog.versions("recordings")[0].number
    data.catalog.restore("recordings", 0, expected=version)  # its row was never written
    assert data.list_recordings() == []

    other = DataInterface(profile="r2", config_path=config)
    with pytest.raises(WritesNotEnabled):
        other.ingest_from_r2(rec_id=REC_ID, participant="Aria Lin")
    other.enable_writes()
    result = ingest_from_r2(other, REC_ID, participant_id="Aria Lin")
    assert result.recording is not None
    assert result.recording.participant_ids == ("Aria Lin",)
    with pytest.raises(WritesNotEnabled):
        other.ingest_unaugmented_from_r2(REC_ID)


def test_a_local_profile_holds_recordings_and_has_nothing_to_register_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    folder = make_recording(tmp_path, augmented=False)
    data = DataInterface()
    with pytest.raises(WritesNotEnabled):
        data.ingest(folder / "manifest.json", source_dir=folder)
    data.enable_writes(roles=("assets_rw", "raw_rw"))
    with pytest.raises(ManifestIncomplete):
        data.ingest(folder / "manifest.json", source_dir=folder)
    augment_manifest(folder / "manifest.json")
    data.ingest(folder / "manifest.json", source_dir=folder)
    with pytest.raises(ValueError, match="keeps recordings in a folder"):
        data.ingest_from_r2(REC_ID)
    (found,) = DataInterface().query(participant="Aria Lin")
    assert found.recording.metadata["manifest_recording_id"] == REC_ID


def test_rows_are_registered_by_columns_and_by_policy(config: Path) -> None:
    data = DataInterface(profile="r2", config_path=config)
    row: dict[str, Any] = {
        "recording_hash": "ab" * 16,
        "duration_s": 10.0,
        "participant_ids": ["P-1"],
    }
    with pytest.raises(WritesNotEnabled):
        data.register_recording(**row)
    data.enable_writes()
    data.register_recording(**row)
    longer: dict[str, Any] = {**row, "duration_s": 20.0}
    with pytest.raises(CatalogConflict):
        data.register_recording(**longer)
    assert data.register_recording(**longer, on_conflict="extend").duration_s == 20.0
    also = RecordingRow(recording_hash="ab" * 16, duration_s=20.0, participant_ids=("P-2",))
    merged = data.register_recording(also, on_conflict="merge_participants")
    assert merged.participant_ids == ("P-1", "P-2")
    shorter = data.register_recording(**row, on_conflict="overwrite")
    assert shorter.duration_s == 10.0

    modality = data.register_modality(
        recording_hash="ab" * 16,
        modality="eeg",
        worker_id="a",
        keys=["eeg_a/x"],
        on_conflict="error",
    )
    assert modality.files_count == 1
    with pytest.raises(RequestError):
        data.register_modality(recording_hash="ab" * 16, modality="eeg", on_conflict="extend")
    data.register_participant(participant_id="P-1", display_name="Aria Lin")
    assert [person.display_name for person in data.list_participants()] == ["Aria Lin"]
    with pytest.raises(RequestError, match="columns"):
        data.register_recording(recording_hash="ab" * 16, colour="red")
    with pytest.raises(RequestError):
        data.register_recording(also, duration_s=1.0)


def test_roles_that_there_are_not_are_refused(config: Path) -> None:
    data = DataInterface(profile="r2", config_path=config)
    for roles in (("admin",), "assets_rw"):
        with pytest.raises(RequestError, match="no such role"):
            data.enable_writes(roles=roles)
    data.enable_writes(roles=("raw_rw",))
    assert "raw_rw" in repr(data)
    assert "secret" not in repr(data)
