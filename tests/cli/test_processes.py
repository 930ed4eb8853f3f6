"""Commands that stay: how they say that they are there, and how signals end them."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPResponse
from typing import Any

import psutil
import pytest

from lading.testing.bundles import BundlePublisher, Published
from tests.cli.program import WAIT_S, Program, Started

Publish = Callable[..., Published]


def get(url: str, **headers: str) -> tuple[int, Any]:
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert isinstance(answer, HTTPResponse)
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def sign_in(program: Program) -> dict[str, str]:
    """The headers of a script that may look at everything."""
    program.run("users", "add", "probe", "--role", "viewer")
    made = program.json("tokens", "create", "probe", "status")
    return {"Authorization": f"Bearer {made['secret']}"}


def address_of(started: Started) -> str:
    address: str = json.loads(started.wait_for('"address"'))["address"]
    return address


def worker_of(started: Started) -> psutil.Process:
    """The worker process below `lading up`, once it has said that it is there."""
    line = json.loads(started.wait_for("worker started"))
    return psutil.Process(int(line["worker"].split("/")[1]))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_an_idle_worker_in_order(program: Program, number: int) -> None:
    with program.started("worker") as worker:
        worker.wait_for("worker started")
        assert worker.end(number) == 0
        ended = json.loads(worker.wait_for("worker ended"))
    assert ended["why"] == "shutdown"


def test_a_worker_stopped_in_mid_batch_gives_the_job_back_and_another_finishes_it(
    program: Program, upstream: BundlePublisher
) -> None:
    published = upstream.publish_many(400)
    program.run("scan")
    job = program.json("queue", published.sync_id)["results"][0]["job_id"]
    with (
        program.started("worker") as worker,
        program.started("events", "--follow", "--kind", "job_started", "--json") as watcher,
    ):
        watcher.wait_for("job_started")
        assert worker.end(signal.SIGTERM) == 0
        worker.wait_for("worker ended")
    found = program.json("job", str(job))
    assert found["state"] in {"queued", "done"}
    assert program.run("worker", "--drain").status == 0
    batch = program.json("batch", published.sync_id)
    assert batch["state"] == "imported"
    assert batch["account"]["outcomes"]["created"] == 400
    assert program.json("verify")["reports"][0]["problems_total"] == 0


def test_draining_past_a_fault_that_passed_is_status_0(
    program: Program, upstream: BundlePublisher
) -> None:
    published = upstream.publish_many(1)
    program.run("scan")
    program.run("queue", published.sync_id)
    away = upstream.root.with_name("away")
    upstream.root.rename(away)
    program.env |= {"LADING_WORKER__RETRY_BASE_S": "0.5"}
    with program.started("worker", "--drain") as worker:
        worker.wait_for("job met a fault")
        away.rename(upstream.root)
        worker.wait_for("1 job done, 0 failed")
        assert worker.process.wait(WAIT_S) == 0


def test_a_worker_ends_when_its_standard_input_does(program: Program) -> None:
    process = subprocess.Popen(
        program.command("worker", "--until-stdin-ends"),
        cwd=program.folder,
        env=program.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    assert "worker started" in process.stderr.readline()
    _, err = process.communicate(timeout=60)  # closes its standard input
    assert process.returncode == 0
    assert "Fatal" not in err
    assert json.loads(err.splitlines()[-1])["why"] == "shutdown"


def test_up_serves_health_readiness_and_status_and_ends_with_its_worker(
    program: Program, publish: Publish
) -> None:
    key = publish(2).sync_id
    program.run("scan")
    program.run("queue", key)
    bearer = sign_in(program)
    with program.started("up", "--port", "0", "--json") as up:
        address = address_of(up)
        with program.started("events", "--follow", "--kind", "batch_finished", "--json") as events:
            events.wait_for("batch_finished")
        status, health = get(f"{address}/health")
        assert (status, health["status"]) == (200, "alive")
        status, ready = get(f"{address}/ready")
        assert (status, ready["ready"]) == (200, True)
        assert {check["name"] for check in ready["checks"]} == {"database", "store", "source nas"}
        status, found = get(f"{address}/api/v1/status", **bearer)
        assert status == 200
        assert found["batches"]["imported"] == 1
        assert found["jobs"]["done"] == 1
        assert found["engine"]["state"] == "idle"
        assert found["engine"]["sentence"].startswith("Awaiting jobs")
        assert found["events"][-1]["seq"] == len(
            program.run("events", "--json").stdout.splitlines()
        )
        (alive,) = [worker for worker in found["workers"] if worker["stopped_at"] is None]
        worker = psutil.Process(alive["pid"])
        assert up.end(signal.SIGTERM) == 0
    assert not worker.is_running()
    assert program.json("batch", key)["state"] == "imported"


def test_status_answers_nobody_who_came_by_another_name(program: Program) -> None:
    bearer = sign_in(program)
    with program.started("serve", "--port", "0", "--json") as serve:
        address = address_of(serve)
        assert get(f"{address}/api/v1/status")[0] == 401
        assert get(f"{address}/api/v1/status", **bearer)[0] == 200
        status, _ = get(f"{address}/api/v1/status", Host="media.example", **bearer)
        assert status == 400
        status, document = get(f"{address}/api/v1/openapi.json", **bearer)
        assert status == 200
        assert "/api/v1/status" in document["paths"]
        assert serve.end(signal.SIGTERM) == 0


def test_readiness_fails_while_the_store_or_a_source_is_away_and_health_does_not(
    program: Program,
) -> None:
    with program.started("serve", "--port", "0", "--json") as serve:
        address = address_of(serve)
        nas = program.folder.parent / "nas"
        nas.rename(nas.with_name("unmounted"))
        status, ready = get(f"{address}/ready")
        assert status == 503
        # Names and no more: what was found may tell strangers of hosts and folders.
        failed = [check for check in ready["checks"] if not check["ok"]]
        assert failed == [{"name": "source nas", "ok": False}]
        nas.with_name("unmounted").rename(nas)
        assert get(f"{address}/ready")[0] == 200
        data = program.folder / "lading-data"
        (data / "store").rename(data / "away")
        status, ready = get(f"{address}/ready")
        assert status == 503
        assert [check["name"] for check in ready["checks"] if not check["ok"]] == ["store"]
        assert get(f"{address}/health")[0] == 200
        assert serve.end(signal.SIGTERM) == 0


def test_status_says_when_the_database_is_gone(program: Program) -> None:
    bearer = sign_in(program)
    with program.started("serve", "--port", "0", "--json") as serve:
        address = address_of(serve)
        database = program.folder / "lading-data/lading.sqlite"
        with sqlite3.connect(database) as conn:
            conn.execute("ALTER TABLE import_job RENAME TO gone")
        status, problem = get(f"{address}/api/v1/status", **bearer)
        assert status == 500
        assert "Traceback" not in json.dumps(problem)
        assert get(f"{address}/health")[0] == 200
        assert serve.end(signal.SIGTERM) == 0


def test_jobs_without_a_live_worker_are_a_degraded_engine(
    program: Program, publish: Publish
) -> None:
    key = publish(1).sync_id
    program.run("scan")
    program.run("queue", key)
    bearer = sign_in(program)
    with program.started("serve", "--port", "0", "--json") as serve:
        address = address_of(serve)
        assert get(f"{address}/api/v1/status", **bearer)[1]["engine"]["state"] == "degraded"
        assert serve.end(signal.SIGTERM) == 0


def test_up_starts_another_worker_when_one_dies_and_leaves_none_behind_when_killed(
    program: Program,
) -> None:
    with program.started("up", "--port", "0", "--json") as up:
        first = worker_of(up)
        first.kill()
        up.wait_for("worker died")
        second = worker_of(up)
        assert second.pid != first.pid
        up.end(signal.SIGKILL)
        # Nobody told it to stop; the end of its standard input did.
        gone, alive = psutil.wait_procs([second], timeout=60)
        assert [process.pid for process in gone] == [second.pid]
        assert alive == []


def test_a_taken_port_is_a_clear_refusal(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        assert program.run("serve", "--port", port, "--json", status=2).error["code"] == (
            "address_taken"
        )


def test_up_sets_a_new_installation_up_and_never_hides_a_store_that_is_gone(
    bare: Program, upstream: BundlePublisher, publish: Publish
) -> None:
    bare.config = bare.folder / "lading.toml"
    bare.config.write_text(f'[sources.nas]\nkind = "handover"\nroot = "{upstream.root}"\n')
    with bare.started("up", "--port", "0", "--json") as up:
        address = address_of(up)
        assert get(f"{address}/ready")[0] == 200
        assert up.end(signal.SIGINT) == 0
    publish(1)
    bare.run("scan")
    bare.run("queue", "--all-ready")
    bare.run("worker", "--drain")
    store = bare.folder / "lading-data/store"
    store.rename(store.with_name("unmounted"))
    assert bare.run("up", "--port", "0", "--json", status=4).error["code"].startswith("store_")
    assert not store.exists()


def test_events_are_followed_as_they_happen(program: Program, publish: Publish) -> None:
    before = threading.active_count()
    with program.started("events", "--follow", "--json") as events:
        publish(1)
        program.run("scan")
        assert json.loads(events.wait_for("batch_found"))["seq"] >= 1
        events.wait_for("scan_finished")
        assert events.end(signal.SIGINT) == 130
    assert threading.active_count() <= before + 2  # those that read what it writes
