"""Which of a recording's objects are files of what was recorded, by their names and sizes; pure."""

from __future__ import annotations

from collections.abc import Mapping

from lading.base.errors import LadingError
from lading.sources.recordings.errors import StoredNameRefused
from lading.sources.recordings.layout import is_data, object_name, path_of


def recorded_names(sizes: Mapping[str, int], recording_id: str) -> list[str]:
    """The objects that are of what was recorded, in order.

    `sizes` are all objects of the recording. Raises `StoredNameRefused`.
    """
    markers = folder_markers(sizes)
    return [
        name for name in sorted(sizes) if name not in markers and is_data(_path(recording_id, name))
    ]


def folder_markers(sizes: Mapping[str, int]) -> set[str]:
    """Empty objects that some programs put where a folder begins; they are no files."""
    folders = {name[:end] for name in sizes for end, sign in enumerate(name) if sign == "/"}
    return {name for name in folders if sizes.get(name) == 0}


def _path(recording_id: str, name: str) -> str:
    try:
        path = path_of(name)
        if object_name(path) == name:
            return path
    except (UnicodeDecodeError, LadingError):
        pass
    raise StoredNameRefused(
        "No file of a recording is stored under such a name", subject=f"{recording_id}/{name}"
    )
