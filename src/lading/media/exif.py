"""Reads times, place, camera and orientation from EXIF, in a block of its own or in TIFF."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from fractions import Fraction
from typing import BinaryIO, Final, Self

from lading.media.facts import (
    Camera,
    OffsetOrigin,
    StatedPlace,
    StatedTime,
    Statements,
    TimeOrigin,
)
from lading.media.limits import Limits
from lading.media.rules import offset_from_gps, parse_time
from lading.media.tiff import ByteOrder, Ifd, Number, TiffDamaged, read_header, read_ifd

_MAKE, _MODEL, _ORIENTATION, _MODIFIED = 271, 272, 274, 306
_XMP, _IPTC, _EXIF_IFD, _GPS_IFD = 700, 33723, 34665, 34853
_LENS: Final = 42036
_MAIN_TAGS: Final = frozenset(
    {_MAKE, _MODEL, _ORIENTATION, _MODIFIED, _XMP, _IPTC, _EXIF_IFD, _GPS_IFD}
)
# Each time with its tag in its directory, and those of its parts of a second and its offset.
_TIMES: Final = (
    (TimeOrigin.EXIF_ORIGINAL, 36867, 37521, 36881),
    (TimeOrigin.EXIF_DIGITIZED, 36868, 37522, 36882),
)
_MODIFIED_SUBSECONDS, _MODIFIED_OFFSET = 37520, 36880
_EXIF_TAGS: Final = frozenset(
    {_LENS, _MODIFIED_SUBSECONDS, _MODIFIED_OFFSET, *(tag for row in _TIMES for tag in row[1:])}
)
_LATITUDE, _LONGITUDE, _ALTITUDE, _GPS_TIME, _GPS_DATE = 2, 4, 6, 7, 29
_GPS_TAGS: Final = frozenset({1, 2, 3, 4, 5, 6, 7, 29})


class ExifBlock:
    """The directories of one EXIF block, or of a TIFF or RAW file, read once.

    `xmp` and `iptc` are the blocks that TIFF keeps beside them. Where something broke off, what
    could be read is there.
    """

    def __init__(self, main: Ifd, exif: Ifd, gps: Ifd) -> None:
        self._main, self._exif, self._gps = main, exif, gps

    @classmethod
    def read(cls, stream: BinaryIO | bytes, limits: Limits) -> Self:
        """The block, or the TIFF."""
        if isinstance(stream, bytes):
            # Some writers leave the mark of JPEG's segment in front.
            stream = io.BytesIO(stream.removeprefix(b"Exif\0\0"))
        try:
            order, first = read_header(stream)
        except TiffDamaged:
            return cls(Ifd(damaged=True), Ifd(), Ifd())
        main = _directory(stream, order, first, _MAIN_TAGS, limits)
        exif = _directory(stream, order, main.number(_EXIF_IFD), _EXIF_TAGS, limits)
        gps = _directory(stream, order, main.number(_GPS_IFD), _GPS_TAGS, limits)
        return cls(main, exif, gps)

    @classmethod
    def in_parts(cls, main: bytes, exif: bytes, gps: bytes, limits: Limits) -> Self:
        """The same where each directory is the first of a TIFF of its own; b"" for none."""
        return cls(
            _first_directory(main, _MAIN_TAGS, limits),
            _first_directory(exif, _EXIF_TAGS, limits),
            _first_directory(gps, _GPS_TAGS, limits),
        )

    @property
    def damaged(self) -> bool:
        """Whether something broke off."""
        return any(ifd.damaged for ifd in (self._main, self._exif, self._gps))

    @property
    def xmp(self) -> bytes:
        """The XMP packet of a TIFF file, empty when there is none."""
        return self._main.bytes(_XMP)

    @property
    def iptc(self) -> bytes:
        """The IPTC records of a TIFF file, empty when there are none."""
        return self._main.bytes(_IPTC)

    def statements(self) -> Statements:
        """What EXIF says."""
        place = self._place()
        orientation = self._main.number(_ORIENTATION)
        return Statements(
            times=self._times(),
            places=() if place is None else (place,),
            camera=Camera(
                _cleaned(self._main.text(_MAKE)),
                _cleaned(self._main.text(_MODEL)),
                _cleaned(self._exif.text(_LENS)),
            ),
            orientation=orientation if orientation and 1 <= orientation <= 8 else None,
            damaged=("exif",) if self.damaged else (),
        )

    def _times(self) -> tuple[StatedTime, ...]:
        times = []
        for origin, tag, subseconds, offset in _TIMES:
            if tag in self._exif:
                time = parse_time(
                    origin,
                    self._exif.text(tag),
                    subseconds=self._exif.text(subseconds),
                    offset=self._exif.text(offset),
                )
                times.append(self._with_gps_offset(time))
        if _MODIFIED in self._main:
            modified = parse_time(
                TimeOrigin.EXIF_MODIFIED,
                self._main.text(_MODIFIED),
                subseconds=self._exif.text(_MODIFIED_SUBSECONDS),
                offset=self._exif.text(_MODIFIED_OFFSET),
            )
            times.append(modified)
        return tuple(times)

    def _with_gps_offset(self, time: StatedTime) -> StatedTime:
        """The time with the offset that the satellites' clock implies, if none is stated."""
        gps = self._gps_clock()
        if time.local is None or time.offset_minutes is not None or gps is None:
            return time
        minutes = offset_from_gps(time.local, gps)
        if minutes is None:
            return time
        return StatedTime(time.origin, time.text, time.local, minutes, OffsetOrigin.GPS)

    def _gps_clock(self) -> datetime | None:
        day = parse_time(TimeOrigin.EXIF_ORIGINAL, self._gps.text(_GPS_DATE)).local
        parts = _three(self._gps.numbers(_GPS_TIME))
        if day is None or parts is None or max(parts) > 60 or min(parts) < 0 or day.year > 9000:
            return None
        return day + timedelta(seconds=float(parts[0] * 3600 + parts[1] * 60 + parts[2]))

    def _place(self) -> StatedPlace | None:
        if _LATITUDE not in self._gps and _LONGITUDE not in self._gps:
            return None
        altitude = next(iter(self._gps.numbers(_ALTITUDE)), None)
        below_sea = self._gps.number(5) in (1, 3)
        return StatedPlace(
            _degrees(self._gps.numbers(_LATITUDE), self._gps.text(1), "NS"),
            _degrees(self._gps.numbers(_LONGITUDE), self._gps.text(3), "EW"),
            None if altitude is None else float(-altitude if below_sea else altitude),
        )


def _directory(
    stream: BinaryIO, order: ByteOrder, offset: int | None, wanted: frozenset[int], limits: Limits
) -> Ifd:
    if offset is None:
        return Ifd()
    try:
        return read_ifd(stream, order, offset, wanted, limits)
    except TiffDamaged:
        return Ifd(damaged=True)


def _first_directory(part: bytes, wanted: frozenset[int], limits: Limits) -> Ifd:
    if not part:
        return Ifd()
    stream = io.BytesIO(part)
    try:
        order, first = read_header(stream)
    except TiffDamaged:
        return Ifd(damaged=True)
    return _directory(stream, order, first, wanted, limits)


def _degrees(numbers: tuple[Number, ...], reference: str, letters: str) -> float | None:
    parts = _three(numbers)
    letter = reference[:1].upper()
    if parts is None or not letter or letter not in letters:
        return None
    size = float(parts[0] + parts[1] / 60 + parts[2] / 3600)
    return -size if letter == letters[1] else size


def _three(numbers: tuple[Number, ...]) -> tuple[Fraction, Fraction, Fraction] | None:
    """Degrees or hours, with minutes and seconds where they are given."""
    if not 1 <= len(numbers) <= 3 or any(number is None for number in numbers):
        return None
    parts = [Fraction(number) for number in numbers if number is not None]
    parts += [Fraction(0)] * (3 - len(parts))
    return parts[0], parts[1], parts[2]


def _cleaned(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200]
