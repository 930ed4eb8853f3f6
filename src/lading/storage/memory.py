"""A store in this process's memory: for tests, trials, and as the plainest reading of the port."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from lading.base.steps import Step, reach
from lading.storage.keys import check_key, check_prefix
from lading.storage.port import Abilities, ObjectInfo, ObjectMissing, StoreMismatch

READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Held:
    info: ObjectInfo
    data: bytes


class MemoryStore:
    """Objects in a dict, gone with the process. Listings come in key order and honour `after`."""

    abilities = Abilities(
        user_metadata=True, atomic_create=True, local_path=False, checksum_sha256=True
    )

    def __init__(self, *, name: str = "memory") -> None:
        self.name = name
        self._lock = threading.Lock()
        self._objects: dict[str, _Held] = {}

    def __repr__(self) -> str:
        return f"MemoryStore(name={self.name!r})"

    def put(
        self,
        key: str,
        chunks: Iterator[bytes],
        *,
        sha256: str | None = None,
        media_type: str | None = None,
        owner: str = "",  # noqa: ARG002 - nothing of a dead writer stays in memory
        if_absent: bool = False,
    ) -> ObjectInfo:
        """Keep the bytes; `StoreMismatch` when they are not those of `sha256`."""
        check_key(key)
        if if_absent and (held := self.head(key)) is not None:
            return held
        data = b"".join(chunks)
        digest = hashlib.sha256(data).hexdigest()
        if sha256 is not None and digest != sha256:
            raise StoreMismatch(
                "The bytes are not those of their sha256",
                subject=key,
                expected=sha256,
                found=digest,
            )
        info = ObjectInfo(key, len(data), datetime.now(UTC), digest, _metadata(sha256, media_type))
        with self._lock:
            if if_absent and key in self._objects:
                return self._objects[key].info
            self._objects[key] = _Held(info, data)
        reach(Step.FILE_PLACED)
        return info

    def get(self, key: str, *, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The bytes in chunks of 1 MiB; see `ObjectStore.get`."""
        with self._lock:
            held = self._objects.get(check_key(key))
        if held is None:
            raise ObjectMissing("The object is not in the store", subject=key)
        end = held.info.size_bytes if length is None else min(offset + length, len(held.data))
        for start in range(offset, end, READ_BYTES):
            yield held.data[start : min(start + READ_BYTES, end)]

    def head(self, key: str) -> ObjectInfo | None:
        """What is known of the object; see `ObjectStore.head`."""
        with self._lock:
            held = self._objects.get(check_key(key))
        return held.info if held else None

    def list(self, prefix: str = "", *, after: str | None = None) -> Iterator[ObjectInfo]:
        """The objects below `prefix` in key order, as they were at the call."""
        check_prefix(prefix)
        with self._lock:
            infos = [held.info for key, held in self._objects.items() if key.startswith(prefix)]
        infos.sort(key=lambda info: info.key)
        return (replace(i, metadata={}) for i in infos if after is None or i.key > after)

    def delete(self, key: str) -> None:
        """Forget the object; see `ObjectStore.delete`."""
        with self._lock:
            self._objects.pop(check_key(key), None)

    def clean(self, owner: str) -> int:  # noqa: ARG002
        """Nothing: what a dead writer had in memory died with it."""
        return 0


def _metadata(sha256: str | None, media_type: str | None) -> Mapping[str, str]:
    facts = {"sha256": sha256, "Content-Type": media_type}
    return {name: value for name, value in facts.items() if value is not None}
