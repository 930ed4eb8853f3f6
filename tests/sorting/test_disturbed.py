"""Files that others change while a run is cut off, and disks that do not take or give a file."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lading.base.steps import SortStep, observe
from lading.base.stopping import Interrupted, StopReason
from lading.sorting import mover
from lading.sorting.tree import SortTree
from lading.sorting.values import MoveState, RunState, SortRun
from lading.storage.roots import FileUnreadable, ReadFault, SafeFile, SafeRoot
from tests.sorting.scene import SortScene

Change = Callable[[Path], object]


def delete_new(home: Path) -> None:
    (home / "2024/a.jpg").unlink()


def replace_new(home: Path) -> None:
    delete_new(home)
    (home / "2024/a.jpg").write_bytes(b"edited")


def link_new_folder(home: Path) -> None:
    (home / "2024").rename(home / "elsewhere")
    (home / "2024").symlink_to("elsewhere")


def delete_old_folder(home: Path) -> None:
    shutil.rmtree(home / "in")


def link_old_folder(home: Path) -> None:
    (home / "in").rename(home / "elsewhere")
    (home / "in").symlink_to("elsewhere")


def delete_old(home: Path) -> None:
    (home / "in/a.jpg").unlink()


def replace_old(home: Path) -> None:
    delete_old(home)
    (home / "in/a.jpg").write_bytes(b"edited")


@pytest.fixture(autouse=True)
def unobserved() -> Iterator[None]:
    yield
    observe(None)


def cut_off_and(scene: SortScene, change: Change) -> None:
    """Work until both places are recorded, end there as if stopped, change things, and go on."""
    ended: list[object] = []

    def at(step: object) -> None:
        if step is SortStep.SORT_COMMITTED and not ended:
            ended.append(step)
            change(scene.roots["home"])
            raise Interrupted(StopReason.SHUTDOWN)

    observe(at)
    scene.drain()
    assert ended
    observe(None)
    scene.queue.rescue(stale_after_s=0, actor="test")
    scene.drain()


def state_of(scene: SortScene, run: SortRun) -> tuple[RunState, dict[str, MoveState]]:
    moves = {one.source_path: one.state for one in scene.sorting.moves(run.key)}
    return scene.sorting.run(run.key).state, moves


@pytest.mark.parametrize(
    ("change", "state", "rows"),
    [
        (delete_new, MoveState.REFUSED, "in/a.jpg"),
        (replace_new, MoveState.REFUSED, "in/a.jpg"),
        (link_new_folder, MoveState.REFUSED, "in/a.jpg"),
        (delete_old_folder, MoveState.MOVED, "2024/a.jpg"),
        (link_old_folder, MoveState.COPIED, "2024/a.jpg"),
    ],
)
def test_a_sort_that_was_cut_off_ends_whatever_was_done_to_the_files_meanwhile(
    scene: SortScene, change: Change, state: MoveState, rows: str
) -> None:
    scene.add("in/a.jpg")
    run = scene.sorting.start(scene.wanted(), actor="test")
    cut_off_and(scene, change)
    assert state_of(scene, run) == (RunState.SORTED, {"in/a.jpg": state})
    assert list(scene.rows()) == [rows]
    assert b"in/a.jpg" in [p.read_bytes() for p in scene.roots["home"].rglob("*.jpg")]


@pytest.mark.parametrize(
    ("change", "state", "rows"),
    [
        (delete_old, MoveState.UNDONE, "in/a.jpg"),  # it is put back once more
        (replace_old, MoveState.MOVED, "2024/a.jpg"),
        (delete_new, MoveState.UNDONE, "in/a.jpg"),
        (link_new_folder, MoveState.UNDONE, "in/a.jpg"),
    ],
)
def test_an_undo_that_was_cut_off_ends_whatever_was_done_to_the_files_meanwhile(
    scene: SortScene, change: Change, state: MoveState, rows: str
) -> None:
    scene.add("in/a.jpg")
    run = scene.sort(scene.wanted())
    scene.sorting.undo(run.key, actor="test")
    cut_off_and(scene, change)
    assert state_of(scene, run) == (RunState.UNDONE, {"in/a.jpg": state})
    assert list(scene.rows()) == [rows]
    assert b"in/a.jpg" in [p.read_bytes() for p in scene.roots["home"].rglob("*.jpg")]


def test_a_file_too_large_for_the_other_disk_holds_up_no_other(
    disks: SortScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    disks.add("in/a.jpg", b"large" * 100)
    disks.add("in/b.jpg")
    before = disks.files()
    write = mover._write

    def as_fat(fd: int, chunk: bytes) -> None:
        if len(chunk) > 100:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
        write(fd, chunk)

    monkeypatch.setattr(mover, "_write", as_fat)
    run = disks.sort(disks.wanted(target="away"))
    moves = {"in/a.jpg": MoveState.REFUSED, "in/b.jpg": MoveState.MOVED}
    assert state_of(disks, run) == (RunState.SORTED, moves)
    assert disks.files() | disks.files("away") == {
        "in/a.jpg": before["in/a.jpg"],
        "2024/b.jpg": before["in/b.jpg"],
    }


def test_a_bad_sector_under_one_file_holds_up_no_other(
    scene: SortScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.add("in/a.jpg")
    scene.add("in/b.jpg")
    opened = SafeRoot.open

    def damaged(root: SafeRoot, relative: str) -> SafeFile:
        if relative == "in/a.jpg":
            raise ReadFault("The file cannot be read now", subject=relative)
        return opened(root, relative)

    monkeypatch.setattr(SafeRoot, "open", damaged)
    run = scene.sort(scene.wanted())
    moves = {"in/a.jpg": MoveState.REFUSED, "in/b.jpg": MoveState.MOVED}
    assert state_of(scene, run) == (RunState.SORTED, moves)


def test_a_folder_that_cannot_be_listed_holds_up_no_other(
    scene: SortScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.add("in/a.jpg")
    scene.add("private/b.jpg")
    names = SortTree.names

    def closed(tree: SortTree, folder: str) -> Iterator[os.DirEntry[str]]:
        if folder == "private":
            raise FileUnreadable("The file cannot be read", subject=folder)
        return names(tree, folder)

    monkeypatch.setattr(SortTree, "names", closed)
    plan = scene.plan(scene.wanted())
    assert {path: one.target_path for path, one in plan.items()} == {
        "in/a.jpg": "2024/a.jpg",
        "private/b.jpg": None,
    }
    assert "cannot be read" in plan["private/b.jpg"].why
