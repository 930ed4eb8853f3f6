"""What manifests say, in several spellings, and how nonsense in them is named."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.base.errors import LadingError
from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.sources.recordings.errors import ManifestIncomplete, ManifestInvalid
from lading.sources.recordings.layout import begun_at, is_data, object_name, path_of
from lading.sources.recordings.local import augment_manifest, data_files
from lading.sources.recordings.manifest import MANIFEST_BYTES_MAX, parse_manifest
from lading.sources.recordings.rules import modality_rows, recording_hash_of
from lading.sources.recordings.values import ManifestFile
from lading.storage.keys import check_key
from lading.storage.roots import NotARegularFile, SafeRoot
from tests.recordings.making import FILES, REC_ID, make_recording, manifest_of

SHA256 = "ab" * 32


def parsed(**facts: Any) -> Any:
    return parse_manifest(json.dumps(facts).encode(), "manifest.json")


def test_fields_are_understood_in_the_spellings_of_several_rigs() -> None:
    manifest = parsed(
        rec_id="rec_1",
        start_time="2026-05-20T19:56:28+02:00",
        end_time=1_779_300_000,
        hostname="green-mantis",
        recording_hash=SHA256.upper(),
        files=[{"rel_path": "eeg_a/x", "sha256": SHA256.upper(), "size": 3}],
        anything={"of": "theirs"},
    )
    assert manifest.recording_id == "rec_1"
    assert manifest.started_at.isoformat() == "2026-05-20T17:56:28+00:00"
    assert manifest.duration_s == (manifest.ended_at - manifest.started_at).total_seconds()
    assert manifest.files == (ManifestFile("eeg_a/x", SHA256, 3),)
    assert manifest.recording_hash == SHA256
    assert manifest.node == "green-mantis"
    assert manifest.body["anything"] == {"of": "theirs"}


@pytest.mark.parametrize(
    "facts",
    [
        {"files": {}},
        {"files": ["x"]},
        {"files": [{"sha256": SHA256}]},
        {"files": [{"rel_path": "a/b", "sha256": "abc"}]},
        {"files": [{"rel_path": "../b", "sha256": SHA256}]},
        {"files": [{"rel_path": "/etc/passwd", "sha256": SHA256}]},
        {"files": [{"rel_path": "a/\ud800", "sha256": SHA256}]},
        {"files": [{"rel_path": "a", "sha256": SHA256, "size_bytes": -1}]},
        {"files": [{"rel_path": "a", "sha256": SHA256, "size_bytes": True}]},
        {"files": [{"rel_path": "a", "sha256": SHA256}, {"rel_path": "a", "sha256": SHA256}]},
        {"recording_hash": "not hexadecimal"},
        {"recording_hash": 7},
        {"recording_id": 7},
        {"started_at": "yesterday"},
        {"started_at": -1},
        {"started_at": True},
        {"duration_s": "long"},
        {"duration_s": -1},
    ],
    ids=str,
)
def test_nonsense_in_a_field_is_named(facts: dict[str, Any]) -> None:
    with pytest.raises(ManifestInvalid) as caught:
        parsed(**facts)
    assert caught.value.subject == "manifest.json"
    assert next(iter(facts)).partition("_")[0] in caught.value.message


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 100_000, b'{"a": NaN'])
def test_what_is_no_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(ManifestInvalid):
        parse_manifest(body, "manifest.json")


def test_a_manifest_without_end_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(ManifestInvalid, match="too large"):
        parse_manifest(b" " * (MANIFEST_BYTES_MAX + 1), "manifest.json")


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["files", "recording_hash", "rel_path", "sha256", "size", "duration_s"]
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ).map(lambda value: json.dumps(value).encode())
)
def test_whatever_lies_there_is_a_manifest_or_a_clear_error(body: bytes) -> None:
    try:
        parse_manifest(body, "manifest.json")
    except ManifestInvalid as error:
        caught = error
    else:
        return
    assert caught.subject == "manifest.json"


def test_augmenting_adds_hash_and_files_and_keeps_the_rest(tmp_path: Path) -> None:
    folder = make_recording(tmp_path, augmented=False)
    (folder / ".DS_Store").write_bytes(b"of a desktop")
    heard: list[str] = []
    manifest = augment_manifest(folder / "manifest.json", progress=heard.append)

    facts = manifest_of(folder)
    assert facts["rig"] == "green-mantis"
    assert {entry["rel_path"]: entry["size_bytes"] for entry in facts["files"]} == dict(FILES)
    assert facts["recording_hash"] == recording_hash_of(e["sha256"] for e in facts["files"])
    assert manifest.complete
    assert sorted(heard) == sorted(FILES)
    assert sorted(path.name for path in folder.iterdir() if path.name.startswith(".")) == [
        ".DS_Store"
    ]

    before = (folder / "manifest.json").stat()
    (folder / "mic_1/audio.wav").write_bytes(b"edited")
    assert augment_manifest(folder / "manifest.json") == manifest
    assert (folder / "manifest.json").stat().st_mtime_ns == before.st_mtime_ns
    changed = augment_manifest(folder / "manifest.json", force=True)
    assert changed.recording_hash != manifest.recording_hash


def test_augmenting_makes_a_manifest_where_there_is_none(tmp_path: Path) -> None:
    folder = make_recording(tmp_path, augmented=False)
    (folder / "manifest.json").unlink()
    manifest = augment_manifest(folder / "manifest.json")
    assert manifest.recording_id == REC_ID
    assert manifest.complete


def test_augmenting_that_is_stopped_leaves_the_manifest_as_it_was(tmp_path: Path) -> None:
    folder = make_recording(tmp_path, augmented=False)
    before = (folder / "manifest.json").read_bytes()
    stop = StopSignal()
    stop.request(StopReason.OPERATOR)
    with pytest.raises(Interrupted):
        augment_manifest(folder / "manifest.json", stop=stop)
    assert (folder / "manifest.json").read_bytes() == before
    assert len(list(folder.glob("*.json"))) == len(list(folder.glob("*manifest*"))) == 1


def test_augmenting_what_is_no_recording_leaves_it_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ManifestInvalid, match="nothing recorded"):
        augment_manifest(tmp_path / "manifest.json")
    (tmp_path / "eeg_a").mkdir()
    os.mkfifo(tmp_path / "eeg_a/pipe")
    with pytest.raises(NotARegularFile):
        augment_manifest(tmp_path / "manifest.json")
    (tmp_path / "eeg_a/pipe").unlink()
    (tmp_path / "eeg_a/link").symlink_to("/etc/passwd")
    with pytest.raises(NotARegularFile):
        augment_manifest(tmp_path / "manifest.json")
    assert (tmp_path / "manifest.json").read_text() == "{}"


def test_a_stub_without_files_names_augment_manifest() -> None:
    with pytest.raises(ManifestIncomplete) as caught:
        parsed(recording_hash=SHA256, files=[]).require_complete("manifest.json")
    assert "augment_manifest" in caught.value.advice
    assert caught.value.found == "no files"


@pytest.mark.parametrize(
    ("path", "is_of_it"),
    [
        ("camera_0/a.mp4", True), ("session.log", True), ("notes_a/manifest.json", True),
        ("manifest.json", False), ("participant.txt", False), ("_node_manifests/a.json", False),
        (".DS_Store", False), ("camera_0/._a.mp4", False), ("camera_0/@eaDir/a", False),
        ("eeg_a/Thumbs.db", False),
    ],
)  # fmt: skip
def test_what_is_recorded_is_told_from_what_is_about_it(path: str, is_of_it: bool) -> None:
    assert is_data(path) is is_of_it


def test_an_identifier_says_when_the_recording_began() -> None:
    begun = begun_at("rec_20260520_195628_b1dd")
    assert begun is not None
    assert begun.isoformat() == "2026-05-20T19:56:28+00:00"
    assert begun_at("rec_20261399_195628_b1dd") is None
    assert begun_at("session-7") is None


@given(
    st.lists(
        st.text(
            st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"),
            min_size=1,
            max_size=20,
        ).filter(lambda name: name not in (".", "..")),
        min_size=1,
        max_size=4,
    )
)
def test_every_path_has_one_name_in_the_store_and_back(segments: list[str]) -> None:
    path = "/".join(segments)
    try:
        name = object_name(path)
    except LadingError:
        return  # too long, or the store's own folder
    assert check_key(name) == name
    assert path_of(name) == path


def test_the_hash_of_a_recording_depends_on_contents_and_not_on_order() -> None:
    first = recording_hash_of(["b" * 64, "a" * 64])
    assert first == recording_hash_of(["a" * 64, "b" * 64])
    assert first != recording_hash_of(["a" * 64])
    assert first != recording_hash_of(["a" * 64, "b" * 64, "b" * 64])


@given(
    st.lists(
        st.sampled_from(["camera_0", "camera_1", "eeg", "eeg_a_b", "eeg__x", "mic_é"]), max_size=5
    )
)
def test_each_file_is_in_one_modality(folders: list[str]) -> None:
    files = [ManifestFile(f"{name}/{n}", SHA256, 1) for n, name in enumerate(folders)]
    try:
        found = modality_rows(files, REC_ID, SHA256, prefix="recordings")
    except LadingError as error:
        assert "mic_é" in folders, error  # noqa: PT017 - any other is none of a name's
        return
    keys = [key for row in found.rows for key in row.keys]
    assert sorted(keys) == sorted(file.rel_path for file in files)
    assert len({(row.modality, row.worker_id) for row in found.rows}) == len(found.rows)


def test_files_are_found_in_order_below_their_folder(tmp_path: Path) -> None:
    folder = make_recording(tmp_path)
    with SafeRoot(folder) as root:
        assert list(data_files(root)) == sorted(FILES)
