"""Many recordings at once: registered, looked up, and compared as one by one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import deltalake
import pytest

from lading.base.errors import RequestError
from lading.catalog.catalog import Catalog, Checked
from lading.catalog.columns import MODALITIES
from lading.catalog.comparing import Found
from lading.catalog.errors import CatalogConflict, CatalogRowRefused
from lading.catalog.registering import Registration
from lading.catalog.tables import DeltaRows
from lading.testing.servers_s3 import S3Facts
from tests.catalog.rows import STARTED, a_hash, a_modality, a_participant, a_recording, no_wait

TABLES = ("recordings", "modalities", "participants")


def a_registration(name: str, person: str = "P-1", **others: Any) -> Registration:
    return Registration(
        a_recording(name, participant_ids=(person,), **others),
        [a_modality(name), a_modality(name, modality="camera", worker_id="4559")],
        [a_participant(person)],
    )


def versions(catalog: Catalog) -> list[int]:
    return [catalog.versions(name, limit=1)[0].number for name in TABLES]


def commits(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """The tables written to from now on, each with whether the commit was accepted."""
    made: list[tuple[str, bool]] = []
    commit = DeltaRows.commit

    def counted(self: DeltaRows[Any], reading: Any, rows: Any) -> bool:
        done = commit(self, reading, rows)
        if rows:
            made.append((self.shape.name, done))
        return done

    monkeypatch.setattr(DeltaRows, "commit", counted)
    return made


@pytest.mark.parametrize("where", ["folder", "radosgw"])
def test_many_are_registered_by_a_commit_for_each_table_and_thousand(
    where: str,
    tmp_path: Path,
    s3_server_of: Callable[[str], S3Facts],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root: Any = tmp_path if where == "folder" else s3_server_of(where).options(prefix=uuid4().hex)
    catalog = Catalog.create(root, prefix="c", wait=no_wait)
    given = [a_registration(str(number), f"P-{number % 7}") for number in range(1200)]
    made = commits(monkeypatch)
    done = catalog.register_many(iter(given))
    assert (done.recordings_written, done.unchanged, done.conflicts) == (1200, 0, ())
    # The second thousand brings no participant that is not held.
    assert [name for name, _ in made] == [
        "participants", "modalities", "recordings", "modalities", "recordings",
    ]  # fmt: skip
    assert catalog.check() == Checked(1200, 2400, 7, 0, 0, 0, 0)
    before = versions(catalog)
    again = catalog.register_many(given)
    assert (again.recordings_written, again.unchanged, again.conflicts) == (0, 1200, ())
    assert versions(catalog) == before


def test_what_many_come_to_is_what_single_ones_come_to_in_that_order(tmp_path: Path) -> None:
    chance = random.Random(14)
    given = [
        Registration(
            a_recording(
                str(chance.randrange(8)),
                duration_s=chance.choice([None, 1.0, 2.0]),
                ended_at=None,
                participant_ids=(person,),
                status=chance.choice(["raw", "raw", "raw", "synced"]),
            ),
            (),
            [a_participant(person, display_name=chance.choice(["a", "a", "b"]))],
        )
        for person in chance.choices(["P-1", "P-2", "P-3"], k=60)
    ]
    policies = ("extend", "merge_participants")
    one = Catalog.create(tmp_path, prefix="one", pointer="one.json", wait=no_wait)
    many = Catalog.create(tmp_path, prefix="many", pointer="many.json", wait=no_wait)
    refused = []
    for each in given:
        try:
            one.register(each.recording, each.modalities, each.participants, on_conflict=policies)
        except CatalogConflict as error:
            refused.append((each.recording_hash, str(error)))
    done = many.register_many(given, on_conflict=policies)
    assert [(name, str(error)) for name, error in done.conflicts] == refused
    assert 10 < len(refused) < 50
    assert done.recordings_written + done.unchanged + len(refused) == len(given)
    assert list(one.compare(many)) == []


def test_a_recording_that_conflicts_leaves_nothing_and_stops_no_other(catalog: Catalog) -> None:
    catalog.register(a_recording("held"), [a_modality("held")], [a_participant("P-1")])
    done = catalog.register_many(
        [
            a_registration("before"),
            a_registration("held", "P-8"),
            Registration(
                a_recording("bad"), [a_modality("bad")], [a_participant(display_name="x")]
            ),
            Registration(
                a_recording("bad"),
                [a_modality("bad", worker_id="b")],
                [a_participant("P-9"), a_participant(display_name="x")],
            ),
            a_registration("after"),
        ]
    )
    assert done.recordings_written == 2
    assert [name for name, _ in done.conflicts] == [a_hash("held"), a_hash("bad"), a_hash("bad")]
    assert "recordings: participant_ids" in str(done.conflicts[0][1])
    assert "participants: display_name" in str(done.conflicts[1][1])
    assert catalog.check() == Checked(3, 5, 1, 0, 0, 0, 0)


def test_what_was_given_in_full_before_an_error_stays(catalog: Catalog) -> None:
    def given() -> Iterator[Registration]:
        for number in range(1500):
            yield Registration(a_recording(str(number), participant_ids=()))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        catalog.register_many(given())
    assert catalog.count() == 1000
    with pytest.raises(RequestError, match="no such policy"):
        catalog.register_many([], on_conflict="newest")
    with pytest.raises(CatalogRowRefused, match="another recording"):
        Registration(a_recording("one"), [a_modality("two")])
    assert catalog.count() == 1000


def test_whoever_is_faster_is_met_and_their_rows_are_kept(
    catalog: Catalog, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between reading and writing somebody brings a participant and a recording that conflict."""
    other = Catalog.open(folder, wait=no_wait)
    given = [a_registration(str(number), f"P-{number}") for number in range(40)]
    catalog.register_many(given[:1])
    theirs: dict[str, Callable[[], object]] = {
        "participants": lambda: other.register_participant(
            a_participant("P-7", display_name="not she")
        ),
        "recordings": lambda: other.register(a_recording("9", duration_s=1.0), on_conflict="error"),
        "modalities": lambda: other.register_modality(a_modality("11")),
    }
    commit = DeltaRows.commit

    def late(self: DeltaRows[Any], reading: Any, rows: Any) -> bool:
        if rows and (faster := theirs.pop(self.shape.name, None)):
            faster()
        return commit(self, reading, rows)

    monkeypatch.setattr(DeltaRows, "commit", late)
    done = catalog.register_many(given)
    monkeypatch.undo()
    assert theirs == {}
    assert sorted(name for name, _ in done.conflicts) == sorted([a_hash("7"), a_hash("9")])
    assert (done.recordings_written, done.unchanged) == (37, 1)
    assert catalog.get_recording(a_hash("9")).duration_s == 1.0
    assert catalog.recordings_held([a_hash("7")]) == {}
    checked = catalog.check()
    assert (checked.recordings, checked.rows_twice, checked.participants_missing) == (39, 0, 0)


def test_many_are_looked_up_at_once(catalog: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [str(number) for number in range(300)]
    catalog.register_many(a_registration(name, f"P-{int(name) % 3}") for name in names)
    catalog.register_modality(a_modality("orphan"))
    hashes = [a_hash(name) for name in names]
    unknown = [a_hash("orphan"), a_hash("nobody"), "", "no hash"]
    asked: list[str] = []
    batches = DeltaRows._batches

    def counted(self: DeltaRows[Any], *args: Any) -> Any:
        asked.append(self.shape.name)
        return batches(self, *args)

    monkeypatch.setattr(DeltaRows, "_batches", counted)
    held = catalog.recordings_held([*hashes, *unknown, *hashes])
    assert asked == ["recordings"]
    assert held == {row.recording_hash: row for row in catalog.list_recordings()}
    asked.clear()
    modalities = catalog.modalities_of([*hashes, *unknown])
    assert asked == ["modalities"]
    assert list(modalities) == [*hashes, *unknown]
    assert all(modalities[each] == [] for each in unknown)
    assert [row for each in sorted(hashes) for row in modalities[each]] == list(
        catalog.list_modalities()
    )
    asked.clear()
    participants = catalog.participants_of([*hashes, *unknown])
    assert asked == ["recordings", "participants"]
    assert {each: [row.participant_id for row in participants[each]] for each in hashes} == {
        a_hash(name): [f"P-{int(name) % 3}"] for name in names
    }
    assert all(participants[each] == [] for each in unknown)
    asked.clear()
    some = {"recording_hash": hashes[:250]}
    assert len(list(catalog.list_recordings(some))) == 250
    assert len(list(catalog.list_modalities(some))) == 500
    assert asked == ["recordings", "modalities"]


def test_nothing_is_asked_of_a_catalog_for_nobody(catalog: Catalog) -> None:
    assert catalog.recordings_held([]) == {}
    assert catalog.modalities_of([a_hash("r")]) == {a_hash("r"): []}
    assert catalog.participants_of([a_hash("r")]) == {a_hash("r"): []}
    assert (catalog.count(), catalog.page(limit=1).rows) == (0, ())
    assert catalog.register_many([]).recordings_written == 0


def test_a_rebuilt_catalog_differs_in_what_differs_and_in_nothing_else(
    catalog: Catalog, folder: Path
) -> None:
    rebuilt = Catalog.open(folder, prefix="ursa/catalog-2", wait=no_wait)
    given = [a_registration(str(number), f"P-{number}") for number in range(20)]
    catalog.register_many(given)
    catalog.register_modality(a_modality("cut off"))  # no reader sees it
    rebuilt.register_many(reversed(given))
    assert list(catalog.compare(rebuilt)) == []
    assert list(catalog.compare(Catalog.open(folder, prefix="empty", wait=no_wait))) != []

    catalog.register(a_recording("here", participant_ids=("P-h",)), (), [a_participant("P-h")])
    rebuilt.register(a_recording("there", participant_ids=()), [a_modality("there")])
    longer = STARTED + timedelta(seconds=61)
    rebuilt.register(
        a_recording("3", participant_ids=("P-3",), ended_at=longer, duration_s=61.0),
        [a_modality("3", size_bytes=1)],
        on_conflict="overwrite",
    )
    found = {(each.table, each.key): each for each in catalog.compare(rebuilt)}
    assert {place: each.found for place, each in found.items()} == {
        ("recordings", (a_hash("here"),)): Found.ONLY_HERE,
        ("recordings", (a_hash("there"),)): Found.ONLY_THERE,
        ("recordings", (a_hash("3"),)): Found.DIFFERS,
        ("modalities", (a_hash("3"), "eeg", "a", "raw")): Found.DIFFERS,
        ("modalities", (a_hash("there"), "eeg", "a", "raw")): Found.ONLY_THERE,
        ("participants", ("P-h",)): Found.ONLY_HERE,
    }
    (size,) = found["modalities", (a_hash("3"), "eeg", "a", "raw")].columns
    assert (size.column, size.held, size.proposed) == ("size_bytes", 2048, 1)
    names = [each.column for each in found["recordings", (a_hash("3"),)].columns]
    assert names == ["ended_at", "duration_s"]
    mirrored = {(each.table, each.key) for each in rebuilt.compare(catalog)}
    assert mirrored == set(found)


def test_a_row_that_is_there_twice_is_a_difference(catalog: Catalog, folder: Path) -> None:
    rebuilt = Catalog.open(folder, prefix="ursa/catalog-2", wait=no_wait)
    for each in (catalog, rebuilt):
        each.register(a_recording(), [a_modality()], [a_participant()])
    table: Any = MODALITIES
    address = f"{folder}/ursa/catalog-2/modalities"
    deltalake.write_deltalake(address, table.table([a_modality()]), mode="append")
    (found,) = catalog.compare(rebuilt)
    assert (found.table, found.found) == ("modalities", Found.ONLY_THERE)
