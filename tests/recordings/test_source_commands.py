"""A disk of recordings from scan to verify, with nothing but the program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lading.testing.source_suite import tree_snapshot
from tests.cli.program import Program
from tests.recordings.upstream import RecordingsBench


@pytest.fixture
def bench(tmp_path: Path) -> RecordingsBench:
    return RecordingsBench(tmp_path)


@pytest.fixture
def program(tmp_path: Path, bench: RecordingsBench) -> Program:
    """An installation whose settings name the disk and the profile by relative paths."""
    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "lading.toml").write_text(
        '[sources.lab]\nkind = "recordings"\npath = "../nas"\nprofile = "r2"\n'
        'config_path = "../recordings.json"\nstable_for_s = 0\nmax_concurrent_files = 2\n'
    )
    program = Program(folder, folder / "lading.toml")
    program.run("db", "upgrade")
    return program


def test_a_recording_goes_from_scan_to_catalog_and_a_second_run_does_nothing(
    program: Program, bench: RecordingsBench, tmp_path: Path
) -> None:
    key = bench.publish(3)
    before = tree_snapshot(bench.root)
    assert any("lab" in line for line in program.run("config", "check").stdout.splitlines())

    assert program.run_apart("scan", "lab", "--json").json["scans"][0]["new"] == 1
    decided = program.json("preflight", key)["preflights"][0]["decisions"]
    assert decided == {"create": 4}
    plan = tmp_path / "plan.json"
    program.run("plan", key, "-o", plan)
    items = json.loads(plan.read_text())["batches"][0]["items"]
    assert [item["kind"] for item in items] == ["file", "file", "file", "registration"]
    assert program.json("queue", "--plan", plan)["results"][0]["outcome"] == "queued"
    assert program.run_apart("worker", "--drain", "--json").json["done"] == 1

    (listed,) = program.json("batches")["batches"]
    assert (listed["batch_key"], listed["state"]) == (key, "imported")
    (job,) = program.json("jobs")["jobs"]
    assert (job["state"], job["progress"]["items_done"]) == ("done", 4)
    batch = program.json("batch", key)
    assert batch["account"]["adds_up"]
    assert [item["outcome"] for item in batch["items"]] == ["created"] * 4
    report = program.json("verify", key, "--level", "sha256")["reports"][0]
    assert (report["files"], report["problems_total"]) == (3, 0)
    assert report["bytes"] == 300 + 301 + 302
    assert program.json("ledger", "verify")["whole"] is True
    assert bench.rows() == (1, 2, 1)

    again = program.json("scan", "lab")["scans"][0]
    assert (again["new"], again["updated"], again["unchanged"]) == (0, 0, 1)
    assert program.json("queue", "--all-ready")["results"] == []
    assert tree_snapshot(bench.root) == before


def test_a_damaged_file_makes_the_batch_partial_and_says_what_to_do(
    program: Program, bench: RecordingsBench
) -> None:
    key = bench.publish(3)
    bench.break_one_item(key)
    program.run("scan")
    program.run("queue", "--all-ready")
    program.run("worker", "--drain", status=1)
    shown = program.run("batch", key).stdout
    assert "hash_mismatch" in shown
    assert "files_not_stored" in shown
    assert "4 found = 0 pending + 2 created" in shown
    withheld = program.json("batch", key)["items"][-1]
    assert str(bench.first_file(key).name) in json.dumps(withheld)
    assert "then queue the recording again" in withheld["why"]["next_step"]
    assert bench.rows() == (0, 0, 0)


def test_a_profile_that_is_missing_stops_no_scan_and_is_named_when_it_is_needed(
    program: Program, bench: RecordingsBench
) -> None:
    key = bench.publish(1)
    (bench.root.parent / "recordings.json").unlink()
    program.run("scan")
    refused = program.run("preflight", key, "--json", status=2)
    assert "no such configuration file" in refused.stdout + refused.stderr
