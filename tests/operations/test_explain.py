"""Why isn't my bundle here? Each planted cause is named, with what was found and what to do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lading.ingest.parts import UnknownSource
from lading.ingest.registry import build_source
from lading.ledger.states import BatchState
from lading.operations.explain import Explanation, explain_batch
from lading.testing.installation import Installation
from lading.testing.publisher import Publisher
from lading.testing.servers_db import BACKENDS
from tests.operations.conftest import Scene

Plant = Callable[[Scene], str]


def publish(scene: Scene, **header: object) -> str:
    bundle = scene.upstream.bundle()
    bundle.photo("one", documents=(), derivatives=())
    bundle.header.update(header)
    return bundle.publish().sync_id


def unmounted(scene: Scene) -> str:
    sync_id = publish(scene)
    scene.upstream.root.rename(scene.folder / "unplugged")
    return sync_id


def never_published(scene: Scene) -> str:
    publish(scene)
    return scene.upstream.new_sync_id()


def without_sentinel(scene: Scene) -> str:
    sync_id = publish(scene)
    (scene.upstream.sync / f"{sync_id}.ready").unlink()
    return sync_id


def without_manifest(scene: Scene) -> str:
    sync_id = publish(scene)
    (scene.upstream.sync / f"{sync_id}.json").unlink()
    return sync_id


def torn(scene: Scene) -> str:
    return scene.upstream.publish_bytes(scene.upstream.new_sync_id(), b'{"sync_id": ').sync_id


def not_completed(scene: Scene) -> str:
    return publish(scene, status="uploading")


def not_verified(scene: Scene) -> str:
    return publish(scene, verification={"passed": False})


def other_sentinel(scene: Scene) -> str:
    sync_id = publish(scene)
    (scene.upstream.sync / f"{sync_id}.ready").write_text("0" * 64)
    return sync_id


def a_link(scene: Scene) -> str:
    sync_id = publish(scene)
    manifest = scene.upstream.sync / f"{sync_id}.json"
    manifest.rename(scene.folder / "elsewhere.json")
    manifest.symlink_to(scene.folder / "elsewhere.json")
    return sync_id


def a_folder(scene: Scene) -> str:
    sync_id = without_manifest(scene)
    (scene.upstream.sync / f"{sync_id}.json").mkdir()
    return sync_id


def half_uploaded(scene: Scene) -> str:
    sync_id = scene.upstream.new_sync_id()
    (scene.upstream.sync / f".{sync_id}.json.part").write_bytes(b'{"half": ')
    return sync_id


def not_scanned(scene: Scene) -> str:
    return publish(scene)


def found_only(scene: Scene) -> str:
    sync_id = publish(scene)
    scene.installation.scan()
    return sync_id


def imported(scene: Scene) -> str:
    sync_id = publish(scene)
    scene.installation.take_in()
    return sync_id


def changed_after_preflight(scene: Scene) -> str:
    published = scene.upstream.publish_many(1)
    for batch_id in scene.installation.scan():
        scene.ingest.preflight(batch_id, actor="test")
    scene.upstream.replace_manifest(published)
    return published.sync_id


def withdrawn(scene: Scene) -> str:
    published = scene.upstream.publish_many(1)
    publish(scene)
    scene.installation.scan()
    scene.upstream.withdraw(published)
    scene.installation.scan()
    return published.sync_id


def gone_since_the_scan(scene: Scene) -> str:
    published = scene.upstream.publish_many(1)
    scene.installation.scan()
    scene.upstream.withdraw(published)
    return published.sync_id


def refused(scene: Scene) -> str:
    bundle = scene.upstream.bundle()
    bundle.photo("lost", documents=(), derivatives=())
    sync_id = bundle.publish().sync_id
    shutil.rmtree(scene.upstream.root / bundle.items[0]["path"])
    for batch_id in scene.installation.scan():
        scene.ingest.preflight(batch_id, actor="test")
    return sync_id


CAUSES: dict[Plant, tuple[str, str]] = {
    unmounted: ("source_missing", "source_reachable"),
    never_published: ("not_there", "manifest_present"),
    without_sentinel: ("sentinel_missing", "sentinel_present"),
    without_manifest: ("manifest_missing", "manifest_present"),
    torn: ("manifest_unreadable", "readable"),
    not_completed: ("not_completed", "status_completed"),
    not_verified: ("verification_failed", "verification_passed"),
    other_sentinel: ("sentinel_hash_mismatch", "sentinel_matches"),
    a_link: ("path_escapes_root", "readable"),
    a_folder: ("not_a_regular_file", "readable"),
    half_uploaded: ("upload_unfinished", "upload_finished"),
    not_scanned: ("not_scanned", "recorded"),
    found_only: ("not_queued", "imported"),
    imported: ("already_imported", ""),
    changed_after_preflight: ("changed_since", "manifest_hash"),
    withdrawn: ("superseded", "manifest_present"),
    gone_since_the_scan: ("gone", "manifest_present"),
    refused: ("all_rejected", "imported"),
}


def explain(scene: Scene, ref: str) -> Explanation:
    return explain_batch(scene.installation.parts, ref)


ASK_THE_LEDGER = (found_only, imported, changed_after_preflight, withdrawn, refused)
"""What these are about is in the database; all others are seen in the source."""


@pytest.mark.parametrize(
    ("backend", "plant"),
    [
        pytest.param(backend, plant, id=f"{backend}-{plant.__name__}")
        for plant in CAUSES
        for backend in (BACKENDS if plant in ASK_THE_LEDGER else ("sqlite",))
    ],
)
def test_the_cause_is_named(plant: Plant, scene: Scene) -> None:
    sync_id = plant(scene)
    code, failing = CAUSES[plant]
    explained = explain(scene, sync_id)
    assert explained.code == code
    assert explained.verdict.endswith(".")
    assert explained.verdict[0].isupper()
    assert explained.what_to_do
    wrong = [check.name for check in explained.checks if check.ok is False]
    assert wrong[:1] == ([failing] if failing else [])
    assert explained.source in {"nas", None}


def test_the_checklist_goes_from_the_source_to_the_library(quick_scene: Scene) -> None:
    explained = explain(quick_scene, imported(quick_scene))
    assert [check.name for check in explained.checks] == [
        *("source_reachable", "manifest_present", "sentinel_present", "readable"),
        *("status_completed", "verification_passed", "sentinel_matches"),
        *("recorded", "manifest_hash", "not_superseded", "imported"),
    ]
    assert all(check.ok for check in explained.checks)
    assert explained.state is BatchState.IMPORTED
    assert explained.batch_id == 1


@pytest.mark.parametrize(
    "form",
    [
        "{id}",
        "  {id}\n",
        "{prefix}",
        "{id}.json",
        "{id}.ready",
        "sync/{id}.json",
        "{root}/sync/{id}.json",
        "/mnt/other/name/of/it/{id}.ready",
        "\\\\nas\\sync\\{id}.json",
    ],
)
def test_a_bundle_is_found_by_whatever_people_paste(form: str, quick_scene: Scene) -> None:
    sync_id = not_completed(quick_scene)
    root = quick_scene.upstream.root
    ref = form.format(id=sync_id, prefix=sync_id[:6], root=root)
    explained = explain(quick_scene, ref)
    assert (explained.batch_key, explained.code) == (sync_id, "not_completed")


def test_a_beginning_that_fits_several_asks_for_more(quick_scene: Scene) -> None:
    for end in "12":
        header = {"sync_id": f"aaaaaaaa-0000-4000-8000-00000000000{end}"}
        quick_scene.upstream.publish_bytes(header["sync_id"], json.dumps(header).encode())
    explained = explain(quick_scene, "aaaaaaaa")
    assert explained.code == "ambiguous"
    assert len(explained.candidates) == 2


@pytest.mark.parametrize(
    "ref", ["", "..", "/", "../../etc/passwd", "a\0b", "%", "sync", "x" * 5_000]
)
def test_odd_questions_get_an_answer(ref: str, quick_scene: Scene) -> None:
    publish(quick_scene)
    assert explain(quick_scene, ref).code == "not_there"


def test_all_sources_are_asked_unless_one_is_named(quick_scene: Scene, tmp_path: Path) -> None:
    other = Publisher(tmp_path / "other", seed=9)
    sources = [quick_scene.source, build_source("handover", "annex", {"root": str(other.root)})]
    both = Installation(quick_scene.db, quick_scene.installation.store, sources)
    sync_id = publish(quick_scene)
    assert explain_batch(both.parts, sync_id).source == "nas"
    assert explain_batch(both.parts, sync_id, source="annex").code == "not_there"
    with pytest.raises(UnknownSource):
        explain_batch(both.parts, sync_id, source="nowhere")


def test_a_source_that_cannot_explain_is_answered_for_by_the_ledger(quick_scene: Scene) -> None:
    sync_id = imported(quick_scene)

    class Mute:
        """A source with no more than the protocol asks for."""

        name, kind = "nas", "mute"
        identity = staticmethod(lambda: "here")

    quick_scene.installation.sources["nas"] = Mute()  # type: ignore[index]
    explained = explain(quick_scene, sync_id)
    assert (explained.code, explained.batch_key) == ("already_imported", sync_id)
