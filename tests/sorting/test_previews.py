"""Previews are kept beside requests: totals, word and pages while they go on, and made anew."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from lading.base.stopping import StopSignal
from lading.db.keyset import BadCursor
from lading.ledger.chain import append
from lading.ledger.events import ScanFinished
from lading.sorting import previews
from lading.sorting.errors import BadSortFolder
from lading.sorting.previews import Preview, Previews, Show
from lading.sorting.sorting import Sorting
from lading.sorting.values import PlannedFile, Verdict, Wanted
from lading.storage.roots import RootMissing
from tests.sorting.scene import SortScene

ENDED_S = 60.0
"""So long is waited for what has to happen; then the test has failed."""


@contextmanager
def kept(scene: SortScene, **more: Any) -> Iterator[Previews]:
    found = Previews(scene.db, scene.sorting, **more)
    try:
        yield found
    finally:
        found.close()


class Held(Sorting):
    """Sorting whose plans stand still after their first file until they are let go."""

    def __init__(self, scene: SortScene) -> None:
        super().__init__(scene.db, scene.queue, scene.roots)
        self.first_seen = threading.Event()
        self.let_go = threading.Event()
        self.stops: list[StopSignal] = []

    def preview(self, wanted: Wanted, *, stop: StopSignal | None = None) -> Iterator[PlannedFile]:
        assert stop is not None
        self.stops.append(stop)
        for number, file in enumerate(super().preview(wanted, stop=stop)):
            if number == 1:
                self.first_seen.set()
                while not self.let_go.is_set() and not stop.is_set():
                    stop.wait(0.01)
            yield file


def files(scene: SortScene, count: int) -> None:
    for number in range(count):
        scene.add(f"in/{number:03}.jpg")


def test_totals_word_and_pages_are_those_of_the_plan(scene: SortScene) -> None:
    files(scene, 7)
    scene.add_sidecar("in/000.xmp", "000.jpg")
    scene.add("in/u.jpg", taken=None)
    scene.add("2024/003.jpg", b"another of this name")
    scene.write("in/new.jpg", b"not in the library")
    wanted = scene.wanted()
    plan = scene.plan(wanted)
    with kept(scene) as found:
        preview = found.of(wanted)
        state = preview.wait(ENDED_S)
        assert state.complete
        assert state.accept is not None
        shown: list[tuple[str, str | None]] = []
        cursor = None
        while True:
            page = preview.page(cursor=cursor, limit=3)
            shown += [(line.source_path, line.target_path) for line in page.lines]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert shown == [(one.source_path, one.target_path) for one in plan.values()]
        assert state.files == len(plan) == state.listed
        counts = (state.moves, state.undated, state.numbered, state.companions, state.copied)
        assert counts == (9, 1, 1, 1, 0)
        assert state.verdicts[Verdict.LEFT] == 1
        [numbered] = preview.page(show=Show.NUMBERED).lines
        assert numbered.target_path == "2024/003_002.jpg"
        [left] = preview.page(show=Show.LEFT).lines
        assert left.why == "it is not in the library; scan the source, or see in its batch why not"
        # With a photo comes what goes with it.
        together = [line.source_path for line in preview.page(path="in/000.xmp").lines]
        assert sorted(together) == ["in/000.jpg", "in/000.xmp"]
    run = scene.sorting.start(wanted, actor="test", accepted=state.accept)
    scene.drain()
    assert sum(scene.sorting.run(run.key).moves.values()) == state.moves


def test_a_plan_under_way_tells_what_it_found_and_has_no_word(
    scene: SortScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(previews, "_FLUSH_FILES", 1)
    files(scene, 5)
    held = Held(scene)
    found = Previews(scene.db, held)
    try:
        preview = found.of(scene.wanted())
        assert held.first_seen.wait(ENDED_S)
        state = preview.wait(0)
        assert (state.complete, state.accept, state.files) == (False, None, 1)
        assert [line.source_path for line in preview.page().lines] == ["in/000.jpg"]
        assert found.of(scene.wanted()) is preview
        held.let_go.set()
        assert preview.wait(ENDED_S).files == 5
        assert len(held.stops) == 1
    finally:
        held.let_go.set()
        found.close()


def test_too_many_previews_end_the_one_that_was_looked_at_longest_ago(scene: SortScene) -> None:
    files(scene, 3)
    held = Held(scene)
    found = Previews(scene.db, held, kept_max=1)
    try:
        first = found.of(scene.wanted())
        assert held.first_seen.wait(ENDED_S)
        second = found.of(scene.wanted("{year}/{month}/{name}{ext}"))
        assert not first.wait(ENDED_S).complete  # has ended, without its word
        held.let_go.set()
        assert second.wait(ENDED_S).complete
        assert found.of(scene.wanted()) is not first
    finally:
        held.let_go.set()
        found.close()


def test_only_so_many_files_can_be_looked_at_and_all_are_counted(
    scene: SortScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    files(scene, 9)
    with kept(scene) as found:
        word = found.of(scene.wanted()).wait(ENDED_S).accept
    monkeypatch.setattr(previews, "LISTED_MAX", 4)
    monkeypatch.setattr(previews, "_FLUSH_FILES", 3)
    with kept(scene) as found:
        preview = found.of(scene.wanted())
        state = preview.wait(ENDED_S)
        assert (state.files, state.moves, state.listed) == (9, 9, 4)
        assert len(preview.page().lines) == 4
        assert state.accept == word


def test_a_preview_holds_until_a_scan_or_a_run_has_ended_or_another_is_asked_for(
    scene: SortScene,
) -> None:
    files(scene, 2)
    with kept(scene) as found:
        wanted = scene.wanted()
        preview = found.of(wanted)
        assert found.of(wanted) is preview
        anew = found.of(wanted, not_this=preview.key)
        assert anew is not preview
        assert found.of(wanted, not_this=preview.key) is anew
        ended(scene, "other")
        assert found.of(wanted) is anew
        ended(scene, "home")
        scanned = found.of(wanted)
        assert scanned is not anew
        assert scanned.wait(ENDED_S).moves == 2
        cursor = scanned.page(limit=1).next_cursor
        scene.sort(wanted)
        # Who goes on to the next page stays with the plan that they look at.
        assert found.of(wanted, cursor=cursor) is scanned
        sorted_now = found.of(wanted)
        assert sorted_now.wait(ENDED_S).moves == 0
        with pytest.raises(BadCursor):
            sorted_now.page(cursor=cursor)
        for wrong in ("x", f"{sorted_now.key}.", f"{sorted_now.key}.-1", f"{sorted_now.key}.²"):
            with pytest.raises(BadCursor):
                sorted_now.page(cursor=wrong)
        assert not sorted_now.page(cursor=f"{sorted_now.key}.{'9' * 40}").lines


def ended(scene: SortScene, source: str) -> None:
    """Note in the ledger that a scan has ended."""
    done = ScanFinished(
        found=0, unchanged=0, new=0, updated=0, superseded=0, unreadable=0, root_identity="x"
    )
    scene.db.run(lambda conn: append(conn, done, actor="test", source=source))


def test_what_keeps_a_plan_from_its_end_is_told_and_tried_anew(
    scene: SortScene,
) -> None:
    files(scene, 2)
    preview = Preview(scene.wanted(folder="in"), 0)
    root = scene.roots["home"]
    root.rename(root.with_name("away"))
    preview.work_out(scene.sorting)
    for _ in range(2):
        with pytest.raises(RootMissing):
            preview.wait(0)
    with kept(scene) as found:
        with pytest.raises(RootMissing):
            found.of(scene.wanted())
        root.with_name("away").rename(root)
        assert found.of(scene.wanted()).wait(ENDED_S).moves == 2


@pytest.mark.parametrize("folder", ["..", "/etc", "in/../..", "a\0b", "in/000.jpg", "nowhere"])
def test_a_folder_that_is_none_of_the_source_is_refused_before_anything_is_put_in_line(
    scene: SortScene, folder: str
) -> None:
    files(scene, 1)
    with pytest.raises(BadSortFolder):
        scene.sorting.start(scene.wanted(folder=folder), actor="test")
    assert not scene.sorting.runs()
