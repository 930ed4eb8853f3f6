"""What is registered is found, what was cut off is not, and what was wrong is taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import deltalake
import pytest

from lading.base.errors import RequestError
from lading.catalog import rules
from lading.catalog.catalog import Catalog, Checked
from lading.catalog.columns import MODALITIES, RECORDINGS
from lading.catalog.errors import CatalogConflict, CatalogRowRefused, RecordingMissing
from tests.catalog.conftest import PREFIX
from tests.catalog.rows import STARTED, a_hash, a_modality, a_participant, a_recording


def test_a_recording_is_registered_with_all_that_belongs_to_it(catalog: Catalog) -> None:
    done = catalog.register(
        a_recording(participant_ids=("P-1", "P-2")),
        [a_modality(), a_modality(worker_id="b"), a_modality(modality="camera", worker_id="4559")],
        [a_participant(), a_participant("P-2")],
    )
    written = (done.recordings_written, done.modalities_written, done.participants_written)
    assert written == (1, 3, 2)
    row = catalog.get_recording(a_hash("r"))
    assert row == done.recording
    assert row.metadata["manifest_recording_id"] == "rec_20260520_195628_r"
    modalities = list(catalog.list_modalities({"recording_hash": a_hash("r")}))
    assert list(rules.modality_keys(modalities)) == ["camera", "eeg_a", "eeg_b"]
    assert [person.participant_id for person in catalog.list_participants()] == ["P-1", "P-2"]
    assert catalog.check() == Checked(1, 3, 2, 0, 0, 0, 0)


def test_a_second_time_changes_nothing(catalog: Catalog) -> None:
    parts = (a_recording(), [a_modality()], [a_participant()])
    first = catalog.register(*parts)
    versions = [catalog.versions(name)[0] for name in ("recordings", "modalities", "participants")]
    again = catalog.register(*parts)
    assert again.recording == first.recording
    written = (again.recordings_written, again.modalities_written, again.participants_written)
    assert written == (0, 0, 0)
    assert versions == [
        catalog.versions(name)[0] for name in ("recordings", "modalities", "participants")
    ]


def test_rows_say_when_they_were_made_and_last_changed(folder: Path) -> None:
    times = iter(datetime(2026, 1, day, tzinfo=UTC) for day in range(1, 28))
    catalog = Catalog.create(folder, prefix=PREFIX, now=lambda: next(times))
    made = catalog.register_recording(a_recording())
    assert made.created_at == made.updated_at
    changed = catalog.register_recording(a_recording(duration_s=1.0), on_conflict="overwrite")
    assert changed.created_at == made.created_at
    assert changed.updated_at is not None
    assert made.updated_at is not None
    assert changed.updated_at > made.updated_at


def test_a_conflict_is_found_before_anything_is_written(catalog: Catalog) -> None:
    catalog.register(a_recording(), [a_modality()], [a_participant()])
    before = catalog.check()
    with pytest.raises(CatalogConflict) as conflict:
        catalog.register(
            a_recording(duration_s=90.0),
            [a_modality(worker_id="b")],
            [a_participant("P-2")],
        )
    assert conflict.value.subject == a_hash("r")
    assert str(conflict.value.expected) == "duration_s 60.0"
    assert str(conflict.value.found) == "duration_s 90.0"
    assert catalog.check() == before
    with pytest.raises(CatalogConflict, match="modalities: location"):
        catalog.register(a_recording(), [a_modality(location="x")], on_conflict="extend")
    with pytest.raises(CatalogConflict, match="participants: display_name"):
        catalog.register(a_recording(), (), [a_participant(display_name="x")])
    assert catalog.check() == before


def test_two_halves_of_a_session_on_two_days_become_one_recording(catalog: Catalog) -> None:
    catalog.register(a_recording(), [a_modality()], [a_participant()])
    end = STARTED + timedelta(seconds=90)
    half = a_recording(participant_ids=("P-2",), duration_s=90.0, ended_at=end)
    with pytest.raises(CatalogConflict):
        catalog.register(half, [a_modality(worker_id="b")])
    for _ in range(2):
        done = catalog.register(
            half,
            [a_modality(worker_id="b")],
            [a_participant("P-2")],
            on_conflict=("extend", "merge_participants"),
        )
        assert done.recording.participant_ids == ("P-1", "P-2")
        assert (done.recording.duration_s, done.recording.ended_at) == (90.0, end)
    assert catalog.check() == Checked(1, 2, 2, 0, 0, 0, 0)


def test_overwrite_goes_for_every_row_that_is_given(catalog: Catalog) -> None:
    catalog.register(a_recording(), [a_modality()], [a_participant()])
    done = catalog.register(
        a_recording(duration_s=1.0),
        [a_modality(size_bytes=1)],
        [a_participant(display_name="A. Lin")],
        on_conflict="overwrite",
    )
    written = (done.recordings_written, done.modalities_written, done.participants_written)
    assert written == (1, 1, 1)
    assert [row.size_bytes for row in catalog.list_modalities()] == [1]
    assert [row.display_name for row in catalog.list_participants()] == ["A. Lin"]


def test_a_modality_without_its_recording_is_counted_and_not_seen(catalog: Catalog) -> None:
    catalog.register(a_recording("other"), [a_modality("other")])
    assert catalog.register_modality(a_modality()).keys == ("0001.bin", "0002.bin")
    catalog.register_participant(a_participant("P-9"))
    hashes = [row.recording_hash for row in catalog.list_modalities()]
    assert hashes == [a_hash("other")]
    assert list(catalog.list_modalities({"recording_hash": a_hash("r")})) == []
    assert list(catalog.list_modalities({"recording_hash": a_hash("r")}, limit=5)) == []
    assert list(catalog.list_participants()) == []
    checked = catalog.check()
    assert (checked.modalities, checked.modalities_orphaned) == (1, 1)
    assert (checked.participants_orphaned, checked.participants_missing) == (1, 1)
    catalog.register_recording(a_recording())
    assert len(list(catalog.list_modalities())) == 2


def test_a_modality_and_a_participant_alone_have_two_policies(catalog: Catalog) -> None:
    catalog.register_modality(a_modality())
    with pytest.raises(CatalogConflict):
        catalog.register_modality(a_modality(size_bytes=1))
    changed = catalog.register_modality(a_modality(size_bytes=1), on_conflict="overwrite")
    assert changed.size_bytes == 1
    catalog.register_participant(a_participant())
    with pytest.raises(CatalogConflict):
        catalog.register_participant(a_participant(display_name="x"))
    with pytest.raises(RequestError, match="no such policy"):
        catalog.register_modality(a_modality(), on_conflict="extend")


def test_a_wrong_overwrite_is_taken_back(catalog: Catalog) -> None:
    names = [str(number) for number in range(3)]
    for name in names:
        catalog.register(a_recording(name), [a_modality(name)])
    right = list(catalog.list_recordings())
    good = catalog.versions("recordings")[0].number
    for name in names:
        catalog.register_recording(a_recording(name, duration_s=0.0), on_conflict="overwrite")
    assert {row.duration_s for row in catalog.list_recordings()} == {0.0}
    assert list(catalog.list_recordings(version=good)) == right

    one = catalog.get_recording(a_hash("1"), version=good)
    catalog.register_recording(one, on_conflict="overwrite")
    assert catalog.get_recording(a_hash("1")).duration_s == 60.0

    newest = catalog.versions("recordings")[0].number
    catalog.restore("recordings", good, expected=newest)
    assert list(catalog.list_recordings()) == right


def test_a_row_that_is_there_twice_is_counted(catalog: Catalog, folder: Path) -> None:
    catalog.register(a_recording(), [a_modality()])
    for shape, row in ((RECORDINGS, a_recording()), (MODALITIES, a_modality())):
        table: Any = shape
        address = f"{folder}/{PREFIX}/{shape.name}"
        deltalake.write_deltalake(address, table.table([row]), mode="append")
    assert catalog.check().rows_twice == 2


def test_a_compaction_of_the_catalog_changes_no_answer(catalog: Catalog) -> None:
    for number in range(3):
        catalog.register(a_recording(str(number)), [a_modality(str(number))], [a_participant()])
    before = (list(catalog.list_recordings()), list(catalog.list_modalities()), catalog.check())
    assert set(catalog.compact()) == {"participants", "modalities", "recordings"}
    assert before == (
        list(catalog.list_recordings()), list(catalog.list_modalities()), catalog.check(),
    )  # fmt: skip


def test_what_is_not_there_is_said_so(catalog: Catalog) -> None:
    for _ in range(2):
        with pytest.raises(RecordingMissing):
            catalog.get_recording(a_hash("nobody"))
        catalog.register(a_recording())
    with pytest.raises(RequestError, match="no such table"):
        catalog.versions("recordings; DROP")


def test_rows_that_contradict_each_other_are_refused(catalog: Catalog) -> None:
    with pytest.raises(CatalogRowRefused, match="another recording"):
        catalog.register(a_recording("one"), [a_modality("two")])
    with pytest.raises(CatalogRowRefused, match="one key differ"):
        catalog.register(a_recording(), [a_modality(), a_modality(size_bytes=1)])
    catalog.register(a_recording(), [a_modality(), a_modality()])
    assert catalog.check().modalities == 1
