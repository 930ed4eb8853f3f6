"""Whoever sorts may be killed anywhere: no file is ever nowhere, and all goes on."""

from __future__ import annotations

import hashlib
import multiprocessing
import signal

import pytest

from lading.base.steps import SortStep, observe
from lading.sorting.values import MoveState, RunState
from lading.testing.faults import Fault, record_steps
from lading.testing.servers_db import url_of
from tests.sorting import killing
from tests.sorting.scene import SortScene

# Forked from a process that has imported everything and has no threads.
SERVER = multiprocessing.get_context("forkserver")
SERVER.set_forkserver_preload(["tests.sorting.killing"])
SORTED = {
    **{f"2024/{name}": f"in/{name}".encode() for name in ("a.jpg", "a.cr2", "a.xmp", "b.jpg")},
    "undated/in/c.jpg": b"in/c.jpg",
}


def filled(scene: SortScene) -> dict[str, bytes]:
    scene.add("in/a.jpg")
    scene.add("in/a.cr2")
    scene.add_sidecar("in/a.xmp", of="a.cr2")
    scene.add("in/b.jpg")
    scene.add("in/c.jpg", taken=None)
    return scene.files()


def killed_at(scene: SortScene, fault: Fault) -> None:
    arguments = (url_of(scene.db), *map(str, scene.roots.values()), str(fault))
    process = SERVER.Process(target=killing.work, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL


def require_nothing_lost(scene: SortScene, contents: dict[str, bytes]) -> None:
    """Every content is somewhere, under a name that a scan sees; every row leads to its content."""
    there = {tree: scene.files(tree) for tree in scene.roots}
    seen = {d for files in there.values() for p, d in files.items() if "/." not in p}
    assert seen == set(contents.values())
    rows = {tree: scene.rows(tree) for tree in scene.roots}
    for tree, located in rows.items():
        for path, sha256 in located.items():
            assert hashlib.sha256(there[tree][path]).hexdigest() == sha256
    assert sum(map(len, rows.values())) == len(contents)


CASES = [
    *((target, Fault(step)) for target in ("home", "away") for step in SortStep),
    *((target, Fault(SortStep.SORT_PLACED, 4)) for target in ("home", "away")),
    *((target, Fault(SortStep.SORT_REMOVED, 2)) for target in ("home", "away")),
]


@pytest.mark.parametrize(
    ("target", "fault"),
    [(t, f) for t, f in CASES if t == "away" or f.step is not SortStep.SORT_COPIED],
    ids=str,
)
def test_a_sort_and_its_undo_that_are_killed_go_on_to_their_end(
    disks: SortScene, target: str, fault: Fault
) -> None:
    scene = disks
    before = filled(scene)
    rows = scene.rows()
    run = scene.sorting.start(scene.wanted(target=target), actor="test")
    killed_at(scene, fault)
    require_nothing_lost(scene, before)
    scene.queue.rescue(stale_after_s=0, actor="test")
    scene.drain()
    ended = scene.sorting.run(run.key)
    assert (ended.state, ended.moves) == (RunState.SORTED, {MoveState.MOVED: 5})
    assert scene.files(target) == SORTED
    scene.require_whole(target)
    scene.sorting.undo(run.key, actor="test")
    if fault.step is not SortStep.SORT_PLANNED:
        killed_at(scene, fault)
        require_nothing_lost(scene, before)
        scene.queue.rescue(stale_after_s=0, actor="test")
    scene.drain()
    assert scene.sorting.run(run.key).moves == {MoveState.UNDONE: 5}
    assert (scene.files(), scene.rows()) == (before, rows)
    scene.require_whole()
    assert scene.files("away") == {}


def test_a_sort_goes_through_every_step(disks: SortScene) -> None:
    filled(disks)
    steps = record_steps()
    try:
        disks.sort(disks.wanted(target="away"))
    finally:
        observe(None)
    assert set(SortStep) <= set(steps)
