"""How a recording's folder stands to what is stored and registered: one listing, one look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from lading.base.errors import LadingError
from lading.catalog.errors import CatalogConflict, CatalogRowRefused
from lading.sources.recordings.folder import Looked, RecordedFile, RecordingFolder
from lading.sources.recordings.layout import location_of
from lading.sources.recordings.registering import Proposal, propose, require_same_contents
from lading.sources.recordings.repository import Repository
from lading.sources.recordings.rules import held_by, modality_rows
from lading.sources.recordings.values import HeldBy, ManifestFile

_ANY_HASH: Final = "0" * 64


@dataclass(frozen=True, slots=True)
class Standing:
    """What is held of a recording.

    `sizes` are those of its objects, by name. `proposal` is None where the hashes are not known
    yet, and where the catalog would refuse it for `conflict`. `taken` says of the former that
    a recording is registered whose files lie here.
    """

    sizes: Mapping[str, int]
    proposal: Proposal | None = None
    conflict: LadingError | None = None
    taken: bool = False

    @property
    def vouched(self) -> bool:
        """Whether the catalog has the recording as it would be registered."""
        return self.proposal is not None and self.proposal.settled

    def held_by(
        self, file: RecordedFile, name: str, metadata: Mapping[str, Mapping[str, str]]
    ) -> HeldBy | None:
        """How the stored object is recognised as the file; `metadata` is by name."""
        size_bytes = self.sizes.get(name)
        if size_bytes is None or size_bytes != file.size_bytes:
            return None
        if self.vouched:
            return HeldBy.REGISTERED
        if file.sha256 is None:
            return None
        return held_by(as_listed(file), size_bytes, metadata.get(name))


def standing_of(
    repository: Repository, folder: RecordingFolder, looked: Sequence[Looked]
) -> Standing:
    """List what is stored of the recording and look it up in the catalog.

    Raises `PlaceTaken`, `RecordingHeldElsewhere`, `ManifestsDisagree`, `WorkerFolderRefused` and
    `KeyRefused`: nothing of such a recording may be uploaded.
    """
    sizes = repository.sizes(folder.recording_id)
    files = [as_listed(each.file) for each in looked]
    if not folder.complete:
        modality_rows(files, folder.recording_id, _ANY_HASH, prefix=repository.prefix)
        location = location_of(folder.recording_id, repository.prefix)
        registered = repository.catalog.list_modalities({"location": location}, limit=1)
        return Standing(sizes, taken=any(True for _ in registered))
    try:
        proposal = propose(
            repository,
            folder.local.manifest,
            files,
            folder.recording_id,
            participant=folder.participant,
        )
    except (CatalogConflict, CatalogRowRefused) as error:
        return Standing(sizes, conflict=error)
    if proposal.held is not None:
        require_same_contents(repository, folder.recording_id, folder.local.manifest, sizes)
    return Standing(sizes, proposal)


def as_listed(file: RecordedFile) -> ManifestFile:
    """The file as manifests list it; its hash is empty where it is not known."""
    return ManifestFile(file.rel_path, file.sha256 or "", file.size_bytes)
