"""Whatever the files are called: a plan gives each place once, and all of it can be taken back."""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.db import Database
from lading.library.rules import FactsRefused
from lading.media.rules import folded
from lading.sorting.planning import Planner
from lading.sorting.rules import Seat
from lading.sorting.values import MoveState, Verdict
from tests.sorting.scene import NOON, SortScene

STEMS = st.sampled_from(
    [
        *("a", "A", "a_002", "e\u0301", "\u00e9", "\u00c9", "ss", "ß", "con", "x.", " y", "120"),
        *("2024", "\u202eb", "z" * 240, "é" * 120, "tab\there", "😀", "1", "2", "10"),
    ]
)
ENDINGS = st.sampled_from([".jpg", ".JPG", ".cr2", ".jpg.xmp", ".xmp", ".mov"])
FOLDERS = st.sampled_from(["", "in", "IN", "2024", "2024/a", "café/2024", "deep/er/in"])
FILES = st.dictionaries(
    st.tuples(FOLDERS, STEMS, ENDINGS),
    st.tuples(st.integers(0, 5), st.one_of(st.none(), st.integers(0, 3)), st.booleans()),
    min_size=1,
    max_size=14,
)
PATTERNS = st.sampled_from(
    [
        "{year}/{name}{ext}",
        "{name}{ext}",
        "{year}/{hour}{minute}{ext}",
        "{folder}/{counter}{ext}",
        "2024/a/{camera}{ext}",
    ]
)
numbers = count()


@given(FILES, PATTERNS, st.booleans())
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_two_files_get_one_place_and_nothing_is_lost(
    sqlite_database: Database,
    files: dict[tuple[str, str, str], tuple[int, int | None, bool]],
    pattern: str,
    set_aside: bool,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = f"home{next(numbers)}"
        scene = SortScene(sqlite_database, Path(folder, "home"), Path(folder, "away"), name=home)
        for (where, stem, ending), (content, minute, known) in files.items():
            path = f"{where}/{stem}{ending}" if where else f"{stem}{ending}"
            taken = None if minute is None else NOON + timedelta(minutes=minute)
            scene.write(path, str(content).encode(), source=home)
            if known and not ending.endswith("xmp"):
                with suppress(FactsRefused):  # what the library does not take is left alone
                    scene.add(path, str(content).encode(), taken=taken, source=home)
        before = scene.files(home)
        wanted = scene.wanted(pattern, source=home, target=home, set_aside=set_aside)
        plan = list(scene.sorting.preview(wanted))
        goes = {one.source_path: one.target_path or "" for one in plan if one.goes}
        assert max(Counter(one.source_path for one in plan).values(), default=1) == 1
        places = [folded(path) for path in goes.values()]
        assert len(set(places)) == len(places)
        assert not {folded(path) for path in before} & set(places)
        run = scene.sort(wanted)
        assert set(run.moves) <= {MoveState.MOVED}
        after = {goes.get(path, path): data for path, data in before.items()}
        assert scene.files(home) == after
        scene.require_whole(home)
        again = Counter(one.verdict for one in scene.sorting.preview(wanted))
        assert again[Verdict.MOVE] == 0
        scene.undo(run)
        assert scene.files(home) == before
        scene.require_whole(home)


def test_many_that_ask_for_one_name_are_numbered_without_trying_all_numbers(
    scene: SortScene, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = 120
    for number in range(files):
        scene.add(f"in/{number:03}.jpg")
    scene.add("in/x.jpg", b"in/003.jpg")
    scene.add("in/y.jpg", b"in/100.jpg")
    looked: list[object] = []
    look = Planner._look

    def counted(self: Planner, *args: Any) -> Seat:
        looked.append(args)
        return look(self, *args)

    monkeypatch.setattr(Planner, "_look", counted)
    plan = scene.plan(scene.wanted("{year}{ext}"))
    assert plan["in/000.jpg"].target_path == "2024.jpg"
    for number in range(1, files):
        assert plan[f"in/{number:03}.jpg"].target_path == f"2024_{number + 1:03}.jpg"
    assert "2024_004.jpg" in plan["in/x.jpg"].why
    assert "2024_101.jpg" in plan["in/y.jpg"].why
    assert {plan[f"in/{n}"].verdict for n in ("x.jpg", "y.jpg")} == {Verdict.ALREADY_THERE}
    assert len(looked) < files * 20
