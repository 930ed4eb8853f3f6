"""Where recordings are held: raw bytes in a store, and the catalog that names them."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from lading.catalog.catalog import Catalog
from lading.catalog.pointer import Pointer
from lading.sources.recordings.errors import ManifestMissing, UploadInterrupted
from lading.sources.recordings.layout import (
    MANIFEST,
    NODE_MANIFESTS,
    OTHER_PARTICIPANTS,
    PARTICIPANT,
    PREFIX,
    location_of,
)
from lading.sources.recordings.manifest import MANIFEST_BYTES_MAX, parse_manifest
from lading.sources.recordings.rules import known_name, merged, with_halves
from lading.sources.recordings.values import Manifest
from lading.storage.folders import folders
from lading.storage.port import ObjectInfo, ObjectMissing, ObjectStore
from lading.storage.uploading import Uploader, uploader_for

HEADS_AT_ONCE: Final = 16
PARTICIPANT_FILES: Final = (PARTICIPANT, OTHER_PARTICIPANTS)
"""Where the names of who was recorded are, if they are; to be asked for without a listing."""
_PARTICIPANT_BYTES_MAX: Final = 4096


@dataclass(frozen=True)
class Repository:
    """A raw store with the catalog of what is in it; recordings lie below `prefix`.

    `pointer` is the object that named the catalog's prefix, None where somebody else did.
    """

    raw: ObjectStore
    catalog: Catalog
    uploader: Uploader
    prefix: str = PREFIX
    pointer: str | None = None

    @classmethod
    def of(
        cls,
        raw: ObjectStore,
        catalog: Catalog,
        *,
        prefix: str = PREFIX,
        pointer: str | None = None,
    ) -> Repository:
        """The repository with the uploads that fit its store."""
        uploader = uploader_for(raw, resumable=(UploadInterrupted,))
        return cls(raw, catalog, uploader, prefix, pointer)

    def current(self) -> Repository:
        """The same, with the catalog that is live by now (E1); itself where none was flipped to.

        Raises `PointerMissing`, `PointerGarbled`.
        """
        if self.pointer is None:
            return self
        live = Pointer(self.catalog.location, self.pointer).read().prefix
        if live == self.catalog.prefix:
            return self
        return replace(self, catalog=Catalog(self.catalog.location, live))

    def key(self, recording_id: str, name: str) -> str:
        """The key of an object of a recording."""
        return f"{location_of(recording_id, self.prefix)}/{name}"

    def stored(self, recording_id: str) -> Iterator[ObjectInfo]:
        """The recording's objects; their keys are names below the recording."""
        below = f"{location_of(recording_id, self.prefix)}/"
        for info in self.raw.list(below):
            yield ObjectInfo(
                info.key.removeprefix(below), info.size_bytes, info.modified_at, info.etag
            )

    def sizes(self, recording_id: str) -> dict[str, int]:
        """The size in bytes of each of the recording's objects, by name; a listing."""
        return {info.key: info.size_bytes for info in self.stored(recording_id)}

    def recording_ids(self) -> Iterator[str]:
        """Every recording of which something is stored, in order, without listing what it holds."""
        return folders(self.raw, f"{self.prefix}/")

    def read(self, recording_id: str, name: str, size_bytes_max: int) -> bytes | None:
        """A small object whole, or None; of one that is larger, one byte more than the bound."""
        try:
            chunks = self.raw.get(self.key(recording_id, name), length=size_bytes_max + 1)
            return b"".join(chunks)
        except ObjectMissing:
            return None

    def write(
        self, recording_id: str, name: str, body: bytes, *, media_type: str = "text/plain"
    ) -> None:
        """Put a small object in place, replacing what is there."""
        self.uploader.upload(
            self.key(recording_id, name),
            lambda: iter((body,)),
            size_bytes=len(body),
            sha256=hashlib.sha256(body).hexdigest(),
            media_type=media_type,
        )

    def manifests(self, recording_id: str, names: Iterable[str]) -> dict[str, Manifest]:
        """The manifests among a recording's objects, its own and its nodes', by name.

        Raises `ManifestInvalid`.
        """
        found = {}
        for name in sorted(filter(is_manifest, names)):
            body = self.read(recording_id, name, MANIFEST_BYTES_MAX)
            if body is not None:
                found[name] = parse_manifest(body, self.key(recording_id, name))
        return found

    def manifest(self, recording_id: str, sizes: Mapping[str, int]) -> Manifest:
        """The stored manifest to register by: the recording's own, else its nodes' merged (E3).

        What halves add to the recording's own is part of it once their files are stored (E9).
        `sizes` are the recording's objects. Raises `ManifestMissing`, `ManifestInvalid`,
        `ManifestsDisagree`.
        """
        found = united(self.manifests(recording_id, sizes), sizes)
        if found is None:
            raise ManifestMissing(
                "The store has no manifest of this recording",
                subject=self.key(recording_id, MANIFEST),
            )
        return found

    def participant(self, recording_id: str) -> str | None:
        """The name in the stored `participant.txt`, if there is one that can be read (E4)."""
        body = self.read(recording_id, PARTICIPANT, _PARTICIPANT_BYTES_MAX)
        return participant_name(body)

    def participants(self, recording_id: str, names: Collection[str]) -> tuple[str, ...]:
        """All who are stored as recorded, the first one first; `names` are the objects there are.

        One is in `participant.txt`; who came with another half is in a file of our own (E9).
        """
        found = [self.participant(recording_id) if PARTICIPANT in names else None]
        if OTHER_PARTICIPANTS in names:
            body = self.read(recording_id, OTHER_PARTICIPANTS, _PARTICIPANT_BYTES_MAX) or b""
            found += [participant_name(line) for line in body.splitlines()]
        return tuple(dict.fromkeys(name for name in found if name))

    def write_participants(
        self, recording_id: str, participants: Sequence[str], names: Collection[str]
    ) -> None:
        """Store the names of all who were recorded, in place of those stored; as `participants`."""
        first, *others = participants
        self.write(recording_id, PARTICIPANT, f"{first}\n".encode())
        if others:
            text = "".join(f"{name}\n" for name in others)
            self.write(recording_id, OTHER_PARTICIPANTS, text.encode())
        elif OTHER_PARTICIPANTS in names:
            self.raw.delete(self.key(recording_id, OTHER_PARTICIPANTS))

    def metadata(
        self, recording_id: str, names: Iterable[str]
    ) -> Iterator[tuple[str, Mapping[str, str]]]:
        """The user metadata of objects that are there, several requests at a time."""
        rest = iter(names)
        with ThreadPoolExecutor(HEADS_AT_ONCE, thread_name_prefix="head") as pool:
            while some := list(islice(rest, 64 * HEADS_AT_ONCE)):
                infos = pool.map(lambda n: self.raw.head(self.key(recording_id, n)), some)
                for name, info in zip(some, infos, strict=True):
                    if info is not None:
                        yield name, info.metadata


def united(found: Mapping[str, Manifest], stored: Collection[str]) -> Manifest | None:
    """The manifest to register by, of those found by name; see `Repository.manifest`."""
    halves = {name: each for name, each in found.items() if name != MANIFEST}
    own = found.get(MANIFEST)
    if own is not None and (own.complete or not halves):
        return with_halves(own, list(halves.values()), stored)
    return merged(list(halves.items())) if halves else None


def is_manifest(name: str) -> bool:
    """Whether an object's or a file's name below a recording is that of a manifest."""
    folder, slash, rest = name.partition("/")
    return name == MANIFEST or bool(
        slash and folder == NODE_MANIFESTS and "/" not in rest and rest.endswith(".json")
    )


def participant_name(body: bytes | None) -> str | None:
    """The name that a `participant.txt` holds, or None when it holds none."""
    if body is None or len(body) > _PARTICIPANT_BYTES_MAX:
        return None
    return known_name(body.decode("utf-8-sig", "replace"))
