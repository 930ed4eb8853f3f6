"""Recordings as a rig leaves them in a folder, and repositories to take them into."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from lading.catalog.catalog import Catalog
from lading.sources.recordings.local import augment_manifest
from lading.sources.recordings.repository import Repository
from lading.storage.folder import FolderStore
from lading.storage.memory import MemoryStore
from lading.storage.port import ObjectStore
from lading.storage.s3 import S3Options, S3Store

REC_ID = "rec_20260520_195628_b1dd"
PREFIX = "ursa/catalog-1"
FILES: Mapping[str, int] = {
    "camera_0/seg_0000.mp4": 70_000,
    "camera_0/seg_0001.mp4": 50_001,
    "eeg_4559/eeg.edf": 40_000,
    "mic_1/audio.wav": 30_000,
    "notes_a/notes.txt": 11,
    "session.log": 0,
}


def make_recording(
    root: Path,
    name: str = REC_ID,
    files: Mapping[str, int] = FILES,
    *,
    participant: str | None = "Aria Lin",
    augmented: bool = True,
    manifest: Mapping[str, Any] | None = None,
    seed: str = "",
) -> Path:
    """A recording's folder; its files hold bytes that its name, their names and `seed` decide."""
    folder = root / name
    for path, size in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(random.Random(f"{name} {path} {seed}").randbytes(size))
    folder.mkdir(parents=True, exist_ok=True)
    if participant is not None:
        (folder / "participant.txt").write_text(f"{participant}\n")
    facts = {"recording_id": name, "duration_s": 61.5, "rig": "green-mantis", **(manifest or {})}
    (folder / "manifest.json").write_text(json.dumps(facts))
    if augmented:
        augment_manifest(folder / "manifest.json")
    return folder


def manifest_of(folder: Path) -> dict[str, Any]:
    """A recording's manifest as it is now."""
    facts: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return facts


def folder_repository(root: Path) -> Repository:
    """A repository in two folders."""
    catalog = Catalog.create(root / "assets", prefix=PREFIX)
    return Repository.of(FolderStore(root / "raw", create=True), catalog)


def memory_repository(root: Path, raw: ObjectStore | None = None) -> Repository:
    """A repository whose raw bytes are in memory; only its catalog is in a folder."""
    return Repository.of(raw or MemoryStore(), Catalog.create(root / "assets", prefix=PREFIX))


def bucket_repository(options: S3Options) -> Repository:
    """A repository in a bucket, below a prefix of its own."""
    return Repository.of(S3Store(options), Catalog.create(options, prefix=PREFIX))


def own_prefix() -> str:
    """A prefix in a bucket that nobody else uses."""
    return f"t/{uuid4().hex}"


def write_profile(path: Path, kept: S3Options | Path) -> Path:
    """A configuration file with a profile `r2` in a bucket, or in folders below another."""
    places: dict[str, Any]
    if isinstance(kept, Path):
        places = {name: {"folder": str(kept / name)} for name in ("assets", "raw")}
    else:
        bucket = {
            "bucket": kept.bucket,
            "prefix": kept.prefix,
            "endpoint": kept.endpoint,
            "access_key": kept.access_key,
            "secret_key": kept.secret_key,
            "allow_http": True,
        }
        places = {"assets": dict(bucket), "raw": dict(bucket)}
    path.write_text(json.dumps({"profiles": {"r2": places}}))  # which is YAML too
    return path
