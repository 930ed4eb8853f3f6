"""What sorting does to trees and to the library, and how it is taken back."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from lading.base import steps
from lading.db import Database
from lading.sorting.errors import NotSortable, SortNotUndoable
from lading.sorting.values import MoveState, PlanCount, RunState, SortRun, Verdict
from tests.sorting.scene import HOME, NOON, PARIS, SortScene

SILVESTER = NOON.replace(year=2023, month=12, day=31, hour=23, minute=59)


def targets(scene: SortScene, pattern: str, **others: str | bool) -> dict[str, str | None]:
    planned = scene.plan(scene.wanted(pattern, **others))
    return {path: one.target_path for path, one in planned.items()}


def test_photos_go_to_the_folder_of_their_country(
    tmp_path: Path, sqlite_database: Database
) -> None:
    scene = SortScene(sqlite_database, tmp_path / "home", tmp_path / "away")
    scene.add("cam/a.jpg", at=(PARIS.latitude, PARIS.longitude))
    scene.add("cam/b.jpg", at=(-16.8, 180.0))
    scene.add("cam/c.jpg", at=(0.0, -30.0))  # in the middle of the Atlantic
    scene.add("cam/d.jpg")
    assert targets(scene, "{country}/{place}/{name}{ext}") == {
        "cam/a.jpg": "France/Paris/a.jpg",
        "cam/b.jpg": "Fiji/elsewhere/b.jpg",
        "cam/c.jpg": "elsewhere/elsewhere/c.jpg",
        "cam/d.jpg": "elsewhere/elsewhere/d.jpg",
    }


def test_photos_go_where_date_and_place_say_and_come_back(
    database: Database, tmp_path: Path
) -> None:
    scene = SortScene(database, tmp_path / "home", tmp_path / "away")
    scene.add("cam/a.jpg", at=(HOME.latitude, HOME.longitude + 0.01))
    scene.add("cam/b.jpg", taken=SILVESTER, at=(PARIS.latitude, 2.30))
    scene.add("cam/c.jpg", at=(0.0, 100.0))
    scene.add("scans/d.jpg", taken=None)
    before, rows = scene.files(), scene.rows()
    run = scene.sort(scene.wanted("{place}/{year}-{month:02}-{day:02}/{hour:02}{minute}{ext}"))
    assert run.state is RunState.SORTED
    assert run.moves == {MoveState.MOVED: 4}
    assert scene.files() == {
        "Home/2024-05-01/120.jpg": b"cam/a.jpg",
        "Paris/2023-12-31/2359.jpg": b"cam/b.jpg",
        "elsewhere/2024-05-01/120.jpg": b"cam/c.jpg",
        "undated/scans/d.jpg": b"scans/d.jpg",
    }
    assert len(scene.rows()) == 4
    scene.require_whole()
    undone = scene.undo(run)
    assert undone.state is RunState.UNDONE
    assert undone.moves == {MoveState.UNDONE: 4}
    assert (scene.files(), scene.rows()) == (before, rows)
    scene.require_whole()
    again = scene.sort(scene.wanted("{year}/{name}{ext}"))
    assert again.moves == {MoveState.MOVED: 4}
    scene.require_whole()


def test_what_is_sorted_stays_where_it_is(scene: SortScene) -> None:
    for number in range(12):
        scene.add(f"in/{number}.jpg", taken=NOON + timedelta(minutes=number // 3))
    for pattern in (
        "{year}/{name}{ext}",
        "{year}/{counter:04}{ext}",
        "{year}/{hour}{minute}{ext}",
        "{year}/{camera}/IMG{counter} x{ext}",
    ):
        scene.sort(scene.wanted(pattern))
        sorted_files = scene.files()
        assert len(sorted_files) == 12
        assert scene.sort(scene.wanted(pattern)).moves == {}, pattern
        assert scene.files() == sorted_files
    scene.require_whole()


def test_a_burst_keeps_its_order(scene: SortScene) -> None:
    names = [f"in/IMG_{number}.jpg" for number in (8, 9, 10, 11)]
    for name in reversed(names):
        scene.add(name)
    scene.add("in/earlier.jpg", taken=NOON - timedelta(microseconds=1))
    planned = targets(scene, "{hour}{minute}{second}{ext}")
    assert [planned[name] for name in names] == [
        "1200.jpg",
        "1200_002.jpg",
        "1200_003.jpg",
        "1200_004.jpg",
    ]
    assert planned["in/earlier.jpg"] == "115959.jpg"


def test_companions_go_together(scene: SortScene) -> None:
    scene.add("in/a.JPG", at=(HOME.latitude, HOME.longitude))
    scene.add("in/a.CR2", taken=None)
    scene.add("in/A.mov", taken=NOON + timedelta(days=900))
    scene.add_sidecar("in/a.xmp", of="a.JPG")
    scene.write("in/a.JPG.xmp", b"of nobody's library")
    scene.write("in/notes.txt", b"not a photo")
    scene.write("Home/2024.cr2", b"in the way of one of them")
    run = scene.sort(scene.wanted("{place}/{year}{ext}"))
    assert run.moves == {MoveState.MOVED: 5}
    assert set(scene.files()) == {
        "Home/2024.cr2",
        "Home/2024_002.JPG",
        "Home/2024_002.CR2",
        "Home/2024_002.mov",
        "Home/2024_002.xmp",
        "Home/2024_002.JPG.xmp",
        "in/notes.txt",
    }
    scene.require_whole()
    scene.undo(run)
    assert "in/a.JPG.xmp" in scene.files()


def test_the_same_content_is_already_there_and_set_aside_only_when_asked(scene: SortScene) -> None:
    scene.add("one/x.jpg", b"same")
    scene.add("two/x.jpg", b"same")
    scene.add("two/y.jpg", b"other")
    scene.write("2024/y.jpg", b"other")
    plan = scene.plan(scene.wanted())
    assert {path: (p.verdict, p.target_path) for path, p in plan.items()} == {
        "one/x.jpg": (Verdict.MOVE, "2024/x.jpg"),
        "two/x.jpg": (Verdict.ALREADY_THERE, None),
        "two/y.jpg": (Verdict.ALREADY_THERE, None),
        "2024/y.jpg": (Verdict.LEFT, None),  # nobody has scanned it yet
    }
    run = scene.sort(scene.wanted(set_aside=True))
    assert set(scene.files()) == {
        "2024/x.jpg",
        "2024/y.jpg",
        "duplicates/two/x.jpg",
        "duplicates/two/y.jpg",
    }
    assert run.verdicts == {"left": 1, "move": 1, "set_aside": 2}
    scene.require_whole()


def test_counted_names_find_content_that_is_there(scene: SortScene) -> None:
    for number in range(3):
        scene.add(f"in/{number}.jpg", taken=NOON + timedelta(seconds=number))
    scene.sort(scene.wanted("{year}/{counter}{ext}"))
    scene.add("more/copy.jpg", b"in/1.jpg", taken=NOON + timedelta(seconds=1))
    scene.add("more/new.jpg", taken=NOON + timedelta(seconds=1))
    planned = scene.plan(scene.wanted("{year}/{counter}{ext}"))
    assert planned["more/copy.jpg"].verdict is Verdict.ALREADY_THERE
    assert planned["more/new.jpg"].target_path == "2024/4.jpg"


def test_twins_in_case_and_accents_are_collisions(scene: SortScene) -> None:
    scene.write("2024/CAF\u00c9.JPG", b"there already")
    scene.add("in/cafe\u0301.jpg")
    scene.add("other/Straße.jpg")
    scene.add("third/STRASSE.jpg")
    planned = targets(scene, "{year}/{name}{ext}")
    assert planned["in/cafe\u0301.jpg"] == "2024/caf\u00e9_002.jpg"
    assert planned["other/Straße.jpg"] == "2024/Straße.jpg"
    assert planned["third/STRASSE.jpg"] == "2024/STRASSE_002.jpg"


def test_folders_that_differ_in_case_alone_become_one(scene: SortScene) -> None:
    scene.write("MODEL a/readme.txt", b"")
    scene.add("in/1.jpg", camera="Model A")
    scene.add("in/2.jpg", camera="Brand X")
    scene.add("in/3.jpg", camera="BRAND x")
    scene.add("in/4.jpg", camera="blocked")
    scene.write("Blocked", b"a file")
    planned = scene.plan(scene.wanted("{camera}/{name}{ext}"))
    assert {path: one.target_path for path, one in planned.items()} == {
        "in/1.jpg": "MODEL a/1.jpg",
        "in/2.jpg": "Brand X/2.jpg",
        "in/3.jpg": "Brand X/3.jpg",
        "in/4.jpg": None,
    }
    assert "A file has the name of its folder" in planned["in/4.jpg"].why


def test_what_changed_or_is_not_held_is_left_with_the_reason(scene: SortScene) -> None:
    scene.add("in/changed.jpg").write_bytes(b"edited since")
    scene.add("in/gone.jpg").unlink()
    scene.write("in/new.jpg", b"never scanned")
    for passed_over in ("@eaDir/a.jpg", "#recycle/b.jpg", ".trash/c.jpg", "in/.d.jpg"):
        scene.write(passed_over, b"a program's")
    (scene.roots["home"] / "in/link.jpg").symlink_to("new.jpg")
    planned = scene.plan(scene.wanted())
    assert {path: (one.verdict, one.why) for path, one in planned.items()} == {
        "in/changed.jpg": (Verdict.LEFT, "changed.jpg changed since the last scan"),
        "in/gone.jpg": (Verdict.LEFT, "it is not there any more"),
        "in/new.jpg": (
            Verdict.LEFT,
            "it is not in the library; scan the source, or see in its batch why not",
        ),
    }


def test_a_preview_writes_nothing_and_its_word_holds_the_run_to_it(scene: SortScene) -> None:
    scene.add("in/a.jpg")
    count = PlanCount()
    for one in scene.sorting.preview(scene.wanted()):
        count.add(one)
    assert list(scene.files()) == ["in/a.jpg"]
    assert scene.sorting.runs() == []
    scene.add("in/b.jpg")
    late = scene.sorting.start(scene.wanted(), actor="test", accepted=count.digest)
    scene.drain()
    assert scene.sorting.run(late.key).state is RunState.OVERTAKEN
    assert list(scene.files()) == ["in/a.jpg", "in/b.jpg"]
    count = PlanCount()
    for one in scene.sorting.preview(scene.wanted()):
        count.add(one)
    held = scene.sorting.start(scene.wanted(), actor="test", accepted=count.digest)
    scene.drain()
    assert scene.sorting.run(held.key).moves == {MoveState.MOVED: 2}


def test_a_group_of_which_one_changed_after_the_plan_stays_whole(scene: SortScene) -> None:
    scene.add("in/a.jpg")
    raw = scene.add("in/a.cr2")
    scene.add("in/b.jpg")
    scene.add("in/c.jpg")

    def edit(step: object) -> None:
        if step is steps.SortStep.SORT_PLANNED:
            times = raw.stat()
            raw.write_bytes(b"in/A.CR2")  # as long, and with its old time: only reading tells
            os.utime(raw, ns=(times.st_atime_ns, times.st_mtime_ns))
            scene.write("2024/b.jpg", b"somebody was quicker")

    steps.observe(edit)
    try:
        run = scene.sort(scene.wanted())
    finally:
        steps.observe(None)
    assert run.moves == {MoveState.MOVED: 1, MoveState.REFUSED: 3}
    assert {m.source_path: m.code for m in scene.sorting.moves(run.key)} == {
        "in/a.jpg": "hash_mismatch",
        "in/a.cr2": "hash_mismatch",
        "in/b.jpg": "move_refused",
        "in/c.jpg": None,
    }
    assert set(scene.files()) == {
        *("in/a.jpg", "in/a.cr2", "in/b.jpg", "2024/b.jpg", "2024/c.jpg"),
    }


def test_photos_go_to_another_disk_and_back_with_their_times(disks: SortScene) -> None:
    scene = disks
    path = scene.add("in/a.jpg", bytes(3_000_000))
    scene.add("in/b.jpg")
    mode = path.stat().st_mode
    run = scene.sort(scene.wanted("{year}/{name}{ext}", target="away"))
    assert run.moves == {MoveState.MOVED: 2}
    assert scene.files() == {}
    assert scene.rows() == {}
    scene.require_whole("away")
    assert set(scene.files("away")) == {"2024/a.jpg", "2024/b.jpg"}
    moved = (scene.roots["away"] / "2024/a.jpg").stat()
    assert moved.st_mtime_ns == scene_mtime(run, scene, "in/a.jpg")
    assert moved.st_mode == mode
    scene.undo(run)
    assert set(scene.files()) == {"in/a.jpg", "in/b.jpg"}
    assert scene.files("away") == {}
    scene.require_whole()


def scene_mtime(run: SortRun, scene: SortScene, path: str) -> int:
    moves = scene.sorting.moves(run.key)
    return next(move.stamp.mtime_ns for move in moves if move.source_path == path)


def test_undo_leaves_what_was_edited_and_what_is_in_the_way(scene: SortScene) -> None:
    scene.add("in/a.jpg")
    scene.add("in/b.jpg")
    scene.add("in/c.jpg")
    run = scene.sort(scene.wanted())
    scene.write("in/a.jpg", b"something new")
    scene.write("2024/b.jpg", b"edited")
    undone = scene.undo(run)
    assert undone.moves == {MoveState.MOVED: 2, MoveState.UNDONE: 1}
    assert scene.files() == {
        "2024/a.jpg": b"in/a.jpg",
        "2024/b.jpg": b"edited",
        "in/a.jpg": b"something new",
        "in/c.jpg": b"in/c.jpg",
    }
    (scene.roots["home"] / "in/a.jpg").unlink()
    assert scene.undo(undone).moves == {MoveState.MOVED: 1, MoveState.UNDONE: 2}


def test_only_what_was_sorted_can_be_undone_and_only_photos_sorted(scene: SortScene) -> None:
    scene.add("in/a.jpg")
    waiting = scene.sorting.start(scene.wanted(), actor="test")
    with pytest.raises(SortNotUndoable):
        scene.sorting.undo(waiting.key, actor="test")
    with pytest.raises(NotSortable):
        scene.sorting.start(scene.wanted(target="nowhere"), actor="test")


def test_companions_of_two_pictures_of_one_name_are_not_mixed(scene: SortScene) -> None:
    scene.add("canon/IMG_1.jpg")
    scene.add("iphone/IMG_1.heic")
    scene.add_sidecar("iphone/IMG_1.aae", of="IMG_1.heic")
    scene.add("nikon/IMG_1.png")
    scene.add("raws/IMG_7.dng")
    scene.add("raws/jpegs/IMG_7.jpg")
    found = targets(scene, "{year}/{name}{ext}")
    assert found == {
        "canon/IMG_1.jpg": "2024/IMG_1.jpg",
        "iphone/IMG_1.heic": "2024/IMG_1_002.heic",
        "iphone/IMG_1.aae": "2024/IMG_1_002.aae",
        "nikon/IMG_1.png": "2024/IMG_1.png",
        "raws/IMG_7.dng": "2024/IMG_7.dng",
        "raws/jpegs/IMG_7.jpg": "2024/IMG_7.jpg",
    }
    scene.sort(scene.wanted("{year}/{name}{ext}"))
    assert set(targets(scene, "{year}/{name}{ext}").values()) == {None}
    scene.add("late/IMG_1_002.jpg")
    assert targets(scene, "{year}/{name}{ext}")["late/IMG_1_002.jpg"] == "2024/IMG_1_002_002.jpg"
