"""Which stated times and places count, and which files belong together; pure.

A file may state several times. The most trusted one that makes sense is its capture time; each
one that makes none is kept with its reason, so that a person can see why a picture is undated.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from lading.media.facts import (
    CaptureTime,
    OffsetOrigin,
    Place,
    PlaceRefusal,
    RefusedPlace,
    RefusedTime,
    StatedPlace,
    StatedTime,
    TimeOrigin,
    TimeRefusal,
)

_TIME: Final = re.compile(
    r"(\d{4})[:/.-](\d\d?)[:/.-](\d\d?)"
    r"(?:[ T]+(\d\d?):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?"
    r"\s*(Z|[+-]\d\d:?\d\d)?"
)
_PARTIAL: Final = re.compile(r"\d{4}([:/.-]\d\d?)?")
_OFFSET: Final = re.compile(r"([+-])(\d\d):?(\d\d)")
_OFFSET_MINUTES_MAX: Final = 14 * 60
# The first photograph is of 1826 or 1827.
_FIRST_YEAR: Final = 1826
_ONE_DAY: Final = timedelta(days=1)
# Where clocks without a date begin, as seen from any time zone.
_EPOCHS: Final = (datetime(1904, 1, 1), datetime(1970, 1, 1))  # noqa: DTZ001 - local times
_FAT_EPOCH: Final = datetime(1980, 1, 1)  # noqa: DTZ001 - as above
# ISO 6709 as cameras write it: degrees, or degrees and minutes run together, then metres.
_ISO_6709: Final = re.compile(
    r"([+-])(\d\d)(\d\d)?(\.\d+)?([+-])(\d{3})(\d\d)?(\.\d+)?([+-]\d+(?:\.\d+)?)?(?:CRS\w+)?/?"
)
_TRUST: Final = {origin: rank for rank, origin in enumerate(TimeOrigin)}


def parse_offset(text: str) -> int | None:
    """Minutes east of UTC of `+02:00`, `+0200` or `Z`; None for anything else."""
    if text.strip() == "Z":
        return 0
    match = _OFFSET.fullmatch(text.strip())
    if match is None:
        return None
    minutes = int(match[2]) * 60 + int(match[3])
    if int(match[3]) > 59 or minutes > _OFFSET_MINUTES_MAX:
        return None
    return -minutes if match[1] == "-" else minutes


def parse_time(
    origin: TimeOrigin, text: str, *, subseconds: str = "", offset: str = ""
) -> StatedTime:
    """What a time of EXIF, XMP, IPTC or QuickTime means; an offset in the text itself wins.

    A date alone counts as its midnight.
    """
    text = text.strip()
    stated = StatedTime(origin, text)
    if not re.search(r"[1-9]", text):
        return _refused(stated, TimeRefusal.UNSET)
    match = _TIME.fullmatch(text)
    if match is None:
        known = _PARTIAL.fullmatch(text)
        return _refused(stated, TimeRefusal.INCOMPLETE if known else TimeRefusal.MALFORMED)
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    if int(year) == 0 or int(month) == 0 or int(day) == 0:
        return _refused(stated, TimeRefusal.UNSET)
    digits = fraction or (subseconds.strip() if subseconds.strip().isdecimal() else "")
    try:
        local = datetime(  # noqa: DTZ001 - the clock's time; its zone stands beside it
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            # A leap second is shown as the last moment of its minute.
            min(int(second or 0), 59) if second == "60" else int(second or 0),
            int(digits[:6].ljust(6, "0")) if digits else 0,
        )
    except ValueError:
        return _refused(stated, TimeRefusal.MALFORMED)
    minutes = parse_offset(zone or offset)
    known_from = None if minutes is None else OffsetOrigin.STATED
    return StatedTime(origin, text, local, minutes, known_from)


def offset_from_gps(local: datetime, gps_utc: datetime) -> int | None:
    """The offset of a clock, in minutes, from the satellites' time of the same moment.

    Offsets are whole quarters of an hour. When the two do not differ by about one, the fix is old
    or the clock is wrong, and nothing is known.
    """
    difference = (local - gps_utc).total_seconds() / 60
    quarters = round(difference / 15) * 15
    if abs(difference - quarters) > 1.5 or not -12 * 60 <= quarters <= _OFFSET_MINUTES_MAX:
        return None
    return quarters


def judge_time(stated: StatedTime, as_of: datetime) -> TimeRefusal | None:
    """Why `stated` does not count, or None. `as_of` is a moment no picture can be later than."""
    if stated.refusal is not None or stated.local is None:
        return stated.refusal or TimeRefusal.MALFORMED
    local = stated.local
    if any(abs(local - epoch) < _ONE_DAY for epoch in _EPOCHS) or local == _FAT_EPOCH:
        return TimeRefusal.EPOCH
    if local.year < _FIRST_YEAR:
        return TimeRefusal.TOO_EARLY
    # One day covers clocks that are a little ahead, and every zone where none is stated.
    ahead = timedelta(minutes=stated.offset_minutes or 0)
    naive_now = as_of.replace(tzinfo=None) - (as_of.utcoffset() or timedelta(0))
    return TimeRefusal.FUTURE if local > naive_now + ahead + _ONE_DAY else None


def choose_capture(
    stated: Iterable[StatedTime], as_of: datetime
) -> tuple[CaptureTime | None, tuple[RefusedTime, ...]]:
    """The most trusted time that counts, and all that do not, the most trusted first."""
    chosen: CaptureTime | None = None
    refused = []
    for time in sorted(stated, key=lambda time: _TRUST[time.origin]):
        reason = judge_time(time, as_of)
        if reason is not None:
            refused.append(RefusedTime(time.origin, time.text, reason))
        elif chosen is None and time.local is not None:
            chosen = CaptureTime(time.local, time.offset_minutes, time.origin, time.offset_origin)
    return chosen, tuple(refused)


def parse_iso_6709(text: str) -> StatedPlace:
    """The place that a video's container states; without coordinates when it cannot be read."""
    match = _ISO_6709.fullmatch(text.strip())
    if match is None:
        return StatedPlace(None, None)

    def degrees(sign: str, whole: str, minutes: str | None, fraction: str | None) -> float:
        part = float(fraction or 0)
        size = int(whole) + (part if minutes is None else (int(minutes) + part) / 60)
        return -size if sign == "-" else size

    north, east, altitude = match.group(1, 2, 3, 4), match.group(5, 6, 7, 8), match[9]
    return StatedPlace(degrees(*north), degrees(*east), float(altitude) if altitude else None)


def judge_place(stated: StatedPlace) -> Place | PlaceRefusal:
    """The place, or why it does not count. A nonsensical altitude is dropped, the rest counts."""
    if stated.latitude is None or stated.longitude is None:
        return PlaceRefusal.INCOMPLETE
    # Written so that NaN is out of range as well.
    if not (abs(stated.latitude) <= 90 and abs(stated.longitude) <= 180):
        return PlaceRefusal.OUT_OF_RANGE
    if stated.latitude == 0 and stated.longitude == 0:
        # In the Gulf of Guinea lies what has no fix, and no household's pictures.
        return PlaceRefusal.ZERO
    altitude = stated.altitude_m
    if altitude is not None and not (math.isfinite(altitude) and -500 <= altitude <= 50_000):
        altitude = None
    return Place(stated.latitude, stated.longitude, altitude)


def choose_place(stated: Iterable[StatedPlace]) -> tuple[Place | None, tuple[RefusedPlace, ...]]:
    """The first place that counts, and all that do not."""
    chosen: Place | None = None
    refused = []
    for place in stated:
        verdict = judge_place(place)
        if isinstance(verdict, PlaceRefusal):
            refused.append(RefusedPlace(place, verdict))
        elif chosen is None:
            chosen = verdict
    return chosen, tuple(refused)


class Companion(StrEnum):
    """What a file is to the one it belongs to."""

    RAW = "raw"
    LIVE_VIDEO = "live_video"
    XMP = "xmp"
    AAE = "aae"
    """How Apple's Photos has edited it."""
    TAKEOUT = "takeout"
    """What Google Photos knows of it, in an export."""


SIDECARS: Final[Mapping[str, Companion]] = {
    "xmp": Companion.XMP,
    "aae": Companion.AAE,
    "json": Companion.TAKEOUT,
}
"""By ending, the files that are nothing by themselves: they say something of another one."""
_LOOKED_FOR: Final = {
    Companion.XMP: ("raw", "picture", "video"),
    Companion.AAE: ("picture", "raw", "video"),
}
# What Google puts between a name and `.json`, and cuts short as it pleases; the number of a name
# that was taken stands behind all of it.
_TAKEOUT: Final = re.compile(
    r"(?P<name>.+?)(?P<said>\.s[a-z-]*)?(?P<number>\(\d{1,4}\))?\.json", re.IGNORECASE | re.DOTALL
)
_TAKEOUT_SAID: Final = ".supplemental-metadata"
_TAKEOUT_NAME_CHARS: Final = 46
"""Longer names are cut there before `.json` is put behind them."""


@dataclass(frozen=True, slots=True)
class Belongs:
    """`name` belongs to the file `to`, as `companion`. Names are as they were given."""

    name: str
    to: str
    companion: Companion


def folded(name: str) -> str:
    """A name as it is compared: composed, and without regard to case."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def sidecar_kind(name: str) -> Companion | None:
    """What a file is that can be no more than a sidecar, by the ending of its name."""
    stem, ending = _split(name)
    return SIDECARS.get(ending) if stem else None


def takeout_names(name: str) -> tuple[str, ...]:
    """The names that a file of Google's Takeout may be about, the likeliest first.

    `a.jpg.json`, `a.jpg.supplemental-metadata.json` and `a.jpg.suppl.json` are about `a.jpg`,
    `a.jpg(1).json` is about `a(1).jpg`. A name of 46 characters may be the beginning of one.
    """
    match = _TAKEOUT.fullmatch(name)
    if match is None:
        return ()
    found, said, number = match["name"], match["said"] or "", match["number"] or ""
    if not _TAKEOUT_SAID.startswith(said.lower()):
        found, said = found + said, ""
    stem, dot, ending = found.rpartition(".")
    numbered = f"{stem}{number}{dot}{ending}" if stem else f"{found}{number}"
    # What looks like a number of Google's may be part of the name, and so may the rest.
    every = (numbered, found + number, name.rpartition(".")[0])
    return tuple(dict.fromkeys(every))


def pair(
    names: Iterable[str],
    *,
    pictures: frozenset[str],
    raws: frozenset[str],
    videos: frozenset[str] = frozenset({"mov", "mp4"}),
) -> tuple[Belongs, ...]:
    """Which of the files of one folder belong to which; a file belongs to one other at most.

    `pictures`, `raws` and `videos` are endings in lower case, without the dot. A RAW belongs to
    the picture of its name, a video of a live photo as well; `a.jpg.xmp` belongs to `a.jpg`, and
    `a.xmp` to the RAW of that name, else to the picture, else to the video; `a.aae` likewise, but
    to the picture first; a file of Takeout to the one whose whole name it has. Case and the form of
    accents do not matter, but a file whose name agrees in them is preferred. Where two are as
    good, as `A.JPG` and `a.jpg` are for `a.Cr2`, nothing is guessed.
    """
    every = sorted(set(names))
    known = _Names({"picture": pictures, "raw": raws, "video": videos}, every)
    found = []
    for name in every:
        stem, ending = _split(name)
        companion = known.companion(ending)
        if not stem or companion is None:
            continue
        groups = known.candidates(name, companion)
        candidates = next((group for group in groups if group), [])
        if companion is Companion.TAKEOUT:
            stem = next(iter(takeout_names(name)), stem)
        main = _the_one(stem, candidates)
        if main is not None and main != name:
            found.append(Belongs(name, main, companion))
    return tuple(found)


class _Names:
    """The names of a folder, as they are looked for; `endings` are those of each group of files."""

    def __init__(self, endings: Mapping[str, frozenset[str]], names: Iterable[str]) -> None:
        self._endings = endings
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[tuple[str, str], list[str]] = defaultdict(list)
        self._by_beginning: dict[str, list[str]] = defaultdict(list)
        for name in names:
            stem, ending = _split(name)
            self._by_name[folded(name)].append(name)
            groups = [group for group, known in endings.items() if ending in known]
            for group in groups:
                self._by_stem[group, folded(stem)].append(name)
            if groups and len(name) > _TAKEOUT_NAME_CHARS:
                self._by_beginning[folded(name[:_TAKEOUT_NAME_CHARS])].append(name)

    def companion(self, ending: str) -> Companion | None:
        """What a file of this ending can be to another one."""
        if ending in self._endings["raw"]:
            return Companion.RAW
        return Companion.LIVE_VIDEO if ending in self._endings["video"] else SIDECARS.get(ending)

    def candidates(self, name: str, companion: Companion) -> Iterator[list[str]]:
        """The files that it may belong to, the likeliest first; those of a group are as good."""
        stem = _split(name)[0]
        if companion is Companion.TAKEOUT:
            about = takeout_names(name)
            for one in about:
                twins = self._by_name.get(folded(one), [])
                yield [twin for twin in twins if self._is_media(twin)]
            for one in about:
                yield self._by_beginning.get(folded(one), [])
            return
        if companion is Companion.XMP:
            yield self._by_name.get(folded(stem), [])
        for group in _LOOKED_FOR.get(companion, ("picture",)):
            yield self._by_stem.get((group, folded(stem)), [])

    def _is_media(self, name: str) -> bool:
        ending = _split(name)[1]
        return any(ending in known for known in self._endings.values())


def _split(name: str) -> tuple[str, str]:
    stem, _, ending = name.rpartition(".")
    return stem, ending.lower()


def _the_one(stem: str, candidates: Sequence[str]) -> str | None:
    """The only candidate, or the only one that is written as `stem` is."""
    for same in (
        lambda name: name.startswith(stem),
        lambda name: unicodedata.normalize("NFC", name).startswith(
            unicodedata.normalize("NFC", stem)
        ),
    ):
        alike = [name for name in candidates if same(name)]
        if len(alike) == 1:
            return alike[0]
    return candidates[0] if len(candidates) == 1 else None


def _refused(stated: StatedTime, reason: TimeRefusal) -> StatedTime:
    return StatedTime(stated.origin, stated.text, refusal=reason)
