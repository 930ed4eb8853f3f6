"""The port every store stands behind, and what a store says of itself.

A store keeps whole objects under keys. Whatever `put` has returned from is durable and complete;
whatever it has not is invisible. All methods are safe to call from several threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from lading.base.errors import StoreError


class ObjectMissing(StoreError):
    """The store does not have what its catalogue says it has."""

    code = "object_missing"
    http_status = 404
    transient = False
    next_step = "Run `lading verify` for the extent; restore the object from a copy."


class StoreUnavailable(StoreError):
    """The store cannot be reached, or broke off. Worth trying again."""

    code = "store_unavailable"


class StoreFull(StoreError):
    """The store has no room left."""

    code = "store_full"
    http_status = 507
    next_step = "Free space on the store; the job continues where it stopped."


class StoreDenied(StoreError):
    """The store refused us: credentials, permissions, a read-only disk."""

    code = "store_denied"
    transient = False
    next_step = "Give Lading write access to the store, then retry the job."


class StoreMismatch(StoreError):
    """What the store holds after a transfer is not what was sent; it was removed again."""

    code = "store_mismatch"
    next_step = "Check the disk or the network between here and the store, then retry the job."


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a store can do; callers choose by ability, tests are never skipped for a lack of one."""

    user_metadata: bool  # `ObjectInfo.metadata` comes back from `head`
    atomic_create: bool  # `put(if_absent=True)` has exactly one winner among racers
    local_path: bool  # objects are files on this machine
    checksum_sha256: bool  # the store itself verifies a sha256 sent with the bytes


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """One stored object. `metadata` is empty in listings."""

    key: str
    size_bytes: int
    modified_at: datetime
    etag: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)


class ObjectStore(Protocol):
    """Where bytes are kept.

    Keys are relative POSIX paths in printable ASCII without `.` or `..` segments; a store SHALL
    refuse others with `RequestError`. Every fault SHALL come out as one of the errors above.
    """

    name: str
    abilities: Abilities

    def put(
        self,
        key: str,
        chunks: Iterator[bytes],
        *,
        sha256: str | None = None,
        media_type: str | None = None,
        owner: str = "",
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Store the bytes of `chunks` under `key`, durably, replacing what was there.

        `sha256` (hex, known beforehand) is recorded as user metadata where the store can. `owner`
        names the writer in temporary names. An exception out of `chunks` SHALL leave no trace and
        come out unchanged. With `if_absent`, an existing object is left as it is and returned.
        """
        ...

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The object's bytes, or a range of them, in chunks. Raises `ObjectMissing`."""
        ...

    def head(self, key: str) -> ObjectInfo | None:
        """What is known of the object without reading it; None when it is not there."""
        ...

    def list(self, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectInfo]:
        """Objects whose key starts with `prefix`, in no promised order, in constant memory.

        `prefix` ends with `/` or is empty. `after` skips keys up to and including it, on stores
        that list in key order.
        """
        ...

    def delete(self, key: str) -> None:
        """Remove the object; nothing happens when it is not there."""
        ...

    def clean(self, owner: str) -> int:
        """Remove what dead `put` calls of `owner` left behind; returns how many there were."""
        ...
