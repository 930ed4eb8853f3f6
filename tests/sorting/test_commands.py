"""`lading photos`, from pictures on a disk to sorted folders and back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.photos.tree import jpeg


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """An installation with a tree of two photos and a note beside one of them."""
    home = tmp_path / "home"
    (home / "cam").mkdir(parents=True)
    (home / "cam/a.jpg").write_bytes(jpeg(1))
    (home / "cam/b.jpg").write_bytes(jpeg(2))
    (home / "cam/b.jpg.xmp").write_bytes(b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    config = tmp_path / "here/lading.toml"
    config.parent.mkdir()
    config.write_text(
        f"""
        [sources.home]
        kind = "photos"
        path = "{home}"
        stable_for_s = 0

        [sorting]
        pattern = "{{place}}/{{year}}-{{month:02}}/{{name}}{{ext}}"

        [sorting.places."Eiffel tower"]
        latitude = -48.8584
        longitude = 2.2945
        radius_km = 1
        """
    )
    return Program(config.parent, config)


def tree(program: Program) -> dict[str, bytes]:
    home = program.folder.parent / "home"
    return {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}


def test_photos_are_previewed_sorted_known_to_the_next_scan_and_put_back(program: Program) -> None:
    program.run("db", "upgrade")
    program.run("scan")
    program.run("queue", "--all-ready")
    program.run("worker", "--drain")
    before = tree(program)
    shown = program.run("photos", "sort", "home", "--dry-run").stdout
    assert "cam/b.jpg.xmp -> Eiffel tower/2024-07/b.jpg.xmp" in shown
    document = program.json("photos", "sort", "home", "--dry-run")
    assert document["verdicts"]["move"] == 3
    assert document["accept"] in shown
    assert tree(program) == before
    run = program.json("photos", "sort", "home", "--accept", document["accept"])["run"]
    program.run("worker", "--drain")
    assert tree(program) == {
        one["target_path"]: before[one["source_path"]] for one in document["files"]
    }
    # Not one folder is where it was, so the scan asks; the library knows better already.
    assert program.json("scan", "--accept-root")["scans"][0]["found"] == 1
    program.run("queue", "--all-ready")
    program.run("worker", "--drain")
    batches = program.json("batches")["batches"]
    details = {one["batch_key"]: program.json("batch", str(one["id"]))["detail"] for one in batches}
    assert details["Eiffel tower/2024-07"]["held"] == 3
    assert program.json("verify", "--level", "sha256")["reports"][0]["problems"] == []
    assert "3 moved" in program.run("photos", "runs").stdout
    kinds = [event["kind"] for event in program_events(program)]
    assert "photos_sorted" in kinds
    assert len(program.json("photos", "sort", "--undo", run, "--dry-run")["moves"]) == 3
    assert "3 files" in program.run("photos", "sort", "--undo", run, "--dry-run").stdout
    program.run("photos", "sort", "--undo", run)
    program.run("worker", "--drain")
    assert tree(program) == before
    moves = program.json("photos", "runs", run)["moves"]
    assert [move["state"] for move in moves] == ["undone"] * 3


def program_events(program: Program) -> list[dict[str, object]]:
    lines = program.run("events", "--json").stdout.splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["sort"], "usage"),
        (["sort", "home", "--undo", "srt_1"], "usage"),
        (["sort", "away"], "not_sortable"),
        (["sort", "home", "--pattern", "{nonsense}{ext}"], "bad_sort_pattern"),
        (["sort", "home", "--pattern", "{nonsense}{ext}", "--dry-run"], "bad_sort_pattern"),
        (["sort", "--undo", "srt_1"], "unknown_sort_run"),
        (["sort", "--undo", "srt_1", "--dry-run"], "unknown_sort_run"),
        (["runs", "srt_1"], "unknown_sort_run"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(
    program: Program, arguments: list[str], code: str
) -> None:
    program.run("db", "upgrade")
    assert program.run("photos", *arguments, "--json", status=2).error["code"] == code


def test_dates_are_corrected_and_given_back_by_commands(program: Program) -> None:
    for command in (("db", "upgrade"), ("scan",), ("queue", "--all-ready"), ("worker", "--drain")):
        program.run(*command)
    before = tree(program)
    shift = ("photos", "dates", "shift", "--on", "2024-07-01", "--by", "-1d 2h")
    shown = program.run(*shift, "--dry-run").stdout
    assert "a.jpg  2024-07-01 12:34:56+02:00 -> 2024-06-30 10:34:56+02:00" in shown
    assert "2 of 2 would change (dry run)" in shown
    done = program.json(*shift)["operation"]
    assert done["totals"]["done"] == 2
    at_dawn = ("photos", "dates", "set", "--on", "2024-06-30", "--at", "2001-02-03T04:05")
    assert "2 done" in program.run(*at_dawn, "--step", "10").stdout
    program.run("photos", "dates", "undo", done["key"], "--dry-run")
    restored = program.run("photos", "dates", "restore", "--on", "2001-02-03").stdout
    key = restored.split()[0]
    assert "2 of 2" in program.run(*shift, "--dry-run").stdout
    assert "2 done" in program.run("photos", "dates", "undo", key).stdout
    assert program.run(*shift[:3], "--by", "1h", status=2).stderr
    assert tree(program) == before
