"""A file that was refused for what it is is not read again until it or its readers are others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lading.db import Database
from lading.ledger.queries import list_items
from lading.ledger.states import BatchState
from lading.sources.photos import deriving
from lading.sources.photos.deriving import Deriving
from lading.sources.photos.importer import Importer
from lading.sources.photos.options import BadPhotosOptions
from lading.storage.roots import FileUnreadable
from lading.testing.installation import ACTOR, Installation
from tests.library.things import watched
from tests.photos.library import files, installed, outcomes, reasons
from tests.photos.tree import PhotosBench, jpeg


@pytest.fixture
def bench(tmp_path: Path) -> PhotosBench:
    return PhotosBench(tmp_path)


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files as they are read."""
    seen: list[str] = []
    derive = Deriving.derive

    def noted(self: Deriving, root: Any, relative: str, *args: Any, **options: Any) -> Any:
        seen.append(relative.rpartition("/")[2])
        return derive(self, root, relative, *args, **options)

    monkeypatch.setattr(Deriving, "derive", noted)
    return seen


def take_in(installation: Installation, read: list[str]) -> list[str]:
    """What is read when all that changed is taken in."""
    read.clear()
    installation.take_in()
    return sorted(read)


def test_a_refused_file_is_read_again_when_it_or_what_reads_it_is_another(
    bench: PhotosBench,
    database: Database,
    tmp_path: Path,
    read: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installation = installed(database, bench, tmp_path)
    broken = bench.write("a/broken.jpg", jpeg(1, side=400)[:3000])
    bench.write("a/1.jpg")
    assert take_in(installation, read) == ["1.jpg", "broken.jpg"]
    for number in (2, 3):
        bench.write(f"a/{number}.jpg")
        assert take_in(installation, read) == [f"{number}.jpg"]
        assert reasons(installation, "a") == {"broken.jpg": "unreadable"}
        assert outcomes(installation, "a") == {"created": 1, "rejected": 1}
        assert installation.batch("a").state is BatchState.PARTIAL
    # Nothing is left to be read, and the folder is not said to be refused as a whole.
    bench.remove("a/3.jpg")
    assert take_in(installation, read) == []
    assert installation.batch("a").state is BatchState.PARTIAL
    batch_id = installation.batch("a").id
    looked = installation.ingest.preflight(batch_id, actor=ACTOR, check_bytes=True)
    assert looked.decisions == {"create": 1, "unchanged": 2}
    monkeypatch.setattr(Importer, "decoders", "others")
    bench.write("a/4.jpg")
    assert take_in(installation, read) == ["4.jpg", "broken.jpg"]
    bench.write("a/5.jpg")
    assert take_in(installation, read) == ["5.jpg"]
    broken.write_bytes(jpeg(9))
    bench.settle(broken.parent)
    assert take_in(installation, read) == ["broken.jpg"]
    assert "a/broken.jpg" in files(installation)
    assert reasons(installation, "a") == {}


def test_what_could_not_be_opened_is_tried_again(
    bench: PhotosBench,
    sqlite_database: Database,
    tmp_path: Path,
    read: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installation = installed(sqlite_database, bench, tmp_path)
    bench.write("a/1.jpg")

    def refused(*_args: object, **_options: object) -> None:
        raise FileUnreadable("The file cannot be read: Permission denied", subject="a/1.jpg")

    monkeypatch.setattr(deriving, "derive_open", refused)
    installation.take_in()
    assert reasons(installation, "a") == {"1.jpg": "file_unreadable"}
    bench.write("a/2.jpg")
    assert take_in(installation, read) == ["1.jpg", "2.jpg"]


def test_files_that_were_refused_are_remembered_by_one_statement(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    installation = installed(sqlite_database, bench, tmp_path)

    def cost() -> int:
        batch_id = installation.batch("a").id
        with watched(installation.db) as seen:
            installation.ingest.preflight(batch_id, actor=ACTOR)
        return sum(
            "max(ingest_event" not in each.lower() and "max(" in each.lower() for each in seen.sent
        )

    for number in range(3):
        bench.write(f"a/{number}.jpg", b"\xff\xd8\xff" + bytes(number + 1))
    installation.take_in()
    assert cost() == 2  # one more, as nothing else is left: is any of it news?
    for number in range(3, 40):
        bench.write(f"a/{number}.jpg", b"\xff\xd8\xff" + bytes(number + 1))
    installation.scan()
    assert cost() == 1
    assert len(files(installation)) == 0


def test_a_picture_of_more_pixels_than_its_source_allows_is_taken_in_when_that_is_raised(
    bench: PhotosBench, sqlite_database: Database, tmp_path: Path
) -> None:
    installation = installed(sqlite_database, bench, tmp_path)
    source = installation.sources["home"]
    source.options = bench.opened(pixels_max=10_000).options  # type: ignore[attr-defined]
    bench.write("album/wide.jpg", jpeg(1, side=200))
    (batch_id,) = installation.take_in()
    assert installation.batch(batch_id).state is BatchState.FAILED
    with installation.db.read() as conn:
        ([item], _) = list_items(conn, installation.batch(batch_id))
    assert item.reason == "unreadable"
    assert item.detail["expected"] == "at most 10,000 (pixels_max)"
    assert item.detail["found"].startswith("media_too_large: ")
    source.options = bench.opened(pixels_max=1_000_000).options  # type: ignore[attr-defined]
    installation.ingest.queue([batch_id], actor=ACTOR)
    installation.drain()
    assert outcomes(installation, "album") == {"created": 1}


@pytest.mark.parametrize("wrong", [0, "many", 10**12])
def test_how_many_pixels_are_allowed_is_a_number(bench: PhotosBench, wrong: object) -> None:
    with pytest.raises(BadPhotosOptions, match="pixels_max is a whole number"):
        bench.opened(pixels_max=wrong)
