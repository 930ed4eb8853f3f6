"""Names: how a recording's folder is laid out, and where its files lie in the store (E11)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, unquote

from lading.base.errors import printable
from lading.sources.recordings.errors import RecordingIdRefused
from lading.storage.keys import KEY_LENGTH_MAX, SEGMENT_LENGTH_MAX, KeyRefused, check_key

PREFIX: Final = "recordings"
MANIFEST: Final = "manifest.json"
NODE_MANIFESTS: Final = "_node_manifests"
PARTICIPANT: Final = "participant.txt"
OTHER_PARTICIPANTS: Final = "_participants.txt"
"""Names that a second half of a session brought, or that were merged later; one a line."""
_OWN: Final = frozenset({MANIFEST, PARTICIPANT, OTHER_PARTICIPANTS})
_LEFT_BY_SYSTEMS: Final = frozenset({"Thumbs.db", "desktop.ini", "@eaDir", "lost+found"})
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")
_STAMPED: Final = re.compile(r"rec_(\d{8}_\d{6})_[0-9A-Za-z]+")
_AS_THEY_ARE: Final = "/ !\"#$&'()*+,:;<=>?@[\\]^`{|}~"  # what is printable ASCII, without '%'


def check_id(recording_id: str) -> str:
    """The identifier itself, when it can name a recording. Raises `RecordingIdRefused`."""
    if not _ID.fullmatch(recording_id):
        raise RecordingIdRefused(
            "This cannot identify a recording", subject=printable(recording_id, length_max=100)
        )
    return recording_id


def begun_at(recording_id: str) -> datetime | None:
    """When the recording began, as its identifier `rec_<YYYYMMDD>_<HHMMSS>_<hex>` says.

    The identifier names no zone; it is taken as UTC.
    """
    found = _STAMPED.fullmatch(recording_id)
    if found is None:
        return None
    try:
        return datetime.strptime(found[1], "%Y%m%d_%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def is_data(rel_path: str) -> bool:
    """Whether a file belongs to what was recorded.

    Manifests and `participant.txt` are about it; dot files and what file systems and desktops
    leave behind are not of it.
    """
    segments = rel_path.split("/")
    if is_about_it(rel_path):
        return False
    return not any(name.startswith(".") or name in _LEFT_BY_SYSTEMS for name in segments)


def is_about_it(rel_path: str) -> bool:
    """Whether a file is a manifest or says who was recorded: such are written by Lading, too."""
    return rel_path in _OWN or rel_path.startswith(f"{NODE_MANIFESTS}/")


def object_name(rel_path: str) -> str:
    """A file's name below its recording in the store.

    It is the path itself; characters that keys do not have are percent-encoded as UTF-8. Raises
    `KeyRefused`.
    """
    name = quote(rel_path, safe=_AS_THEY_ARE)
    try:
        return check_key(name)
    except KeyRefused as error:
        raise KeyRefused(
            "The file cannot be stored under its name",
            subject=rel_path,
            expected=f"at most {SEGMENT_LENGTH_MAX} characters a name, {KEY_LENGTH_MAX} in all,"
            " where one that is not ASCII counts as 6 to 12",
            found=f"{max(map(len, name.split('/')))} and {len(name)}",
            next_step="Give the file or its folder a shorter name, then augment the manifest anew.",
        ) from error


def path_of(object_name: str) -> str:
    """The path whose `object_name` this is."""
    return unquote(object_name, errors="strict")


def location_of(recording_id: str, prefix: str = PREFIX) -> str:
    """Where a recording lies in the store, without a slash at its end."""
    return f"{prefix}/{check_id(recording_id)}"
