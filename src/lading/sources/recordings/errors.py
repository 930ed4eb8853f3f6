"""What can be wrong with a recording, its manifest, or what is stored of it."""

from __future__ import annotations

from lading.base.errors import RequestError, SourceError, StoreError


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


class UploadInterrupted(RuntimeError):
    """A read was not begun because `is_active()` turned true (D4).

    Callers of `ingest` do not see it: they get a result with `paused=True`.
    """
