"""Pages lead through every recording once, and a text finds what it says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lading.catalog.catalog import Catalog
from lading.catalog.errors import CatalogFilterRefused
from lading.catalog.pages import TEXT_LENGTH_MAX
from lading.catalog.registering import Registration
from lading.catalog.values import RecordingRow
from tests.catalog.rows import STARTED, a_hash, a_modality, a_recording, no_wait
from tests.catalog.test_filters import HOSTILE

QUOTED = 'rec "one" \\ of Ärzte\n%_'


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Recordings of five days, five of each, and five without a start; only read."""
    catalog = Catalog.create(tmp_path_factory.mktemp("pages"), prefix="c", wait=no_wait)
    rows = [
        a_recording(
            f"{day}{turn}",
            started_at=STARTED + timedelta(day) if day < 5 else None,
            participant_ids=(f"P-{turn}", "Zoë"),
        )
        for day in range(6)
        for turn in range(5)
    ]
    rows.append(a_recording("q", participant_ids=(), metadata={"manifest_recording_id": QUOTED}))
    rows.append(
        a_recording(
            "other", participant_ids=HOSTILE,
            metadata={"a": "rec_20260520_195628_11", "note": '"manifest_recording_id": "x"'},
        )
    )  # fmt: skip
    catalog.register_many(Registration(row) for row in rows)
    return catalog


def paged(catalog: Catalog, limit: int, **how: Any) -> list[RecordingRow]:
    rows: list[RecordingRow] = []
    after = None
    while True:
        page = catalog.page(limit=limit, after=after, **how)
        assert len(page.rows) <= limit
        rows += page.rows
        if page.next is None:
            return rows
        assert len(page.rows) == limit
        after = page.next


@pytest.mark.parametrize("limit", [1, 7, 32, 1000])
@pytest.mark.parametrize("newest_first", [True, False])
def test_pages_lead_through_all_in_order_with_those_without_a_start_last(
    filled: Catalog, limit: int, newest_first: bool
) -> None:
    rows = list(filled.list_recordings())
    known = [row for row in rows if row.started_at]
    unknown = [row for row in rows if row.started_at is None]
    wanted = [
        *sorted(known, key=lambda r: (r.started_at, r.recording_hash), reverse=newest_first),
        *sorted(unknown, key=lambda r: r.recording_hash, reverse=newest_first),
    ]
    assert paged(filled, limit, newest_first=newest_first) == wanted
    assert len(unknown) == 5


def test_what_is_registered_between_two_pages_moves_no_row_to_another_page(
    catalog: Catalog,
) -> None:
    days = [a_recording(str(day), started_at=STARTED + timedelta(day)) for day in range(4)]
    catalog.register_many(map(Registration, days))
    first = catalog.page(limit=2)
    catalog.register(a_recording("newer", started_at=STARTED + timedelta(9)))
    second = catalog.page(limit=2, after=first.next)
    assert [row.recording_hash for row in (*first.rows, *second.rows)] == [
        row.recording_hash for row in reversed(days)
    ]
    assert second.next is None


def test_a_page_and_a_count_go_by_filter_and_text_together(filled: Catalog) -> None:
    where = {"participant_ids": "P-3"}
    assert filled.count() == 32
    assert filled.count(where) == len(paged(filled, 2, where=where)) == 6
    assert filled.count(where, text="195628_4") == 1
    (row,) = filled.page(where, text="195628_4", limit=5).rows
    assert row.recording_hash == a_hash("43")
    assert filled.count({"recording_hash": a_hash("43")}, text="Zoë") == 1
    assert filled.count(text="  ") == 32


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (a_hash("q"), ["q"]),
        (a_hash("q")[:9].upper(), ["q"]),
        (a_hash("q")[1:9], []),
        ("195628_11", ["11"]),
        ("REC_20260520_195628_11", ["11"]),
        ('"one" \\ of ärzte', ["q"]),
        (" one ", ["q"]),
        ("Ärzte\n%_", ["q"]),
        ("\\", ["q", "other"]),
        ("note", []),
        ("manifest_recording_id", []),
        ('", "', []),
        ("ZOË", [f"{day}{turn}" for day in range(6) for turn in range(5)]),
        ("p-4", [f"{day}4" for day in range(6)]),
        ("DROP TABLE", ["other"]),
        ("'1'='1", ["other"]),
    ],
)
def test_a_text_finds_beginnings_of_hashes_manifests_identifiers_and_participants(
    filled: Catalog, text: str, names: list[str]
) -> None:
    found = {row.recording_hash for row in paged(filled, 1000, text=text)}
    assert found == {a_hash(name) for name in names}


def test_any_text_is_looked_for_and_never_more(filled: Catalog) -> None:
    for text in HOSTILE:
        found = {row.recording_hash for row in filled.page(text=text, limit=1000).rows}
        assert not text.strip() or a_hash("other") in found
        assert filled.count(text=text) == len(found)


@pytest.mark.parametrize(
    "wrong",
    [
        {"limit": 0},
        {"limit": 1001},
        {"limit": True},
        {"limit": "5"},
        {"after": ""},
        {"after": "newest.1"},
        {"after": f"oldest.1.{a_hash('q')}"},
        {"after": f"newest.{'9' * 17}9.{a_hash('q')}"},
        {"after": f"newest.-{'9' * 17}.{a_hash('q')}"},
        {"after": "newest.none.' OR 1=1 --' OR 1=1"},
        {"text": "x" * (TEXT_LENGTH_MAX + 1)},
        {"text": "\ud800"},
        {"where": {"metadata": "x"}},
    ],
    ids=lambda wrong: ascii(wrong)[:60],
)
def test_a_page_that_cannot_be_is_refused(filled: Catalog, wrong: dict[str, Any]) -> None:
    with pytest.raises(CatalogFilterRefused):
        filled.page(**{"limit": 5, **wrong})


def test_modalities_are_found_by_any_of_several_places(catalog: Catalog) -> None:
    for name in ("one", "two", "three"):
        catalog.register(a_recording(name), [a_modality(name)])
    places = [a_modality(name).location for name in ("one", "three")]
    found = list(catalog.list_modalities({"location": [*places, "elsewhere"]}))
    assert sorted(row.location for row in found) == sorted(places)
    assert list(catalog.list_modalities({"location": places[0][:-1]})) == []
    assert len(list(catalog.list_modalities({"keys": ["0001.bin", "x"], "modality": "eeg"}))) == 3
