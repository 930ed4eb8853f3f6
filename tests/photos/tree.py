"""A tree of photos that people keep, with files as real encoders write them."""

from __future__ import annotations

import itertools
import os
import shutil
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from lading.ingest.registry import build_source
from lading.sources.photos.source import PhotosSource
from lading.testing.source_suite import SourceBench
from tests.media.written import encoded, full_exif, scene

LONG_AGO_NS = 1_600_000_000 * 10**9
_numbers = itertools.count(1)


def picture(number: int, *, side: int = 96) -> Image.Image:
    """A picture unlike that of any other number."""
    image = scene(side, side)
    ImageDraw.Draw(image).text((8, side // 2), f"{number}", fill=(0, 0, 0))
    return image


def jpeg(number: int, **options: Any) -> bytes:
    """That picture as a file with a camera, a time and a place."""
    return encoded(picture(number, **options), exif=full_exif())


class PhotosBench(SourceBench):
    """Folders of pictures, filled and changed as people and their programs do."""

    records_unchanged = False

    def __init__(self, folder: Path, **options: Any) -> None:
        self.root = folder / "photos"
        self.root.mkdir(exist_ok=True)
        self.options = {"path": str(self.root), "stable_for_s": 0, **options}
        self.source: PhotosSource = self.opened()
        self._withdrawn: dict[str, Path] = {}

    def opened(self, **others: Any) -> PhotosSource:
        """The source, with other options than the bench has."""
        source = build_source("photos", "home", {**self.options, **others})
        assert isinstance(source, PhotosSource)
        return source

    def write(self, relative: str, data: bytes | None = None) -> Path:
        """Write a file as programs do: beside its place, then renamed."""
        path = self.root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{next(_numbers)}")
        beside.write_bytes(jpeg(next(_numbers)) if data is None else data)
        beside.rename(path)
        self.settle(path.parent)
        return path

    def settle(self, folder: Path) -> None:
        """Give a folder a time of its own, as if the change had been long ago."""
        while True:
            at = LONG_AGO_NS + next(_numbers) * 10**9
            os.utime(folder, ns=(at, at))
            if folder == self.root:
                return
            folder = folder.parent

    def publish(self, items: int) -> str:
        key = f"2024/{next(_numbers):03}"
        for number in range(items):
            self.write(f"{key}/img_{number:03}.jpg")
        return key

    def change(self, key: str) -> None:
        if key in self._withdrawn:
            self._withdrawn.pop(key).rename(self.root / key)
        self.write(str(self.first_file(key).relative_to(self.root)))

    def withdraw(self, key: str) -> None:
        away = self.root.with_name("away") / key
        away.parent.mkdir(parents=True, exist_ok=True)
        self._withdrawn[key] = (self.root / key).rename(away)
        self.settle((self.root / key).parent)

    def remove(self, relative: str) -> None:
        """Delete a file or folder."""
        path = self.root / relative
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        self.settle(path.parent)

    def break_one_item(self, key: str) -> None:
        path = self.first_file(key)
        status = path.stat()
        path.write_bytes(bytes(status.st_size))
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    def first_file(self, key: str) -> Path:
        """The first file of a folder."""
        return min((self.root / key).glob("*.jpg"))
