"""What a rescan looks at: one look for each unchanged folder, and all files once in a while."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lading.base.errors import SourceError
from lading.db import Database
from lading.sources.photos.options import BadPhotosOptions
from lading.sources.photos.rules import Fingerprint, key_of
from lading.storage.roots import FileUnreadable, SafeRoot
from tests.photos.library import files, installed
from tests.photos.tree import PhotosBench


@pytest.fixture
def bench(tmp_path: Path) -> PhotosBench:
    return PhotosBench(tmp_path)


class Looks:
    """Counts the folders that are asked for and those that are listed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked = self.listed = 0
        ask, names = os.stat, SafeRoot.names

        def counted_ask(path: Any, **options: Any) -> os.stat_result:
            self.asked += not isinstance(path, int) and "dir_fd" not in options
            return ask(path, **options)

        def counted_names(root: SafeRoot, relative: str = "") -> Iterator[os.DirEntry[str]]:
            self.listed += 1
            return names(root, relative)

        monkeypatch.setattr(os, "stat", counted_ask)
        monkeypatch.setattr(SafeRoot, "names", counted_names)


def fingerprints(bench: PhotosBench, known: dict[str, str], **others: Any) -> dict[str, str]:
    return {found.key: found.fingerprint for found in bench.opened(**others).discover(known)}


def test_an_unchanged_folder_costs_one_look_and_a_changed_one_alone_is_listed(
    bench: PhotosBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("top.jpg", "y/1.jpg", "y/a/1.jpg", "y/a/2.jpg", "y/b/1.jpg"):
        bench.write(name)
    known = fingerprints(bench, {})
    looks = Looks(monkeypatch)
    assert fingerprints(bench, known) == known
    assert (looks.asked, looks.listed) == (4, 0)
    bench.write("y/b/new.jpg")
    looks.asked = looks.listed = 0
    again = fingerprints(bench, known)
    assert {key for key in known if again[key] != known[key]} >= {"y/b"}
    assert again["y/a"] == known["y/a"]
    assert looks.listed == 3  # the root and `y`, whose times the test had to set, and `y/b`


def test_a_picture_in_a_folder_that_was_empty_is_found_though_nothing_above_it_changed(
    bench: PhotosBench,
) -> None:
    bench.write("a/1.jpg")
    (bench.root / "a/later/deep").mkdir(parents=True)
    bench.settle(bench.root / "a")
    known = fingerprints(bench, {})
    picture = bench.root / "a/later/deep/2.jpg"
    picture.write_bytes((bench.root / "a/1.jpg").read_bytes())
    assert set(fingerprints(bench, known)) == {"a", "a/later/deep"}


def test_a_file_written_over_is_found_when_all_are_looked_at(bench: PhotosBench) -> None:
    path = bench.write("a/1.jpg")
    known = fingerprints(bench, {})
    path.write_bytes(b"something else")
    assert fingerprints(bench, known) == known
    assert fingerprints(bench, known, full_every_h=0) != known


def test_other_patterns_of_names_make_all_folders_be_looked_at(bench: PhotosBench) -> None:
    bench.write("a/1.jpg")
    bench.write("b/1.jpg")
    known = fingerprints(bench, {})
    assert set(fingerprints(bench, known, ignore=["b"])) == {"a"}


def test_a_folder_that_cannot_be_listed_takes_nothing_below_it_away(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = installed(sqlite_database, bench, tmp_path)
    for name in ("a/1.jpg", "a/b/2.jpg", "c/3.jpg"):
        bench.write(name)
    installation.take_in()
    names = SafeRoot.names

    def refused(root: SafeRoot, relative: str = "") -> Iterator[os.DirEntry[str]]:
        # The superuser, as who tests may run, is refused nothing.
        if relative == "a":
            raise FileUnreadable("The folder cannot be read: Permission denied", subject=relative)
        return names(root, relative)

    monkeypatch.setattr(SafeRoot, "names", refused)
    bench.settle(bench.root / "a")
    report = installation.ingest.scan("home", actor="test")
    assert [(change.batch_key, change.what, change.reason) for change in report.changes] == [
        ("a", "updated", "folder_unreadable")
    ]
    preflight = installation.ingest.preflight(installation.batch("a").id, actor="test")
    assert preflight.reason == "folder_unreadable"
    monkeypatch.undo()
    assert len(files(installation)) == 3
    installation.take_in()
    assert len(files(installation)) == 3


def test_a_fingerprint_reads_as_it_was_written() -> None:
    for again in (False, True):
        written = Fingerprint(1 << 61, 1 << 64, 70_000, "abcd1234", 1 << 33, "f" * 16, again)
        assert Fingerprint.parse(str(written)) == written
        assert len(str(written)) <= 190
    assert [Fingerprint.parse(text) for text in (None, "", "gone", "unreadable.x", "a.b")] == [
        None
    ] * 5


def test_keys_tell_paths_apart_that_look_alike_or_are_long() -> None:
    long = "x" * 300
    paths = ["a\nb", "a\\nb", long, long + "y", "é", "e\u0301", "a…b", os.fsdecode(b"\xff")]
    keys = [key_of(path) for path in paths]
    assert len(set(keys)) == len(paths)
    assert all(len(key) <= 190 and key.isprintable() for key in keys if key != "e\u0301")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"path": ""},
        {"path": "/p", "ignore": "x"},
        {"path": "/p", "threads": 0},
        {"path": "/p", "stable_for_s": -1},
        {"path": "/p", "full_every_h": True},
        {"path": "/p", "colour": "red"},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(
    bench: PhotosBench, options: dict[str, Any]
) -> None:
    bench.options = options
    with pytest.raises(BadPhotosOptions) as refused:
        bench.opened()
    assert not isinstance(refused.value, SourceError)
    assert str(refused.value.subject).startswith("sources.home.")
