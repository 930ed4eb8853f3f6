"""Changes below a watched root make a worker ask for one scan; what cannot be watched is said."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import func, select
from structlog.testing import capture_logs

from lading.bootstrap import open_lading
from lading.cli.setting_up import set_up_on_first_use
from lading.db import Database
from lading.jobs.tables import import_job
from lading.operations.scans import SCAN_JOB_KIND
from lading.operations.watching.duty import LOOK_S, WatchedScans, watched_trees
from lading.operations.watching.rules import (
    PATIENCE_S,
    SLACK_S,
    Changes,
    ask_in_s,
    is_remote,
    scan_sees,
)
from lading.operations.watching.tree import TreeWatch
from lading.settings.load import load_settings
from lading.testing.installation import ACTOR
from tests.photos.library import files, installed
from tests.photos.tree import PhotosBench, jpeg

DEADLINE_S = 20.0

LIMITED = """
import sys
from pathlib import Path
from lading.ingest.registry import build_source
from lading.operations.watching.tree import TreeWatch
Path("/proc/sys/user/max_inotify_watches").write_text("2")
source = build_source("photos", "home", {"path": sys.argv[1], "watch": True})
tree = TreeWatch("home", source, Path(sys.argv[1]), again_s=0.01)
tree.start()
assert tree.lost.wait(20)
tree.stop()
tree.join()
"""


class Scene:
    """A watched tree, an installation, and a worker's duty that is done when a test says so."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.bench = PhotosBench(folder, watch=True)
        self.installation = installed(database, self.bench, folder)
        self.concerned: list[str] = []
        self._told = threading.Condition()
        self._markers = itertools.count(1)
        judge = self.bench.source.concerns

        def concerns(relative: str) -> bool:
            matters = judge(relative)
            with self._told:
                self.concerned.append(relative)
                self._told.notify_all()
            return matters

        self.bench.source.concerns = concerns  # type: ignore[method-assign]
        self.tree = self.another()
        self.duty = WatchedScans(self.installation.parts, {"home": self.tree})

    def another(self) -> TreeWatch:
        """What watches the tree, and does not wait long."""
        return TreeWatch(
            "home", self.bench.source, self.bench.root, slack_s=0.05, tick_s=0.1, again_s=0.02
        )

    def caught_up(self) -> None:
        """Wait until the system has told of all that changed before; whether it mattered or not."""
        # What is told at a time is in no order; with the second, all of the first has been judged.
        self._told_of_marker()
        self._told_of_marker()

    def _told_of_marker(self) -> None:
        marker = ""
        while marker not in self.concerned:
            self.tree.noted.clear()
            marker = f"marker-{next(self._markers)}.txt"
            (self.bench.root / marker).touch()
            with self._told:
                assert self._told.wait_for(
                    lambda m=marker: m in self.concerned or self.tree.noted.is_set(),  # type: ignore[misc]
                    DEADLINE_S,
                )

    def due(self) -> None:
        """Do the duty as soon as it is time to ask for a scan."""
        changes = self.tree.changes()
        assert changes is not None
        while not self.tree.is_due(changes):
            pass
        self.duty("worker:test")

    def scans(self) -> int:
        """How many scans were asked for so far."""
        query = select(func.count()).where(import_job.c.kind == SCAN_JOB_KIND)
        with self.installation.db.read() as conn:
            return conn.scalars(query).one()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch, with what changed before it began already looked for."""
        with self.duty:
            assert self.tree.noted.wait(DEADLINE_S)
            self.settle()
            yield

    def settle(self) -> None:
        """Do all that is asked for, until nothing is left to be looked at."""
        while self.tree.changes() is not None:
            self.due()
            self.installation.drain()


@pytest.fixture
def scene(sqlite_database: Database, tmp_path: Path) -> Scene:
    return Scene(sqlite_database, tmp_path)


def test_what_changes_is_scanned_once_and_reading_it_is_no_change(scene: Scene) -> None:
    with scene.watching():
        before = scene.scans()
        scene.bench.write("new/deep/a.jpg")
        scene.caught_up()
        scene.settle()
        assert scene.scans() == before + 1
        batch = scene.installation.batch("new/deep")
        scene.concerned.clear()
        scene.installation.ingest.queue([batch.id], actor=ACTOR)
        scene.installation.drain()
        assert set(files(scene.installation)) == {"new/deep/a.jpg"}
        (scene.bench.root / "new/note.txt").write_text("no picture")
        scene.caught_up()
        assert scene.tree.changes() is None
        shutil.rmtree(scene.bench.root / "new")
        scene.caught_up()
        scene.settle()
        assert scene.scans() == before + 2


def test_a_scan_that_was_under_way_is_not_taken_for_one_that_saw_the_change(scene: Scene) -> None:
    with scene.watching():
        before = scene.scans()
        scene.bench.write("a/1.jpg")
        scene.caught_up()
        scene.due()
        claim = scene.installation.queue.claim("w", [SCAN_JOB_KIND])
        assert claim is not None
        scene.bench.write("a/2.jpg")
        scene.caught_up()
        scene.due()
        assert (scene.scans(), scene.tree.changes() is None) == (before + 1, False)


def test_several_workers_that_see_a_change_ask_for_one_scan(scene: Scene) -> None:
    other = scene.another()
    with scene.watching(), WatchedScans(scene.installation.parts, {"home": other}) as second:
        before = scene.scans()
        assert other.noted.wait(DEADLINE_S)
        for tree in (scene.tree, other):
            tree.noted.clear()
        scene.bench.write("a/1.jpg")
        assert scene.tree.noted.wait(DEADLINE_S)
        assert other.noted.wait(DEADLINE_S)
        scene.settle()
        while other.changes() is not None:
            second("worker:2")
        assert scene.scans() == before + 1
        assert (scene.tree.changes(), other.changes()) == (None, None)


def test_a_root_that_goes_and_comes_back_is_said_once_and_looked_at_again(scene: Scene) -> None:
    scene.bench.write("a/1.jpg")
    away = scene.bench.root.with_name("unmounted")
    with capture_logs() as logs, scene.watching():
        before = scene.scans()
        scene.bench.root.rename(away)
        assert scene.tree.lost.wait(DEADLINE_S)
        away.rename(scene.bench.root)
        assert scene.tree.watching.wait(DEADLINE_S)
        scene.settle()
        assert scene.scans() == before + 1
    said = [entry["event"] for entry in logs if entry["log_level"] == "warning"]
    assert len(said) == 1
    assert "root is gone" in said[0]


def test_a_name_that_is_no_text_does_not_end_the_watching(scene: Scene) -> None:
    with scene.watching():
        nameless = os.fsencode(scene.bench.root) + b"/\xff.jpg"
        Path(os.fsdecode(nameless)).write_bytes(jpeg(1))
        assert scene.tree.lost.wait(DEADLINE_S)
        assert scene.tree.watching.wait(DEADLINE_S)
        scene.settle()
        scene.bench.write("a/1.jpg")
        scene.caught_up()
        assert scene.tree.changes() is not None


def test_where_the_system_watches_no_more_folders_that_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "photos/a/b/c").mkdir(parents=True)
    alone = ["unshare", "--user", "--map-root-user"]
    if subprocess.run([*alone, "true"], capture_output=True, check=False).returncode:
        pytest.skip("the system gives no limits of its own to a group of processes")
    told = subprocess.run(
        [*alone, sys.executable, "-c", LIMITED, str(tmp_path / "photos")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    assert (told.stdout + told.stderr).count("limit of watched folders is reached") == 1


def test_a_worker_watches_the_sources_that_say_so_and_no_others(tmp_path: Path) -> None:
    for name in ("still", "busy"):
        (tmp_path / name).mkdir()
    settings = tmp_path / "lading.toml"
    settings.write_text(
        f'data_dir = "{tmp_path}/data"\n'
        '[sources.still]\nkind = "photos"\npath = "still"\n'
        '[sources.busy]\nkind = "photos"\npath = "busy"\nwatch = true\n'
    )
    loaded = load_settings(str(settings), environ={})
    set_up_on_first_use(loaded)
    with open_lading(loaded) as lading:
        assert set(watched_trees(lading.ingest.parts)) == {"busy"}
        with lading.duty() as duty:
            assert duty is not None
            assert 0 < duty("worker:test") <= LOOK_S
            assert "watch-busy" in {thread.name for thread in threading.enumerate()}
        assert "watch-busy" not in {thread.name for thread in threading.enumerate()}


def test_changes_that_go_on_and_on_are_scanned_now_and_then() -> None:
    changes, asked = None, []
    for second in range(600):
        changes = Changes.noted(float(second), changes)
        if ask_in_s(changes, float(second), 10.0) <= 0:
            asked.append(second)
            changes = changes.asked(float(second))
    assert len(asked) == 600 // int(PATIENCE_S) - (600 % int(PATIENCE_S) == 0)
    assert changes is not None
    end_s = changes.last_s
    assert ask_in_s(changes, end_s, 10.0) <= 10.0 + SLACK_S
    # A scan that ran meanwhile left out what was written a moment before it.
    assert not scan_sees(changes, end_s + 20, 10.0, began_ago_s=15.0)
    assert scan_sees(changes, end_s + 20, 10.0, began_ago_s=9.0)


def test_mounts_of_other_machines_are_known() -> None:
    assert all(map(is_remote, ("nfs4", "CIFS", "fuse.sshfs", "fuse.rclone", "9p")))
    assert not any(map(is_remote, ("ext4", "fuse.mergerfs", "fuseblk", "overlay", "")))
