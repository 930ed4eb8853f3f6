"""The flow by the program on each kind of database."""

from __future__ import annotations

from collections.abc import Callable

from lading.testing.bundles import BundlePublisher, Published
from tests.cli.program import Program


def test_the_flow_is_the_same_on_every_kind_of_database(
    bare: Program,
    upstream: BundlePublisher,
    publish: Callable[..., Published],
    database_url: str,
) -> None:
    bare.env["LADING_DATABASE__URL"] = database_url
    bare.run("init", "--source", f"nas={upstream.root}")
    bare.config = bare.folder / "lading.toml"
    keys = [publish(3).sync_id, publish(2, damaged=True).sync_id]
    checked = bare.json("config", "check")
    assert checked["ok"] is True
    password = database_url.partition("://")[2].partition("@")[0].partition(":")[2]
    assert not password or password not in str(checked)
    assert bare.json("scan")["scans"][0]["new"] == 2
    assert {r["outcome"] for r in bare.json("queue", *keys)["results"]} == {"queued"}
    assert bare.run_apart("worker", "--drain", "--json", status=1).json["done"] == 2
    states = {b["batch_key"]: b["state"] for b in bare.json("batches")["batches"]}
    assert states == {keys[0]: "imported", keys[1]: "partial"}
    assert [job["state"] for job in bare.json("jobs")["jobs"]] == ["done", "done"]
    assert bare.json("verify", "--level", "sha256")["reports"][0]["problems_total"] == 0
    assert bare.json("ledger", "verify")["whole"] is True
    assert len(bare.json("trash", "--batch", keys[0])["assets"]) == 3
    assert bare.json("scan")["scans"][0]["unchanged"] == 2
