"""The console shows recordings as it shows every other batch."""

from __future__ import annotations

from pathlib import Path

import httpx

from lading.accounts.values import Role
from lading.base.stopping import StopSignal
from lading.bootstrap import open_lading
from lading.jobs.settings import WorkerSettings
from lading.jobs.worker import Worker
from lading.testing.console_data import make_installation, read_installation
from lading.testing.installation import ACTOR
from tests.console.api_client import script
from tests.console.browser.serving import serving
from tests.recordings.upstream import RecordingsBench


def test_pages_and_api_of_a_recording_that_is_not_whole(tmp_path: Path) -> None:
    bench = RecordingsBench(tmp_path)
    folder = tmp_path / "installation"
    folder.mkdir()
    make_installation(folder)
    options = "".join(f"{key} = {value!r}\n" for key, value in bench.options.items())
    with (folder / "lading.toml").open("a") as file:
        file.write(f'\n[sources.lab]\nkind = "recordings"\n{options}')
    key, plain = bench.publish(3), bench.publish(1, augmented=False)
    bench.break_one_item(key)
    with open_lading(read_installation(folder)) as lading:
        found = lading.ingest.scan("lab", actor=ACTOR)
        lading.ingest.queue([c.batch_id for c in found.changes if c.batch_id], actor=ACTOR)
        settings = WorkerSettings(nice=0, ionice="none", poll_min_s=0.02, poll_max_s=0.05)
        Worker(lading.db, lading.queue, lading.handlers, settings, stop=StopSignal()).run(
            drain=True
        )

    with serving(folder) as served:
        with httpx.Client(
            base_url=served.origin, cookies=served.cookies_of(Role.ADMIN), timeout=60
        ) as browser:
            pages = {
                path: browser.get(path).raise_for_status().text
                for path in (
                    "/import",
                    "/sources",
                    f"/import/batches/{key}",
                    f"/import/batches/{key}/items",
                    f"/import/batches/{key}/provenance",
                    f"/import/batches/{key}/manifest",
                    f"/import/batches/{plain}",
                    "/jobs/1",
                )
            }
        with script(served) as client:
            batch = client.get(f"/batches/{key}")
            items = client.get(f"/batches/{key}/items")["items"]

    assert key in pages["/import"]
    assert "camera_0/seg_0000.mp4" in pages[f"/import/batches/{key}"]
    assert "not every file of the recording is in the store" in pages[f"/import/batches/{key}"]
    assert "lading recordings augment" in pages[f"/import/batches/{plain}"]
    assert batch["batch"]["state"] == "partial"
    assert [item["outcome"] for item in items] == ["failed", "created", "created", "failed"]
