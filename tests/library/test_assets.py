"""Saving assets: created once, changed only where they differ, never twice (A11-A16, A19)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.exc import IntegrityError

from lading.base.errors import InternalError
from lading.db import Database
from lading.ledger.states import Outcome
from lading.library.assets import (
    compare_assets,
    find_assets,
    find_files,
    preview_assets,
    save_asset,
)
from lading.library.queries import ai_run_history, get_asset, source_history
from lading.library.rules import FactsRefused, WithheldDerivative
from lading.library.statements import insert_missing
from lading.library.tables import asset, asset_cover, asset_file, asset_source
from tests.library.things import (
    Photo,
    a_document,
    a_file,
    digest,
    picture_of,
    save,
    watched,
)


def test_a_new_asset_is_kept_with_all_that_was_said_about_it(database: Database) -> None:
    photo = Photo(
        "a", source='{"camera": "x"}', ai_runs={"photo.meaning": "m", "source_data:x": "y"}
    )
    [saved] = save(database, photo, batch_id=7)
    with database.read() as conn:
        view = get_asset(conn, photo.hash)
    assert saved.outcome is Outcome.CREATED
    assert view.asset.id == saved.id
    assert view.asset.facts == photo.asset_facts()
    assert view.asset.batch_id == 7
    assert not view.asset.deleted
    assert sorted((f.facts for f in view.files), key=lambda f: f.path) == sorted(
        photo.all_files(), key=lambda f: f.path
    )
    assert view.source is not None
    assert view.source.body == b'{"camera": "x"}'
    assert {run.analysis_kind: run.body for run in view.ai_runs} == {
        "photo.meaning": b"m",
        "source_data:x": b"y",
    }


def test_a_second_import_of_the_same_writes_nothing_at_all(database: Database) -> None:
    photos = [
        Photo("a", cover=digest("b")),
        Photo("b", files=[a_file("cover.jpg", role="cover")], cover=digest("cover.jpg")),
        Photo("c", facts={"captured_at": None, "detail": {}, "duration_s": 1e-7, "title": " é😀 "}),
    ]
    save(database, *photos)
    before = picture_of(database)
    with watched(database) as statements:
        again = save(database, *photos, batch_id=2)
    assert [saved.outcome for saved in again] == [Outcome.UNCHANGED] * 3
    assert statements.writes == []
    assert picture_of(database) == before


@pytest.mark.parametrize(
    ("facts", "value"),
    [
        ("title", "other"),
        ("asset_type", "video"),
        ("asset_subtype", "raw"),
        ("captured_at", None),
        ("captured_offset_min", -60),
        ("width", 1),
        ("height", None),
        ("duration_s", 0.3),
        ("detail", {"iso": 400.0}),
    ],
)
def test_only_the_fact_that_differs_changes(
    sqlite_database: Database, facts: str, value: Any
) -> None:
    [first] = save(sqlite_database, Photo("a"))
    before = picture_of(sqlite_database, without=["updated_at"])
    changed = Photo("a", facts={facts: value})
    [second] = save(sqlite_database, changed, batch_id=2)
    assert (second.id, second.outcome) == (first.id, Outcome.UPDATED)
    with sqlite_database.read() as conn:
        row = find_assets(conn, [changed.hash])[changed.hash]
    assert row.facts == changed.asset_facts()
    assert row.batch_id == 1
    after = picture_of(sqlite_database, without=["updated_at"])
    assert {name for name in after if after[name] != before[name]} == {"asset"}


def test_a_video_keeps_its_row_when_its_deliverables_are_replaced(database: Database) -> None:
    def video(revision: str) -> Photo:
        return Photo(
            "clip",
            facts={"asset_type": "video", "asset_subtype": "video_simple", "duration_s": 61.48},
            files=[
                a_file("original/clip.mp4", "clip"),
                a_file("hls/master.m3u8", revision, role="hls"),
                a_file("hls/0.ts", "segment", role="hls"),
                a_file("transcript.vtt", revision, role="transcript"),
                a_file("package.zip", "package", role="cloud_package"),
                a_file("library.jpg", "library", role="library_cover"),
                *([a_file("hls/1.ts", role="hls")] if revision == "one" else []),
            ],
        )

    [first] = save(database, video("one"))
    with database.read() as conn:
        files_before = {f.facts.path: f for f in find_files(conn, [first.id])[first.id]}
        born = find_assets(conn, [video("one").hash])[video("one").hash].created_at
    [second] = save(database, video("two"), batch_id=2)
    with database.read() as conn:
        view = get_asset(conn, video("two").hash)
        every_file = find_files(conn, [first.id], deleted=True)[first.id]
    assert (second.id, second.outcome) == (first.id, Outcome.UPDATED)
    assert (view.asset.facts.asset_type, view.asset.facts.asset_subtype) == (
        "video",
        "video_simple",
    )
    assert view.asset.facts.duration_s == 61.48
    assert view.asset.created_at == born
    assert view.asset.batch_id == 1
    assert {f.facts.path: f.facts for f in view.files} == {
        f.path: f for f in video("two").all_files()
    }
    assert {f.facts.path: f.id for f in every_file} == {
        path: f.id for path, f in files_before.items()
    }
    unchanged = ("hls/0.ts", "package.zip", "library.jpg", "original/clip.mp4")
    assert all(f == files_before[f.facts.path] for f in view.files if f.facts.path in unchanged)
    assert [f.facts.path for f in every_file if f.deleted] == ["hls/1.ts"]


def test_a_file_that_returns_takes_up_its_row_again(database: Database) -> None:
    full = Photo("a")
    [first] = save(database, full)
    save(database, replace(full, files=full.all_files()[:1]))
    with database.read() as conn:
        assert len(find_files(conn, [first.id])[first.id]) == 1
    [back] = save(database, full)
    assert back.outcome is Outcome.UPDATED
    with database.read() as conn:
        files = find_files(conn, [first.id], deleted=True)[first.id]
    assert len(files) == 2
    assert not any(f.deleted for f in files)


def test_a_deleted_asset_that_is_imported_again_is_back(database: Database) -> None:
    [first] = save(database, Photo("a"))
    with database.write() as conn:
        conn.execute(asset.update().values(deleted_at=func.current_timestamp()))
    with database.read() as conn:
        assert find_assets(conn, [digest("a")])[digest("a")].deleted
        assert preview_assets(conn, [Photo("a").proposal()]) == [Outcome.UPDATED]
    [back] = save(database, Photo("a"))
    assert (back.id, back.outcome) == (first.id, Outcome.UPDATED)
    with database.read() as conn:
        assert not find_assets(conn, [digest("a")])[digest("a")].deleted


def test_the_newest_source_is_current_and_the_older_ones_are_kept_once(
    database: Database,
) -> None:
    outcomes = []
    for text in ("one", "two", "one", "one", "three"):
        [saved] = save(database, Photo("a", source=text))
        outcomes.append(saved.outcome)
    assert outcomes == [
        Outcome.CREATED,
        Outcome.UPDATED,
        Outcome.UPDATED,
        Outcome.UNCHANGED,
        Outcome.UPDATED,
    ]
    [unsaid] = save(database, Photo("a", source=None))
    assert unsaid.outcome is Outcome.UNCHANGED
    with database.read() as conn:
        view = get_asset(conn, digest("a"))
        history = [doc.body for doc in source_history(conn, view.asset.id)]
    assert view.source is not None
    assert view.source.body == b"three"
    assert history == [b"three", b"one", b"two"]


def test_documents_keep_their_order_within_one_tick_of_the_clock(database: Database) -> None:
    save(database, *(Photo("a", source=text, ai_runs={"k": text}) for text in "121"))
    with database.read() as conn:
        view = get_asset(conn, digest("a"))
        assert [doc.body for doc in source_history(conn, view.asset.id)] == [b"1", b"2"]
        assert [doc.body for doc in ai_run_history(conn, view.asset.id, "k")] == [b"1", b"2"]


def test_the_newest_run_of_each_kind_is_current(database: Database) -> None:
    save(database, Photo("a", ai_runs={"photo.analysis": "1", "photo.family": "f"}))
    save(database, Photo("a", ai_runs={"photo.analysis": "2"}))
    [back] = save(database, Photo("a", ai_runs={"photo.analysis": "1"}))
    assert back.outcome is Outcome.UPDATED
    with database.read() as conn:
        view = get_asset(conn, digest("a"))
        history = ai_run_history(conn, view.asset.id, "photo.analysis")
    assert {run.analysis_kind: run.body for run in view.ai_runs} == {
        "photo.analysis": b"1",
        "photo.family": b"f",
    }
    assert [run.body for run in history] == [b"1", b"2"]


@pytest.mark.parametrize(
    ("role", "variant", "path"),
    [
        ("derivative", "frosted", "derivatives/x.webp"),
        ("derivative", "blurred", "derivatives/x.webp"),
        ("derivative", "vivid_blurred", "derivatives/x.webp"),
        ("derivative", "Vivid-Blurred", "derivatives/x.webp"),
        ("derivative", None, "derivatives/frosted.webp"),
        ("cover", "frosted", "x.webp"),
    ],
)
def test_withheld_derivatives_are_refused_here_too(
    sqlite_database: Database, role: str, variant: str | None, path: str
) -> None:
    photo = Photo("a", files=[a_file(path, role=role, variant=variant)])
    with pytest.raises(WithheldDerivative, match="never stored"):
        save(sqlite_database, photo)
    with sqlite_database.read() as conn:
        assert find_assets(conn, [photo.hash]) == {}


@pytest.mark.parametrize(
    "photo",
    [
        Photo("a", facts={"content_hash": "sha256:" + "a" * 64}),
        Photo("a", facts={"asset_type": ""}),
        Photo("a", facts={"asset_type": "x" * 65}),
        Photo("a", facts={"title": "nul \0"}),
        Photo("a", facts={"title": "half \ud800"}),
        Photo("a", facts={"width": 2**31}),
        Photo("a", facts={"height": -1}),
        Photo("a", facts={"duration_s": float("nan")}),
        Photo("a", facts={"detail": {"x": float("inf")}}),
        Photo("a", facts={"detail": {"x": object()}}),
        Photo("a", files=[a_file("x"), a_file("x")]),
        Photo("a", files=[a_file("x", role="somewhere")]),
        Photo("a", files=[a_file("x", size_bytes=-1)]),
        Photo("a", files=[a_file("x", sha256="ABC")]),
        Photo("a", files=[a_file("x", media_type="x" * 191)]),
        Photo("a", ai_runs={"source_data:" + "x" * 190: "{}"}),
        Photo("a", cover="nothing"),
    ],
    ids=lambda photo: repr(photo)[:60],
)
def test_what_cannot_be_kept_everywhere_is_refused_everywhere(
    sqlite_database: Database, photo: Photo
) -> None:
    before = picture_of(sqlite_database)
    with pytest.raises(FactsRefused):
        save(sqlite_database, photo)
    assert picture_of(sqlite_database) == before


def test_a_document_that_is_not_the_announced_one_is_refused(sqlite_database: Database) -> None:
    photo = Photo("a")
    swapped = replace(a_document("said"), body=b"done")
    with pytest.raises(InternalError, match="announced"), sqlite_database.write() as conn:
        save_asset(conn, photo.asset_facts(), [], source=swapped)


def test_preview_says_what_the_import_then_does(database: Database) -> None:
    save(database, Photo("same"), Photo("retitled"), Photo("fewer"), Photo("recovered"))
    photos = [
        Photo("new"),
        Photo("same"),
        Photo("retitled", facts={"title": "other"}),
        Photo("fewer", files=[]),
        Photo("recovered", cover=digest("same")),
        Photo("same", source="other"),
        Photo("same", ai_runs={"photo.analysis": "other"}),
    ]
    before = picture_of(database)
    with database.read() as conn:
        previewed = preview_assets(conn, [photo.proposal() for photo in photos])
    assert picture_of(database) == before
    assert previewed == [saved.outcome for saved in save(database, *photos)]
    assert previewed == [Outcome.CREATED, Outcome.UNCHANGED, *[Outcome.UPDATED] * 5]


def test_preview_asks_as_often_for_many_assets_as_for_one(database: Database) -> None:
    photos = [Photo(str(number)) for number in range(400)]
    save(database, *photos[:20])
    proposals = [photo.proposal() for photo in photos]
    with watched(database) as one, database.read() as conn:
        preview_assets(conn, proposals[:1])
    with watched(database) as many, database.read() as conn:
        outcomes = preview_assets(conn, proposals)
    assert len(many.sent) == len(one.sent)
    assert outcomes == [Outcome.UNCHANGED] * 20 + [Outcome.CREATED] * 380


def test_a_comparison_names_what_differs(sqlite_database: Database) -> None:
    save(sqlite_database, Photo("a"))
    other = Photo(
        "a",
        facts={"title": "t", "width": 5},
        files=[a_file("original/a.jpg", "other"), a_file("new.jpg")],
        source="s",
    )
    with sqlite_database.read() as conn:
        [found] = compare_assets(conn, [other.proposal()])
    assert found.facts == ("title", "width")
    assert [file.path for file in found.files_added] == ["new.jpg"]
    assert [after.path for _, after in found.files_changed] == ["original/a.jpg"]
    assert [row.facts.path for row in found.files_retired] == ["derivatives/large.webp"]
    assert (found.source, found.ai_runs, found.cover) == (True, (), False)


def test_thousands_of_files_take_few_statements(database: Database) -> None:
    photo = Photo("a", files=[a_file(f"hls/{n}.ts", role="hls") for n in range(2500)])
    with watched(database) as statements:
        [saved] = save(database, photo)
    assert len(statements.writes) < 12
    with database.read() as conn:
        assert len(find_files(conn, [saved.id])[saved.id]) == 2500


@pytest.mark.parametrize("into", [asset_file, asset_source, asset_cover])
def test_no_row_without_its_asset(database: Database, into: Any) -> None:
    values: dict[str, Any] = {
        column.name: 1 if str(column.type) in {"BIGINT", "INTEGER"} else b"x" * 10
        for column in into.c
        if not column.nullable and column.name not in {"id", "created_at", "updated_at"}
    }
    values |= {name: "x" for name, v in values.items() if v == b"x" * 10 and name != "body"}
    values |= {"created_at": func.current_timestamp()}
    if "updated_at" in into.c:
        values |= {"updated_at": func.current_timestamp()}
    values |= {"cover_asset_id": 12345} if into is asset_cover else {"asset_id": 12345}
    with pytest.raises(IntegrityError), database.write() as conn:
        conn.execute(insert(into).values(**values))


def test_a_tolerant_insert_passes_over_taken_keys_only(database: Database) -> None:
    [saved] = save(database, Photo("a"))
    with database.write() as conn:
        at = conn.scalar(select(asset.c.created_at))
        row = {
            "asset_id": saved.id,
            "sha256": digest("{}"),
            "body": b"taken",
            "created_at": at,
        }
        insert_missing(conn, asset_source, [row, {**row, "sha256": digest("free")}])
    with database.read() as conn:
        assert {doc.body for doc in source_history(conn, saved.id)} == {b"{}", b"taken"}
    with pytest.raises(IntegrityError), database.write() as conn:
        insert_missing(conn, asset_source, [{**row, "asset_id": saved.id + 1}])
