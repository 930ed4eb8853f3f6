"""Reads the blocks of metadata of one file, and puts together what they say."""

from __future__ import annotations

from collections.abc import Iterable

from lading.media.exif import ExifBlock
from lading.media.facts import Camera, Statements
from lading.media.iptc import read_iptc
from lading.media.limits import Limits
from lading.media.xmp import read_xmp


def gather(*, exif: bytes = b"", xmp: bytes = b"", iptc: bytes = b"", limits: Limits) -> Statements:
    """What the blocks of metadata say together; an empty one says nothing."""
    parts = []
    if len(exif) > limits.metadata_bytes_max:
        parts.append(Statements(damaged=("exif",)))
    elif exif:
        parts.append(ExifBlock.read(exif, limits).statements())
    if xmp:
        parts.append(read_xmp(xmp, limits))
    if iptc:
        parts.append(read_iptc(iptc, limits))
    return merge(*parts)


def merge(*parts: Statements) -> Statements:
    """All statements together; of camera and orientation the first that there is."""
    return Statements(
        times=tuple(time for part in parts for time in part.times),
        places=tuple(place for part in parts for place in part.places),
        camera=Camera(
            _first(part.camera.make for part in parts),
            _first(part.camera.model for part in parts),
            _first(part.camera.lens for part in parts),
        ),
        orientation=next((part.orientation for part in parts if part.orientation), None),
        damaged=tuple(name for part in parts for name in part.damaged),
    )


def _first(texts: Iterable[str]) -> str:
    return next((text for text in texts if text), "")
