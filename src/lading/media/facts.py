"""What a picture or video says of itself, as plain values: size, time, place, camera, streams."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum


class TimeOrigin(StrEnum):
    """Where a time stands in a file, the most trusted first."""

    EXIF_ORIGINAL = "exif_original"
    QUICKTIME_CREATION = "quicktime_creation"
    XMP_ORIGINAL = "xmp_original"
    EXIF_DIGITIZED = "exif_digitized"
    XMP_CREATED = "xmp_created"
    IPTC_CREATED = "iptc_created"
    XMP_WRITTEN = "xmp_written"
    CONTAINER_CREATION = "container_creation"
    EXIF_MODIFIED = "exif_modified"
    TAKEOUT = "takeout"


class OffsetOrigin(StrEnum):
    """How the offset from UTC is known.

    `UTC`: the clock was kept in UTC, so the moment is known and the local time is not. `GPS`:
    worked out from the time of the satellites, which is UTC.
    """

    STATED = "stated"
    GPS = "gps"
    UTC = "utc"


class TimeRefusal(StrEnum):
    """Why a time does not count."""

    UNSET = "unset"
    MALFORMED = "malformed"
    INCOMPLETE = "incomplete"
    EPOCH = "epoch"
    TOO_EARLY = "too_early"
    FUTURE = "future"


class PlaceRefusal(StrEnum):
    """Why a place does not count."""

    INCOMPLETE = "incomplete"
    OUT_OF_RANGE = "out_of_range"
    ZERO = "zero"


@dataclass(frozen=True, slots=True)
class StatedTime:
    """A time as a file has it: `text`, and what it means if it has a meaning.

    `local` is the clock's time without a zone; `offset_minutes` is east of UTC.
    """

    origin: TimeOrigin
    text: str
    local: datetime | None = None
    offset_minutes: int | None = None
    offset_origin: OffsetOrigin | None = None
    refusal: TimeRefusal | None = None


@dataclass(frozen=True, slots=True)
class CaptureTime:
    """When it was taken, by the clock of the place; `offset_minutes` is east of UTC, or unknown."""

    local: datetime
    offset_minutes: int | None
    origin: TimeOrigin
    offset_origin: OffsetOrigin | None

    @property
    def moment(self) -> datetime | None:
        """The time with its zone; None while the offset is not known."""
        if self.offset_minutes is None:
            return None
        return self.local.replace(tzinfo=timezone(timedelta(minutes=self.offset_minutes)))


@dataclass(frozen=True, slots=True)
class RefusedTime:
    """A time that stands in the file and does not count."""

    origin: TimeOrigin
    text: str
    reason: TimeRefusal


@dataclass(frozen=True, slots=True)
class StatedPlace:
    """Coordinates as a file has them: degrees, north and east positive; metres above the sea."""

    latitude: float | None
    longitude: float | None
    altitude_m: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where it was taken: degrees, north and east positive; metres above the sea, if stated."""

    latitude: float
    longitude: float
    altitude_m: float | None = None


@dataclass(frozen=True, slots=True)
class RefusedPlace:
    """Coordinates that stand in the file and do not count."""

    stated: StatedPlace
    reason: PlaceRefusal


@dataclass(frozen=True, slots=True)
class Camera:
    """What took it; empty texts where the file does not say."""

    make: str = ""
    model: str = ""
    lens: str = ""


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of a video. Sizes are as coded, `rotation` is clockwise degrees to show it."""

    kind: str
    codec: str
    width: int | None = None
    height: int | None = None
    rotation: int = 0
    frames_per_s: float | None = None
    channels: int | None = None
    sample_rate_hz: int | None = None


@dataclass(frozen=True, slots=True)
class Statements:
    """All that the metadata of one file says, before anything of it is judged.

    `damaged` names the blocks of metadata (`exif`, `xmp`, `iptc`) that broke off or were
    refused for their size; what could be read of them still counts.
    """

    times: tuple[StatedTime, ...] = ()
    places: tuple[StatedPlace, ...] = ()
    camera: Camera = Camera()
    orientation: int | None = None
    damaged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MediaFacts:
    """What a file says of itself, judged.

    `width` and `height` are pixels as it is meant to be shown; `orientation` is EXIF's 1 to 8 for
    pixels that are stored otherwise. `frames` counts pages or pictures of a picture file.
    `capture` is the most trusted time that counts; `refused_times` are those that do not.
    `duration_s` and `streams` are a video's.
    """

    width: int
    height: int
    orientation: int = 1
    frames: int = 1
    camera: Camera = Camera()
    capture: CaptureTime | None = None
    refused_times: tuple[RefusedTime, ...] = ()
    place: Place | None = None
    refused_places: tuple[RefusedPlace, ...] = ()
    damaged_metadata: tuple[str, ...] = ()
    duration_s: float | None = None
    streams: tuple[Stream, ...] = ()
