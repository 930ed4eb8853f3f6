"""From the address of a store, as settings give it, to the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from lading.base.errors import RequestError
from lading.storage.folder import FolderStore
from lading.storage.memory import MemoryStore
from lading.storage.port import ObjectStore
from lading.storage.s3 import S3Options, S3Store


class StoreAddressRefused(RequestError):
    """The address or an option of a store makes no sense."""

    code = "store_address_refused"
    next_step = "Use file:///folder, s3://bucket/prefix or memory:, with the options of that kind."


def open_store(name: str, url: str, options: Mapping[str, Any] | None = None) -> ObjectStore:
    """The store at `url`: `file:///folder`, `s3://bucket/prefix` or `memory:`.

    `options` are those of the kind: `create` for folders, the fields of `S3Options` for buckets.
    Raises `RequestError` for what makes no sense, `StoreError` when a folder is not there.
    """
    options = dict(options or {})
    parts = urlsplit(url)
    if parts.query or parts.fragment or "@" in parts.netloc:
        # The address itself may hold a password, so it is not repeated.
        raise StoreAddressRefused(f"The address of the store {name} has parts it may not have")
    match parts.scheme:
        case "file":
            return _open_folder(name, parts, options)
        case "s3":
            return _open_s3(name, parts, options)
        case "memory":
            _refuse_others(name, options, frozenset())
            return MemoryStore(name=name)
    raise StoreAddressRefused(
        f"The address of the store {name} is of no known kind",
        expected="file:, s3: or memory:",
        found=f"{parts.scheme}:",
    )


def _open_folder(name: str, parts: SplitResult, options: Mapping[str, Any]) -> FolderStore:
    _refuse_others(name, options, frozenset({"create"}))
    path = unquote(parts.path)
    if parts.netloc not in ("", "localhost") or not path.startswith("/"):
        raise StoreAddressRefused(f"The folder of the store {name} is not an absolute path")
    return FolderStore(path, name=name, create=bool(options.get("create", False)))


def _open_s3(name: str, parts: SplitResult, options: Mapping[str, Any]) -> S3Store:
    _refuse_others(
        name, options, frozenset(f.name for f in fields(S3Options)) - {"bucket", "prefix"}
    )
    prefix = unquote(parts.path).strip("/")
    return S3Store(S3Options(bucket=parts.netloc, prefix=prefix, **options), name=name)


def _refuse_others(name: str, options: Mapping[str, Any], known: frozenset[str]) -> None:
    unknown = sorted(set(options) - known)
    if unknown:
        raise StoreAddressRefused(
            f"The store {name} has no such option",
            expected=", ".join(sorted(known)) or "no options",
            found=", ".join(unknown),
        )
