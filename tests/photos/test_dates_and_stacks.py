"""Dates that people gave photos, and stacks: kept through imports, and taken back exactly."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import event, func, select

from lading.console.readers.photos import read_photos
from lading.db import Database
from lading.ledger.queries import list_events
from lading.library.filters import AssetFilter, asset_conditions
from lading.library.live_photos import live_photos
from lading.library.photo_dates import dated_photos
from lading.library.photo_places import photos_in
from lading.library.photo_stacks import stack_of, stack_photos, stack_sizes, unstack_photos
from lading.library.tables import asset, photo_date_change
from lading.library.trash import delete_assets, restore_assets
from lading.operations.date_params import parse_shift
from lading.operations.errors import BadOperation, NotUndoable
from lading.operations.states import TargetOutcome
from lading.operations.values import Resource, Targets, Verb
from lading.testing.installation import ACTOR, Installation
from lading.testing.source_suite import tree_snapshot
from tests.media.written import dng, encoded, exif_block
from tests.photos.library import files, installed
from tests.photos.tree import PhotosBench, jpeg, picture

HOUR = timedelta(hours=1)
SAID = datetime(2024, 7, 1, 10, 34, 56, 123_000, tzinfo=UTC)
"""What pictures of the bench say: half past twelve, two hours east of UTC."""


@pytest.fixture
def bench(tmp_path: Path) -> PhotosBench:
    return PhotosBench(tmp_path, full_every_h=1)


@pytest.fixture
def installation(bench: PhotosBench, sqlite_database: Database, tmp_path: Path) -> Installation:
    return installed(sqlite_database, bench, tmp_path)


def ids(installation: Installation) -> dict[str, int]:
    """The assets of the files that are there, by location."""
    return {location: row.asset_id for location, row in files(installation).items()}


def rows(installation: Installation) -> dict[int, Any]:
    """Every asset as the database has it, but for when it was written last."""
    columns = [column for column in asset.c if column.name != "updated_at"]
    with installation.db.read() as conn:
        return {row.id: tuple(row) for row in conn.execute(select(*columns))}


def taken(installation: Installation) -> dict[str, tuple[datetime | None, int | None]]:
    """When each photo counts as taken, by location, with its offset."""
    found = ids(installation)
    with installation.db.read() as conn:
        dated = dated_photos(conn, list(found.values()))
    return {
        location: (dated[number].taken.at, dated[number].taken.offset_min)
        for location, number in found.items()
    }


def assets_of(*numbers: int) -> Targets:
    return Targets(resource=Resource.ASSETS, ids=numbers)


def undated(number: int) -> bytes:
    return encoded(picture(number))


def never_set(number: int, text: str = "1970:01:01 00:10:00") -> bytes:
    return encoded(picture(number), exif=exif_block({}, {36867: text}))


def edited(path: Path, **exif: str) -> bytes:
    """The same pixels in a file with other metadata."""
    data = path.read_bytes()
    with Image.open(io.BytesIO(data)) as image:
        block = image.getexif()
    block[315] = exif.pop("artist", "Otto")
    for tag, text in exif.items():
        block.get_ifd(0x8769)[int(tag[1:])] = text
    raw = block.tobytes()
    segment = b"\xff\xe1" + (len(raw) + 2).to_bytes(2, "big") + raw
    # The marker of EXIF comes first in what the bench writes; it is replaced, pixels stay.
    start = data.index(b"\xff\xe1")
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    return data[:start] + segment + data[start + 2 + length :]


def test_a_shift_is_previewed_done_and_undone_exactly_on_each_database(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    bench.write("trip/a.jpg", jpeg(1))
    bench.write("trip/a.dng", dng())
    bench.write("trip/b.jpg", undated(2))
    bench.write("trip/clock.jpg", never_set(3))
    installation.take_in()
    originals = tree_snapshot(bench.root)
    before, known = rows(installation), ids(installation)
    raw_before = taken(installation)["trip/a.dng"][0]
    operations = installation.operations
    chosen = assets_of(known["trip/a.jpg"], known["trip/b.jpg"], known["trip/clock.jpg"])

    preview = operations.preview(Verb.SHIFT_TAKEN, chosen, {"by": "-1d 2h"})
    assert (preview.eligible, preview.skipped_counts) == (2, {"no_time": 1})
    assert [(each.name, each.before, each.after) for each in preview.dates] == [
        ("a.jpg", SAID, SAID - 26 * HOUR),
        ("clock.jpg", None, datetime(1970, 1, 1, 0, 10, tzinfo=UTC) - 26 * HOUR),
    ]
    assert rows(installation) == before

    shifted = operations.start(Verb.SHIFT_TAKEN, chosen, {"by": "-1d 2h"}, actor=ACTOR)
    assert (shifted.totals[TargetOutcome.DONE], shifted.totals[TargetOutcome.SKIPPED]) == (2, 1)
    assert taken(installation)["trip/a.jpg"] == (SAID - 26 * HOUR, 120)
    assert taken(installation)["trip/b.jpg"] == (None, None)
    raw_after = taken(installation)["trip/a.dng"][0]
    assert raw_before is not None
    assert raw_after == raw_before - 26 * HOUR
    with installation.db.read() as conn:
        one = dated_photos(conn, [known["trip/a.jpg"]])[known["trip/a.jpg"]]
        (said,) = list_events(conn, kinds=["photo_dates_changed"])
    assert (one.said.at, one.corrected, one.shift_s, one.actor) == (SAID, True, -93_600, ACTOR)
    assert said.payload["operation"] == shifted.key
    assert one.content_hash in said.payload["content_hashes"]

    again = operations.start(Verb.SHIFT_TAKEN, chosen, {"shift_s": 60}, actor="otto@cli")
    undone = operations.undo(again.key, actor=ACTOR)
    with pytest.raises(NotUndoable):
        operations.undo(again.key, actor=ACTOR)
    assert undone.totals[TargetOutcome.DONE] == 3  # with the RAW
    assert taken(installation)["trip/a.jpg"] == (SAID - 26 * HOUR, 120)
    with installation.db.read() as conn:
        assert dated_photos(conn, [known["trip/a.jpg"]])[known["trip/a.jpg"]].actor == ACTOR
    assert tree_snapshot(bench.root) == originals


def test_undo_gives_exactly_what_was_before_and_can_itself_be_undone(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    for number in range(3):
        bench.write(f"trip/{number}.jpg", jpeg(number))
    installation.take_in()
    before, known = rows(installation), ids(installation)
    operations = installation.operations
    done = operations.start(
        Verb.SET_TAKEN, assets_of(*known.values()), {"at": "1999-12-31T23:59:58"}, actor=ACTOR
    )
    after = rows(installation)
    assert after != before
    undone = operations.undo(done.key, actor=ACTOR)
    assert rows(installation) == before
    redone = operations.undo(undone.key, actor=ACTOR)
    assert rows(installation) == after
    operations.undo(redone.key, actor=ACTOR)
    assert rows(installation) == before
    with installation.db.read() as conn:
        assert conn.scalar(select(func.count()).select_from(photo_date_change)) == 12


def test_what_was_changed_again_since_is_left_out_of_an_undo(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("a.jpg", jpeg(1))
    bench.write("b.jpg", jpeg(2))
    installation.take_in()
    known, operations = ids(installation), installation.operations
    first = operations.start(
        Verb.SHIFT_TAKEN, assets_of(*known.values()), {"by": "1h"}, actor=ACTOR
    )
    operations.start(Verb.SHIFT_TAKEN, assets_of(known["b.jpg"]), {"by": "1h"}, actor=ACTOR)
    undone = operations.undo(first.key, actor=ACTOR)
    (left,) = operations.results(undone.key, outcome=TargetOutcome.SKIPPED).results
    assert (left.target_id, left.code) == (known["b.jpg"], "date_changed_since")
    assert [at for at, _ in taken(installation).values()] == [SAID, SAID + 2 * HOUR]


def test_dates_are_set_in_the_order_of_names_with_or_without_an_offset(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    for number, name in enumerate(["10.jpg", "1.jpg", "9.jpg"]):
        bench.write(name, undated(number))
    installation.take_in()
    operations = installation.operations
    chosen = operations.select(Resource.ASSETS, {"taken": "undated"}, actor=ACTOR)
    assert chosen.count == 3
    given = {"at": "2001-05-06T07:08", "offset": "-03:30", "step_s": "2"}
    operations.start(Verb.SET_TAKEN, Targets(selection=chosen.key), given, actor=ACTOR)
    first = datetime(2001, 5, 6, 10, 38, tzinfo=UTC)
    assert taken(installation) == {
        f"{name}.jpg": (first + timedelta(seconds=2 * place), -210)
        for place, name in enumerate((1, 9, 10))
    }
    with installation.db.read() as conn:
        where = asset_conditions(conn, AssetFilter(taken="2001-05-06"))
        assert len(conn.execute(select(asset.c.id).where(*where)).all()) == 3
    operations.start(
        Verb.SET_TAKEN, Targets(selection=chosen.key), {"at": "2001-05-06 07:08"}, actor=ACTOR
    )
    assert set(taken(installation).values()) == {(datetime(2001, 5, 6, 7, 8, tzinfo=UTC), None)}
    own = operations.start(Verb.RESTORE_TAKEN, Targets(selection=chosen.key), actor=ACTOR)
    assert own.totals[TargetOutcome.DONE] == 3
    assert set(taken(installation).values()) == {(None, None)}


@pytest.mark.parametrize(
    ("verb", "params"),
    [
        (Verb.SHIFT_TAKEN, {"by": "yesterday"}),
        (Verb.SHIFT_TAKEN, {"by": "0s"}),
        (Verb.SHIFT_TAKEN, {"shift_s": 10**12}),
        (Verb.SHIFT_TAKEN, {"shift_s": True}),
        (Verb.SHIFT_TAKEN, {}),
        (Verb.SET_TAKEN, {"at": "0000-01-01T00:00:00"}),
        (Verb.SET_TAKEN, {"at": "9999-12-31T23:59:59"}),
        (Verb.SET_TAKEN, {"at": "2001-02-30T00:00:00"}),
        (Verb.SET_TAKEN, {"at": "2001-02-03T00:00:00", "offset": "+02:00:30"}),
        (Verb.SET_TAKEN, {"at": "2001-02-03T00:00:00", "offset": "Paris"}),
        (Verb.SET_TAKEN, {"at": "2001-02-03T00:00:00", "step_s": -1}),
        (Verb.RESTORE_TAKEN, {"by": "1h"}),
    ],
)
def test_what_is_no_shift_and_no_time_is_refused(
    bench: PhotosBench, installation: Installation, verb: Verb, params: dict[str, Any]
) -> None:
    bench.write("a.jpg", jpeg(1))
    installation.take_in()
    with pytest.raises(BadOperation):
        installation.operations.preview(verb, assets_of(ids(installation)["a.jpg"]), params)


def test_a_shift_is_read_as_people_write_it() -> None:
    assert parse_shift("-1d 2h 30m 5s") == -(86_400 + 2 * 3_600 + 30 * 60 + 5)
    assert parse_shift("+90m") == parse_shift("1H30M") == 5_400
    assert parse_shift("\u22121s") == -1
    assert [parse_shift(text) for text in ("", "+", "5", "1h 1d", "1.5h")] == [None] * 5


def test_a_shift_out_of_all_calendars_is_skipped_with_its_reason(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    bench.write("a.jpg", jpeg(1))
    bench.write("clock.jpg", never_set(2))
    installation.take_in()
    before, known = rows(installation), ids(installation)
    for shift in (-300 * 365 * 86_400, -400 * 366 * 86_400):
        done = installation.operations.start(
            Verb.SHIFT_TAKEN, assets_of(*known.values()), {"shift_s": shift}, actor=ACTOR
        )
        found = installation.operations.results(done.key).results
        assert [result.code for result in found] == ["date_impossible"] * 2
    assert rows(installation) == before


def test_a_rescan_a_move_and_new_metadata_keep_the_correction(
    bench: PhotosBench, installation: Installation
) -> None:
    path = bench.write("trip/a.jpg", jpeg(1))
    (batch_id,) = installation.take_in()
    bench.write("other/stays.png", encoded(picture(2), "PNG"))
    installation.take_in()
    known = ids(installation)["trip/a.jpg"]
    done = installation.operations.start(
        Verb.SHIFT_TAKEN, assets_of(known), {"by": "+1h"}, actor=ACTOR
    )
    corrected = (SAID + HOUR, 120)
    # What is derived is made anew.
    source: Any = installation.sources["home"]
    source.options = bench.opened(thumbnail_side=64).options
    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    assert taken(installation)["trip/a.jpg"] == corrected
    # The file moves.
    bench.write("other/b.jpg", path.read_bytes())
    path.unlink()
    bench.settle(path.parent)
    installation.take_in()
    assert taken(installation)["other/b.jpg"] == corrected
    # Its metadata is edited, but not its time: other content, the same picture.
    path = bench.root / "other/b.jpg"
    bench.write("other/b.jpg", edited(path))
    installation.take_in()
    assert ids(installation)["other/b.jpg"] != known
    assert taken(installation)["other/b.jpg"] == corrected
    # Undoing takes it back for that, too.
    installation.operations.undo(done.key, actor=ACTOR)
    assert taken(installation)["other/b.jpg"] == (SAID, 120)


def test_a_file_that_was_given_another_time_is_believed(
    bench: PhotosBench, installation: Installation
) -> None:
    path = bench.write("a.jpg", jpeg(1))
    installation.take_in()
    known = ids(installation)["a.jpg"]
    installation.operations.start(Verb.SHIFT_TAKEN, assets_of(known), {"by": "+1h"}, actor=ACTOR)
    bench.write("a.jpg", edited(path, t36867="2020:02:02 00:00:00"))
    installation.take_in()
    assert {at and at.year for at, _ in taken(installation).values()} == {2020}


def test_another_picture_of_the_same_name_takes_over_nothing(
    bench: PhotosBench, installation: Installation
) -> None:
    bench.write("a.jpg", undated(1))
    bench.write("b.jpg", undated(2))
    installation.take_in()
    known = ids(installation)
    installation.operations.start(
        Verb.SET_TAKEN, assets_of(known["a.jpg"]), {"at": "2001-01-01"}, actor=ACTOR
    )
    with installation.db.write() as conn:
        stack_photos(conn, known["b.jpg"], [known["a.jpg"]])
    flat = io.BytesIO()
    Image.new("RGB", (96, 96), "white").save(flat, "JPEG")
    bench.write("a.jpg", flat.getvalue())
    installation.take_in()
    assert set(taken(installation).values()) == {(None, None)}
    with installation.db.read() as conn:
        assert stack_of(conn, ids(installation)["a.jpg"]) is None


def test_sorting_goes_by_the_corrected_time(bench: PhotosBench, installation: Installation) -> None:
    bench.write("a.jpg", jpeg(1))
    installation.take_in()
    known = ids(installation)["a.jpg"]
    installation.operations.start(Verb.SHIFT_TAKEN, assets_of(known), {"by": "-365d"}, actor=ACTOR)
    with installation.db.read() as conn:
        (placed,) = photos_in(conn, "home", "").values()
    local = (SAID + 2 * HOUR).replace(tzinfo=None)
    assert placed.taken == local - timedelta(days=365)


def shown(installation: Installation) -> set[int]:
    """What the timeline has."""
    with installation.db.read() as conn:
        return set(conn.scalars(live_photos(asset.c.id)))


def test_what_is_folded_is_hidden_while_the_top_is_there_on_each_database(
    bench: PhotosBench, database: Database, tmp_path: Path
) -> None:
    installation = installed(database, bench, tmp_path)
    for number in range(5):
        bench.write(f"{number}.jpg", jpeg(number))
    installation.take_in()
    a, b, c, d, e = sorted(ids(installation).values())
    with installation.db.write() as conn:
        stack_photos(conn, b, [a, b, c])
        stack_photos(conn, e, [d, e])
    assert shown(installation) == {b, e}
    with installation.db.read() as conn:
        assert stack_sizes(conn, [a, b, e]) == {b: 3, e: 2}
        assert {stack_of(conn, each).members for each in (a, b, c)} == {(b, a, c)}  # type: ignore[union-attr]
    with installation.db.write() as conn:
        stack_photos(conn, d, [b, d])  # both stacks become one
    assert shown(installation) == {d}
    hashes = {row.asset_id: row.content_hash for row in files(installation).values()}
    with installation.db.write() as conn:
        delete_assets(conn, [hashes[d]], actor=ACTOR)
    assert shown(installation) == {a, b, c, e}
    with installation.db.write() as conn:
        assert stack_of(conn, a) is None
        restore_assets(conn, [hashes[d]], actor=ACTOR)
        delete_assets(conn, [hashes[a]], actor=ACTOR)
    assert shown(installation) == {d}
    with installation.db.write() as conn:
        assert stack_sizes(conn, [d]) == {d: 4}
        assert unstack_photos(conn, [c]) == {a, b, c, d, e}
    assert shown(installation) == {b, c, d, e}


def test_a_stack_is_dated_as_one_and_new_metadata_keeps_a_photo_in_it(
    bench: PhotosBench, installation: Installation
) -> None:
    for number in range(3):
        bench.write(f"{number}.jpg", jpeg(number))
    installation.take_in()
    known = ids(installation)
    with installation.db.write() as conn:
        stack_photos(conn, known["0.jpg"], known.values())
    done = installation.operations.start(
        Verb.SHIFT_TAKEN, assets_of(known["0.jpg"], known["1.jpg"]), {"by": "1h"}, actor=ACTOR
    )
    assert done.totals[TargetOutcome.DONE] == 2
    assert {at for at, _ in taken(installation).values()} == {SAID + HOUR}
    for name in ("0.jpg", "2.jpg"):
        bench.write(name, edited(bench.root / name))
    installation.take_in()
    now = ids(installation)
    with installation.db.read() as conn:
        stack = stack_of(conn, known["1.jpg"])
    assert stack is not None
    assert (stack.top, set(stack.members)) == (now["0.jpg"], set(now.values()))
    installation.operations.undo(done.key, actor=ACTOR)
    assert {at for at, _ in taken(installation).values()} == {SAID}


def test_the_timeline_walks_its_index_and_asks_for_stacks_by_key(
    bench: PhotosBench, installation: Installation
) -> None:
    asked: list[tuple[str, Any]] = []

    def note(conn: Any, cursor: Any, statement: str, values: Any, *rest: Any) -> None:
        asked.append((statement, values))

    engine = installation.db.engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        read_photos(installation.db, "2024-07")
    finally:
        event.remove(engine, "before_cursor_execute", note)
    statement, values = next(one for one in asked if "ORDER BY asset.captured_at" in one[0])
    with installation.db.read() as conn:
        plan = [row[3] for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)]
    assert any("asset USING INDEX ix_asset_captured" in step for step in plan), plan
    assert any("photo_stack USING" in step for step in plan), plan
    assert not any(step.startswith("SCAN") or "TEMP B-TREE" in step for step in plan), plan
