"""The pages about recordings are true: each command and snippet runs as it is written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from lading.catalog.catalog import Catalog
from lading.sources.recordings.profiles import load_profile
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.rules import recording_hash_of
from lading.storage.s3 import S3Options, S3Store
from lading.testing.servers_s3 import S3Facts
from tests.cli.doc_page import BLOCK, DocPage
from tests.cli.program import Program
from tests.recordings.making import PREFIX, make_recording, manifest_of, own_prefix, write_profile

PAGES = Path(__file__).resolve().parents[2] / "docs/how-to"
THREE = {"camera_0/a.mp4": 9_000, "eeg_1/a.edf": 4_000, "mic_1/a.wav": 500}


@pytest.fixture
def bucket(s3_server_of: Callable[[str], S3Facts]) -> S3Options:
    """A bucket, below a prefix of its own."""
    return s3_server_of("ministack").options(prefix=own_prefix())


@pytest.fixture
def at_home(bare: Program, bucket: S3Options, monkeypatch: pytest.MonkeyPatch) -> Program:
    """The program, and this process, with a home that has the profile `r2`."""
    home = bare.folder / "home"
    (home / ".config/lading").mkdir(parents=True)
    write_profile(home / ".config/lading/recordings.yaml", bucket)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(bare.folder)
    return bare


def test_the_page_of_recordings(at_home: Program) -> None:
    rig = at_home.folder / "rig"
    first = {**THREE, "camera_0/b.mp4": 7_000, "notes_a/notes.txt": 11}
    make_recording(rig, "rec_20260520_195628_b1dd", first, augmented=False)
    two = {"eeg_1/eeg.edf": 3_000, "mic_1/audio.wav": 100}
    make_recording(rig, "rec_20260521_081502_77c0", two, augmented=False, participant="Bo Chen")
    kinds = DocPage(at_home, {}).run(PAGES / "recordings.md")
    assert kinds.count("console") >= 6
    assert kinds.count("python") >= 5


def test_the_profile_on_the_page_is_one(tmp_path: Path) -> None:
    page = (PAGES / "recordings.md").read_text()
    (profile,) = (body for kind, body in BLOCK.findall(page) if kind == "toml")
    (tmp_path / "recordings.toml").write_text(profile)
    loaded = load_profile("r2", tmp_path / "recordings.toml")
    assert loaded.raw.bucket["bucket"] != loaded.assets.bucket["bucket"]
    assert set(loaded.raw.write) == {"access_key", "secret_key"}


def test_the_page_of_recordings_offline(at_home: Program, bucket: S3Options) -> None:
    nas = at_home.folder / "drive"
    make_recording(nas / "recordings", "rec_20260520_195628_b1dd")
    make_recording(nas / "recordings", "rec_20260521_081502_77c0", THREE, augmented=False)
    two_nodes(nas / "recordings", nas / "peer", "rec_20260522_140311_09ef")
    catalog = Catalog.create(bucket, prefix=PREFIX)
    repository = Repository.of(S3Store(bucket), catalog)
    elsewhere = at_home.folder / "elsewhere"
    for name, augmented in (
        ("rec_20260523_101010_b0b0", True),
        ("rec_20260524_111111_c1c1", False),
        ("rec_20260525_121212_d2d2", False),
    ):
        folder = make_recording(elsewhere, name, THREE, augmented=augmented)
        lost = {"manifest.json", "participant.txt"} if name.endswith("d2d2") else set()
        store(repository, folder, lost)

    kinds = DocPage(at_home, {"/mnt/nas": str(nas)}).run(PAGES / "recordings-offline.md")

    assert kinds.count("console") >= 14
    assert kinds.count("python") >= 5


def store(repository: Repository, folder: Path, lost: set[str]) -> None:
    """Upload a recording's files as a rig would have, but for those that were lost."""
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in lost:
            repository.write(folder.name, name, path.read_bytes())


def two_nodes(host: Path, peer: Path, name: str) -> None:
    """The two halves of a session, each in the folder that its node left, under one hash."""
    halves = [
        make_recording(host, name, {"camera_0/a.mp4": 900}, manifest={"hostname": "mantis"}),
        make_recording(peer, name, {"eeg_a/a.edf": 80}, manifest={"hostname": "motor"}),
    ]
    facts = [manifest_of(folder) for folder in halves]
    together = recording_hash_of(f["sha256"] for fact in facts for f in fact["files"])
    for folder, fact in zip(halves, facts, strict=True):
        (folder / "manifest.json").write_text(json.dumps({**fact, "recording_hash": together}))
