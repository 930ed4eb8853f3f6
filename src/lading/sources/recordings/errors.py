"""What can be wrong with a recording, its manifest, or what is stored of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from lading.base.errors import LadingError, RequestError, SourceError, StoreError
from lading.base.units import format_count

_FAILURES_SHOWN: Final = 3


class ManifestMissing(SourceError):
    """A recording has no manifest: neither its own nor one of a node."""

    code = "recording_manifest_missing"
    http_status = 404
    next_step = (
        "Make one with augment_manifest (`lading recordings augment`) where the files are local,"
        " or with `lading recordings reconstruct` where they are stored."
    )


class ManifestInvalid(SourceError):
    """A recording's manifest cannot be understood."""

    code = "recording_manifest_invalid"
    next_step = "Correct the manifest, or move it aside and make it anew with augment_manifest."


class ManifestIncomplete(SourceError):
    """A manifest lacks `recording_hash` or `files`, so nothing can be registered by it (D6)."""

    code = "recording_manifest_incomplete"
    next_step = (
        "Run augment_manifest (`lading recordings augment`), which hashes the files and adds both."
    )


class ManifestsDisagree(SourceError):
    """Manifests of one recording contradict each other."""

    code = "recording_manifests_disagree"
    next_step = "Find out which node is right, and correct or remove the other's manifest."


class WorkerFolderRefused(SourceError):
    """A folder of a recording has a name of which no modality can be made."""

    code = "recording_folder_refused"
    next_step = (
        "Rename the folder (letters, digits, '.', '_', '-'), then augment the manifest anew."
    )


class StoredFilesMissing(SourceError):
    """The store lacks files that the manifest lists, so the recording is not registered (E3)."""

    code = "recording_files_missing"
    next_step = "Upload the recording from where its files are; what is stored already is skipped."


class StoredRecordingMissing(RequestError):
    """The store has nothing of this recording."""

    code = "recording_not_stored"
    http_status = 404
    next_step = "Check the identifier and the bucket; upload the recording if it is not there."


class PlaceTaken(RequestError):
    """Another registered recording keeps its files where this one's would go."""

    code = "recording_place_taken"
    http_status = 409
    next_step = (
        "Compare the two. If the files were changed after they were registered, give the changed"
        " recording an identifier of its own (recording_id in its manifest)."
    )


class RecordingHeldElsewhere(RequestError):
    """The same bytes are registered under another identifier."""

    code = "recording_held_elsewhere"
    http_status = 409
    next_step = "Nothing is missing: use the recording that is registered, or remove the copy."


class RecordingIdRefused(RequestError):
    """What shall identify a recording cannot stand in an object's name."""

    code = "recording_id_refused"
    next_step = "Use letters, digits, '.', '_' and '-', such as rec_20260520_195628_b1dd."


class Sha256Unknown(StoreError):
    """Neither a manifest nor the object itself says what sha256 a stored file has."""

    code = "recording_sha256_unknown"
    transient = False
    next_step = "Reconstruct the recording's manifest, which reads and hashes every file."


class StoredNameRefused(SourceError):
    """An object of a recording has a name that no file of a recording is stored under."""

    code = "recording_object_name_refused"
    next_step = (
        "Rename the object: characters that are not printable ASCII are percent-encoded UTF-8, and"
        " a percent sign is %25."
    )


class UploadInterrupted(RuntimeError):
    """A read was not begun because `is_active()` turned true (D4).

    Callers of `ingest` do not see it: they get a result with `paused=True`.
    """


class StoredBytesDiffer(StoreError):
    """A stored file's bytes are not those that its manifest, or the object itself, promises."""

    code = "recording_bytes_differ"
    transient = False
    next_step = (
        "Upload the file again from where the recording was made (overwrite), or restore the object"
        " from a copy."
    )


class DownloadIncomplete(StoreError):
    """Some files of a download could not be brought; all others are in place.

    `failures` are the errors of those files, `files_not_begun` how many were not tried.
    """

    code = "download_incomplete"
    transient = False
    next_step = "Mend what is named, then download again: what is in place is kept."

    def __init__(self, failures: Sequence[LadingError], *, files_not_begun: int = 0) -> None:
        self.failures = tuple(failures)
        self.files_not_begun = files_not_begun
        shown = "; ".join(str(each) for each in self.failures[:_FAILURES_SHOWN])
        more = len(self.failures) - _FAILURES_SHOWN
        said = f"{shown}; and {more} more" if more > 0 else shown
        left = format_count(files_not_begun, "file was", "files were")
        missing = f", {left} not tried" if files_not_begun else ""
        super().__init__(f"{format_count(len(self.failures), 'failure')}{missing}: {said}")


class FileInTheWay(RequestError):
    """Where a downloaded file would go lies something else, which is left as it is."""

    code = "download_file_in_the_way"
    http_status = 409
    next_step = "Move it away, download to another folder, or replace it (overwrite)."


class PlaceRefused(RequestError):
    """The file system of the destination cannot hold a file under its name."""

    code = "download_place_refused"
    next_step = "Download to a file system that takes such names and sizes, such as ext4 or XFS."


class DownloadContested(RequestError):
    """Another download is bringing the same file to the same place."""

    code = "download_contested"
    http_status = 409
    next_step = "Let the other download end; then run this one again."


class DestinationUnusable(StoreError):
    """The destination cannot be written to: full, read-only, denied, or gone."""

    code = "download_destination_unusable"
    http_status = 507
    transient = False
    next_step = "Free space or give access, then download again: what is there is gone on with."
