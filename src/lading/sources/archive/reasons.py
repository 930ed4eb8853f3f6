"""Every reason the archive source can give for an inventory code or for a key it rejects."""

from __future__ import annotations

from typing import Final

from lading.base.reasons import Reason, reason_table
from lading.sources.archive.master_reasons import MASTER_REASONS

_RENAME: Final = "Ask the archive to rename the object, then scan."
_REPLACE: Final = "Ask the archive to upload the file again, then scan."

KEY_REASONS: Final = reason_table(
    [
        Reason(
            "code_malformed",
            "the file's name does not begin with an inventory code",
            _RENAME,
        ),
        Reason(
            "no_folder",
            "the object lies in no folder, so nothing confirms the type in its code",
            "Ask the archive to move it into the folder of its type, then scan.",
        ),
        Reason(
            "folder_unknown",
            "the folder stands for no type that the source knows",
            "Map the folder in the source's `folder_types` or leave it out, then scan.",
        ),
        Reason(
            "type_mismatch",
            "the folder stands for another type than the inventory code names",
            "Ask the archive which of the two is right and to move or rename it, then scan.",
        ),
    ]
)
"""Why a key is rejected before anything else is asked."""

FILE_REASONS: Final = reason_table(
    [
        Reason(
            "streaming_missing",
            "the inventory code has no streaming copy",
            "Ask the archive for the streaming copy, then scan.",
        ),
        Reason(
            "streaming_several",
            "the inventory code has more than one streaming copy",
            "Ask the archive which one is right and to remove the others, then scan.",
        ),
        Reason(
            "streaming_kind_mismatch",
            "the streaming copy is of another kind than the inventory code says",
            "Ask the archive whether the code or the copy is wrong, then scan.",
        ),
        Reason(
            "sidecar_missing",
            "files that must lie beside the streaming copy are not there",
            "Ask the archive for them, or change the source's required sidecars, then scan.",
        ),
        Reason("file_empty", "a file has no content", _REPLACE),
        Reason(
            "sidecar_too_large",
            "a sidecar is larger than the source reads",
            "Ask the archive whether it is the right file, or raise the limit, then scan.",
        ),
    ]
)
"""What the listing shows of an inventory code's files."""

CONTENT_REASONS: Final = reason_table(
    [
        Reason("md5_unreadable", "the checksum file cannot be read as MD5", _REPLACE),
        Reason(
            "md5_names_other_file",
            "the checksum file names no file of this inventory code",
            "Ask the archive which files it belongs to, then scan.",
        ),
        Reason(
            "md5_mismatch",
            "the bytes are not those that the checksum was made of",
            "Ask the archive to compare the file with its master and to upload it again.",
        ),
        Reason("json_unreadable", "the metadata file cannot be read as JSON", _REPLACE),
        Reason("pdf_unreadable", "the report is not a whole PDF", _REPLACE),
    ]
)
"""What is wrong inside of a sidecar, or with the bytes it describes."""

OBJECT_REASONS: Final = reason_table(
    [
        Reason(
            "object_changed",
            "the object was replaced after it was listed",
            "Wait until the archive has finished uploading, then scan.",
        ),
        Reason(
            "object_missing",
            "the object has gone since it was listed",
            "Scan again; if it should be there, ask the archive.",
        ),
        Reason(
            "object_truncated",
            "fewer bytes came than the object has",
            "Retry the item; if it stays, check the connection and the store.",
        ),
        Reason(
            "held_by_other_source",
            "another source already holds this inventory code",
            "Decide which source the code belongs to and leave it out of the other.",
        ),
    ]
)
"""What happens between the listing and the library."""

REASONS: Final = reason_table(
    [
        *KEY_REASONS.values(),
        *FILE_REASONS.values(),
        *CONTENT_REASONS.values(),
        *OBJECT_REASONS.values(),
        *MASTER_REASONS.values(),
    ]
)
"""All of them by code."""
