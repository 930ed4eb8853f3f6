"""The showing: real media, made here, through the real program, and read again from the store."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from lading.console.readers.thumbnails import asset_thumbnails, container_thumbnails
from lading.db import Database, open_database
from lading.library.containers import list_members
from lading.library.routes import RouteKind
from lading.library.tables import (
    CONTAINERS,
    asset,
    asset_ai_run,
    asset_cover,
    asset_file,
    asset_gallery,
    asset_gallery_item,
    asset_source,
)
from lading.library.values import ContainerRef
from lading.library.visibility import site_summary
from tests.cli.program import Program

Image = pytest.importorskip("PIL.Image", reason="the extra `demo` is not installed")
ImageOps = pytest.importorskip("PIL.ImageOps")
av = pytest.importorskip("av")


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> tuple[Program, str]:
    """One showing for all tests of this file, and what it told; they only read it."""
    program = Program(tmp_path_factory.mktemp("showing"))
    told = program.run_apart("up", "--demo", "--once").stdout
    program.config = program.folder / "demo/lading.toml"
    return program, told


@pytest.fixture
def library(shown: tuple[Program, str]) -> Iterator[Database]:
    db = open_database(f"sqlite:///{shown[0].folder}/demo/lading-data/lading.sqlite")
    yield db
    db.close()


def stored(shown: tuple[Program, str], db: Database, **wanted: str) -> list[tuple[Any, bytes]]:
    """Files of the library with their bytes as the store has them, hashed on the way."""
    with db.read() as conn:
        rows = conn.execute(
            select(asset_file, asset.c.asset_type, asset.c.width, asset.c.height)
            .join(asset, asset.c.id == asset_file.c.asset_id)
            .where(*(asset_file.c[name] == value for name, value in wanted.items()))
            .order_by(asset_file.c.id)
        ).all()
    found = []
    for row in rows:
        data = (shown[0].folder / "demo/lading-data/store" / row.location).read_bytes()
        assert hashlib.sha256(data).hexdigest() == row.sha256
        found.append((row, data))
    return found


def test_it_tells_what_became_of_every_bundle_and_of_the_damaged_photo(
    shown: tuple[Program, str],
) -> None:
    _, told = shown
    assert "8 bundles found: 8 new" in told
    assert "hash_mismatch" in told
    assert "sentinel_missing" in told
    assert "next step: Ask the upstream" in told
    assert "32 items found = 30 created, 1 failed, 1 in bundles that are not ready" in told
    assert "all is well" in told


def test_a_second_showing_has_nothing_to_do(shown: tuple[Program, str]) -> None:
    program, _ = shown
    again = program.json("up", "--demo", "--once", "--data-dir", program.folder / "demo")
    assert again["tree_made"] is False
    assert again["scan"] == {"found": 8, "new": 0, "updated": 0, "superseded": 0, "unchanged": 8}
    assert again["queued"] == []
    assert again["worker"] is None
    states = sorted(batch["state"] for batch in again["batches"])
    assert states == [*["imported"] * 6, "partial", "pending"]
    assert all(batch["adds_up"] for batch in again["batches"])


def test_its_photos_are_photos_with_a_camera_a_time_and_a_place(
    shown: tuple[Program, str], library: Database
) -> None:
    photos = [
        (row, data)
        for row, data in stored(shown, library, role="original")
        if row.asset_type == "photo"
    ]
    assert len(photos) == 24
    sizes, orientations = set(), set()
    for row, data in photos:
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "JPEG"
            exif = picture.getexif()
            orientations.add(exif[0x0112])
            assert exif[0x0110] == "Drawn Landscape 1"
            details = exif.get_ifd(0x8769)
            assert details[0x9003].startswith("2026:05:")
            assert details[0x9011] == "+02:00"
            place = exif.get_ifd(0x8825)
            assert (place[1], place[3]) == ("N", "E")
            assert 45 <= float(place[2][0]) < 48
            upright = ImageOps.exif_transpose(picture)
            assert upright.size == (row.width, row.height)
            sizes.add(upright.size)
    assert len(sizes) >= 4
    assert orientations == {1, 6}


def test_its_derivatives_are_there_and_the_frosted_one_is_not(
    shown: tuple[Program, str], library: Database
) -> None:
    derivatives = stored(shown, library, role="derivative")
    assert {row.variant for row, _ in derivatives} == {"large", "thumb"}
    for row, data in derivatives:
        with Image.open(io.BytesIO(data)) as picture:
            assert picture.format == "WEBP"
            assert max(picture.size) == {"large": 1024, "thumb": 320}[row.variant]
    tree = shown[0].folder / "demo/upstream"
    (frosted,) = tree.rglob("frosted.webp")
    digest = hashlib.sha256(frosted.read_bytes()).hexdigest()
    store = shown[0].folder / "demo/lading-data/store"
    kept = [path.read_bytes() for path in store.rglob("*") if path.is_file()]
    assert len(kept) > 20
    assert digest not in {hashlib.sha256(data).hexdigest() for data in kept}


def test_its_film_plays_and_so_does_its_playlist(
    shown: tuple[Program, str], library: Database, tmp_path: Path
) -> None:
    with library.read() as conn:
        film = conn.execute(select(asset).where(asset.c.asset_type == "video")).one()
    assert film.asset_subtype == "video_simple"
    (data,) = [d for row, d in stored(shown, library, role="original") if row.asset_id == film.id]
    with av.open(io.BytesIO(data)) as container:
        assert container.duration / av.time_base == pytest.approx(film.duration_s, abs=0.05)
        assert sum(1 for _ in container.decode(video=0)) == 150
        assert [stream.type for stream in container.streams] == ["video", "audio"]
    for row, part in stored(shown, library, role="hls"):
        (tmp_path / Path(row.path).name).write_bytes(part)
    with av.open(str(tmp_path / "playlist.m3u8")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 150
    assert len(list(tmp_path.glob("segment_*.ts"))) == 3
    for role in ("transcript", "library_cover", "cloud_package"):
        assert len(stored(shown, library, role=role)) == 1, role


def test_its_gallery_is_in_order_and_has_a_cover(library: Database) -> None:
    with library.read() as conn:
        assert len(conn.execute(select(asset_gallery)).all()) == 3
        gallery = conn.execute(
            select(asset_gallery).where(asset_gallery.c.key == "nights-at-the-lake")
        ).one()
        members = conn.execute(
            select(asset.c.title, asset.c.captured_at)
            .join(asset_gallery_item, asset_gallery_item.c.content_hash == asset.c.content_hash)
            .where(asset_gallery_item.c.container_id == gallery.id)
            .order_by(asset_gallery_item.c.position)
        ).all()
        cover = conn.execute(
            select(asset_cover).where(
                asset_cover.c.owner_kind == "gallery", asset_cover.c.owner_id == gallery.id
            )
        ).one()
        first = conn.scalar(select(asset.c.id).where(asset.c.title == members[0].title))
    assert gallery.key == "nights-at-the-lake"
    assert len(members) == 5
    assert [row.captured_at for row in members] == sorted(row.captured_at for row in members)
    assert cover.cover_asset_id == first


def test_everything_has_a_picture_that_stands_for_it(library: Database) -> None:
    with library.read() as conn:
        assets = conn.scalars(select(asset.c.id)).all()
        pictures = asset_thumbnails(conn, assets)
        assert len(pictures) == 25
        for picture in pictures.values():
            assert picture.candidate is not None
            assert picture.candidate.size_bytes < 40_000
        for kind, (container, _) in CONTAINERS.items():
            numbers = conn.scalars(select(container.c.id)).all()
            found = container_thumbnails(conn, kind, numbers)
            assert [p.url is not None for p in found.values()] == [True] * len(numbers) != []


def test_its_collection_keeps_a_place_for_the_damaged_photo(library: Database) -> None:
    light = ContainerRef("collection", "the-light-in-may")
    with library.read() as conn:
        members = list_members(conn, light).members
    assert [member.awaited for member in members].count(True) == 1
    assert len(members) == 7


def test_its_sites_see_content_by_all_four_routes(library: Database) -> None:
    with library.read() as conn:
        lakeside, prints = (site_summary(conn, key) for key in ("lakeside", "print-shop"))
    assert {kind for kind, count in lakeside.by_route.items() if count} == {
        RouteKind.CONTAINER_MEMBERSHIP,
        RouteKind.ALLOW_LIST,
        RouteKind.ACCESS_PACKAGE,
    }
    assert lakeside.awaited == 1
    assert prints.by_route[RouteKind.SITE_MEMBERSHIP] == 3


def test_what_the_upstream_said_is_kept_word_for_word(
    shown: tuple[Program, str], library: Database
) -> None:
    with library.read() as conn:
        sources = conn.scalars(select(asset_source.c.body)).all()
        runs = conn.execute(select(asset_ai_run)).all()
    published = {
        path.read_bytes() for path in (shown[0].folder / "demo/upstream").rglob("source.json")
    }
    assert len(sources) == 25
    assert set(sources) <= published
    assert len(runs) == 24
    assert {row.analysis_kind for row in runs} == {"photo_analysis"}
    assert all(0 < json.loads(row.body)["brightness"] < 1 for row in runs)


def test_demo_alone_makes_the_tree_and_leaves_one_that_is_there(bare: Program) -> None:
    folder = bare.folder / "tree"
    folder.mkdir()
    (folder / "mine").write_text("mine")
    assert bare.json("demo", folder)["made"] is False
    assert [path.name for path in folder.iterdir()] == ["mine"]


def test_without_pillow_or_pyav_it_says_which_extra_is_missing(
    bare: Program, tmp_path: Path
) -> None:
    # A package of that name which is not there: what an installation without the extra sees.
    absent = tmp_path / "absent"
    absent.mkdir()
    (absent / "sitecustomize.py").write_text("import sys\nsys.modules['av'] = None\n")
    bare.env["PYTHONPATH"] = str(absent)
    error = bare.run_apart("demo", bare.folder / "tree", "--json", status=2).error
    assert error["code"] == "missing_extra"
    assert "lading[demo]" in error["next_step"]
    assert not (bare.folder / "tree").exists()


def test_a_tree_that_cannot_be_made_names_its_folder(bare: Program) -> None:
    (bare.folder / "file").touch()
    told = bare.run("demo", "file/tree", "--json", status=2).error
    assert (told["code"], told["subject"]) == ("tree_not_made", f"{bare.folder}/file/tree")
