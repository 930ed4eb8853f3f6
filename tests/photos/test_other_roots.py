"""A disk that goes, or is another, while it is scanned or before what was found is imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.db import Database
from lading.ingest.source import SourceMissing
from lading.ledger.states import BatchState
from lading.sources.photos import discover
from lading.sources.photos.folders import Listing, list_folder
from lading.sources.photos.options import PhotosOptions
from lading.storage.roots import SafeRoot
from lading.testing.installation import ACTOR, Installation
from tests.photos.library import assets, files, installed
from tests.photos.tree import PhotosBench


@pytest.fixture
def bench(tmp_path: Path) -> PhotosBench:
    return PhotosBench(tmp_path)


@pytest.fixture
def held(bench: PhotosBench, sqlite_database: Database, tmp_path: Path) -> Installation:
    """Three folders with two pictures each, taken in."""
    for folder in ("a", "b", "c"):
        bench.write(f"{folder}/1.jpg")
        bench.write(f"{folder}/2.jpg")
    installation = installed(sqlite_database, bench, tmp_path)
    installation.take_in()
    return installation


def unmount(bench: PhotosBench) -> None:
    """Leave the empty folder that the disk was mounted on."""
    bench.root.rename(bench.root.with_name("disk"))
    bench.root.mkdir()


def mount(bench: PhotosBench) -> None:
    bench.root.rename(bench.root.with_name("other"))
    bench.root.with_name("disk").rename(bench.root)


def trashed(installation: Installation) -> int:
    return sum(row.deleted_at is not None for row in assets(installation).values())


def test_a_disk_that_goes_while_it_is_scanned_has_not_lost_what_was_not_reached(
    bench: PhotosBench, held: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("a", "b", "c"):
        bench.write(f"{folder}/3.jpg")
    looked_at = []

    def listed(root: SafeRoot, folder: str, options: PhotosOptions) -> Listing:
        listing = list_folder(root, folder, options)
        looked_at.append(folder)
        if len(looked_at) == 2:  # the root, and the first folder in it
            root.close()
            unmount(bench)
        return listing

    monkeypatch.setattr(discover, "list_folder", listed)
    with pytest.raises(SourceMissing, match="another one than when"):
        held.ingest.scan("home", actor=ACTOR)
    assert held.batch("a").state is BatchState.IMPORTED
    mount(bench)
    monkeypatch.undo()
    held.take_in()
    assert (len(files(held)), trashed(held)) == (9, 0)


@pytest.mark.parametrize("queued", [False, True], ids=["found", "queued"])
def test_what_was_found_on_a_disk_is_not_decided_about_on_another(
    bench: PhotosBench, held: Installation, queued: bool
) -> None:
    bench.write("a/3.jpg")
    bench.remove("b")
    ids = held.scan()
    if queued:
        held.ingest.queue(ids, actor=ACTOR)
    unmount(bench)
    bench.write("a/9.jpg")
    if not queued:
        results = held.ingest.queue(ids, actor=ACTOR)
        assert {one.reason for one in results} == {SourceMissing.code}
    held.drain()
    assert (len(files(held)), trashed(held)) == (6, 0)
    mount(bench)
    held.ingest.queue(ids, actor=ACTOR)
    held.drain()
    assert set(files(held)) == {"a/1.jpg", "a/2.jpg", "a/3.jpg", "c/1.jpg", "c/2.jpg"}


def test_another_disk_is_taken_in_once_somebody_says_so(
    bench: PhotosBench, held: Installation
) -> None:
    unmount(bench)
    bench.write("a/9.jpg")
    report = held.ingest.scan("home", actor=ACTOR, accept_root=True)
    ids = [change.batch_id for change in report.changes if change.batch_id]
    held.ingest.queue(ids, actor=ACTOR)
    held.drain()
    assert (set(files(held)), trashed(held)) == ({"a/9.jpg"}, 6)
