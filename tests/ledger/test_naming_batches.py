"""What people type for a batch: its key, its number, or a beginning; nothing is guessed."""

from __future__ import annotations

import pytest

from lading.db import Database
from lading.ledger.batches import Batch, BatchMissing
from lading.ledger.queries import DigitsAre, find_batch
from tests.ledger.test_batch_lists import batch_row, fill


@pytest.fixture
def folders(database: Database) -> Database:
    """A folder is called by the number of another, and one name is that of two folders."""
    fill(database, [batch_row(number, batch_key=f"album {number}") for number in range(1, 8)])
    rows = [
        batch_row(8, batch_key="3"),
        batch_row(9, batch_key="2019"),
        batch_row(10, batch_key="2020 in Rome"),
        batch_row(11, batch_key="Camera"),
        batch_row(12, batch_key="Camera", source="phone"),
    ]
    fill(database, rows)
    return database


def found(db: Database, name: str, digits: DigitsAre | None = None) -> Batch:
    with db.read() as conn:
        return find_batch(conn, name, digits=digits)


def test_a_folder_called_by_digits_is_found_where_no_batch_has_that_number(
    folders: Database,
) -> None:
    assert found(folders, "2019").batch_key == "2019"
    assert found(folders, "2020").batch_key == "2020 in Rome"
    assert found(folders, "5").batch_key == "album 5"


@pytest.mark.parametrize(
    ("digits", "key"), [(DigitsAre.KEY, "3"), (DigitsAre.NUMBER, "album 3")], ids=str
)
def test_who_knows_what_digits_mean_says_so(folders: Database, digits: DigitsAre, key: str) -> None:
    assert found(folders, "3", digits).batch_key == key
    assert found(folders, "4", digits).batch_key == "album 4"


def test_digits_that_are_a_key_and_another_number_are_refused_with_both_named(
    folders: Database,
) -> None:
    with pytest.raises(BatchMissing) as refused:
        found(folders, "3")
    assert refused.value.found == "nas/3 (number 8), nas/album 3 (number 3)"
    assert refused.value.advice == "Name it by its number, such as `number:8`."
    assert found(folders, "number:8").batch_key == "3"
    assert found(folders, "number:3").batch_key == "album 3"
    with pytest.raises(BatchMissing, match="no such batch"):
        found(folders, "number:99")


def test_one_name_of_two_sources_is_refused_with_the_number_of_each(folders: Database) -> None:
    with pytest.raises(BatchMissing) as refused:
        found(folders, "Camera")
    assert refused.value.found == "nas/Camera (number 11), phone/Camera (number 12)"
    assert found(folders, "number:12").source == "phone"
