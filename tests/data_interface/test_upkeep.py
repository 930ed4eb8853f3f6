"""What notebooks and operators do to many recordings: taken in, mended, named, catalogued anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lading import DataInterface, WritesNotEnabled
from lading.data_interface import BacklogSummary, Failure
from lading.sources.recordings.flipping import ComparisonNotAccepted
from lading.sources.recordings.profiles import load_profile
from tests.recordings.making import PREFIX, make_recording, manifest_of, write_profile

SMALL = {"eeg_a/0.bin": 100, "camera_0/0.mp4": 50}
NEW = "ursa/catalog-2"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose profile `r2` is two folders, with an empty catalog."""
    path = write_profile(tmp_path / "recordings.yaml", tmp_path / "kept")
    load_profile("r2", path).make(PREFIX)
    return path


def test_a_backlog_is_taken_in_mended_named_and_catalogued_anew(
    config: Path, tmp_path: Path
) -> None:
    nas = tmp_path / "nas"
    folders = [make_recording(nas, f"rec_{n}", SMALL, participant=None) for n in range(3)]
    data = DataInterface("r2", config_path=config)
    data.enable_writes(("assets_rw", "raw_rw"))
    assert BacklogSummary.of(data.ingest_backlog(nas)).files_uploaded == 6
    assert BacklogSummary.of(data.ingest_backlog([nas, str(nas)])).outcomes == {
        "already_registered": 6
    }

    raw = tmp_path / "kept" / "raw" / "recordings"
    (raw / "rec_0" / "manifest.json").unlink()
    shutil.copytree(raw / "rec_1", raw / "rec_copy" / "mic_0")  # other names, so another recording
    outcomes = {
        each.recording_id: each.outcome
        for each in data.reconstruct_all()
        if not isinstance(each, Failure)
    }
    assert outcomes == {
        "rec_0": "reconstructed", "rec_1": "valid", "rec_2": "valid", "rec_copy": "reconstructed",
    }  # fmt: skip
    assert data.reconstruct("rec_0").recording_hash == manifest_of(folders[0])["recording_hash"]

    named = list(data.backfill_participants({"rec_0": "Aria Lin", "rec_1": "Bo Chen"}))
    assert not [each for each in named if isinstance(each, Failure)]
    data.rename_participant("Bo Chen", "Bo Chen-Lin")
    counts = {each.participant.display_name: each.recordings for each in data.count_participants()}
    assert counts == {"Aria Lin": 1, "Bo Chen-Lin": 1, "": 1}

    assert data.rebuild_catalog(NEW).written == 4
    comparison = data.compare_catalog(NEW)
    assert {each.table for each in comparison.differences} == {"recordings", "modalities"}
    with pytest.raises(ComparisonNotAccepted):
        data.flip_catalog(comparison)
    assert len(data.list_recordings()) == 3
    data.flip_catalog(comparison, accept=comparison.accept_word)
    assert (data.catalog.prefix, len(data.list_recordings())) == (NEW, 4)
    assert DataInterface("r2", config_path=config).catalog.prefix == NEW
    data.flip_catalog_back()
    assert (data.catalog.prefix, len(data.list_recordings())) == (PREFIX, 3)


@pytest.mark.parametrize(
    ("roles", "use"),
    [
        (("assets_rw",), lambda data: data.ingest_backlog("x")),
        (("assets_rw",), lambda data: data.reconstruct("rec_1")),
        (("assets_rw",), lambda data: data.reconstruct_all()),
        (("raw_rw",), lambda data: data.backfill_participants()),
        (("raw_rw",), lambda data: data.rename_participant("P", "Q")),
        (("raw_rw",), lambda data: data.rebuild_catalog(NEW)),
        (("raw_rw",), lambda data: data.flip_catalog(data.compare_catalog(NEW))),
        (("raw_rw",), lambda data: data.flip_catalog_back()),
    ],
)
def test_nothing_is_written_without_the_role_for_it(
    roles: tuple[str, ...], use: Callable[[DataInterface], object], config: Path
) -> None:
    data = DataInterface("r2", config_path=config)
    data.enable_writes(roles)
    with pytest.raises(WritesNotEnabled):
        use(data)


def test_a_rehearsal_needs_no_role(config: Path, tmp_path: Path) -> None:
    make_recording(tmp_path / "nas", "rec_1", SMALL)
    writing = DataInterface("r2", config_path=config)
    writing.enable_writes(("raw_rw",))
    _ = writing.repository  # makes the folder a store
    data = DataInterface("r2", config_path=config)
    (entry,) = data.ingest_backlog(tmp_path / "nas", dry_run=True)
    assert entry.outcome == "wanted"
    assert list(data.reconstruct_all(dry_run=True)) == []
    assert list(data.backfill_participants(dry_run=True)) == []
