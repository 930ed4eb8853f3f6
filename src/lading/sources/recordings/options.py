"""The settings of a recordings source: where the rigs leave recordings, and where they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lading.base.errors import RequestError
from lading.storage.roots import PathEscapesRoot, split_relative

FILES_AT_ONCE_MAX: Final = 64
_OPTIONS: Final = frozenset(
    {
        "path",
        "profile",
        "config_path",
        "stable_for_s",
        "max_concurrent_files",
        "augment",
        "active_marker",
        "download_dir",
    }
)


class BadRecordingsOptions(RequestError):
    """The settings of a recordings source make no sense."""

    code = "bad_recordings_options"
    next_step = "Correct the source's table in the settings."


@dataclass(frozen=True, slots=True)
class RecordingsOptions:
    """What a configured folder of recordings is.

    A recording counts as finished when nothing of it was written for `stable_for_s` seconds. While
    there is a file `active_marker` below `path`, the rig records and nothing is read. Recordings
    that people ask for in the console are brought to `download_dir`.
    """

    path: Path
    profile: str
    config_path: Path | None = None
    stable_for_s: float = 60.0
    max_concurrent_files: int = 4
    augment: bool = False
    active_marker: str | None = None
    download_dir: Path | None = None


def parse_options(name: str, options: Mapping[str, Any]) -> RecordingsOptions:
    """The options of the source `name`. Raises `BadRecordingsOptions`."""
    reader = _Reader(name, options)
    unknown = sorted(set(options) - _OPTIONS)
    if unknown:
        raise reader.bad(unknown[0], "a recordings source has no such option", sorted(_OPTIONS))
    config_path, download_dir = reader.text("config_path"), reader.text("download_dir")
    return RecordingsOptions(
        path=Path(reader.required("path")),
        profile=reader.required("profile"),
        config_path=None if config_path is None else Path(config_path),
        stable_for_s=reader.seconds("stable_for_s", 60.0),
        max_concurrent_files=reader.files_at_once("max_concurrent_files", 4),
        augment=reader.flag("augment"),
        active_marker=reader.relative("active_marker"),
        download_dir=None if download_dir is None else Path(download_dir),
    )


class _Reader:
    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self._name = name
        self._options = options

    def text(self, key: str) -> str | None:
        value = self._options.get(key)
        if value is not None and (not isinstance(value, str) or not value):
            raise self.bad(key, f"{key} is a text")
        return value

    def required(self, key: str) -> str:
        value = self.text(key)
        if value is None:
            raise self.bad(key, f"a recordings source needs its {key}")
        return value

    def relative(self, key: str) -> str | None:
        value = self.text(key)
        if value is not None:
            try:
                split_relative(value)
            except PathEscapesRoot as error:
                raise self.bad(key, f"{key} is a path below the source's path") from error
        return value

    def flag(self, key: str) -> bool:
        value = self._options.get(key, False)
        if not isinstance(value, bool):
            raise self.bad(key, f"{key} is true or false")
        return value

    def seconds(self, key: str, default: float) -> float:
        value = self._options.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise self.bad(key, f"{key} is a number of seconds", "0 or more")
        return float(value)

    def files_at_once(self, key: str, default: int) -> int:
        value = self._options.get(key, default)
        if type(value) is not int or not 1 <= value <= FILES_AT_ONCE_MAX:
            raise self.bad(key, f"{key} is a whole number", f"1 to {FILES_AT_ONCE_MAX}")
        return value

    def bad(self, key: str, what: str, expected: object = None) -> BadRecordingsOptions:
        if isinstance(expected, list):
            expected = ", ".join(expected)
        return BadRecordingsOptions(
            what,
            subject=f"sources.{self._name}.{key}",
            expected=expected,
            found=self._options.get(key),
        )
