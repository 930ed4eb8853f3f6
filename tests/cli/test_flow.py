"""From an empty folder to an imported batch, with nothing but the program."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

from lading.testing.bundles import BundlePublisher, Published
from tests.cli.program import Program

Publish = Callable[..., Published]


def tree_state(root: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path.relative_to(root)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in sorted(root.rglob("*"))
    }


def test_a_batch_goes_from_scan_to_library_and_a_second_run_does_nothing(
    program: Program, publish: Publish, upstream: BundlePublisher, tmp_path: Path
) -> None:
    published = publish(3)
    before = tree_state(upstream.root)
    key = published.sync_id

    assert "1 new" in program.run_apart("scan").stdout
    plan = tmp_path / "plan.json"
    assert "3 create" in program.run_apart("plan", key[:8], "-o", plan).stdout
    assert json.loads(plan.read_text())["batches"][0]["batch_key"] == key
    assert (
        program.run_apart("queue", "--plan", plan, "--json").json["results"][0]["outcome"]
        == "queued"
    )
    assert program.run_apart("worker", "--drain", "--json").json["done"] == 1

    batch = program.json("batch", key)
    assert batch["state"] == "imported"
    assert batch["account"]["adds_up"]
    assert batch["account"]["outcomes"]["created"] == batch["account"]["found"] == 3
    assert [item["outcome"] for item in batch["items"]] == ["created"] * 3
    assert program.json("verify", key, "--level", "sha256")["reports"][0]["problems_total"] == 0
    library = program.run_apart("verify", "--level", "sha256", "--json").json["reports"][0]
    assert library["files"] > 3
    assert library["bytes"] > 0
    assert library["problems_total"] == 0
    assert program.json("ledger", "verify")["whole"] is True

    again = program.run_apart("scan", "--json").json["scans"][0]
    assert (again["new"], again["updated"], again["unchanged"]) == (0, 0, 1)
    assert program.json("queue", "--all-ready")["results"] == []
    assert program.json("worker", "--drain")["done"] == 0
    assert program.json("batch", key)["account"] == batch["account"]
    assert tree_state(upstream.root) == before


def test_queueing_an_imported_batch_again_finds_everything_unchanged(
    program: Program, publish: Publish
) -> None:
    key = publish(2).sync_id
    program.run("scan")
    for _ in range(2):
        program.run("queue", key)
        program.run("worker", "--drain")
    batch = program.json("batch", key)
    assert batch["account"]["outcomes"]["unchanged"] == 2
    assert batch["state"] == "imported"


def test_a_damaged_file_makes_the_batch_partial_and_says_what_to_do(
    program: Program, publish: Publish
) -> None:
    key = publish(3, damaged=True).sync_id
    program.run("scan")
    program.run("queue", "--all-ready")
    drained = program.run("worker", "--drain", "--json", status=1).json
    assert drained["batches_unwhole"] == 1
    batch = program.json("batch", key)
    assert batch["state"] == "partial"
    failed = [item for item in batch["items"] if item["outcome"] == "failed"]
    assert [item["reason"] for item in failed] == ["hash_mismatch"]
    assert failed[0]["why"]["next_step"]
    shown = program.run("batch", key).stdout
    assert "hash_mismatch" in shown
    assert "next step:" in shown
    assert "3 found = 0 pending + 2 created" in shown


def test_preflight_with_hashes_rejects_the_damaged_item_before_anything_is_imported(
    program: Program, publish: Publish
) -> None:
    key = publish(2, damaged=True).sync_id
    program.run("scan")
    assert program.json("preflight", key)["preflights"][0]["decisions"] == {"create": 2}
    found = program.run("preflight", key, "--hashes", "--json", status=1).json
    assert found["preflights"][0]["decisions"] == {"create": 1, "reject": 1}


def test_a_plan_is_refused_once_the_decisions_it_was_made_of_have_changed(
    program: Program, publish: Publish, upstream: BundlePublisher, tmp_path: Path
) -> None:
    published = publish(2)
    program.run("scan")
    plan = tmp_path / "plan.json"
    program.run("plan", published.sync_id, "-o", plan)
    upstream.replace_manifest(published)
    program.run("scan")
    refused = program.run("queue", "--plan", plan, "--json", status=1).json["results"][0]
    assert (refused["outcome"], refused["reason"]) == ("refused", "plan_outdated")
    assert program.json("jobs")["jobs"] == []


def test_dry_runs_change_nothing(program: Program, publish: Publish) -> None:
    key = publish(2).sync_id
    assert program.json("scan", "--dry-run")["scans"][0]["new"] == 1
    assert program.json("batches")["batches"] == []
    program.run("scan")
    assert program.json("queue", key, "--dry-run")["results"][0]["job_id"] is None
    assert program.json("jobs")["jobs"] == []


def test_undoing_a_batch_puts_its_assets_in_the_trash_and_restoring_brings_them_back(
    program: Program, publish: Publish
) -> None:
    key = publish(2).sync_id
    program.run("scan")
    program.run("queue", key)
    program.run("worker", "--drain")
    assert len(program.json("trash", "--batch", key, "--dry-run")["assets"]) == 2
    trashed = program.json("trash", "--batch", key)["assets"]
    assert len(trashed) == 2
    assert program.json("trash", "--batch", key)["assets"] == []
    assert program.json("restore", trashed[0])["assets"] == trashed[:1]
    assert program.json("restore", "--batch", key)["assets"] == trashed[1:]


def test_a_gallery_that_was_put_in_the_trash_comes_back_by_its_key(
    program: Program, upstream: BundlePublisher
) -> None:
    bundle = upstream.bundle("gallery")
    bundle.gallery("spring", [bundle.photo("one")])
    key = bundle.publish().sync_id
    program.run("scan")
    program.run("queue", key)
    program.run("worker", "--drain")
    assert program.json("trash", "gallery:spring")["containers"] == ["gallery:spring"]
    assert program.json("trash", "gallery:spring")["containers"] == []
    assert program.json("restore", "gallery:spring")["containers"] == ["gallery:spring"]
    assert program.run("restore", "gallery:summer", status=2).stdout == ""
    program.run("restore", "spring", status=2)


def test_jobs_are_cancelled_retried_prioritised_and_intake_paused(
    program: Program, publish: Publish
) -> None:
    key = publish(1).sync_id
    program.run("scan")
    job = program.json("queue", key)["results"][0]["job_id"]
    program.run("prioritise", str(job), "--to", "1")
    assert program.json("job", str(job))["priority"] == 1
    assert program.json("cancel", str(job), "--dry-run")["results"][0]["possible"] is True
    program.run("cancel", str(job), "--why", "tried")
    assert program.json("job", str(job))["state"] == "cancelled"
    assert program.json("batch", key)["state"] == "cancelled"
    assert program.run("stop", str(job), "--json", status=2).json["results"][0]["error"]
    program.run("intake", "pause", "--why", "night")
    program.run("retry", str(job))
    assert program.json("worker", "--drain")["done"] == 0
    assert program.json("intake", "show")["why"] == "night"
    assert "Intake is paused" in program.run("worker", "--drain").stdout
    program.run("intake", "resume")
    assert program.json("worker", "--drain")["done"] == 1
    assert program.json("batch", key)["state"] == "imported"


def test_a_batch_is_named_by_number_key_or_unique_beginning(
    program: Program, publish: Publish
) -> None:
    key = publish(1).sync_id
    program.run("scan")
    number = program.json("batch", key)["id"]
    assert program.json("batch", str(number))["batch_key"] == key
    assert program.json("batch", key[:4])["batch_key"] == key
    assert program.run("batch", key[:3], "--json", status=2).error["code"] == "batch_missing"
    assert program.run("batch", "ffff0000", "--json", status=2).error["code"] == "batch_missing"


def test_the_list_has_unfinished_batches_first_on_every_page(
    program: Program, publish: Publish
) -> None:
    first = publish(1).sync_id
    program.run("scan")
    program.run("queue", first)
    program.run("worker", "--drain")
    others = {publish(1).sync_id for _ in range(3)}
    program.run("scan")
    program.run("preflight", *others)
    listed: list[str] = []
    cursor: list[str] = []
    while True:
        page = program.json("batches", "--limit", "2", *cursor)
        assert len(page["batches"]) <= 2
        listed += [batch["batch_key"] for batch in page["batches"]]
        if page["next_cursor"] is None:
            break
        cursor = ["--cursor", page["next_cursor"]]
    assert len(listed) == len(set(listed)) == 4
    assert listed[-1] == first
    assert set(listed[:3]) == others
    only = program.json("batches", "--state", "imported")["batches"]
    assert [batch["batch_key"] for batch in only] == [first]


def test_events_are_read_by_number_and_by_batch(program: Program, publish: Publish) -> None:
    keys = [publish(1).sync_id for _ in range(2)]
    program.run("scan")
    program.run("queue", *keys)
    lines = program.run("events", "--json").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    after = program.run("events", "--after", "3", "--limit", "2", "--json").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in after] == [4, 5]
    of_one = program.run("events", "--batch", keys[1], "--json").stdout.splitlines()
    assert {json.loads(line)["batch_id"] for line in of_one} == {
        program.json("batch", keys[1])["id"]
    }
    queued = program.run("events", "--kind", "batch_queued", "--json").stdout.splitlines()
    assert len(queued) == 2


def test_a_checkpoint_of_the_ledger_is_found_on_the_chain_and_a_forged_one_is_not(
    program: Program, publish: Publish
) -> None:
    publish(1)
    program.run("scan")
    head = program.json("ledger", "verify")["head"]
    publish(1)
    program.run("scan")
    assert program.json("ledger", "verify", "--checkpoint", head)["whole"] is True
    forged = f"{head.split(':')[0]}:{'0' * 64}"
    report = program.run("ledger", "verify", "--checkpoint", forged, "--json", status=1).json
    assert report["whole"] is False


def test_a_store_that_lost_a_file_is_found_by_verify(program: Program, publish: Publish) -> None:
    key = publish(1).sync_id
    program.run("scan")
    program.run("queue", key)
    program.run("worker", "--drain")
    stored = next(
        path for path in (program.folder / "lading-data/store").rglob("*") if path.is_file()
    )
    os.chmod(stored.parent, stat.S_IRWXU)
    stored.unlink()
    report = program.run("verify", "--json", status=1).json["reports"][0]
    assert [problem["kind"] for problem in report["problems"]] == ["object_missing"]


def test_a_failed_job_says_what_to_do_about_its_error(program: Program, publish: Publish) -> None:
    publish(1)
    program.run("scan")
    program.run("queue", "--all-ready")
    (program.folder.parent / "nas").rename(program.folder.parent / "gone")
    program.env |= {"LADING_WORKER__RETRY_BASE_S": "0.01", "LADING_WORKER__RETRY_MAX_S": "0.02"}
    program.run("worker", "--drain", status=1)
    shown = program.run_apart("job", "1").stdout
    assert "Mount it or correct its address" in shown
    assert "Then `lading retry 1`." in shown


def test_a_finished_job_has_counted_its_last_item_too(program: Program, publish: Publish) -> None:
    key = publish(1, damaged=True).sync_id
    program.run("scan")
    program.run("queue", key)
    program.run("worker", "--drain", status=1)
    assert program.json("job", "1")["progress"]["items_failed"] == 1
    sound = publish(2).sync_id
    program.run("scan")
    for _ in range(2):
        program.run("queue", sound)
        program.run("worker", "--drain")
    progress = program.json("job", "3")["progress"]
    assert (progress["items_done"], progress["items_skipped"]) == (0, 2)


def test_a_first_scan_makes_the_database_and_the_store_by_itself(
    program: Program, publish: Publish
) -> None:
    shutil.rmtree(program.folder / "lading-data")
    publish(1)
    assert "1 new" in program.run("scan").stdout
    assert len(program.json("queue", "--all-ready")["results"]) == 1
    assert program.json("worker", "--drain")["done"] == 1
