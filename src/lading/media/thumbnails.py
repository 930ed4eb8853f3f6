"""Encodes small pictures: JPEG or WebP in sRGB, with no metadata of the original in them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from lading.media.pixels import opaque, shrink


class ThumbnailFormat(StrEnum):
    """How a thumbnail is encoded. JPEG has no transparency and shows white in its place."""

    JPEG = "jpeg"
    WEBP = "webp"


@dataclass(frozen=True, slots=True)
class ThumbnailSpec:
    """A wanted thumbnail: the longest side in pixels, never enlarged; `quality` is 1 to 100."""

    side: int = 512
    format: ThumbnailFormat = ThumbnailFormat.JPEG
    quality: int = 82

    def __post_init__(self) -> None:
        if not 1 <= self.side <= 16_383 or not 1 <= self.quality <= 100:
            raise ValueError(f"no thumbnail can be like this: {self}")


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """An encoded thumbnail with its size in pixels."""

    spec: ThumbnailSpec
    data: bytes
    width: int
    height: int

    @property
    def media_type(self) -> str:
        """As what it is to be served."""
        return f"image/{self.spec.format.value}"


def encode_thumbnail(small: Any, spec: ThumbnailSpec) -> Thumbnail:
    """A thumbnail out of an upright sRGB picture, which is as large as wanted or larger."""
    image = small if max(small.width, small.height) <= spec.side else shrink(small, spec.side)
    if spec.format is ThumbnailFormat.JPEG:
        data = opaque(image).jpegsave_buffer(Q=spec.quality, keep="none", optimize_coding=True)
    else:
        data = image.webpsave_buffer(Q=spec.quality, keep="none")
    return Thumbnail(spec, bytes(data), image.width, image.height)
