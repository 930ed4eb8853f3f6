"""A disk on which rigs leave recordings, with the source that takes them in, for tests."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from lading.ingest.registry import build_source
from lading.sources.recordings.local import augment_manifest
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.source import RecordingsSource
from lading.storage.s3 import S3Options
from lading.testing.source_suite import SourceBench
from tests.recordings.making import (
    bucket_repository,
    folder_repository,
    make_recording,
    manifest_of,
    write_profile,
)


class RecordingsBench(SourceBench):
    """Records into folders; what is taken in goes to a bucket or a folder of its own."""

    closing_items = 1
    elsewhere = True

    def __init__(self, folder: Path, bucket: S3Options | None = None, **options: Any) -> None:
        self.root = folder / "nas"
        self.root.mkdir()
        self.kept = folder / "kept"
        self.repository: Repository = (
            folder_repository(self.kept) if bucket is None else bucket_repository(bucket)
        )
        self.options = {
            "path": str(self.root),
            "profile": "r2",
            "config_path": str(write_profile(folder / "recordings.json", bucket or self.kept)),
            "stable_for_s": 0,
            **options,
        }
        self.source: RecordingsSource = self.opened()
        self._count = 0
        self._withdrawn: dict[str, Path] = {}

    def opened(self, **others: Any) -> RecordingsSource:
        """The source, with other options than the bench has."""
        source = build_source("recordings", "lab", {**self.options, **others})
        assert isinstance(source, RecordingsSource)
        return source

    def publish(self, items: int, **others: Any) -> str:
        """Record `items` files."""
        self._count += 1
        name = f"rec_20260520_1956{self._count:02}_b1dd"
        files = {f"camera_{n % 2}/seg_{n:04}.mp4": 300 + n for n in range(items)}
        return make_recording(self.root, name, files, **others).name

    def change(self, key: str) -> None:
        """Write something more into the manifest, and put the folder back if it is away."""
        if key in self._withdrawn:
            self._withdrawn.pop(key).rename(self.root / key)
        facts = manifest_of(self.root / key)
        facts["note"] = facts.get("note", "") + "looked at again. "
        (self.root / key / "manifest.json").write_text(json.dumps(facts))

    def withdraw(self, key: str) -> None:
        """Take the folder away."""
        away = self.root.with_name("away")
        away.mkdir(exist_ok=True)
        self._withdrawn[key] = (self.root / key).rename(away / key)

    def remove(self, key: str) -> None:
        """Delete the folder."""
        shutil.rmtree(self.root / key)

    def augment(self, key: str) -> None:
        """Hash the files, as a person does."""
        augment_manifest(self.root / key / "manifest.json", force=True)

    def break_one_item(self, key: str) -> None:
        """Turn the bytes of the first file around."""
        path = self.first_file(key)
        path.write_bytes(path.read_bytes()[::-1])

    def first_file(self, key: str) -> Path:
        """The first file of a recording."""
        return min((self.root / key).glob("*/*.mp4"))

    def rows(self) -> tuple[int, int, int]:
        """How many recordings, modalities and participants the catalog has, and no orphan."""
        found = self.repository.catalog.check()
        assert found.modalities_orphaned == found.participants_orphaned == found.rows_twice == 0
        return found.recordings, found.modalities, found.participants
