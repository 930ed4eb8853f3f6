"""Dates of very many photos, in a stack, of other sources, and by the index on PostgreSQL."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, insert, select, text

from lading.console.readers.photos import read_photos
from lading.db import Database
from lading.ingest.registry import build_source
from lading.library.photo_dates import DatedPhoto, dated_photos
from lading.library.photo_stacks import stack_photos
from lading.library.tables import asset, photo
from lading.operations.states import TargetOutcome
from lading.operations.values import Operation, Resource, Targets, Verb
from lading.storage.folder import FolderStore
from lading.testing.bundles import BundlePublisher
from lading.testing.installation import ACTOR, Installation
from tests.photos.library import installed
from tests.photos.tree import PhotosBench, jpeg

AT = datetime(2024, 7, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
MANY = 450
"""More than are done at once, and more than two chunks."""


@pytest.fixture
def many(tmp_path: Path, sqlite_database: Database) -> Installation:
    """Photos by their rows alone: every fiftieth is undated."""
    installation = installed(sqlite_database, PhotosBench(tmp_path), tmp_path)
    stamps = {"created_at": AT, "updated_at": AT}
    rows = [
        {
            "content_hash": hashlib.sha256(b"%d" % number).hexdigest(),
            "asset_type": "photo",
            "title": f"IMG_{number}.jpg",
            "captured_at": None if number % 50 == 0 else AT + timedelta(minutes=number),
            **stamps,
        }
        for number in range(MANY)
    ]
    with installation.db.write() as conn:
        conn.execute(insert(asset), rows)
        ids = conn.scalars(select(asset.c.id)).all()
        photos = [{"asset_id": number, "orientation": 1, "frames": 1, **stamps} for number in ids]
        conn.execute(insert(photo), photos)
    return installation


def dates(installation: Installation) -> list[DatedPhoto]:
    with installation.db.read() as conn:
        ids = conn.scalars(select(asset.c.id)).all()
        return [one for _, one in sorted(dated_photos(conn, ids).items())]


def carry_out(
    installation: Installation, verb: Verb, ids: Sequence[int], **params: Any
) -> tuple[Operation, dict[int, str | None]]:
    """Have a worker do it; the operation, and by target the code of why it was not done."""
    targets = Targets(resource=Resource.ASSETS, ids=tuple(ids))
    begun = installation.operations.start(verb, targets, params, actor=ACTOR)
    assert begun.job_id is not None
    installation.drain()
    found: dict[int, str | None] = {}
    cursor = None
    while True:
        page = installation.operations.results(begun.key, cursor=cursor, limit=200)
        found |= {one.target_id: one.code for one in page.results}
        cursor = page.next_cursor
        if cursor is None:
            return installation.operations.get(begun.key), found


def test_very_many_photos_are_corrected_by_a_job_that_tells_of_each(many: Installation) -> None:
    before = dates(many)
    done, codes = carry_out(many, Verb.SHIFT_TAKEN, [one.asset_id for one in before], by="1h")
    undated = {one.asset_id for one in before if one.taken.at is None}
    assert codes == {one.asset_id: "no_time" if one.asset_id in undated else None for one in before}
    assert done.totals[TargetOutcome.DONE] == MANY - len(undated)
    assert done.totals[TargetOutcome.SKIPPED] == len(undated) == MANY / 50
    for earlier, now in zip(before, dates(many), strict=True):
        assert now.taken.at == (earlier.taken.at and earlier.taken.at + HOUR)


def test_what_was_put_back_with_the_top_of_its_stack_in_an_earlier_chunk_is_done_as_well(
    many: Installation,
) -> None:
    ids = [one.asset_id for one in dates(many)]
    with many.db.write() as conn:
        stack_photos(conn, ids[0], [ids[1], ids[-1]])
    carry_out(many, Verb.SET_TAKEN, ids, at="2001-02-03T04:05:06", step_s="1")
    assert all(one.corrected for one in dates(many))
    done, codes = carry_out(many, Verb.RESTORE_TAKEN, ids)
    assert codes == dict.fromkeys(ids)
    assert done.totals[TargetOutcome.DONE] == MANY
    assert not any(one.corrected for one in dates(many))
    _, codes = carry_out(many, Verb.RESTORE_TAKEN, ids)
    assert set(codes.values()) == {"date_not_corrected"}


def test_a_hand_over_that_brings_a_photo_again_keeps_its_correction_on_each_database(
    tmp_path: Path, database: Database
) -> None:
    bench = PhotosBench(tmp_path)
    data = jpeg(1)
    bench.write("a.jpg", data)
    publisher = BundlePublisher(tmp_path / "sync")
    store = FolderStore(tmp_path / "store", name="library", create=True)
    bundles = build_source("handover", "nas", {"root": str(tmp_path / "sync")})
    installation = Installation(database, store, [bench.source, bundles])

    def bring(captured_at: str) -> DatedPhoto:
        bundle = publisher.bundle()
        bundle.photo("a", data=data, captured_at=captured_at, derivatives=(), documents=())
        bundle.publish()
        assert installation.take_in("nas")
        (found,) = dates(installation)
        return found

    installation.take_in("home")
    one = bring("2024-07-01T12:00:00+00:00")
    assert (one.taken.at, one.corrected) == (AT, False)
    targets = Targets(resource=Resource.ASSETS, ids=(one.asset_id,))
    done = installation.operations.start(Verb.SHIFT_TAKEN, targets, {"by": "1h"}, actor=ACTOR)
    one = bring("2024-07-01T12:00:00+00:00")
    assert (one.taken.at, one.said.at) == (AT + HOUR, AT)
    one = bring("2020-01-01T00:00:00+02:00")
    newly = datetime(2019, 12, 31, 22, tzinfo=UTC)
    assert (one.taken.at, one.said.at, one.said.offset_min) == (AT + HOUR, newly, 120)
    installation.operations.undo(done.key, actor=ACTOR)
    (one,) = dates(installation)
    assert (one.taken.at, one.taken.offset_min) == (newly, 120)


@pytest.mark.parametrize("backend", ["postgresql"])
def test_a_month_of_very_many_photos_is_walked_by_its_index(database: Database) -> None:
    db = database
    assets = """
        INSERT INTO asset (content_hash, asset_type, captured_at, created_at, updated_at)
        SELECT md5(n::text), 'photo', timestamptz '2010-01-01' + n * interval '3 hours',
               now(), now()
        FROM generate_series(1, 30000) n"""
    photos = """
        INSERT INTO photo (asset_id, orientation, frames, created_at, updated_at)
        SELECT id, 1, 1, now(), now() FROM asset"""
    stacks = """
        INSERT INTO photo_stack (asset_id, top_id)
        SELECT id, id - 1 FROM asset WHERE mod(id, 20) = 0"""
    fill = (assets, photos, stacks)
    with db.write() as conn:
        for statement in fill:
            conn.exec_driver_sql(statement)
    with db.autocommit() as conn:
        conn.execute(text("ANALYZE"))
    asked: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, statement: str, values: Any, *rest: Any) -> None:
        asked.append((statement, values))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        shown = read_photos(db, "2015-07", limit=100)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    assert len(shown.cards) == 100
    statement, values = next(one for one in asked if "ORDER BY asset.captured_at" in one[0])
    with db.read() as conn:
        told = conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", values).scalar_one()
    plan = told if isinstance(told, list) else json.loads(told)
    steps = list(_steps(plan[0]["Plan"]))
    walked = [one for one in steps if one.get("Index Name") == "ix_asset_captured"]
    assert [one["Node Type"] for one in walked] in (["Index Scan"], ["Bitmap Index Scan"]), plan
    assert not [
        one
        for one in steps
        if one["Node Type"] == "Seq Scan" and one["Relation Name"] in {"asset", "photo"}
    ], plan


def _steps(plan: Any) -> Any:
    yield plan
    for each in plan.get("Plans", ()):
        yield from _steps(each)
