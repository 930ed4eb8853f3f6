"""What is registered stays whole: another half, another manifest or another way of naming come."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lading.base.errors import LadingError
from lading.catalog.errors import CatalogConflict
from lading.catalog.values import UNKNOWN_PARTICIPANT
from lading.sources.recordings.downloading import download
from lading.sources.recordings.errors import ManifestsDisagree
from lading.sources.recordings.local import augment_manifest
from lading.sources.recordings.querying import query
from lading.sources.recordings.repository import Repository
from tests.recordings.making import REC_ID, make_recording, manifest_of, memory_repository
from tests.recordings.stores import ingest

SESSION_HASH = "5e" * 32


def a_half(
    root: Path, files: Mapping[str, int], *, participant: str | None = None, **facts: Any
) -> Path:
    """A folder that has a part of a session, whose manifest states the session's hash."""
    folder = make_recording(root, REC_ID, files, participant=participant, manifest=facts)
    stated = {**manifest_of(folder), "recording_hash": SESSION_HASH}
    (folder / "manifest.json").write_text(json.dumps(stated))
    return folder


def rewritten(folder: Path, path: str) -> None:
    """Other bytes of the same number in a file, in the manifest too, which keeps its hash."""
    target = folder / path
    target.write_bytes(target.read_bytes()[::-1])
    augment_manifest(folder / "manifest.json", force=True)
    stated = {**manifest_of(folder), "recording_hash": SESSION_HASH}
    (folder / "manifest.json").write_text(json.dumps(stated))


def fetched(repository: Repository, dest: Path) -> set[str]:
    """Download everything that a query finds; the files that came."""
    download(repository, query(repository.catalog), dest)
    return {str(each.relative_to(dest / REC_ID)) for each in dest.rglob("*") if each.is_file()}


def test_overwriting_one_half_takes_nothing_from_the_other(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    one = a_half(tmp_path / "one", {"camera_0/a.mp4": 100}, participant="P", duration_s=10)
    other = a_half(tmp_path / "two", {"eeg_a/e.edf": 90}, participant="Q", duration_s=99)
    ingest(repository, one)
    merged = ingest(repository, other).recording
    assert merged is not None
    again = ingest(repository, one, overwrite=True).recording
    assert again is not None
    assert (again.participant_ids, again.duration_s) == (("P", "Q"), 99)
    assert again.metadata == merged.metadata
    assert set(repository.participants(REC_ID, repository.sizes(REC_ID))) == {"P", "Q"}
    assert fetched(repository, tmp_path / "dest") == {"camera_0/a.mp4", "eeg_a/e.edf"}


def test_parts_of_one_node_keep_a_manifest_each(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    for number, path in enumerate(("camera_0/a.mp4", "eeg_a/e.edf", "mic_1/m.wav")):
        ingest(repository, a_half(tmp_path / str(number), {path: 50}, hostname="green"))
    sizes = repository.sizes(REC_ID)
    listed = {file.rel_path for file in repository.manifest(REC_ID, sizes).files}
    assert listed == {"camera_0/a.mp4", "eeg_a/e.edf", "mic_1/m.wav"}
    ingest(repository, tmp_path / "1" / REC_ID)
    assert repository.sizes(REC_ID).keys() == sizes.keys()


def test_parts_that_bring_the_manifest_of_their_node_keep_one_each(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    for number, path in enumerate(("camera_0/a.mp4", "eeg_a/e.edf")):
        folder = a_half(tmp_path / str(number), {path: 50}, hostname="green")
        (folder / "_node_manifests").mkdir()
        (folder / "manifest.json").rename(folder / "_node_manifests" / "green.json")
        ingest(repository, folder)
    sizes = repository.sizes(REC_ID)
    listed = {file.rel_path for file in repository.manifest(REC_ID, sizes).files}
    assert listed == {"camera_0/a.mp4", "eeg_a/e.edf"}


@pytest.mark.parametrize("also", [{}, {"eeg_a/e.edf": 90}], ids=["the same", "another half"])
def test_other_bytes_under_a_registered_hash_change_nothing(
    tmp_path: Path, also: dict[str, int]
) -> None:
    repository = memory_repository(tmp_path)
    files = {"camera_0/a.mp4": 100}
    ingest(repository, a_half(tmp_path / "one", files))
    changed = a_half(tmp_path / "two", files | also)
    rewritten(changed, "camera_0/a.mp4")
    with pytest.raises(ManifestsDisagree) as caught:
        ingest(repository, changed)
    assert "camera_0/a.mp4" in str(caught.value)
    assert fetched(repository, tmp_path / "dest") == {"camera_0/a.mp4"}


def test_other_bytes_replace_registered_ones_when_told(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    folder = a_half(tmp_path / "one", {"camera_0/a.mp4": 100})
    ingest(repository, folder)
    rewritten(folder, "camera_0/a.mp4")
    ingest(repository, folder, overwrite=True)
    assert fetched(repository, tmp_path / "dest") == {"camera_0/a.mp4"}
    assert (tmp_path / "dest" / REC_ID / "camera_0/a.mp4").read_bytes() == (
        folder / "camera_0/a.mp4"
    ).read_bytes()


@pytest.mark.parametrize("overwrite", [False, True])
def test_files_are_not_catalogued_a_second_time_under_other_modalities(
    tmp_path: Path, *, overwrite: bool
) -> None:
    repository = memory_repository(tmp_path)
    folder = make_recording(tmp_path / "nas")
    ingest(repository, folder)
    before = list(repository.catalog.list_modalities())
    with pytest.raises(CatalogConflict) as caught:
        ingest(repository, folder, collapse_modalities=False, overwrite=overwrite)
    assert "collapse" in str(caught.value.advice)
    assert list(repository.catalog.list_modalities()) == before


def test_the_participant_of_a_half_that_came_meanwhile_is_kept(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    one = a_half(tmp_path / "one", {"camera_0/a.mp4": 100}, participant="P")
    other = a_half(tmp_path / "two", {"eeg_a/e.edf": 90}, participant="Q")
    ingest(repository, one, progress=lambda _said: ingest(repository, other))
    assert set(repository.participants(REC_ID, repository.sizes(REC_ID))) == {"P", "Q"}


@pytest.mark.parametrize("typed", [UNKNOWN_PARTICIPANT, "  \n"])
def test_nobody_may_be_said_in_words(tmp_path: Path, typed: str) -> None:
    repository = memory_repository(tmp_path)
    ingest(repository, make_recording(tmp_path, participant=None))
    other = make_recording(tmp_path, "rec_20260521_101010_aaaa", participant=None)
    done = ingest(repository, other, participant=typed).recording
    assert done is not None
    assert done.participant_ids == (UNKNOWN_PARTICIPANT,)
    assert "participant.txt" not in repository.sizes("rec_20260521_101010_aaaa")


def test_a_manifest_does_not_list_what_is_written_beside_the_files(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    folder = make_recording(tmp_path, participant="Aria")
    facts = manifest_of(folder)
    (folder / "participant.txt").write_bytes(b"Aria")  # without an end of line
    digest = "736001faca59e88731c65f785aa6d25572c50974d8ceea96462f73b4b342b85f"
    facts["files"].append({"rel_path": "participant.txt", "size_bytes": 4, "sha256": digest})
    (folder / "manifest.json").write_text(json.dumps(facts))
    with pytest.raises(LadingError) as caught:
        ingest(repository, folder)
    assert "Augment" in caught.value.advice
    assert not repository.sizes(REC_ID)
