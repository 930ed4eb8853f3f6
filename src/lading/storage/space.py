"""Says how much room is left where a store keeps its objects, as far as anybody can know."""

from __future__ import annotations

import os

from lading.storage.folder import FolderStore
from lading.storage.port import ObjectStore


def free_bytes(store: ObjectStore) -> int | None:
    """The bytes a folder's disk has left for us; None for a bucket, or while it is away."""
    if not isinstance(store, FolderStore):
        return None
    try:
        found = os.statvfs(store.root)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize
