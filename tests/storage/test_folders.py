"""Folders at one place of a store: the same names from every store, few requests, clear faults."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lading.storage import folders as listing
from lading.storage.folder import FolderStore
from lading.storage.folders import folders
from lading.storage.keys import KeyRefused
from lading.storage.memory import MemoryStore
from lading.storage.port import ObjectStore, StoreDenied, StoreUnavailable
from lading.storage.s3 import S3Store
from lading.testing.faulty_store import FaultyStore
from lading.testing.servers_s3 import S3Facts

KEYS = [
    "r/b/1", "r/b/2/3", "r/b-1/x", "r/a/deep/er/x", "r/c.d/x", "r/stray", "other/y/z", "r/z z/x",
    "r/a/deep/er/y", "r/10/x",
]  # fmt: skip
IN_ORDER = ["10", "a", "b-1", "b", "c.d", "z z"]  # a folder sorts with the slash behind its name


@pytest.fixture(params=["memory", "folder", "wrapped", "ministack", "radosgw"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, s3_server_of: Callable[[str], S3Facts]
) -> ObjectStore:
    """A store with a few objects, of each kind."""
    made: dict[str, Callable[[], ObjectStore]] = {
        "memory": MemoryStore,
        "folder": lambda: FolderStore(tmp_path / "store", create=True),
        "wrapped": lambda: FaultyStore(FolderStore(tmp_path / "store", create=True)),
    }
    name = request.param
    make = made.get(name, lambda: S3Store(s3_server_of(name).options(prefix=f"t/{uuid4().hex}")))
    store = make()
    for key in KEYS:
        store.put(key, iter((b"x",)))
    return store


def test_all_stores_name_the_same_folders(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "PAGE_FOLDERS", 2)
    assert list(folders(store, "r/")) == IN_ORDER
    assert list(folders(store, "r/b/")) == ["2"]
    assert list(folders(store, "")) == ["other", "r"]
    assert list(folders(store, "r/nothing/")) == []
    for key in ("r/a/deep/er/x", "r/a/deep/er/y"):
        store.delete(key)
    assert list(folders(store, "r/")) == [name for name in IN_ORDER if name != "a"]
    with pytest.raises(KeyRefused):
        folders(store, "r")


def test_a_bucket_is_asked_once_for_many_folders(
    s3_server_of: Callable[[str], S3Facts], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = S3Store(s3_server_of("ministack").options(prefix=f"t/{uuid4().hex}"))
    for number in range(40):
        store.put(f"r/{number % 5}/{number}", iter((b"x",)))
    pages = []
    ask = listing._page

    def counted(*asked: Any) -> Any:
        pages.append(asked)
        return ask(*asked)

    monkeypatch.setattr(listing, "_page", counted)
    assert list(folders(store, "r/")) == ["0", "1", "2", "3", "4"]
    assert len(pages) == 1


def test_a_store_that_is_away_or_refuses_is_said_so(
    s3_server_of: Callable[[str], S3Facts], tmp_path: Path
) -> None:
    options = s3_server_of("radosgw").options()
    for bad, fault in (
        (replace(options, secret_key="not-the-secret"), StoreDenied),
        (replace(options, endpoint="http://127.0.0.1:9", retries_max=0), StoreUnavailable),
        (replace(options, bucket="no-such-bucket"), StoreUnavailable),
    ):
        with pytest.raises(fault) as error:
            list(folders(S3Store(bad), "r/"))
        assert "not-the-secret" not in f"{error.value} {error.value.as_dict()}"
    unmounted = FolderStore(tmp_path / "store", create=True)
    (tmp_path / "store").rename(tmp_path / "elsewhere")
    with pytest.raises(StoreUnavailable):
        list(folders(unmounted, "r/"))
