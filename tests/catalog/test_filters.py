"""Filters find what they say, and hostile values find nothing else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lading.catalog import tables
from lading.catalog.catalog import Catalog
from lading.catalog.errors import CatalogFilterRefused
from tests.catalog.rows import STARTED, a_hash, a_modality, a_participant, a_recording, no_wait

HOSTILE = [
    "it's", "' OR '1'='1", "\\' OR 1=1 --", "'; DROP TABLE participants; --", "''", "\\", "a\\",
    "\x00", "\n", "$1", "?", "%", "_", "/* x */", "E'x'", "\\u0041", "\u202eabc", "{0}", '"', "`",
]  # fmt: skip


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Recordings one (longest), two and three (no end), in a catalog that is only read."""
    catalog = Catalog.create(tmp_path_factory.mktemp("filled"), prefix="c", wait=no_wait)
    catalog.register(a_recording("one", duration_s=90.5), [a_modality("one")])
    catalog.register(a_recording("two", participant_ids=("P-1", "P-2")), [a_modality("two")])
    catalog.register(
        a_recording("three", participant_ids=(), ended_at=None, started_at=STARTED + timedelta(1)),
        [a_modality("three", worker_id=worker, size_bytes=1) for worker in ("", "b")],
    )
    return catalog


@pytest.mark.parametrize(
    ("where", "names"),
    [
        (None, ["one", "three", "two"]),
        ({}, ["one", "three", "two"]),
        ({"recording_hash": a_hash("one")}, ["one"]),
        ({"recording_hash": [a_hash("one"), a_hash("two"), "0" * 64]}, ["one", "two"]),
        ({"recording_hash": []}, []),
        ({"recording_hash": ""}, []),
        ({"duration_s": 90.5}, ["one"]),
        ({"duration_s": 60}, ["three", "two"]),
        ({"started_at": STARTED}, ["one", "two"]),
        ({"ended_at": None}, ["three"]),
        ({"ended_at": [None, STARTED + timedelta(seconds=60)]}, ["one", "three", "two"]),
        ({"participant_ids": "P-1"}, ["one", "two"]),
        ({"participant_ids": ("P-2", "P-9")}, ["two"]),
        ({"participant_ids": None}, ["three"]),
        ({"status": "raw", "participant_ids": "P-2"}, ["two"]),
        ({"status": "RAW"}, []),
    ],
)
def test_a_filter_finds_what_it_says(
    filled: Catalog, where: dict[str, Any] | None, names: list[str]
) -> None:
    found = {row.recording_hash for row in filled.list_recordings(where)}
    assert found == {a_hash(name) for name in names}


def test_modalities_are_found_by_whole_numbers_and_by_an_empty_worker(filled: Catalog) -> None:
    assert len(list(filled.list_modalities({"size_bytes": [1, 2**63 - 1]}))) == 2
    (row,) = filled.list_modalities({"recording_hash": a_hash("three"), "worker_id": ""})
    assert row == a_modality("three", worker_id="", size_bytes=1, **stamps(row))


def test_rows_come_in_the_order_of_their_keys_up_to_the_limit(filled: Catalog) -> None:
    hashes = [row.recording_hash for row in filled.list_recordings()]
    assert hashes == sorted(hashes)
    assert [row.recording_hash for row in filled.list_recordings(limit=2)] == hashes[:2]
    assert list(filled.list_recordings(limit=0)) == []


def test_a_filter_that_finds_much_loses_nothing_and_keeps_the_order(
    filled: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = list(filled.list_recordings({"status": "raw"}))
    assert len(few) == 3
    for bound in (1, 2, 3):
        monkeypatch.setattr(tables, "_FEW_ROWS", bound)
        assert list(filled.list_recordings({"status": "raw"})) == few


def test_text_of_any_kind_is_a_value_and_nothing_else(catalog: Catalog) -> None:
    catalog.register(
        a_recording(participant_ids=HOSTILE),
        participants=[a_participant(text, display_name=text) for text in HOSTILE],
    )
    assert len(list(catalog.list_participants())) == len(HOSTILE)
    for text in HOSTILE:
        (named,) = catalog.list_participants({"display_name": text})
        (known,) = catalog.list_participants({"participant_id": [text]})
        assert named.participant_id == known.display_name == text
        assert len(list(catalog.list_recordings({"participant_ids": text}))) == 1
        assert list(catalog.list_recordings({"status": text})) == []
        assert list(catalog.list_recordings({"recording_hash": text})) == []
        assert list(catalog.list_modalities({"recording_hash": text, "modality": text})) == []


@pytest.mark.parametrize(
    "where",
    [
        {"nope": 1},
        {"bucket": "a"},
        {"metadata": "{}"},
        {"status = 'raw' OR 1": 1},
        {"status": 1},
        {"status": True},
        {"status": b"raw"},
        {"status": {"raw": 1}},
        {"status": "\ud800"},
        {"status": ["raw"] * 10_001},
        {"duration_s": "60"},
        {"duration_s": float("nan")},
        {"duration_s": 2**70},
        {"started_at": "2026-01-01"},
        {"started_at": STARTED.replace(tzinfo=None)},
        {1: 1},
    ],
    ids=lambda where: ascii(where)[:40],
)
def test_a_filter_that_cannot_find_anything_is_refused(
    filled: Catalog, where: dict[str, Any]
) -> None:
    with pytest.raises(CatalogFilterRefused):
        filled.list_recordings(where)


@pytest.mark.parametrize("limit", [-1, True, "1", 1.0, 2**63])
def test_a_limit_that_is_none_is_refused(filled: Catalog, limit: Any) -> None:
    with pytest.raises(CatalogFilterRefused):
        filled.list_recordings(limit=limit)


def stamps(row: Any) -> dict[str, Any]:
    return {"created_at": row.created_at, "updated_at": row.updated_at}
