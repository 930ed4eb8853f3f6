"""What each stored file of a recording shall be: its size and sha256, by listing and manifests.

A file's hash is the one its manifest states. What no manifest lists has the hash that the object
itself carries, which is asked for when it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from lading.catalog.values import ModalityRow
from lading.sources.recordings.errors import ManifestMissing, Sha256Unknown, StoredBytesDiffer
from lading.sources.recordings.layout import object_name
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.values import ManifestFile, QueryResult
from lading.storage.port import ObjectMissing
from lading.storage.transfer import require_stored


@dataclass(frozen=True, slots=True)
class ExpectedFile:
    """A file that the catalog names: `name` below its recording, `key` in the raw store.

    `stored_bytes` is the object's size, None when there is no object; `size_bytes` and `sha256`
    are what a manifest states, None where it does not.
    """

    name: str
    key: str
    stored_bytes: int | None
    size_bytes: int | None
    sha256: str | None

    @property
    def known_bytes(self) -> int:
        """Its size as far as anybody says, 0 when nobody does."""
        return self.stored_bytes if self.stored_bytes is not None else self.size_bytes or 0

    def require_stored_bytes(self) -> int:
        """The object's size. Raises `ObjectMissing`, and `StoredBytesDiffer` by another size."""
        if self.stored_bytes is None:
            raise ObjectMissing("The object is not in the store", subject=self.key)
        if self.size_bytes not in (None, self.stored_bytes):
            raise StoredBytesDiffer(
                "The object has another size than its manifest states",
                subject=self.key,
                expected=f"{self.size_bytes} bytes",
                found=f"{self.stored_bytes} bytes",
            )
        return self.stored_bytes


def expected_files(
    repository: Repository, result: QueryResult
) -> dict[str, tuple[ExpectedFile, ...]]:
    """The files of each modality, by its key; one listing, and each manifest read once.

    Raises `ManifestInvalid`, `ManifestsDisagree`, `RecordingIdRefused`, `StoreError`.
    """
    places = {row.location: _Place.read(repository, row) for row in _one_a_location(result)}
    return {
        key: tuple(places[row.location].expected(name) for name in row.keys)
        for key, row in result.modalities.items()
    }


def require_sha256(repository: Repository, file: ExpectedFile) -> str:
    """The sha256 that the file shall have; asks the object where no manifest states it.

    Raises `Sha256Unknown`, `StoreError`.
    """
    sha256 = file.sha256 or require_stored(repository.raw, file.key).metadata.get("sha256")
    if sha256 is None:
        raise Sha256Unknown(
            "No manifest lists the file, and the object carries no sha256", subject=file.key
        )
    return sha256.lower()


@dataclass(frozen=True, slots=True)
class _Place:
    """What lies below one location."""

    location: str
    sizes: Mapping[str, int]
    stated: Mapping[str, ManifestFile]

    @classmethod
    def read(cls, repository: Repository, row: ModalityRow) -> _Place:
        # A row says where its bytes are; that need not be below the prefix of today.
        prefix, _, recording_id = row.location.rpartition("/")
        there = replace(repository, prefix=prefix)
        sizes = there.sizes(recording_id)
        try:
            files = there.manifest(recording_id, sizes).files
        except ManifestMissing:
            files = ()
        return cls(row.location, sizes, {object_name(file.rel_path): file for file in files})

    def expected(self, name: str) -> ExpectedFile:
        stated = self.stated.get(name)
        return ExpectedFile(
            name,
            f"{self.location}/{name}",
            self.sizes.get(name),
            stated.size_bytes if stated else None,
            stated.sha256 if stated else None,
        )


def _one_a_location(result: QueryResult) -> list[ModalityRow]:
    return list({row.location: row for row in result.modalities.values()}.values())
