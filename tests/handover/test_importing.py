"""What a bundle brings into the library: files, documents, covers, containers; and changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import func, select

from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.db import Database
from lading.ingest.source import BatchRef, FetchContext, ItemRefused
from lading.ledger.states import Decision, Outcome
from lading.library.known import load_assets, load_containers
from lading.library.tables import asset, asset_ai_run, asset_cover, asset_file, asset_source
from lading.library.values import ContainerRef, KnownAsset
from lading.sources.handover import HandoverSource
from lading.testing.publisher import Breakage, Publisher
from tests.handover.conftest import CountingMeter, Desk


def library_asset(db: Database, content_hash: str) -> KnownAsset:
    with db.read() as conn:
        return load_assets(conn, [content_hash])[content_hash]


def live_files(known: KnownAsset) -> dict[str, str | None]:
    return {path: row.facts.sha256 for path, row in known.files.items() if not row.deleted}


def count(db: Database, table: Any) -> int:
    with db.read() as conn:
        return int(conn.scalar(select(func.count()).select_from(table)) or 0)


def test_a_photo_comes_with_its_files_documents_and_cover(publisher: Publisher, desk: Desk) -> None:
    bundle = publisher.bundle()
    source_json = b'{"camera":  "kept as it is"}\n'
    content_hash = bundle.photo(
        "one",
        cover=True,
        documents={
            "source.json": source_json,
            "data/photo.manifest.json": b"1",
            "data/photo.analysis.json": b"2",
            "data/photo.meaning.json": b"3",
            "data/photo.family.json": b"4",
            "data/palette.json": b"5",
        },
        colours=["red"],
    )
    taken = desk.take_in(bundle.publish().sync_id)
    assert taken.outcomes == {"p-one": Outcome.CREATED}
    known = library_asset(desk.db, content_hash)
    assert set(live_files(known)) == {
        "original/one.jpg",
        "derivatives/large.jpg",
        "cover/cover.jpg",
    }
    assert known.row.facts.detail == {"colours": ["red"]}
    assert known.row.facts.captured_offset_min == 120
    with desk.db.read() as conn:
        assert conn.scalars(select(asset_source.c.body)).all() == [source_json]
        runs = {r.analysis_kind: r.body for r in conn.execute(select(asset_ai_run))}
        cover = conn.execute(select(asset_cover)).one()
    assert runs == {
        "photo_manifest": b"1",
        "photo_analysis": b"2",
        "photo_meaning": b"3",
        "photo_family": b"4",
        "source_data:palette.json": b"5",
    }
    assert cover.file_id == known.files["cover/cover.jpg"].id
    stored = {info.key.rpartition("/")[2] for info in desk.store.list()}
    assert stored == set(live_files(known).values())


def test_moved_and_skipped_bytes_are_together_the_items(publisher: Publisher, desk: Desk) -> None:
    bundle = publisher.bundle()
    bundle.photo("one")
    key = bundle.publish().sync_id
    first = desk.take_in(key)
    item, meter = first.items["p-one"], first.meters["p-one"]
    dropped = [f for f in bundle.items[0]["files"] if f.get("variant") not in {None, "large"}]
    assert meter.skipped_bytes == sum(file["bytes"] for file in dropped) > 0
    assert meter.moved_bytes + meter.skipped_bytes == item.bytes
    # What the store holds is not read a second time; documents are.
    again = desk.take_in(key).meters["p-one"]
    documents = [f for f in bundle.items[0]["files"] if f["role"].startswith("source")]
    assert again.moved_bytes == sum(file["bytes"] for file in documents)
    assert again.moved_bytes + again.skipped_bytes == item.bytes


def test_a_second_import_of_the_same_bundle_changes_nothing(
    publisher: Publisher, desk: Desk
) -> None:
    bundle = publisher.bundle("gallery")
    members = [bundle.photo("one", cover=True), bundle.video_simple("clip")]
    bundle.gallery("spring", members, cover_hash=f"sha256:{members[0]}")
    key = bundle.publish().sync_id
    assert set(desk.take_in(key).decisions().values()) == {"create"}
    tables = (asset, asset_file, asset_source, asset_ai_run, asset_cover)
    before = [count(desk.db, table) for table in tables]
    again = desk.take_in(key)
    assert set(again.decisions().values()) == {"unchanged"}
    assert set(again.outcomes.values()) == {Outcome.UNCHANGED}
    assert [count(desk.db, table) for table in tables] == before


def test_a_simple_video_keeps_its_row_when_its_deliverables_change(
    publisher: Publisher, desk: Desk
) -> None:
    bundle = publisher.bundle()
    content_hash = bundle.video_simple("clip", duration_s=12.5)
    desk.take_in(bundle.publish().sync_id)
    before = library_asset(desk.db, content_hash)
    update = publisher.bundle("asset", "update")
    update.video_simple("clip", duration_s=12.5, edition="2", segments=2)
    taken = desk.take_in(update.publish().sync_id)
    assert taken.decisions() == {"v-clip": "update"}
    assert taken.outcomes == {"v-clip": Outcome.UPDATED}
    after = library_asset(desk.db, content_hash)
    assert after.row.id == before.row.id
    assert (after.row.facts.asset_type, after.row.facts.asset_subtype) == ("video", "video_simple")
    assert after.row.facts.duration_s == 12.5
    changed = {p for p, sha in live_files(after).items() if live_files(before).get(p) != sha}
    assert "original/clip.mp4" not in changed
    assert {"transcript.vtt", "package.zip", "library_cover.jpg", "hls/0000.ts"} <= changed
    assert set(live_files(before)) - set(live_files(after)) == {"hls/0002.ts"}
    roles = {row.facts.role for row in after.files.values() if not row.deleted}
    assert roles == {"original", "hls", "transcript", "cloud_package", "library_cover"}


def test_an_update_without_the_content_leaves_what_it_does_not_name(
    publisher: Publisher, desk: Desk
) -> None:
    bundle = publisher.bundle()
    content_hash = bundle.video_simple("clip", maker="upstream")
    desk.take_in(bundle.publish().sync_id)
    before = library_asset(desk.db, content_hash)
    update = publisher.bundle("asset", "update")
    update.video_simple("clip", edition="2", segments=1, content=False)
    item = update.items[-1]
    for field in ("title", "duration_s", "asset_type", "asset_subtype"):
        del item[field]
    item["files"] = [file for file in item["files"] if file["role"] == "transcript"]
    key = update.publish().sync_id
    assert desk.take_in(key).outcomes == {"v-clip": Outcome.UPDATED}
    after = library_asset(desk.db, content_hash)
    assert after.row.facts == before.row.facts
    changed = {p for p, sha in live_files(after).items() if live_files(before)[p] != sha}
    assert changed == {"transcript.vtt"}
    assert set(live_files(after)) == set(live_files(before))
    assert desk.take_in(key).decisions() == {"v-clip": "unchanged"}


def test_an_import_that_differs_is_an_update_and_drops_what_is_no_longer_named(
    publisher: Publisher, desk: Desk
) -> None:
    bundle = publisher.bundle()
    content_hash = bundle.photo("one", derivatives=("large", "small"))
    desk.take_in(bundle.publish().sync_id)
    second = publisher.bundle(sync_id=bundle.sync_id)
    data = (publisher.root / bundle.items[0]["path"] / "original/one.jpg").read_bytes()
    second.photo("one", data=data, title="Another title", derivatives=("large",))
    taken = desk.take_in(second.publish().sync_id)
    assert taken.outcomes == {"p-one": Outcome.UPDATED}
    known = library_asset(desk.db, content_hash)
    assert known.row.facts.title == "Another title"
    assert set(live_files(known)) == {"original/one.jpg", "derivatives/large.jpg"}


def test_a_removal_only_marks_and_a_later_import_restores(publisher: Publisher, desk: Desk) -> None:
    bundle = publisher.bundle("gallery")
    content_hash = bundle.photo("one")
    bundle.gallery("spring", [content_hash])
    key = bundle.publish().sync_id
    desk.take_in(key)
    stored = {info.key for info in desk.store.list()}
    removal = publisher.bundle("gallery", "remove")
    removal.remove_asset(content_hash)
    removal.remove_container("gallery", "spring")
    removal_key = removal.publish().sync_id
    removed = desk.take_in(removal_key)
    assert set(removed.outcomes.values()) == {Outcome.REMOVED}
    assert all(item.bytes == 0 for item in removed.items.values())
    assert library_asset(desk.db, content_hash).row.deleted
    assert {info.key for info in desk.store.list()} == stored
    again = desk.take_in(removal_key)
    assert set(again.decisions().values()) == {"unchanged"}
    assert set(again.outcomes.values()) == {Outcome.UNCHANGED}
    restored = desk.take_in(key)
    assert set(restored.decisions().values()) == {"update"}
    assert not library_asset(desk.db, content_hash).row.deleted


@pytest.mark.parametrize("kind", ["gallery", "collection", "event"])
def test_members_may_be_in_the_bundle_or_in_the_library(
    kind: str, publisher: Publisher, desk: Desk
) -> None:
    earlier = publisher.bundle()
    held = earlier.photo("held")
    desk.take_in(earlier.publish().sync_id)
    bundle = publisher.bundle(kind)
    bundle.container(kind, "mixed", [])
    fresh = bundle.photo("fresh")
    bundle.items[0]["members"] = [f"sha256:{fresh}", held, f"sha256:{fresh}"]
    taken = desk.take_in(bundle.publish().sync_id)
    assert set(taken.outcomes.values()) == {Outcome.CREATED}
    with desk.db.read() as conn:
        ref = ContainerRef(kind, "mixed")
        assert list(load_containers(conn, [ref])[ref].members) == [fresh, held, fresh]


def test_a_container_update_leaves_what_it_does_not_mention(
    publisher: Publisher, desk: Desk
) -> None:
    bundle = publisher.bundle("gallery")
    member = bundle.photo("one")
    bundle.gallery("spring", [member], place="Bern")
    desk.take_in(bundle.publish().sync_id)
    update = publisher.bundle("gallery", "update")
    update.gallery("spring", [], season="spring")
    for field in ("members", "title", "cover_hash"):
        del update.items[0][field]
    assert desk.take_in(update.publish().sync_id).outcomes == {"c-spring": Outcome.UPDATED}
    with desk.db.read() as conn:
        ref = ContainerRef("gallery", "spring")
        known = load_containers(conn, [ref])[ref]
    assert list(known.members) == [member]
    assert known.row.title == "Spring"
    assert known.row.detail == {"place": "Bern", "season": "spring"}


def test_a_cover_on_its_way_is_noted_and_no_hindrance(publisher: Publisher, desk: Desk) -> None:
    bundle = publisher.bundle("gallery")
    member = bundle.photo("one", cover_hash=f"sha256:{'3' * 64}")
    bundle.photo("two", cover_hash=f"sha256:{member}")
    bundle.gallery("spring", [member], cover_hash=f"sha256:{'4' * 64}")
    bundle.gallery("summer", [member], cover_hash=f"sha256:{member}")
    taken = desk.take_in(bundle.publish().sync_id)
    assert set(taken.outcomes.values()) == {Outcome.CREATED}
    noted = {key: dict(decided.detail) for key, decided in taken.decided.items()}
    assert noted == {
        "p-one": {"cover_awaited": f"sha256:{'3' * 64}"},
        "p-two": {},
        "c-spring": {"container_key": "spring", "cover_awaited": f"sha256:{'4' * 64}"},
        "c-summer": {"container_key": "summer"},
    }


def test_files_kept_in_place_are_verified_and_read_where_they_are(
    publisher: Publisher, sqlite_database: Database, make_source: Callable[..., HandoverSource]
) -> None:
    desk = Desk(sqlite_database, make_source(keep="in_place"))
    bundle = publisher.bundle()
    content_hash = bundle.photo("one")
    key = bundle.publish().sync_id
    taken = desk.take_in(key)
    assert list(desk.store.list()) == []
    meter = taken.meters["p-one"]
    assert meter.moved_bytes + meter.skipped_bytes == taken.items["p-one"].bytes
    original = library_asset(desk.db, content_hash).files["original/one.jpg"].facts
    assert original.store == "source:nas"
    data = (publisher.root / original.location).read_bytes()
    assert b"".join(desk.source.read_location(original.location)) == data
    assert b"".join(desk.source.read_location(original.location, offset=5)) == data[5:]
    assert desk.source.stat_location(original.location) == len(data)
    assert desk.take_in(key).decisions() == {"p-one": "unchanged"}
    (publisher.root / original.location).unlink()
    with pytest.raises(ItemRefused) as refused:
        list(desk.source.read_location(original.location))
    assert refused.value.reason.code == "missing_file"
    with pytest.raises(ItemRefused):
        desk.source.stat_location("../elsewhere")


def test_files_that_are_never_stored_need_not_be_there(publisher: Publisher, desk: Desk) -> None:
    bundle = publisher.bundle()
    bundle.photo("one")
    folder = publisher.root / bundle.items[0]["path"]
    for variant in ("frosted", "blurred", "vivid_blurred"):
        (folder / f"derivatives/{variant}.jpg").unlink()
    assert desk.take_in(bundle.publish().sync_id).outcomes == {"p-one": Outcome.CREATED}


def test_a_stop_request_passes_through_a_fetch(publisher: Publisher, desk: Desk) -> None:
    bundle = publisher.bundle()
    bundle.photo("one")
    key = bundle.publish().sync_id
    stop = StopSignal()
    stop.request(StopReason.OPERATOR)
    with desk.source.open_batch(BatchRef(1, key, 1)) as opened:
        [item] = opened.items()
        context = FetchContext(desk.store, "job1-1", CountingMeter(), stop)
        with pytest.raises(Interrupted):
            opened.fetch(item, Decision.CREATE, context)
    assert list(desk.store.list()) == []


def test_what_is_gone_from_the_library_since_preflight_is_refused_at_the_writing(
    publisher: Publisher, desk: Desk
) -> None:
    broken = publisher.publish_broken(Breakage.UNKNOWN_TARGET_OF_REMOVE)
    with desk.source.open_batch(BatchRef(1, broken.sync_id, 1)) as opened:
        [item] = opened.items()
        context = FetchContext(desk.store, "job1-1", CountingMeter(), StopSignal())
        fetched = opened.fetch(item, Decision.REMOVE, context)
        with desk.db.write() as conn, pytest.raises(ItemRefused) as refused:
            opened.write(conn, item, fetched)
    assert refused.value.reason.code == "unknown_target"


def test_unknown_fields_are_kept_and_are_no_error(publisher: Publisher, desk: Desk) -> None:
    bundle = publisher.bundle()
    content_hash = bundle.photo("one", rating=5, nested={"a": [1, None, 2.5]})
    bundle.items[0]["files"][0]["lens"] = "35 mm"
    bundle.header["later"] = {"version": 2}
    assert desk.take_in(bundle.publish().sync_id).outcomes == {"p-one": Outcome.CREATED}
    detail = library_asset(desk.db, content_hash).row.facts.detail
    assert json.loads(json.dumps(detail)) == {
        "rating": 5,
        "nested": {"a": [1, None, 2.5]},
        "files": {"original/one.jpg": {"lens": "35 mm"}},
    }
