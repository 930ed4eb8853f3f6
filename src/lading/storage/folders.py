"""The folders at one place of a store, without the objects in them.

In a bucket, a thousand folders are one request, whatever they hold; of a folder of this machine
only the names at that place are read. Other stores are listed as a whole.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

from lading.storage.botocore_client import connect_botocore, fault_of
from lading.storage.folder import FolderStore, store_fault
from lading.storage.keys import INCOMING, check_prefix
from lading.storage.port import ObjectStore
from lading.storage.s3 import S3Faults, S3Store

PAGE_FOLDERS: Final = 1_000
_NEED: Final = "Listing the folders of a bucket"
_EXTRA: Final = "catalog"


def folders(store: ObjectStore, prefix: str) -> Iterator[str]:
    """The names of the folders right below `prefix` in which there is an object, in key order.

    `prefix` ends with `/` or is empty. Raises `MissingExtra`, `KeyRefused` and `StoreError`.
    """
    check_prefix(prefix)
    if isinstance(store, S3Store):
        return _in_bucket(store, prefix)
    if isinstance(store, FolderStore):
        return _in_folder(store, prefix)
    return _by_listing(store, prefix)


def _in_bucket(store: S3Store, prefix: str) -> Iterator[str]:
    options = store.options
    client = connect_botocore(options, purpose=_NEED, extra=_EXTRA)
    within = f"{options.prefix}/{prefix}" if options.prefix else prefix
    request: dict[str, Any] = {
        "Bucket": options.bucket,
        "Prefix": within,
        "Delimiter": "/",
        "MaxKeys": PAGE_FOLDERS,
    }
    while True:
        page = _page(store, client, request, prefix)
        for found in page.get("CommonPrefixes", ()):
            name = found["Prefix"][len(within) : -1]
            if name:  # a key may have a slash where its name would be
                yield name
        if not page.get("IsTruncated"):
            return
        request["ContinuationToken"] = page["NextContinuationToken"]


def _page(store: S3Store, client: Any, request: dict[str, Any], prefix: str) -> Any:
    try:
        return client.list_objects_v2(**request)
    except Exception as error:
        said = fault_of(error)
        if said is None:
            raise
        faults = S3Faults(store.options, store.name)
        raise faults.fault(
            "list", prefix, text=said.text, status=said.status, code=said.code
        ) from error


def _in_folder(store: FolderStore, prefix: str) -> Iterator[str]:
    try:
        with os.scandir(store.root / prefix) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except (FileNotFoundError, NotADirectoryError):
        names = []
    except OSError as error:
        raise store_fault(error, store.name, "list", prefix) from error
    if not names:
        next(store.list(prefix), None)  # which says when the store itself is gone
    for name in sorted(names, key=lambda each: f"{each}/"):
        # A folder stays when its last object goes; what else lies here has names no key has.
        if f"{prefix}{name}" == INCOMING or not (name.isascii() and name.isprintable()):
            continue
        if next(store.list(f"{prefix}{name}/"), None) is not None:
            yield name


def _by_listing(store: ObjectStore, prefix: str) -> Iterator[str]:
    last = None
    for info in store.list(prefix):
        name, slash, _ = info.key.removeprefix(prefix).partition("/")
        if slash and name != last:
            last = name
            yield name
