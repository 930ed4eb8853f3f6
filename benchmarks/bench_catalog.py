"""The recordings catalog beside deltalake used directly, for the same rows in one run.

    python benchmarks/bench_catalog.py [--rows 100000] [--rounds 5] [--json]
        [--places folder,ministack,radosgw]

Each place holds tables for Lading and tables for the bare library, which has what one would write
with it in an afternoon: opened tables, a merge with the partition in its predicate, a QueryBuilder.
Each measurement is taken in turn by both, `rounds` times; the median of the ratios is printed.

- one: a recording, its modality and its participant are registered; 100 for each side. Bare: a
  merge into each of the three tables, each opened first, since others write too. It reads nothing
  before, so it finds no conflict.
- many: 1,000 recordings with theirs are registered at once into catalogs of no rows. Bare: a merge
  into each table, of all rows. parts: the same, where bare merges into one partition at a time.
- hash: one recording is read of `rows` (100,000). Bare: the table is opened and asked by partition
  and hash.
- hashes: 200 of them in one go. of: the modalities of these 200, which for Lading are only those of
  registered recordings. where: those of one participant. page: the newest 50. text: the
  first 50 whose manifest's identifier holds a text; bare: the same page with a LIKE on metadata.
Memory and rows returned are alike on both sides; Lading's are checked values, bare ones are dicts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any
from uuid import uuid4

import deltalake

from lading.catalog.catalog import Catalog
from lading.catalog.columns import MODALITIES, PARTICIPANTS, RECORDINGS, Shape
from lading.catalog.location import CatalogLocation
from lading.catalog.registering import Registration
from lading.catalog.values import ModalityRow, ParticipantRow, RecordingRow
from lading.testing.servers_s3 import ministack_server, radosgw_server

STARTED = datetime(2026, 1, 1, tzinfo=UTC)
SHAPES: tuple[Shape[Any], ...] = (PARTICIPANTS, MODALITIES, RECORDINGS)
PEOPLE = 200
TOGETHER = 1_000
SINGLE = 100
ASKED = 200
PAGE = 50


def registration(name: str) -> Registration:
    """A recording of a minute with one modality, of one of 200 participants."""
    digest = sha256(name.encode()).hexdigest()
    started = STARTED + timedelta(seconds=int(digest[:6], 16))
    person = f"P-{int(digest[:8], 16) % PEOPLE}"
    return Registration(
        RecordingRow(
            recording_hash=digest,
            started_at=started,
            ended_at=started + timedelta(seconds=60),
            duration_s=60.0,
            participant_ids=(person,),
            metadata={"manifest_recording_id": f"rec_{name}", "site": "lab-1", "notes": "x" * 80},
        ),
        [
            ModalityRow(
                recording_hash=digest,
                modality="eeg",
                worker_id="a",
                location=f"recordings/rec_{name}/eeg_a",
                keys=tuple(f"{number:04d}.bin" for number in range(8)),
                size_bytes=8_192,
            )
        ],
        [ParticipantRow(participant_id=person)],
    )


def rows_by_shape(given: Sequence[Registration]) -> dict[str, list[Any]]:
    """The rows of registrations by table; each participant once, as a merge wants them."""
    people = {row.participant_id: row for each in given for row in each.participants}
    return {
        PARTICIPANTS.name: list(people.values()),
        MODALITIES.name: [row for each in given for row in each.modalities],
        RECORDINGS.name: [each.recording for each in given],
    }


class Bare:
    """Tables of the same columns, by deltalake alone."""

    def __init__(self, location: CatalogLocation, prefix: str) -> None:
        self._location = location
        self._prefix = prefix

    def create(self) -> None:
        """Make the three tables."""
        for shape in SHAPES:
            deltalake.DeltaTable.create(
                self._location.address(self._prefix, shape.name),
                shape.schema(),
                partition_by=["bucket"],
                storage_options=self._location.storage_options(),
            )

    def register(self, given: Sequence[Registration]) -> None:
        """Merge the rows into each table."""
        for shape in SHAPES:
            rows = rows_by_shape(given)[shape.name]
            buckets = ", ".join(f"'{each}'" for each in {shape.bucket_of_row(r) for r in rows})
            same = " AND ".join(f"t.{name} = s.{name}" for name in ("bucket", *shape.key))
            (
                self.table(shape)
                .merge(
                    shape.table(rows),
                    predicate=f"t.bucket IN ({buckets}) AND {same}",
                    source_alias="s",
                    target_alias="t",
                )
                .when_matched_update_all()
                .when_not_matched_insert_all()
                .execute()
            )

    def append(self, given: Sequence[Registration]) -> None:
        """Add rows that are known to be new."""
        for shape in SHAPES:
            rows = rows_by_shape(given)[shape.name]
            deltalake.write_deltalake(self.table(shape), shape.table(rows), mode="append")

    def table(self, shape: Shape[Any]) -> deltalake.DeltaTable:
        """One table, opened now."""
        return deltalake.DeltaTable(
            self._location.address(self._prefix, shape.name),
            storage_options=self._location.storage_options(),
        )

    def query(
        self, wanted: str, last: str = "", shape: Shape[Any] = RECORDINGS
    ) -> list[dict[str, Any]]:
        """The rows of a table that a condition finds."""
        columns = ", ".join(shape.columns)
        query = deltalake.QueryBuilder().register("t", self.table(shape))
        rows: list[dict[str, Any]] = []
        for batch in query.execute(f"SELECT {columns} FROM t WHERE {wanted} {last}"):
            values = [batch.column(name).to_pylist() for name in shape.columns]
            rows += [
                dict(zip(shape.columns, each, strict=True)) for each in zip(*values, strict=True)
            ]
        return rows


def seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def in_turn(
    rounds: int, ours: Callable[[int], object], bare: Callable[[int], object], count: int = 1
) -> dict[str, float]:
    """Both measured `rounds` times, each going first every other time; medians for one of `count`.

    The ratio is the time of Lading by that of the bare library.
    """
    took: dict[str, list[float]] = {"lading": [], "bare": []}
    for turn in range(rounds):
        sides = [("lading", ours), ("bare", bare)]
        for name, work in sides if turn % 2 else reversed(sides):
            took[name].append(seconds(lambda work=work, turn=turn: work(turn)))  # type: ignore[misc]
    return {
        "lading_ms": 1_000 * statistics.median(took["lading"]) / count,
        "bare_ms": 1_000 * statistics.median(took["bare"]) / count,
        "ratio": statistics.median(
            one / other for one, other in zip(took["lading"], took["bare"], strict=True)
        ),
    }


def one_by_one(location: CatalogLocation, rounds: int) -> dict[str, dict[str, float]]:
    """100 registrations, each for itself."""
    catalog, bare = Catalog(location, "one-ours"), Bare(location, "one-bare")
    bare.create()
    each_turn = SINGLE // rounds

    def given(turn: int) -> Iterator[Registration]:
        return (registration(f"one-{turn}-{number}") for number in range(each_turn))

    def ours(turn: int) -> None:
        for each in given(turn):
            catalog.register(each.recording, each.modalities, each.participants)

    def plain(turn: int) -> None:
        for each in given(turn):
            bare.register([each])

    return {"one": in_turn(rounds, ours, plain, each_turn)}


def at_once(location: CatalogLocation, rounds: int) -> dict[str, dict[str, float]]:
    """1,000 registrations together, into new tables each time."""
    many = [registration(f"many-{number}") for number in range(TOGETHER)]
    by_digit: dict[str, list[Registration]] = defaultdict(list)
    for each in many:
        by_digit[each.recording_hash[0]].append(each)

    def ours(prefix: str) -> None:
        done = Catalog(location, prefix).register_many(many)
        if done.recordings_written != TOGETHER:
            raise SystemExit("not all were written")

    def bare(prefix: str, parts: Iterable[Sequence[Registration]]) -> None:
        tables = Bare(location, prefix)
        tables.create()
        for each in parts:
            tables.register(each)

    return {
        "many": in_turn(
            rounds,
            lambda turn: ours(f"many-ours-{turn}"),
            lambda turn: bare(f"many-bare-{turn}", [many]),
            TOGETHER,
        ),
        "parts": in_turn(
            rounds,
            lambda turn: ours(f"parts-ours-{turn}"),
            lambda turn: bare(f"parts-bare-{turn}", by_digit.values()),
            TOGETHER,
        ),
    }


def reading(location: CatalogLocation, rows: int, rounds: int) -> dict[str, dict[str, float]]:
    """Queries over `rows` recordings, on one set of tables."""
    catalog, bare = Catalog(location, "filled"), Bare(location, "filled")
    bare.create()
    step = 20_000
    for first in range(0, rows, step):
        bare.append([registration(f"r{n:06d}") for n in range(first, min(first + step, rows))])
    hashes = [registration(f"r{n:06d}").recording_hash for n in range(0, rows, rows // ASKED)]

    def asked(turn: int) -> str:
        return hashes[turn % len(hashes)]

    def listed(values: Sequence[str]) -> str:
        return ", ".join(f"'{each}'" for each in values)

    order = f"ORDER BY started_at DESC NULLS LAST, recording_hash DESC LIMIT {PAGE}"
    like = 'metadata LIKE \'%"manifest_recording_id": "%r0001%\''
    pairs: Mapping[str, tuple[Callable[[int], Any], Callable[[int], Any]]] = {
        "hash": (
            lambda turn: [catalog.get_recording(asked(turn))],
            lambda turn: bare.query(
                f"bucket = '{asked(turn)[0]}' AND recording_hash = '{asked(turn)}'"
            ),
        ),
        "hashes": (
            lambda _: catalog.recordings_held(hashes),
            lambda _: bare.query(
                f"bucket IN ({listed(sorted({each[0] for each in hashes}))})"
                f" AND recording_hash IN ({listed(hashes)})"
            ),
        ),
        "where": (
            lambda turn: list(catalog.list_recordings({"participant_ids": f"P-{turn}"})),
            lambda turn: bare.query(
                f"array_has(participant_ids, 'P-{turn}')", "ORDER BY recording_hash"
            ),
        ),
        "of": (
            lambda _: [row for rows in catalog.modalities_of(hashes).values() for row in rows],
            lambda _: bare.query(
                f"bucket IN ({listed(sorted({each[0] for each in hashes}))})"
                f" AND recording_hash IN ({listed(hashes)})",
                shape=MODALITIES,
            ),
        ),
        "page": (
            lambda _: catalog.page(limit=PAGE).rows,
            lambda _: bare.query("true", order),
        ),
        "text": (
            lambda _: catalog.page(limit=PAGE, text="r0001").rows,
            lambda _: bare.query(like, order),
        ),
    }
    report = {}
    for name, (ours, plain) in pairs.items():
        if not len(ours(0)) == len(plain(0)) > 0:
            raise SystemExit(f"{name}: {len(ours(0))} rows by Lading, {len(plain(0))} by deltalake")
        report[name] = in_turn(4 * rounds, ours, plain)
    return report


@contextmanager
def place(name: str) -> Iterator[CatalogLocation]:
    """A folder, or a bucket of a private server."""
    if name == "folder":
        with tempfile.TemporaryDirectory() as folder:
            yield CatalogLocation.of(folder)
        return
    servers = {"ministack": ministack_server, "radosgw": radosgw_server}
    with servers[name]() as facts:
        yield CatalogLocation.of(facts.options(prefix=uuid4().hex))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--places", default="folder,ministack,radosgw")
    parser.add_argument("--json", action="store_true")
    wanted = parser.parse_args()
    report = {}
    for name in wanted.places.split(","):
        with place(name) as location:
            found = report[name] = {
                **one_by_one(location, wanted.rounds),
                **at_once(location, wanted.rounds),
                **reading(location, wanted.rows, wanted.rounds),
            }
        if wanted.json:
            continue
        for what, each in found.items():
            print(
                f"{name:10} {what:8} lading {each['lading_ms']:9.2f} ms,"
                f" bare {each['bare_ms']:9.2f} ms, ratio {each['ratio']:.2f}",
                flush=True,
            )
    if wanted.json:
        json.dump(report, sys.stdout, indent=2)
        print()


if __name__ == "__main__":
    main()
