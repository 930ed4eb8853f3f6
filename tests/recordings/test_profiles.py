"""Profiles say where recordings are kept; secrets in them are only referred to."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from lading.base.errors import LadingError
from lading.catalog.errors import PointerMissing
from lading.catalog.pointer import Pointer
from lading.sources.recordings.profiles import (
    ASSETS_RW,
    RAW_RW,
    ProfileEmpty,
    ProfileInvalid,
    ProfileMissing,
    load_profile,
)
from lading.sources.recordings.secret_references import SecretUnavailable, resolve
from lading.storage.s3 import S3Options

TOML = """
[profiles.r2]
pointer = "ursa/ACTIVE.json"
[profiles.r2.assets]
bucket = "assets"
endpoint = "https://example.invalid"
access_key = "op://Engineering/assets/id"
secret_key = "op://Engineering/assets/secret"
[profiles.r2.raw]
bucket = "constellation-data"
region = "auto"
part_bytes = 8388608
access_key = "reader"
secret_key = "reader-secret"
write = { access_key = "writer", secret_key = "writer-secret" }
"""
YAML = """
assets: {folder: kept/assets}
raw: {folder: kept/raw}
recordings_prefix: sessions
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without any configuration."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def fake_op(folder: Path, script: str) -> str:
    """A program that answers as the 1Password CLI does."""
    program = write(folder / "op", f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def test_a_profile_is_read_from_toml_and_opened_by_role(tmp_path: Path) -> None:
    profile = load_profile("r2", write(tmp_path / "c.toml", TOML))
    reading, writing = (profile.raw.options(writing=each) for each in (False, True))
    assert isinstance(reading, S3Options)
    assert isinstance(writing, S3Options)
    assert (reading.bucket, reading.access_key, reading.part_bytes) == (
        "constellation-data", "reader", 8 * 1024 * 1024,
    )  # fmt: skip
    assert (writing.access_key, writing.secret_key) == ("writer", "writer-secret")
    assert "secret" not in repr(profile)


def test_a_yaml_file_may_be_one_profile_itself(tmp_path: Path) -> None:
    profile = load_profile("anything", write(tmp_path / "c.yaml", YAML))
    assert profile.raw.folder == tmp_path / "kept/raw"
    assert profile.recordings_prefix == "sessions"
    profile.make("ursa/catalog-1")
    repository = profile.open((ASSETS_RW, RAW_RW))
    assert repository.key("rec_1", "a") == "sessions/rec_1/a"


def test_nothing_is_made_where_the_disk_of_a_profile_is_not_mounted(tmp_path: Path) -> None:
    profile = load_profile("usb", write(tmp_path / "c.yaml", YAML))
    with pytest.raises(ProfileEmpty, match="not mounted"):
        profile.open((ASSETS_RW, RAW_RW))
    (tmp_path / "kept/raw").mkdir(parents=True)  # the place where it would be
    with pytest.raises(LadingError):
        profile.open((ASSETS_RW, RAW_RW))
    assert not (tmp_path / "kept/assets").exists()
    assert list((tmp_path / "kept/raw").iterdir()) == []


def test_whoever_has_a_repository_open_goes_on_with_the_catalog_that_is_live(
    tmp_path: Path,
) -> None:
    profile = load_profile("usb", write(tmp_path / "c.yaml", YAML))
    profile.make("ursa/catalog-1")
    repository = profile.open((ASSETS_RW, RAW_RW))
    assert repository.current() is repository
    pointer = Pointer(repository.catalog.location)
    pointer.flip("ursa/catalog-2", seen=pointer.read())
    assert repository.current().catalog.prefix == "ursa/catalog-2"
    assert repository.current().uploader is repository.uploader


def test_the_users_own_file_is_found_and_local_needs_none(home: Path) -> None:
    local = load_profile("local")
    assert local.is_local
    with pytest.raises(ProfileMissing):
        load_profile("r2")
    write(home / ".config/lading/recordings.toml", TOML)
    assert not load_profile("r2").is_local
    assert load_profile("local") == local
    with pytest.raises(ProfileMissing, match="r3"):
        load_profile("r3")


def test_a_local_repository_is_made_only_for_writing() -> None:
    profile = load_profile("local")
    with pytest.raises(LadingError):
        profile.open()
    profile.open((ASSETS_RW, RAW_RW))
    assert list(profile.open().catalog.list_recordings()) == []


def test_a_catalog_that_no_pointer_names_is_not_made_in_a_bucket_by_reading(tmp_path: Path) -> None:
    (tmp_path / "kept/raw/.incoming").mkdir(parents=True)
    profile = load_profile("x", write(tmp_path / "c.yaml", YAML))
    with pytest.raises(PointerMissing):
        profile.open()


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("assets: {bucket: a, secret_key: hunter2}\nraw: {bucket: b}", "assets"),
        ("assets: {bucket: a}\nraw: {bucket: b, part_bytes: many}", "part_bytes"),
        ("assets: {bucket: a}\nraw: {bucket: b, colour: red}", "colour"),
        ("assets: {bucket: a}", "raw"),
        ("assets: []\nraw: {bucket: b}", "assets"),
        ("assets: {bucket: a}\nraw: {bucket: b, endpoint: 'http://x'}", "TLS"),
        ("assets: {folder: a, bucket: b}\nraw: {folder: b}", "bucket"),
        ("assets: {folder: a}\nraw: {folder: b}\npointer: ../x", "pointer"),
        ("a: [", "understood"),
        ("[1, 2]", "table"),
        ("", "empty"),
        ("profiles: 3", "profiles"),
        ("assets: {bucket: a}\nraw: {bucket: b}\nwrites: yes", "writes"),
    ],
)
def test_what_makes_no_sense_is_named_without_a_secret(
    tmp_path: Path, text: str, named: str
) -> None:
    with pytest.raises(ProfileInvalid) as caught:
        load_profile("r2", write(tmp_path / "c.yaml", text))
    said = f"{caught.value} {caught.value.advice}"
    assert named in said
    assert "hunter2" not in said


def test_a_secret_is_read_by_its_reference_and_kept_in_memory(tmp_path: Path) -> None:
    program = fake_op(tmp_path, '[ "$1 $2" = "read --no-newline" ] && printf "secret of %s" "$3"')
    assert resolve("op://Vault/item/field", program=program) == "secret of op://Vault/item/field"
    assert [path.name for path in tmp_path.iterdir()] == ["op"]


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo 'not signed in' >&2; exit 1", "not signed in"), ("exit 0", "no secret")],
)
def test_a_secret_that_cannot_be_had_says_why(tmp_path: Path, script: str, said: str) -> None:
    with pytest.raises(SecretUnavailable, match=said):
        resolve("op://Vault/item/field", program=fake_op(tmp_path, script))
    with pytest.raises(SecretUnavailable, match="not installed"):
        resolve("op://Vault/item/field", program=str(tmp_path / "nowhere"))


def test_references_are_resolved_only_when_the_place_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_op(tmp_path / "bin", 'echo "$3" >> "$0.asked"; printf "%s" "$3" | sed "s/.*id/the-id/"')
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    profile = load_profile("r2", write(tmp_path / "c.toml", TOML))
    assert not (tmp_path / "bin/op.asked").exists()
    options = profile.assets.options(writing=False)
    assert isinstance(options, S3Options)
    assert options.access_key == "the-id"
    assert "op://" not in repr(options)
    assert (tmp_path / "bin/op.asked").read_text().splitlines() == [
        "op://Engineering/assets/id", "op://Engineering/assets/secret",
    ]  # fmt: skip
