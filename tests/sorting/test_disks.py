"""What disks are like: read-only, without hard links, without room for a file's attributes."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select, update

from lading.base.stopping import StopSignal
from lading.library.tables import photo_file
from lading.sorting.errors import MoveRefused
from lading.sorting.mover import Mover, Way
from lading.sorting.sorting import Sorting
from lading.sorting.tree import SortTree, rename_without_replacing
from lading.sorting.values import MoveState
from lading.storage.transfer import HashMismatch
from lading.testing.servers_db import url_of
from tests.sorting.scene import SortScene

READ_ONLY = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'
SORT = """
import sys
from pathlib import Path
from lading.db import open_database
from tests.sorting.scene import SortScene
scene = SortScene(open_database(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]))
wanted = scene.wanted(target="away")
assert all(one.stays for one in scene.sorting.preview(wanted) if one.goes)
print(scene.sort(wanted).key)
scene.queue.db.close()
"""


def _as_in(*arguments: str) -> bool:
    return subprocess.run([*arguments, "true"], check=False, capture_output=True).returncode == 0


@pytest.fixture
def namespace() -> list[str]:
    """The command that runs another with mounts of its own."""
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        if shutil.which("unshare") and _as_in(*command):
            return command
    if os.environ.get("CI") == "true" or os.environ.get("LADING_REQUIRE_ALL") == "1":
        pytest.fail("a private mount namespace is required, and unshare does not give one")
    pytest.skip("unshare gives no private mount namespace here")


def test_from_a_disk_that_cannot_be_written_to_photos_are_copied(
    scene: SortScene, namespace: list[str]
) -> None:
    scene.add("in/a.jpg")
    scene.add("in/b.jpg")
    before, rows = scene.files(), scene.rows()
    home, away = map(str, scene.roots.values())
    inside = [sys.executable, "-c", SORT, url_of(scene.db), home, away]
    done = subprocess.run(
        [*namespace, "sh", "-ec", READ_ONLY, "sh", home, *inside],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    run = scene.sorting.run(done.stdout.strip())
    assert run.moves == {MoveState.COPIED: 2}
    assert scene.files() == before
    assert set(scene.files("away")) == {"2024/a.jpg", "2024/b.jpg"}
    scene.require_whole()
    scene.require_whole("away")
    # Taking it back removes the copies, while the originals are there.
    (scene.roots["home"] / "in/b.jpg").unlink()
    assert scene.undo(run).moves == {MoveState.UNDONE: 2}
    assert (scene.files(), scene.rows()) == (before, rows)
    assert scene.files("away") == {}
    assert scene.rows("away") == {}
    scene.require_whole()


def test_attributes_go_along_to_another_disk_or_the_file_stays(disks: SortScene) -> None:
    path = disks.add("in/a.jpg")
    disks.add("in/b.jpg")
    os.setxattr(path, "user.rating", b"5")
    run = disks.sort(disks.wanted(target="away"))
    moved = disks.roots["away"] / "2024/a.jpg"
    if run.moves == {MoveState.MOVED: 2}:
        assert os.getxattr(moved, "user.rating") == b"5"
    else:
        assert run.moves == {MoveState.MOVED: 1, MoveState.REFUSED: 1}
        assert os.getxattr(path, "user.rating") == b"5"
        assert not moved.exists()
        assert list(disks.roots["away"].rglob(".*")) == []


def test_a_file_that_is_replaced_between_comparing_and_moving_stays(disks: SortScene) -> None:
    disks.add("in/a.jpg")
    stamp, sha256 = disks.stamp("in/a.jpg"), disks.rows()["in/a.jpg"]
    other = disks.write("in/other", b"IN/A.JPG")  # as long
    other.rename(disks.roots["home"] / "in/a.jpg")
    home = SortTree("home", disks.roots["home"])
    mover = Mover(Meter(), StopSignal())
    with pytest.raises(MoveRefused):
        mover.place(Way(home, "in/a.jpg", home, "2024/a.jpg", stamp, sha256, ".copy"))
    away = SortTree("away", disks.roots["away"])
    with pytest.raises(HashMismatch):
        mover.place(Way(home, "in/a.jpg", away, "2024/a.jpg", stamp, sha256, ".copy"))
    assert disks.files() == {"in/a.jpg": b"IN/A.JPG"}
    assert disks.files("away") == {}


class Meter:
    def moved(self, count: int) -> None:
        pass

    def skipped(self, count: int) -> None:
        pass


def test_without_hard_links_a_name_is_given_where_there_is_none_and_nowhere_else(
    tmp_path: Path,
) -> None:
    (tmp_path / "copy").write_bytes(b"new")
    (tmp_path / "taken").write_bytes(b"old")
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(FileExistsError):
            rename_without_replacing("copy", folder, "taken", folder)
        rename_without_replacing("copy", folder, "free", folder)
    finally:
        os.close(folder)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"taken": b"old", "free": b"new"}


@pytest.mark.parametrize("target", ["home", "away"])
def test_on_a_disk_that_makes_up_inodes_photos_are_sorted_and_come_back(
    disks: SortScene, target: str
) -> None:
    scene = disks
    scene.sorting = Sorting(scene.db, scene.queue, scene.roots, without_inodes=["home", "away"])
    scene.add("in/a.jpg")
    scene.add("in/b.jpg")
    scene.db.run(lambda conn: conn.execute(update(photo_file).values(inode=0)))  # as scans do there
    before = scene.files()
    run = scene.sort(scene.wanted(target=target))
    assert run.moves == {MoveState.MOVED: 2}
    assert set(scene.files(target)) == {"2024/a.jpg", "2024/b.jpg"}
    with scene.db.read() as conn:
        assert set(conn.scalars(select(photo_file.c.inode))) == {0}
    assert scene.undo(run).moves == {MoveState.UNDONE: 2}
    assert scene.files() == before
