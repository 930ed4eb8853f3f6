"""Every reason the recordings source can give, for a whole recording or for one item of it."""

from __future__ import annotations

from typing import Final

from lading.base.errors import LadingError, RequestError
from lading.base.reasons import Reason, reason_table
from lading.catalog.errors import CatalogConflict, CatalogRowRefused
from lading.sources.recordings.errors import (
    ManifestIncomplete,
    ManifestInvalid,
    ManifestMissing,
    ManifestsDisagree,
    PlaceTaken,
    RecordingHeldElsewhere,
    RecordingIdRefused,
    StoredFilesMissing,
    WorkerFolderRefused,
)
from lading.storage.keys import KeyRefused
from lading.storage.roots import FileMissing, FileUnreadable, NotARegularFile, PathEscapesRoot
from lading.storage.transfer import FileChanged, HashMismatch, SizeMismatch

_QUEUE_AGAIN = "then queue the recording again; what is stored already is skipped."

REASONS: Final = reason_table(
    [
        Reason(
            "manifest_missing",
            "the folder has no manifest, neither its own nor one of a node",
            "Wait for the rig to finish; if it has, run `lading recordings augment`, then scan.",
        ),
        Reason(
            "manifest_invalid",
            "the manifest cannot be understood",
            "Correct it, or move it aside and run `lading recordings augment`, then scan.",
        ),
        Reason(
            "manifests_disagree",
            "manifests of the recording, of its nodes or stored before, contradict each other",
            "Find out which is right. Correct or remove the other one, then scan; what is"
            " registered is replaced by `lading recordings ingest --overwrite`.",
        ),
        Reason(
            "not_augmented",
            "the manifest lacks the hashes of the files, so nothing can be registered by it",
            "Run `lading recordings augment`, then scan; or set the source's `augment`.",
        ),
        Reason(
            "still_written",
            "something of the recording was written a moment ago",
            "Nothing: a later scan takes it when it has been left alone for `stable_for_s`.",
        ),
        Reason(
            "folder_gone",
            "the recording's folder is gone",
            "Put it back if that was not meant, then scan.",
        ),
        Reason(
            "recording_id_refused",
            "the recording's identifier cannot stand in an object's name",
            "Rename the folder, or correct `recording_id` in the manifest, then scan.",
        ),
        Reason(
            "folder_refused",
            "a folder of the recording has a name of which no modality can be made",
            "Rename the folder and augment the manifest anew, then scan.",
        ),
        Reason(
            "name_refused",
            "a file's name cannot be made the name of an object",
            "Rename the file and augment the manifest anew, then scan.",
        ),
        Reason(
            "place_taken",
            "another registered recording keeps its files where this one's would go",
            "Compare the two; give a changed recording an identifier of its own, then scan.",
        ),
        Reason(
            "held_elsewhere",
            "the same recording is registered under another identifier",
            "Nothing is missing: use the one that is registered, or remove the copy.",
        ),
        Reason(
            "missing_file",
            "the manifest lists a file that is not there",
            f"Put the file back, or augment the manifest anew, {_QUEUE_AGAIN}",
        ),
        Reason(
            "not_a_regular_file",
            "what should be a file is a folder, a pipe or a device",
            f"Put a plain file in its place, {_QUEUE_AGAIN}",
        ),
        Reason(
            "path_escapes_root",
            "the way to a file leads through a symbolic link or out of the recording's folder",
            f"Put a plain file in its place, {_QUEUE_AGAIN}",
        ),
        Reason(
            "unreadable",
            "something of the recording cannot be read",
            f"Give Lading permission to read it, or mend the disk, {_QUEUE_AGAIN}",
        ),
        Reason(
            "size_mismatch",
            "the file has another size than the manifest says",
            f"Restore the file; if it is right, augment the manifest anew, {_QUEUE_AGAIN}",
        ),
        Reason(
            "hash_mismatch",
            "the file's bytes are not those of the manifest",
            f"Restore the file; if it is right, augment the manifest anew, {_QUEUE_AGAIN}",
        ),
        Reason(
            "file_changed",
            "the file was written to while it was read",
            f"Wait until the rig has finished writing, {_QUEUE_AGAIN}",
        ),
        Reason(
            "files_not_stored",
            "not every file of the recording is in the store, so it is not registered",
            f"See what is wrong with the files that are named, mend it, {_QUEUE_AGAIN}",
        ),
        Reason(
            "catalog_conflict",
            "the catalog holds this recording with other facts",
            "Compare the two; `lading recordings ingest` takes a policy that says which stands.",
        ),
        Reason(
            "row_refused",
            "something that the manifest says cannot stand in the catalog",
            "Correct the value in the manifest, then scan.",
        ),
        Reason(
            "not_stored",
            "the store has no such file",
            "Queue the recording again where its files are, or restore the object from a copy.",
        ),
        Reason(
            "not_registered",
            "the catalog has no such recording",
            "Queue the recording again; if it was there, look who removed it.",
        ),
    ]
)

_BY_ERROR: Final[dict[type[LadingError], str]] = {
    ManifestMissing: "manifest_missing",
    ManifestInvalid: "manifest_invalid",
    ManifestIncomplete: "not_augmented",
    ManifestsDisagree: "manifests_disagree",
    RecordingIdRefused: "recording_id_refused",
    WorkerFolderRefused: "folder_refused",
    KeyRefused: "name_refused",
    PlaceTaken: "place_taken",
    RecordingHeldElsewhere: "held_elsewhere",
    StoredFilesMissing: "files_not_stored",
    CatalogConflict: "catalog_conflict",
    CatalogRowRefused: "row_refused",
    FileMissing: "missing_file",
    NotARegularFile: "not_a_regular_file",
    PathEscapesRoot: "path_escapes_root",
    FileUnreadable: "unreadable",
    SizeMismatch: "size_mismatch",
    HashMismatch: "hash_mismatch",
    FileChanged: "file_changed",
}


def reason_of(error: LadingError) -> Reason | None:
    """The reason that an error stands for; None for one that is no fault of a recording."""
    for cls, code in _BY_ERROR.items():
        if isinstance(error, cls):
            return REASONS[code]
    # What the system says of a manifest that it does not let us read.
    return REASONS["unreadable"] if type(error) is RequestError else None


def facts_of(error: LadingError) -> dict[str, str]:
    """What the ledger keeps of an error beside its reason."""
    facts = {"subject": error.subject, "expected": error.expected, "found": error.found}
    return {name: str(value) for name, value in facts.items() if value is not None}
