"""Reads times, place and camera from an XMP packet, inside a picture or in a sidecar.

The parser is handed no entities and no document type, and stops at a depth.
"""

from __future__ import annotations

import re
from typing import Any, Final
from xml.parsers import expat

from lading.media.facts import Camera, StatedPlace, Statements, TimeOrigin
from lading.media.limits import Limits
from lading.media.rules import parse_time

_EXIF: Final = "http://ns.adobe.com/exif/1.0/"
_TIFF: Final = "http://ns.adobe.com/tiff/1.0/"
_XMP: Final = "http://ns.adobe.com/xap/1.0/"
_TIMES: Final = {
    f"{_EXIF} DateTimeOriginal": TimeOrigin.XMP_ORIGINAL,
    "http://ns.adobe.com/photoshop/1.0/ DateCreated": TimeOrigin.XMP_CREATED,
    f"{_XMP} CreateDate": TimeOrigin.XMP_WRITTEN,
}
_LATITUDE: Final = f"{_EXIF} GPSLatitude"
_LONGITUDE: Final = f"{_EXIF} GPSLongitude"
_ALTITUDE: Final = f"{_EXIF} GPSAltitude"
_ALTITUDE_REFERENCE: Final = f"{_EXIF} GPSAltitudeRef"
_MAKE: Final = f"{_TIFF} Make"
_MODEL: Final = f"{_TIFF} Model"
_LENSES: Final = (
    "http://cipa.jp/exif/1.0/ LensModel",
    "http://ns.adobe.com/exif/1.0/aux/ Lens",
)
_WANTED: Final = frozenset(
    {*_TIMES, _LATITUDE, _LONGITUDE, _ALTITUDE, _ALTITUDE_REFERENCE, _MAKE, _MODEL, *_LENSES}
)
_TEXT_LENGTH_MAX: Final = 200
_COORDINATE: Final = re.compile(
    r"(\d{1,3})(?:,(\d{1,2}(?:\.\d+)?))?(?:,(\d{1,2}(?:\.\d+)?))?([NSEW])"
)
_RATIONAL: Final = re.compile(r"(-?\d{1,12})(?:/(\d{1,12}))?")


class _Refused(ValueError):
    """The packet does what no packet needs."""


class _Reader:
    """Gathers the wanted properties, whether they are attributes or elements."""

    def __init__(self, nesting_max: int) -> None:
        self.found: dict[str, str] = {}
        self._path: list[str] = []
        self._nesting_max = nesting_max
        self._parser: Any = expat.ParserCreate(namespace_separator=" ")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._doctype

    def read(self, packet: bytes) -> None:
        """Read the packet. Raises `_Refused` or expat's error; what was found stays."""
        self._parser.Parse(packet, True)

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if len(self._path) >= self._nesting_max:
            raise _Refused("nested too deep")
        self._path.append(name)
        for key, value in attributes.items():
            if key in _WANTED:
                self.found.setdefault(key, value[:_TEXT_LENGTH_MAX])

    def _end(self, _name: str) -> None:
        self._path.pop()

    def _text(self, text: str) -> None:
        if self._path[-1] in _WANTED:
            known = self.found.get(self._path[-1], "")
            self.found[self._path[-1]] = (known + text)[:_TEXT_LENGTH_MAX]

    def _doctype(self, *_: object) -> None:
        raise _Refused("a document type")


def read_xmp(packet: bytes, limits: Limits) -> Statements:
    """What the packet says; nothing but `damaged` when it is too large."""
    if len(packet) > limits.metadata_bytes_max:
        return Statements(damaged=("xmp",))
    reader = _Reader(limits.nesting_max)
    damaged = False
    try:
        # Writers pad packets with NUL, which XML does not allow.
        reader.read(packet.strip(b"\0 \r\n\t"))
    except (_Refused, expat.ExpatError, ValueError):
        damaged = True
    found = {name: value.strip() for name, value in reader.found.items()}
    return Statements(
        times=tuple(parse_time(_TIMES[name], found[name]) for name in _TIMES if name in found),
        places=_places(found),
        camera=Camera(
            found.get(_MAKE, ""),
            found.get(_MODEL, ""),
            next((found[name] for name in _LENSES if name in found), ""),
        ),
        damaged=("xmp",) if damaged else (),
    )


def _places(found: dict[str, str]) -> tuple[StatedPlace, ...]:
    if _LATITUDE not in found and _LONGITUDE not in found:
        return ()
    altitude = _rational(found.get(_ALTITUDE, ""))
    if altitude is not None and found.get(_ALTITUDE_REFERENCE) == "1":
        altitude = -altitude
    latitude = _coordinate(found.get(_LATITUDE, ""), "NS")
    return (StatedPlace(latitude, _coordinate(found.get(_LONGITUDE, ""), "EW"), altitude),)


def _coordinate(text: str, letters: str) -> float | None:
    match = _COORDINATE.fullmatch(text)
    if match is None or match[4] not in letters:
        return None
    size = int(match[1]) + float(match[2] or 0) / 60 + float(match[3] or 0) / 3600
    return -size if match[4] == letters[1] else size


def _rational(text: str) -> float | None:
    match = _RATIONAL.fullmatch(text)
    if match is None or int(match[2] or 1) == 0:
        return None
    return int(match[1]) / int(match[2] or 1)
