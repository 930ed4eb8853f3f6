"""Every reason the photos source can give, for a whole folder or for one file of it."""

from __future__ import annotations

from typing import Final

from lading.base.errors import LadingError
from lading.base.reasons import Reason, reason_table
from lading.library.photos import PhotoNotHeld
from lading.media.errors import MediaUnreadable
from lading.sources.photos.deriving import DecoderCrashed
from lading.sources.photos.rules import is_utf8
from lading.storage.roots import FileMissing, FileUnreadable, NotARegularFile, PathEscapesRoot
from lading.storage.transfer import FileChanged

REASONS: Final = reason_table(
    [
        Reason(
            "folder_gone",
            "the folder is gone, or has no pictures and videos any more",
            "Nothing, if that was meant: the next scan takes note of it.",
        ),
        Reason(
            "folder_unreadable",
            "the folder cannot be listed",
            "Give Lading permission to read it, or mend the disk, then scan.",
        ),
        Reason(
            "folder_emptied",
            "the folder is there and none of its many known files is; this looks unmounted",
            "Check the disk; if it was meant, raise `vanish_files_max` and preflight the folder.",
        ),
        Reason(
            "still_written",
            "all that is in the folder was written a moment ago",
            "Nothing: a later scan takes it when it has been left alone for `stable_for_s`.",
        ),
        Reason(
            "name_refused",
            "the name of the file or folder is not written in UTF-8",
            "Rename it, then scan.",
        ),
        Reason(
            "unreadable",
            "the content is damaged, too large to decode, or not what its name says",
            "Open it in another program; if that fails as well, get the file from its origin.",
        ),
        Reason(
            "decoder_crashed",
            "the decoder broke down over this file, twice, or hung",
            "Open it in another program; report the file if that shows it.",
        ),
        Reason(
            "file_unreadable",
            "the system does not let the file be read",
            "Give Lading permission to read it, or mend the disk, then queue the folder again.",
        ),
        Reason(
            "file_missing",
            "the file is no longer there",
            "Nothing, if that was meant: the next scan takes note of it.",
        ),
        Reason(
            "file_back",
            "the file was gone and is there again",
            "Nothing: the next scan takes it in.",
        ),
        Reason(
            "file_changed",
            "the file was written to after it was decided about",
            "Nothing: it is taken in when all files of the folder are looked at next.",
        ),
        Reason(
            "picture_not_held",
            "the picture that the sidecar belongs to is not in the library",
            "See why the picture was not taken in, then queue the folder again.",
        ),
    ]
)

LASTING: Final = frozenset({"unreadable", "decoder_crashed"})
"""Reasons that hold until the file is another, or something else reads it."""

_BY_ERROR: Final[dict[type[LadingError], str]] = {
    DecoderCrashed: "decoder_crashed",
    MediaUnreadable: "unreadable",
    FileMissing: "file_missing",
    NotARegularFile: "file_unreadable",
    PathEscapesRoot: "file_unreadable",
    FileUnreadable: "file_unreadable",
    FileChanged: "file_changed",
    PhotoNotHeld: "picture_not_held",
}


def reason_of(error: LadingError) -> Reason | None:
    """The reason that an error stands for; None for one that is no fault of a file."""
    for cls, code in _BY_ERROR.items():
        if isinstance(error, cls):
            return REASONS[code]
    return None


def folder_reason(folder: str) -> Reason:
    """Why a folder cannot be listed, as far as its name tells."""
    return REASONS["folder_unreadable" if is_utf8(folder) else "name_refused"]


def facts_of(error: LadingError) -> dict[str, str]:
    """What the ledger keeps of an error beside its reason."""
    facts = {
        "error": error.code,
        "message": error.message,
        "expected": error.expected,
        "found": error.found,
    }
    return {name: str(value) for name, value in facts.items() if value is not None}
