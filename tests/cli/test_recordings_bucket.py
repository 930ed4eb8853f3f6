"""`lading recordings` on a bucket: registering what is stored there, with another's credentials."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lading.sources.recordings.repository import Repository
from lading.testing.servers_s3 import S3Facts
from tests.cli.program import Ended, Program
from tests.recordings.making import (
    REC_ID,
    bucket_repository,
    make_recording,
    own_prefix,
    write_profile,
)

FILES = {"camera_0/a.mp4": 9_000, "eeg_1/ä b.edf": 4_000}
PLAIN = "rec_20260521_081502_77c0"
HOLED = "rec_20260522_140311_09ef"


@pytest.fixture
def repository(bare: Program, s3_server_of: Callable[[str], S3Facts]) -> Repository:
    """An empty bucket, which the profile `r2` of a file names."""
    options = s3_server_of("ministack").options(prefix=own_prefix())
    write_profile(bare.folder / "places.yaml", options)
    return bucket_repository(options)


def run(program: Program, *arguments: str, status: int = 0) -> Ended:
    at = ("recordings", "--config-path", "places.yaml", "--profile", "r2")
    return program.run(*at, *arguments, "--json", status=status)


def stored(repository: Repository, folder: Path, *, lost: str = "") -> None:
    """Put a recording's files into the bucket, as somebody's uploads have left them."""
    for path in folder.rglob("*"):
        if path.is_file() and path.name != lost:
            name = path.relative_to(folder).as_posix().replace("ä", "%C3%A4")
            repository.write(folder.name, name, path.read_bytes())


def test_what_is_stored_is_registered_each_on_its_own(
    bare: Program, repository: Repository, tmp_path: Path
) -> None:
    stored(repository, make_recording(tmp_path, REC_ID, FILES))
    stored(repository, make_recording(tmp_path, PLAIN, FILES, augmented=False, participant=None))
    stored(repository, make_recording(tmp_path, HOLED, FILES), lost="a.mp4")
    everyone = ("register", REC_ID, PLAIN, HOLED, "rec_gone")

    for options in (["--dry-run"], []):
        done = run(bare, *everyone, *options, status=1).json
        (fine,) = done["recordings"]
        assert fine["outcome"] == ("wanted" if options else "registered")
        assert {each["recording"]: each["code"] for each in done["failures"]} == {
            PLAIN: "recording_manifest_incomplete",
            HOLED: "recording_files_missing",
            "rec_gone": "recording_not_stored",
        }
    rehearsed = run(bare, "register", REC_ID, "--dry-run").json["recordings"]
    assert rehearsed[0]["outcome"] == "already_registered"

    # What every object says of itself completes the manifest; a dry run leaves it as it is.
    by_metadata = ("register", PLAIN, "--from-metadata", "--participant", "Bo Chen")
    rehearsed = run(bare, *by_metadata, "--dry-run").json["recordings"]
    assert rehearsed[0]["outcome"] == "wanted_with_manifest"
    assert run(bare, "register", PLAIN, status=1).json["recordings"] == []
    assert run(bare, *by_metadata).json["recordings"][0]["outcome"] == "registered"

    listed = run(bare, "list").json["recordings"]
    assert {row["recording_id"]: row["participant_ids"] for row in listed} == {
        REC_ID: ["Aria Lin"], PLAIN: ["Bo Chen"],
    }  # fmt: skip
    assert run(bare, "verify", "--all", "--level", "sha256").json["files"] == 4
    run(bare, "download", PLAIN, "--to", "here")
    assert (bare.folder / "here" / PLAIN / "eeg_1/ä b.edf").stat().st_size == 4_000

    # Somebody else than is registered is a conflict, unless it is said what to make of it.
    other = ("register", REC_ID, "--participant", "Cleo Park")
    (conflict,) = run(bare, *other, status=1).json["failures"]
    assert conflict["code"] == "catalog_conflict"
    run(bare, *other, "--on-conflict", "merge_participants")
    assert run(bare, "show", REC_ID).json["participant_ids"] == ["Aria Lin", "Cleo Park"]


def test_a_bucket_without_a_catalog_gets_one_and_only_one(
    bare: Program, s3_server_of: Callable[[str], S3Facts]
) -> None:
    options = s3_server_of("ministack").options(prefix=own_prefix())
    write_profile(bare.folder / "places.yaml", options)
    assert run(bare, "list", status=2).error["code"] == "pointer_missing"
    create = ("catalog", "create", "--prefix", "ursa/catalog-1")
    assert run(bare, *create, "--dry-run").json["dry_run"] is True
    assert run(bare, "list", status=2).error["code"] == "pointer_missing"
    assert run(bare, *create).json["live"] == "ursa/catalog-1"
    assert run(bare, *create, status=2).error["code"] == "catalog_moved"
    assert run(bare, "list").json == {"recordings": [], "next_cursor": None}
