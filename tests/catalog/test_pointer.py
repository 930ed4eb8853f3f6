"""The pointer names one prefix, and of two who flip it at once one is told so."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import obstore
import pytest

from lading.catalog.catalog import Catalog
from lading.catalog.errors import CatalogMoved, PointerGarbled, PointerMissing
from lading.catalog.location import CatalogLocation
from lading.catalog.pointer import POINTER_NAME, Pointer
from lading.storage.keys import KeyRefused
from lading.storage.port import StoreDenied, StoreUnavailable
from lading.storage.s3 import connect
from lading.testing.servers_s3 import S3Facts
from tests.catalog.rows import a_recording, no_wait


@pytest.fixture(params=["folder", "ministack", "radosgw"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> CatalogLocation:
    """A folder, and a bucket on each of the S3 servers; without a pointer."""
    if request.param == "folder":
        return CatalogLocation.of(tmp_path)
    facts: S3Facts = request.getfixturevalue("s3_server_of")(request.param)
    return CatalogLocation.of(facts.options(prefix=f"t/{uuid4().hex}"))


def write(location: CatalogLocation, body: bytes) -> None:
    """Put any bytes where the pointer is."""
    if isinstance(location.root, Path):
        path = location.root / POINTER_NAME
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
    else:
        obstore.put(connect(location.root), POINTER_NAME, body)


def test_a_pointer_is_made_once_and_says_where_the_catalog_is(location: CatalogLocation) -> None:
    pointer = Pointer(location)
    with pytest.raises(PointerMissing) as missing:
        pointer.read()
    assert POINTER_NAME in str(missing.value)
    made = pointer.create("ursa/one")
    assert (made.prefix, made.previous) == ("ursa/one", None)
    with pytest.raises(CatalogMoved, match="already"):
        pointer.create("ursa/two")
    assert pointer.read() == made


def test_of_two_flips_that_saw_the_same_only_one_wins(location: CatalogLocation) -> None:
    pointer = Pointer(location)
    seen = pointer.create("ursa/one")
    flipped = pointer.flip("ursa/two", seen=seen)
    assert (flipped.prefix, flipped.previous) == ("ursa/two", "ursa/one")
    with pytest.raises(CatalogMoved) as moved:
        pointer.flip("ursa/three", seen=seen)
    assert moved.value.found == "ursa/two"
    back = pointer.flip("ursa/one", seen=flipped)
    with pytest.raises(CatalogMoved):  # it says the same prefix again, but it was not left alone
        pointer.flip("ursa/three", seen=seen)
    assert pointer.read() == back


def test_of_eight_flips_at_once_exactly_one_wins(location: CatalogLocation) -> None:
    pointer = Pointer(location)
    seen = pointer.create("ursa/one")
    together = Barrier(8)

    def flip(number: int) -> str | None:
        together.wait()
        try:
            return Pointer(location).flip(f"ursa/n{number}", seen=seen).prefix
        except CatalogMoved:
            return None

    with ThreadPoolExecutor(8) as pool:
        won = [prefix for prefix in pool.map(flip, range(8)) if prefix]
    assert won == [pointer.read().prefix]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"ursa/one",
        b"[]",
        b"\xff\xfe",
        b'{"prefix": "ursa/one"}',
        b'{"format": 2, "prefix": "ursa/one"}',
        b'{"format": 1}',
        b'{"format": 1, "prefix": null, "previous": null, "flipped_at": "2026-01-01T00:00:00Z"}',
        b'{"format": 1, "prefix": "../x", "previous": null, "flipped_at": "2026-01-01T00:00:00Z"}',
        b'{"format": 1, "prefix": "ursa/one", "previous": null, "flipped_at": "soon"}',
        b"[" * 100_000,
        b" " * 70_000 + b'{"format": 1}',
    ],
    ids=lambda body: ascii(body)[:40],
)
def test_a_pointer_that_is_none_is_an_error_that_shows_it(tmp_path: Path, body: bytes) -> None:
    location = CatalogLocation.of(tmp_path)
    write(location, body)
    with pytest.raises(PointerGarbled) as garbled:
        Catalog.open(tmp_path)
    assert "put back the last good one" in garbled.value.advice


def test_a_garbled_pointer_in_a_bucket_is_found_too(s3_facts: S3Facts) -> None:
    options = s3_facts.options(prefix=f"t/{uuid4().hex}")
    write(CatalogLocation.of(options), b" " * 70_000)
    with pytest.raises(PointerGarbled):
        Catalog.open(options)


def test_the_text_of_a_pointer_is_json_of_a_format_of_its_own(tmp_path: Path) -> None:
    Catalog.create(tmp_path, prefix="ursa/one", pointer="live/NOW.json")
    facts = json.loads((tmp_path / "live/NOW.json").read_text())
    assert set(facts) == {"format", "prefix", "previous", "flipped_at", "flip"}
    assert (facts["format"], facts["prefix"]) == (1, "ursa/one")
    assert Catalog.open(tmp_path, pointer="live/NOW.json").prefix == "ursa/one"


def test_a_rebuilt_catalog_goes_live_by_a_flip(catalog: Catalog, folder: Path) -> None:
    catalog.register(a_recording("old"))
    rebuilt = Catalog.open(folder, prefix="ursa/catalog-2", wait=no_wait)
    rebuilt.register(a_recording("new"))
    pointer = Pointer(CatalogLocation.of(folder))
    assert Catalog.open(folder).prefix == catalog.prefix
    pointer.flip("ursa/catalog-2", seen=pointer.read())
    live = list(Catalog.open(folder).list_recordings())
    assert [row.recording_hash for row in live] == [a_recording("new").recording_hash]


@pytest.mark.parametrize("prefix", ["", "../up", "/abs", "a//b", "ursa/%41", "a\\b", "é"])
def test_a_prefix_that_is_no_plain_path_is_refused(tmp_path: Path, prefix: str) -> None:
    with pytest.raises(KeyRefused):
        Catalog.create(tmp_path, prefix=prefix)
    assert not (tmp_path / POINTER_NAME).exists()


def test_a_store_that_refuses_or_is_away_is_said_so_without_secrets(
    s3_server_of: Callable[[str], S3Facts],
) -> None:
    options = s3_server_of("radosgw").options(prefix="x")
    wrong = replace(options, secret_key="not-the-secret")
    away = replace(options, endpoint="http://127.0.0.1:9")
    said = []
    for bad, fault in ((wrong, StoreDenied), (away, StoreUnavailable)):
        for use in (Pointer(CatalogLocation.of(bad)).read, Catalog.open(bad, prefix="c").check):
            with pytest.raises(fault) as error:
                use()
            said.append(f"{error.value} {error.value.as_dict()}")
    secrets = {"not-the-secret", str(options.secret_key)}
    assert len(said) == 4
    assert not any(secret in text for secret in secrets for text in said)
