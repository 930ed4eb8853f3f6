from __future__ import annotations

from pathlib import Path

import pytest

from lading.base.errors import RequestError
from lading.storage.addresses import open_store
from lading.storage.folder import FolderStore
from lading.storage.memory import MemoryStore
from lading.storage.port import StoreUnavailable
from lading.storage.s3 import S3Store


def test_a_folder_is_opened_by_its_address(tmp_path: Path) -> None:
    url = (tmp_path / "with space").as_uri()
    with pytest.raises(StoreUnavailable):
        open_store("main", url)
    store = open_store("main", url, {"create": True})
    assert isinstance(store, FolderStore)
    assert (store.name, store.root) == ("main", tmp_path / "with space")
    assert open_store("main", url).head("a") is None


def test_a_bucket_is_opened_by_its_address() -> None:
    store = open_store(
        "main",
        "s3://bucket/some/prefix/",
        {
            "endpoint": "http://127.0.0.1:9",
            "allow_http": True,
            "access_key": "key",
            "secret_key": "secret",
            "region": "eu-central-1",
            "path_style": False,
        },
    )
    assert isinstance(store, S3Store)
    assert (store.options.bucket, store.options.prefix) == ("bucket", "some/prefix")
    assert store.options.region == "eu-central-1"
    assert not store.options.path_style


def test_memory_is_opened_by_its_address() -> None:
    assert isinstance(open_store("main", "memory:"), MemoryStore)


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("", {}),
        ("/a/plain/path", {}),
        ("file:relative", {}),
        ("file://otherhost/path", {}),
        ("file:///path", {"creat": True}),
        ("ftp://host/path", {}),
        ("s3:///prefix", {}),
        ("s3://bucket", {"secret": "x"}),
        ("s3://bucket", {"bucket": "other"}),
        ("s3://bucket?region=x", {}),
        ("memory:", {"create": True}),
    ],
)
def test_addresses_that_make_no_sense_are_refused(url: str, options: dict[str, object]) -> None:
    with pytest.raises(RequestError):
        open_store("main", url, options)


def test_a_password_in_an_address_is_not_repeated() -> None:
    with pytest.raises(RequestError) as raised:
        open_store("main", "s3://key:hunter2@bucket/prefix")
    assert "hunter2" not in str(raised.value)
    assert "hunter2" not in str(raised.value.as_dict())
