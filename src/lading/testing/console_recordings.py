"""A rig's folder of recordings and where they are kept, all in folders beside the settings.

Some are registered, some are verified or damaged, some wait: every state that a page can show.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lading.bootstrap import Lading
from lading.jobs.values import NewJob
from lading.sources.recordings import jobs
from lading.sources.recordings.local import augment_manifest
from lading.sources.recordings.manifest import file_entry
from lading.sources.recordings.profiles import load_profile
from lading.sources.recordings.rules import recording_hash_of
from lading.sources.recordings.source import RecordingsSource
from lading.sources.recordings.values import ManifestFile
from lading.testing.console_imported import ACTOR, drain

RIG: Final = "rig"
RECORDINGS_TOML: Final = """
[sources.rig]
kind = "recordings"
path = "rig"
profile = "lab"
config_path = "recordings.toml"
stable_for_s = 0
active_marker = ".recording"
download_dir = "downloads"
"""
_PROFILE: Final = """
[profiles.lab]
assets = { folder = "kept/assets" }
raw = { folder = "kept/raw" }
"""

VERIFIED: Final = "rec_20260520_195628_b1dd"
"""Registered, and every byte of it verified."""
HALVES: Final = "rec_20260521_081502_77aa"
"""Registered from two nodes; the object of one file was damaged, and a verification says so."""
PLAIN: Final = "rec_20260522_101010_0c1e"
"""Registered; nobody knows who it is, and its names are long."""
CONFLICTING: Final = "rec_20260523_120000_c0de"
"""Stored with another length and other people than are registered."""
UNNAMED: Final = "rec_20260524_070000_feed"
"""Stored without a manifest."""
WAITING: Final = "rec_20260525_090000_aaaa"
"""On the rig; found and not taken in."""
_LONG: Final = "segment-with-a-name-that-goes-on-and-on-as-those-of-some-programs-do-" * 2
_FILES: Final[Mapping[str, int]] = {
    "camera_0/seg_0000.mp4": 7_000,
    "camera_0/seg_0001.mp4": 5_001,
    "camera_1/seg_0000.mp4": 6_000,
    "eeg_4559/eeg.edf": 4_000,
    "session.log": 11,
}


def _bytes(recording_id: str, path: str, size: int) -> bytes:
    return random.Random(f"{recording_id} {path}").randbytes(size)


HALVES_HASH: Final = recording_hash_of(
    hashlib.sha256(_bytes(HALVES, path, size)).hexdigest() for path, size in _FILES.items()
)


def make_recordings(lading: Lading) -> None:
    """Lay the recordings down, take them in by a worker, and let jobs say what became of them."""
    source = _source(lading)
    rig, folder = source.options.path, source.options.path.parent
    rig.mkdir()
    (folder / "recordings.toml").write_text(_PROFILE)
    load_profile("lab", folder / "recordings.toml").make("lab/catalog-1")
    lay_down(rig, VERIFIED, participant="Aria Lin")
    lay_down(rig, HALVES, participant="Bo Berg", manifest={"hostname": "left"})
    lay_down(rig, PLAIN, {f"mic_a/{_LONG}.wav": 300, "notes.txt": 0})
    conflicting = lay_down(rig, CONFLICTING, participant="Cleo Ito")
    _take_in(lading)
    _add_half(rig / HALVES)
    _take_in(lading)
    _say_otherwise(source, conflicting)
    _damage(source, HALVES, "camera_0/seg_0001.mp4")
    for recording_id, full in ((VERIFIED, True), (HALVES, False)):
        recording_hash = hash_of(rig / recording_id)
        _ask(lading, jobs.verify_job(RIG, recording_hash, full=full, actor=ACTOR))
    drain(lading)
    _store_bare(source, UNNAMED)
    lay_down(rig, WAITING, participant="Dana Fox")
    lading.ingest.scan(RIG, actor=ACTOR)
    _ask(lading, jobs.verify_job(RIG, hash_of(rig / PLAIN), full=True, actor=ACTOR))


def lay_down(
    rig: Path,
    recording_id: str,
    files: Mapping[str, int] = _FILES,
    *,
    participant: str | None = None,
    manifest: Mapping[str, Any] | None = None,
) -> Path:
    """A recording as a rig leaves it, its manifest complete; its folder."""
    folder = rig / recording_id
    for path, size in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(_bytes(recording_id, path, size))
    if participant is not None:
        (folder / "participant.txt").write_text(f"{participant}\n")
    facts = {"recording_id": recording_id, "duration_s": 61.5, **(manifest or {})}
    (folder / "manifest.json").write_text(json.dumps(facts))
    augment_manifest(folder / "manifest.json")
    return folder


def hash_of(folder: Path) -> str:
    """The hash that a recording's manifest states."""
    return str(json.loads((folder / "manifest.json").read_text())["recording_hash"])


def _source(lading: Lading) -> RecordingsSource:
    return jobs.recordings_source(lading.ingest.parts, RIG)


def _ask(lading: Lading, job: NewJob) -> None:
    lading.db.run(lambda conn: lading.queue.enqueue(conn, [job], actor=ACTOR))


def _take_in(lading: Lading) -> None:
    report = lading.ingest.scan(RIG, actor=ACTOR)
    ids = [change.batch_id for change in report.changes if change.batch_id is not None]
    lading.ingest.queue(ids, actor=ACTOR)
    drain(lading)


def _add_half(folder: Path) -> None:
    """The other node's half arrives: a manifest of its own under the same hash (E9)."""
    held = json.loads((folder / "manifest.json").read_text())
    body = random.Random("the other half").randbytes(3_000)
    (folder / "mic_1").mkdir()
    (folder / "mic_1/audio.wav").write_bytes(body)
    file = ManifestFile("mic_1/audio.wav", hashlib.sha256(body).hexdigest(), len(body))
    facts = {**held, "hostname": "right", "duration_s": 62.0, "files": [file_entry(file)]}
    (folder / "manifest.json").write_text(json.dumps(facts))


def _say_otherwise(source: RecordingsSource, folder: Path) -> None:
    """What is stored says now that it was longer, and that somebody else was there."""
    held = json.loads((folder / "manifest.json").read_text())
    text = json.dumps({**held, "duration_s": 90.0}).encode()
    source.repository.write(folder.name, "manifest.json", text)
    source.repository.write(folder.name, "participant.txt", b"Eve Moss\n")


def _damage(source: RecordingsSource, recording_id: str, name: str) -> None:
    source.repository.write(recording_id, name, b"cut short")


def _store_bare(source: RecordingsSource, recording_id: str) -> None:
    for path, size in _FILES.items():
        source.repository.write(recording_id, path, _bytes(recording_id, path, size))
