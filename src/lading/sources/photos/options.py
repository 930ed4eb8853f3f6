"""The settings of a photos source: where the folders are, and how they are looked at."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from lading.base.errors import RequestError
from lading.media.limits import DEFAULT_LIMITS

SIDE_WAYS_MAX: Final = 64
THUMBNAIL_SIDE_MAX: Final = 4096
PIXELS_MAX: Final = 10_000_000_000


class BadPhotosOptions(RequestError):
    """The settings of a photos source make no sense."""

    code = "bad_photos_options"
    next_step = "Correct the source's table in the settings."


@dataclass(frozen=True, slots=True)
class PhotosOptions:
    """What a configured tree of photos is.

    A file is left alone until nothing was written to it for `stable_for_s` seconds. Every
    `full_every_h` hours all files of a folder are looked at, not the folder alone; 0 is always.
    `ignore` are patterns of names. Files are looked into by `threads`, or by so many `processes`
    when that is not 0. A folder that still is there and lost all of more than `vanish_files_max`
    files is not believed. A picture of more than `pixels_max` is not decoded, and refused. Without
    `inodes`, they are not compared: some file systems make them up. With `watch`, workers ask for
    a scan soon after something changed.
    """

    path: Path
    ignore: tuple[str, ...] = ()
    stable_for_s: float = 10.0
    full_every_h: float = 24.0
    threads: int = 2
    processes: int = 0
    thumbnail_side: int = 512
    vanish_files_max: int = 100
    pixels_max: int = DEFAULT_LIMITS.pixels_max
    inodes: bool = True
    watch: bool = False

    @property
    def listing_digest(self) -> str:
        """What tells these settings from others that would list other files."""
        told = "\0".join((str(self.inodes), *self.ignore))
        return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def parse_options(name: str, options: Mapping[str, Any]) -> PhotosOptions:
    """The options of the source `name`. Raises `BadPhotosOptions`."""
    reader = _Reader(name, options)
    known = sorted(field.name for field in fields(PhotosOptions))
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise reader.bad(unknown[0], "a photos source has no such option", ", ".join(known))
    path = options.get("path")
    if not isinstance(path, str) or not path:
        raise reader.bad("path", "a photos source needs its path")
    return PhotosOptions(
        path=Path(path),
        ignore=reader.patterns("ignore"),
        stable_for_s=reader.amount("stable_for_s", 10.0),
        full_every_h=reader.amount("full_every_h", 24.0),
        threads=reader.whole("threads", min(os.cpu_count() or 1, 8), 1, SIDE_WAYS_MAX),
        processes=reader.whole("processes", 0, 0, SIDE_WAYS_MAX),
        thumbnail_side=reader.whole("thumbnail_side", 512, 16, THUMBNAIL_SIDE_MAX),
        vanish_files_max=reader.whole("vanish_files_max", 100, 0, 2**31 - 1),
        pixels_max=reader.whole("pixels_max", DEFAULT_LIMITS.pixels_max, 1, PIXELS_MAX),
        inodes=reader.flag("inodes", default=True),
        watch=reader.flag("watch", default=False),
    )


class _Reader:
    def __init__(self, name: str, options: Mapping[str, Any]) -> None:
        self._name = name
        self._options = options

    def patterns(self, key: str) -> tuple[str, ...]:
        value = self._options.get(key, [])
        if not isinstance(value, list) or not all(isinstance(p, str) and p for p in value):
            raise self.bad(key, f"{key} is a list of patterns", 'such as ["*.tmp", "Trash"]')
        return tuple(value)

    def flag(self, key: str, *, default: bool) -> bool:
        value = self._options.get(key, default)
        if not isinstance(value, bool):
            raise self.bad(key, f"{key} is true or false")
        return value

    def amount(self, key: str, default: float) -> float:
        value = self._options.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
            raise self.bad(key, f"{key} is a number", "0 or more")
        return float(value)

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        value = self._options.get(key, default)
        if type(value) is not int or not low <= value <= high:
            raise self.bad(key, f"{key} is a whole number", f"{low} to {high}")
        return value

    def bad(self, key: str, what: str, expected: str | None = None) -> BadPhotosOptions:
        return BadPhotosOptions(
            what,
            subject=f"sources.{self._name}.{key}",
            expected=expected,
            found=self._options.get(key),
        )
