"""Runs, their moves and their jobs are listed alike on every database."""

from __future__ import annotations

from pathlib import Path

from lading.db import Database
from lading.jobs.queries import get_job
from lading.sorting.queries import count_runs, list_moves, list_runs, newest_change, newest_jobs
from lading.sorting.sorting import job_key
from lading.sorting.values import MoveState, RunState
from tests.sorting.scene import SortScene


def test_runs_are_listed_with_their_counts_moves_and_jobs(
    database: Database, tmp_path: Path
) -> None:
    scene = SortScene(database, tmp_path / "home", tmp_path / "away")
    for number in range(5):
        scene.add(f"in/{number}.jpg")
    with database.read() as conn:
        assert (list_runs(conn).runs, newest_change(conn, "home", "home")) == ([], 0)
    first = scene.sort(scene.wanted())
    (scene.roots["home"] / "2024/3.jpg").write_bytes(b"written over")
    undone = scene.undo(first)
    waiting = scene.sorting.start(scene.wanted(), actor="test")
    with database.read() as conn:
        newest = list_runs(conn, limit=1)
        older = list_runs(conn, limit=1, cursor=newest.next_cursor)
        assert [run.key for run in newest.runs] == [waiting.key]
        assert list(older.runs) == [undone]
        assert older.next_cursor is None
        assert count_runs(conn) == 2
        assert undone.moves == {MoveState.UNDONE: 4, MoveState.MOVED: 1}
        assert undone.state is RunState.UNDONE
        page = list_moves(conn, undone, limit=3)
        rest = list_moves(conn, undone, limit=3, cursor=page.next_cursor)
        assert [move.position for move in (*page.moves, *rest.moves)] == list(range(5))
        [left] = list_moves(conn, undone, states=[MoveState.MOVED]).moves
        assert (left.source_path, left.code) == ("in/3.jpg", "move_refused")
        jobs = newest_jobs(conn, [undone.key, waiting.key])
        # That of the undo, which came last.
        assert get_job(conn, jobs[undone.key]).params == {"run": undone.key, "undo": True}
        assert get_job(conn, jobs[waiting.key]).active_key == job_key(waiting.key)
        assert newest_change(conn, "home", "home") > 0
