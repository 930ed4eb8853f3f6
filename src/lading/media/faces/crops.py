"""Cuts the picture of a face out of a photo: a square with some room around it, upright, small."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from lading.media.content import Content
from lading.media.derive import FileAt
from lading.media.faces.engine import Box
from lading.media.faces.scanning import small_of
from lading.media.kind import Family, kind_of
from lading.media.limits import DEFAULT_LIMITS, Limits
from lading.media.pictures import open_picture
from lading.media.pixels import shrink
from lading.media.thumbnails import Thumbnail, ThumbnailSpec, encode_thumbnail
from lading.storage.roots import SafeRoot

CROP_SIDE: Final = 224
"""Of a crop, in pixels, at most: it is never enlarged."""
CROP_VERSION: Final = 1
"""Raised when the same face gives another picture through code of ours."""
_ROOM: Final = 0.35
_DECODED_SIDE_MAX: Final = 4096
_SPEC: Final = ThumbnailSpec(CROP_SIDE)


class Square(NamedTuple):
    """A square part of a picture, in pixels."""

    left: int
    top: int
    side: int


def square_around(box: Box, width: int, height: int) -> Square:
    """The square that shows a face with room on each side, moved to lie within the picture."""
    longest = max(box.width * width, box.height * height)
    side = max(1, min(round(longest * (1 + 2 * _ROOM)), width, height))
    left = round((box.left + box.width / 2) * width - side / 2)
    top = round((box.top + box.height / 2) * height - side / 2)
    return Square(min(max(left, 0), width - side), min(max(top, 0), height - side), side)


def crop_of_file(where: FileAt, box: Box, limits: Limits = DEFAULT_LIMITS) -> Thumbnail:
    """The face in this part of a file, at most `CROP_SIDE` pixels wide.

    Raises `MediaUnreadable`, `MissingExtra`, and what `SafeRoot.open` does.
    """
    with SafeRoot(where.root) as root, root.open(where.relative) as file:
        return crop(Content(file, name=where.relative, limits=limits), box)


def crop_of_bytes(data: bytes, name: str, box: Box, limits: Limits = DEFAULT_LIMITS) -> Thumbnail:
    """The same of a file that is in memory. Raises `MediaUnreadable` and `MissingExtra`."""
    return crop(Content(data, name=name, limits=limits), box)


def crop(content: Content, box: Box) -> Thumbnail:
    """The same of a picture or video that is open. Raises `MediaUnreadable` and `MissingExtra`."""
    small = small_of(content, _side_for(box))
    left, top, side = square_around(box, small.width, small.height)
    face = small.crop(left, top, side, side)
    return encode_thumbnail(shrink(face, CROP_SIDE) if side > CROP_SIDE else face, _SPEC)


def side_in(data: bytes, name: str, box: Box) -> int:
    """How many pixels wide the crop would be, 0 for what is no picture. Raises as `crop` does."""
    content = Content(data, name=name)
    kind = kind_of(content)
    if kind.family is not Family.PICTURE:
        return 0
    picture = open_picture(content, kind)
    return square_around(box, picture.width, picture.height).side


def _side_for(box: Box) -> int:
    """The longest side, in pixels, at which a picture is decoded so that the face is sharp."""
    # Faces are about as wide as high: the smaller share is that of the longer side.
    share = min(box.width, box.height) * (1 + 2 * _ROOM)
    return min(_DECODED_SIDE_MAX, math.ceil(CROP_SIDE / max(share, 0.01)))
