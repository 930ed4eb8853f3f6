"""Manifests as rigs and people leave them: odd numbers and texts, sizes that a node leaves out."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from lading.sources.recordings.backlog import BacklogOutcome, ingest_backlog
from lading.sources.recordings.errors import ManifestInvalid
from lading.sources.recordings.ingesting import open_local
from lading.sources.recordings.local import augment_manifest
from lading.sources.recordings.manifest import parse_manifest
from lading.sources.recordings.profiles import ProfileInvalid, load_profile
from lading.sources.recordings.querying import query
from lading.sources.recordings.reconstructing import reconstruct
from lading.sources.recordings.rules import modality_rows
from lading.sources.recordings.values import ManifestFile
from lading.storage.keys import KeyRefused
from lading.storage.transfer import HashMismatch
from tests.recordings.making import REC_ID, make_recording, manifest_of, memory_repository
from tests.recordings.stores import ingest, put


@pytest.mark.parametrize("field", ["duration_s", "started_at", "size"])
def test_a_number_beyond_all_measure_is_refused_as_one(field: str) -> None:
    huge = int("9" * 400)
    facts: dict[str, Any] = {field: huge}
    if field == "size":
        facts = {"files": [{"rel_path": "a/b", "sha256": "0" * 64, "size_bytes": huge}]}
    with pytest.raises(ManifestInvalid):
        parse_manifest(json.dumps(facts).encode(), "manifest.json")


def test_a_manifest_that_makes_no_sense_does_not_end_a_backlog(tmp_path: Path) -> None:
    nas = tmp_path / "nas"
    make_recording(nas, "rec_20260520_195628_aaaa", augmented=False)
    text = json.dumps({"recording_hash": "a" * 64, "duration": 10**400})
    (nas / "rec_20260520_195628_aaaa" / "manifest.json").write_text(text)
    make_recording(nas, "rec_20260520_195628_bbbb")
    entries = list(ingest_backlog(memory_repository(tmp_path), [nas]))
    assert [each.outcome for each in entries] == [BacklogOutcome.FAILED, BacklogOutcome.UPLOADED]


ODD = b'{"recording_id": "%s", "gain": NaN, "rig": "green\\ud83d", "place": "Z\xc3\xbcrich"}'


def test_what_json_has_no_word_for_is_kept_when_a_manifest_is_augmented(tmp_path: Path) -> None:
    folder = make_recording(tmp_path, augmented=False)
    (folder / "manifest.json").write_bytes(ODD % REC_ID.encode())
    augment_manifest(folder / "manifest.json")
    facts = manifest_of(folder)
    assert math.isnan(facts["gain"])
    assert (facts["rig"], facts["place"]) == ("green\ud83d", "Zürich")
    repository = memory_repository(tmp_path)
    ingest(repository, folder)
    assert [each.recording_hash for each in query(repository.catalog)] == [facts["recording_hash"]]


def test_what_json_has_no_word_for_is_kept_when_a_manifest_is_reconstructed(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    stub = ODD % REC_ID.encode()
    put(repository, REC_ID, {"camera_0/a.mp4": b"abc", "manifest.json": stub})
    reconstruct(repository, REC_ID)
    body = repository.manifest(REC_ID, repository.sizes(REC_ID)).body
    assert (body["rig"], body["place"]) == ("green\ud83d", "Zürich")


def test_a_node_that_leaves_sizes_out_does_not_contradict_one_that_states_them(
    tmp_path: Path,
) -> None:
    folder = make_recording(tmp_path, files={"eeg_a/1.edf": 9})
    facts = manifest_of(folder)
    (folder / "manifest.json").unlink()
    (folder / "_node_manifests").mkdir()
    for node, size_bytes in (("a", None), ("b", 9), ("c", None)):
        facts["files"][0]["size_bytes"] = size_bytes
        (folder / "_node_manifests" / f"{node}.json").write_text(json.dumps(facts))
    opened = open_local(folder / "manifest.json", folder)
    assert [file.size_bytes for file in opened.manifest.files] == [9]


def test_folders_whose_names_collapse_to_one_worker_keep_their_own() -> None:
    files = [
        ManifestFile(f"{folder}/a", "0" * 64, 1)
        for folder in ("camera", "camera_", "eeg_0", "eeg__0", "mic_1")
    ]
    found = modality_rows(files, REC_ID, "a" * 64, prefix="recordings")
    named = {row.keys: (row.modality, row.worker_id) for row in found.rows}
    assert named == {
        ("camera/a",): ("camera", ""),
        ("camera_/a",): ("camera_", ""),
        ("eeg_0/a",): ("eeg_0", ""),
        ("eeg__0/a",): ("eeg__0", ""),
        ("mic_1/a",): ("mic", "1"),
    }
    assert found.collided == ("camera", "eeg")


def test_no_result_is_given_where_none_is_asked_for(tmp_path: Path) -> None:
    repository = memory_repository(tmp_path)
    ingest(repository, make_recording(tmp_path))
    assert list(query(repository.catalog, limit=0)) == []


def test_a_file_that_changed_after_its_hash_was_taken_is_told_with_what_helps(
    tmp_path: Path,
) -> None:
    folder = make_recording(tmp_path)
    path = folder / "camera_0" / "seg_0000.mp4"
    path.write_bytes(path.read_bytes()[::-1])
    with pytest.raises(HashMismatch) as caught:
        ingest(memory_repository(tmp_path), folder)
    assert "augment the manifest anew" in caught.value.advice


def test_a_name_that_is_too_long_once_encoded_is_told_as_it_is(tmp_path: Path) -> None:
    name = f"camera_0/{'日' * 40}.mp4"
    with pytest.raises(KeyRefused) as caught:
        ingest(memory_repository(tmp_path), make_recording(tmp_path, files={name: 5}))
    assert (caught.value.subject, caught.value.found) == (name, "364 and 373")


@pytest.mark.parametrize(
    ("catalog", "recordings", "apart"),
    [
        ("ursa/catalog-1", "ursa", False),
        ("ursa", "ursa", False),
        ("ursa", "ursa/recordings", False),
        ("recordings-1", "recordings", True),
        ("ursa/catalog-1", "ursa/recordings", True),
    ],
)
@pytest.mark.parametrize("bucket", [False, True])
def test_a_catalog_and_recordings_do_not_lie_in_one_another(
    tmp_path: Path, catalog: str, recordings: str, *, apart: bool, bucket: bool
) -> None:
    place = {"bucket": "b", "access_key": "a", "secret_key": "s"} if bucket else {"folder": "kept"}
    facts = {"assets": place, "raw": place, "recordings_prefix": recordings}
    (tmp_path / "lab.yaml").write_text(json.dumps({**facts, "catalog_prefix": catalog}))
    profile = load_profile("lab", tmp_path / "lab.yaml")
    if apart:
        if not bucket:
            profile.make(catalog)
        assert profile.open().catalog.prefix == catalog
        return
    with pytest.raises(ProfileInvalid):
        profile.make(catalog)
    (tmp_path / "kept").mkdir()
    with pytest.raises(ProfileInvalid):
        profile.open()
