"""One table: who makes it, who wins, what it was before, and what a compaction leaves alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from typing import Any
from uuid import uuid4

import deltalake
import pytest

from lading.base.errors import RequestError
from lading.catalog.columns import RECORDINGS
from lading.catalog.errors import (
    CatalogBusy,
    CatalogIncompatible,
    CatalogMoved,
    CatalogVersionMissing,
)
from lading.catalog.location import CatalogLocation
from lading.catalog.tables import DeltaRows
from lading.catalog.values import RecordingRow
from lading.storage.port import StoreUnavailable
from lading.testing.servers_s3 import S3Facts
from tests.catalog.rows import a_hash, a_recording, no_wait

Held = Mapping[tuple[str, ...], RecordingRow]


@pytest.fixture
def rows(tmp_path: Path) -> DeltaRows[RecordingRow]:
    """The table of recordings in a folder; not made yet."""
    return DeltaRows(CatalogLocation.of(tmp_path), "c", RECORDINGS, wait=no_wait, attempts_max=4)


def put(rows: DeltaRows[RecordingRow], row: RecordingRow) -> None:
    rows.change([(row.recording_hash,)], lambda _: [row])


def held(rows: DeltaRows[RecordingRow]) -> dict[str, float | None]:
    return {row.recording_hash: row.duration_s for row in rows.rows()}


def test_a_table_that_nobody_wrote_to_reads_as_empty_and_is_not_made(
    rows: DeltaRows[RecordingRow], tmp_path: Path
) -> None:
    assert list(rows.rows()) == []
    assert rows.read([(a_hash("r"),)]).held == {}
    assert (rows.version(), rows.versions(), rows.count()) == (None, [], 0)
    assert rows.compact().files_deleted == 0
    assert list(tmp_path.iterdir()) == []


def test_a_row_comes_back_as_it_was_written(rows: DeltaRows[RecordingRow]) -> None:
    written = [
        a_recording("all", metadata={"ä": [1, None, {"x": "'"}]}, participant_ids=("a", "b")),
        RecordingRow(recording_hash=a_hash("bare")),
    ]
    for row in written:
        put(rows, row)
    assert {row.recording_hash: row for row in rows.rows()} == {
        row.recording_hash: row for row in written
    }


@pytest.mark.parametrize("where", ["folder", "ministack", "radosgw"])
def test_whoever_comes_first_makes_the_table_and_no_row_is_lost(
    where: str, tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> None:
    root = tmp_path if where == "folder" else s3_server_of(where).options(prefix=uuid4().hex)
    location = CatalogLocation.of(root)
    together = Barrier(4)

    def write(number: int) -> None:
        rows = DeltaRows(location, "c", RECORDINGS)
        together.wait()
        put(rows, a_recording(str(number)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    found = [row.recording_hash for row in DeltaRows(location, "c", RECORDINGS).rows()]
    assert found == sorted(a_hash(str(number)) for number in range(4))


def test_a_decision_is_made_again_when_somebody_else_was_faster(
    rows: DeltaRows[RecordingRow],
) -> None:
    put(rows, a_recording(duration_s=1.0))
    asked: list[float | None] = []

    def longer(found: Held) -> Sequence[RecordingRow]:
        (row,) = found.values()
        asked.append(row.duration_s)
        if len(asked) == 1:
            put(rows, a_recording(duration_s=5.0))
        return [a_recording(duration_s=(row.duration_s or 0) + 10)]

    rows.change([(a_hash("r"),)], longer)
    assert asked == [1.0, 5.0]
    assert held(rows) == {a_hash("r"): 15.0}


def test_two_who_add_the_same_new_row_do_not_both_add_it(rows: DeltaRows[RecordingRow]) -> None:
    asked: list[int] = []

    def add(found: Held) -> Sequence[RecordingRow]:
        asked.append(len(found))
        if len(asked) == 1:
            put(rows, a_recording(duration_s=5.0))
        return [] if found else [a_recording(duration_s=6.0)]

    assert rows.change([(a_hash("r"),)], add) == []
    assert asked == [0, 1]
    assert held(rows) == {a_hash("r"): 5.0}


def test_others_in_another_partition_are_nobody_to_wait_for(rows: DeltaRows[RecordingRow]) -> None:
    here, there = "0" * 64, "f" * 64
    put(rows, a_recording(recording_hash=here))
    asked: list[int] = []

    def write(found: Held) -> Sequence[RecordingRow]:
        asked.append(len(found))
        put(rows, a_recording(recording_hash=there, duration_s=float(len(asked))))
        return [a_recording(recording_hash=here, duration_s=9.0)]

    rows.change([(here,)], write)
    assert asked == [1]
    assert held(rows) == {here: 9.0, there: 1.0}


def test_tries_are_bounded_with_a_longer_wait_after_each(tmp_path: Path) -> None:
    waited: list[float] = []
    rows = DeltaRows(
        CatalogLocation.of(tmp_path), "c", RECORDINGS, wait=waited.append, attempts_max=5
    )
    asked: list[int] = []

    def never_first(found: Held) -> Sequence[RecordingRow]:
        asked.append(len(found))
        put(rows, a_recording(duration_s=float(len(asked))))
        return [a_recording(duration_s=99.0)]

    with pytest.raises(CatalogBusy) as busy:
        rows.change([(a_hash("r"),)], never_first)
    assert a_hash("r") in str(busy.value)
    assert busy.value.transient
    assert len(waited) == len(asked) == 5
    assert waited == sorted(waited)
    assert held(rows) == {a_hash("r"): 5.0}


def test_an_error_of_the_decision_ends_the_change(rows: DeltaRows[RecordingRow]) -> None:
    def refuse(found: Held) -> Sequence[RecordingRow]:
        raise RequestError(f"no: {len(found)}")

    with pytest.raises(RequestError, match="no: 0"):
        rows.change([(a_hash("r"),)], refuse)
    assert held(rows) == {}


def test_a_table_is_read_as_it_was_and_made_so_again(rows: DeltaRows[RecordingRow]) -> None:
    put(rows, a_recording("one"))
    good = rows.version()
    assert good == 1
    put(rows, a_recording("one", duration_s=0.0))
    assert [row.duration_s for row in rows.rows(version=good)] == [60.0]
    assert rows.restore(good, expected=2) == 3
    assert held(rows) == {a_hash("one"): 60.0}
    assert [(each.number, each.made_by) for each in rows.versions()] == [
        (3, "restore"), (2, "merge"), (1, "merge"), (0, "create table"),
    ]  # fmt: skip
    times = [each.committed_at for each in rows.versions(limit=2)]
    assert len(times) == 2
    assert times == sorted(times, reverse=True)
    put(rows, a_recording("two"))
    assert len(held(rows)) == 2


def test_nothing_is_restored_over_what_the_caller_has_not_seen(
    rows: DeltaRows[RecordingRow],
) -> None:
    put(rows, a_recording("one"))
    put(rows, a_recording("two"))
    with pytest.raises(CatalogMoved, match="version 2"):
        rows.restore(0, expected=1)
    assert len(held(rows)) == 2


@pytest.mark.parametrize("to", [-1, 2, 99])
def test_a_version_that_there_is_not_is_neither_read_nor_restored(
    rows: DeltaRows[RecordingRow], to: int
) -> None:
    put(rows, a_recording())
    with pytest.raises(CatalogVersionMissing):
        rows.restore(to, expected=1)
    with pytest.raises(CatalogVersionMissing):
        list(rows.rows(version=to))


def test_a_version_whose_files_are_gone_is_not_restored(
    rows: DeltaRows[RecordingRow], tmp_path: Path
) -> None:
    put(rows, a_recording())
    (old,) = tmp_path.glob("c/recordings/bucket=*/*.parquet")
    put(rows, a_recording(duration_s=0.0))
    old.unlink()
    with pytest.raises(StoreUnavailable):
        rows.restore(1, expected=2)
    assert held(rows) == {a_hash("r"): 0.0}


def test_a_change_that_read_before_a_restore_is_made_on_what_was_restored(
    rows: DeltaRows[RecordingRow],
) -> None:
    put(rows, a_recording(duration_s=1.0))
    put(rows, a_recording(duration_s=2.0))
    seen: list[float | None] = []

    def write(found: Held) -> Sequence[RecordingRow]:
        (row,) = found.values()
        seen.append(row.duration_s)
        if len(seen) == 1:
            rows.restore(1, expected=2)
        return [a_recording(duration_s=(row.duration_s or 0) + 10)]

    rows.change([(a_hash("r"),)], write)
    assert seen == [2.0, 1.0]
    assert held(rows) == {a_hash("r"): 11.0}


@pytest.mark.parametrize("damage", ["cut off", "gone", "log cut off"])
def test_damage_is_an_error_of_the_store_that_names_the_table(
    rows: DeltaRows[RecordingRow], tmp_path: Path, damage: str
) -> None:
    put(rows, a_recording())
    log = damage.startswith("log")
    pattern = "_delta_log/*1.json" if log else "bucket=*/*.parquet"
    (file,) = tmp_path.glob(f"c/recordings/{pattern}")
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:50])
    for use in (lambda: list(rows.rows()), lambda: put(rows, a_recording())):
        with pytest.raises(StoreUnavailable, match="recordings"):
            use()


def test_a_compaction_joins_files_and_changes_no_row(rows: DeltaRows[RecordingRow]) -> None:
    hashes = [f"a{number:063x}" for number in range(4)]
    for each in hashes:
        put(rows, a_recording(recording_hash=each))
    before, newest = held(rows), rows.version()
    assert newest is not None
    done = rows.compact()
    assert (done.files_joined, done.files_made, done.files_deleted) == (4, 1, 0)
    assert held(rows) == before
    assert len(list(rows.rows(version=newest - 1))) == 3


@pytest.mark.parametrize("retention_h", [0, 167, -1])
def test_files_that_may_be_in_use_are_not_deleted(
    rows: DeltaRows[RecordingRow], retention_h: int
) -> None:
    with pytest.raises(RequestError, match="at least 168 hours"):
        rows.compact(retention_h=retention_h)


def test_a_table_with_other_columns_is_left_alone(
    rows: DeltaRows[RecordingRow],
) -> None:
    put(rows, a_recording())
    table = deltalake.DeltaTable(rows.address)
    extra = deltalake.Field("mood", deltalake.schema.PrimitiveType("string"))
    table.alter.add_columns([extra])
    for use in (lambda: list(rows.rows()), lambda: put(rows, a_recording("two"))):
        with pytest.raises(CatalogIncompatible) as error:
            use()
        assert "mood" in str(error.value)


def test_other_engines_find_a_plain_table_of_the_first_protocol(
    rows: DeltaRows[RecordingRow],
) -> None:
    put(rows, a_recording())
    table: Any = deltalake.DeltaTable(rows.address)
    assert table.protocol().min_reader_version == 1
    assert table.protocol().min_writer_version == 2
    assert table.metadata().partition_columns == ["bucket"]
    assert table.partitions() == [{"bucket": a_hash("r")[0]}]
