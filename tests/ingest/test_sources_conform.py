"""Every kind of source conforms: hand-over bundles, and a stranger's from a package of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from lading.db import Database
from lading.ingest.registry import build_source, source_kinds
from lading.storage.folder import FolderStore
from lading.testing.installation import Installation
from lading.testing.publisher import Published, Publisher
from lading.testing.source_suite import SourceBench, SourceSuite


class HandoverBench(SourceBench):
    """Publishes photos in hand-over bundles."""

    def __init__(self, root: Path, keep: str) -> None:
        self.root = root
        self.publisher = Publisher(root)
        self.published: dict[str, Published] = {}
        self.withdrawn: dict[str, bytes] = {}
        self.source = build_source("handover", "bench", {"root": str(root), "keep": keep})

    def publish(self, items: int) -> str:
        bundle = self.publisher.bundle()
        for number in range(items):
            bundle.photo(f"photo-{number}", documents=(), derivatives=())
        published = bundle.publish(sentinel=b"")
        self.published[published.sync_id] = published
        return published.sync_id

    def change(self, key: str) -> None:
        published = self.published[key]
        if key in self.withdrawn:
            published.manifest.write_bytes(self.withdrawn.pop(key))
        self.publisher.replace_manifest(published)

    def withdraw(self, key: str) -> None:
        published = self.published[key]
        self.withdrawn[key] = published.manifest.read_bytes()
        self.publisher.withdraw(published)

    def break_one_item(self, key: str) -> None:
        path = min(self.root.glob("assets/*/*/original/*"))
        path.write_bytes(bytes(path.stat().st_size))


class ToyBench(SourceBench):
    """Writes folders of notes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.root.mkdir()
        self.source = build_source("toy", "bench", {"root": str(root)})
        self._count = 0

    def publish(self, items: int) -> str:
        self._count += 1
        folder = self.root / f"notes-{self._count}"
        folder.mkdir()
        for number in range(items):
            (folder / f"{number:03}.txt").write_text(f"note {number} of {folder.name}")
        self._close(folder)
        return folder.name

    def _close(self, folder: Path) -> None:
        notes = sorted(folder.glob("*.txt"))
        lines = [f"{hashlib.sha256(n.read_bytes()).hexdigest()}  {n.name}\n" for n in notes]
        (folder / "DONE").write_text("".join(lines))

    def change(self, key: str) -> None:
        note = min((self.root / key).glob("*.txt"))
        note.write_text(note.read_text() + ", corrected")
        self._close(self.root / key)

    def withdraw(self, key: str) -> None:
        (self.root / key / "DONE").unlink()

    def break_one_item(self, key: str) -> None:
        note = min((self.root / key).glob("*.txt"))
        note.write_text(note.read_text()[::-1])


@pytest.fixture
def installation(bench: SourceBench, database: Database, tmp_path: Path) -> Installation:
    store = FolderStore(tmp_path / "store", name="library", create=True)
    return Installation(database, store, [bench.source])


class TestHandoverCopied(SourceSuite):
    """Bundles whose bytes are copied into the store."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> SourceBench:
        return HandoverBench(tmp_path / "upstream", "copy")


class TestHandoverInPlace(SourceSuite):
    """Bundles whose bytes stay where they are."""

    @pytest.fixture
    def bench(self, tmp_path: Path) -> SourceBench:
        return HandoverBench(tmp_path / "upstream", "in_place")


@pytest.mark.usefixtures("toy_package")
class TestThirdParty(SourceSuite):
    """A source found through the entry point of a package that is not ours."""

    @pytest.fixture
    def bench(self, toy_package: None, tmp_path: Path) -> SourceBench:
        return ToyBench(tmp_path / "upstream")


def test_installed_kinds_of_source_are_listed(toy_package: None) -> None:
    kinds = source_kinds()
    assert {"handover", "toy"} <= kinds.keys()
    assert all(reason.next_step for kind in kinds.values() for reason in kind.reasons.values())
