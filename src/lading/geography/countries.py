"""Says which country a place is in, as far as a map of the world can tell.

The map is off by some kilometres. What is that near to a border is said to be in one or the
other, and what is off a coast to be near it; where that leaves too many, nothing is said.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

from lading.geography.rules import Box, crosses
from lading.geography.world import Detail, Line, read_world

SURE_KM: Final = 5.0
"""How far the map can be off: nearer to a border than this, either side may be meant."""
NEAR_KM: Final = 20.0
"""How far off a coast is still near the country."""
NAMED_MAX: Final = 3
_KM_PER_DEGREE: Final = 111.2
_BANDS: Final = 180
_SOUTHERNMOST: Final = -89.99
"""The map ends a little before the pole."""
_EVERYWHERE: Final = Box(-180.0, -90.0, 180.0, 90.0)
_WRITTEN_OUT: Final = {
    "Antigua and Barb.": "Antigua and Barbuda",
    "Ashmore and Cartier Is.": "Ashmore and Cartier Islands",
    "Bosnia and Herz.": "Bosnia and Herzegovina",
    "Br. Indian Ocean Ter.": "British Indian Ocean Territory",
    "British Virgin Is.": "British Virgin Islands",
    "Cayman Is.": "Cayman Islands",
    "Central African Rep.": "Central African Republic",
    "Cook Is.": "Cook Islands",
    "Dem. Rep. Congo": "Democratic Republic of the Congo",
    "Dominican Rep.": "Dominican Republic",
    "Eq. Guinea": "Equatorial Guinea",
    "Faeroe Is.": "Faroe Islands",
    "Falkland Is.": "Falkland Islands",
    "Fr. Polynesia": "French Polynesia",
    "Fr. S. Antarctic Lands": "French Southern and Antarctic Lands",
    "Heard I. and McDonald Is.": "Heard Island and McDonald Islands",
    "Indian Ocean Ter.": "Indian Ocean Territories",
    "Macedonia": "North Macedonia",
    "Marshall Is.": "Marshall Islands",
    "N. Cyprus": "Northern Cyprus",
    "N. Mariana Is.": "Northern Mariana Islands",
    "Pitcairn Is.": "Pitcairn Islands",
    "S. Geo. and the Is.": "South Georgia and the South Sandwich Islands",
    "S. Sudan": "South Sudan",
    "Solomon Is.": "Solomon Islands",
    "St. Kitts and Nevis": "Saint Kitts and Nevis",
    "St. Pierre and Miquelon": "Saint Pierre and Miquelon",
    "St. Vin. and Gren.": "Saint Vincent and the Grenadines",
    "St-Barthélemy": "Saint Barthélemy",
    "St-Martin": "Saint Martin",
    "Turks and Caicos Is.": "Turks and Caicos Islands",
    "U.S. Virgin Is.": "United States Virgin Islands",
    "W. Sahara": "Western Sahara",
    "Wallis and Futuna Is.": "Wallis and Futuna",
    "eSwatini": "Eswatini",
    "Åland": "Åland Islands",
}


@dataclass(frozen=True, slots=True)
class _Band:
    """The stretches of borders and coasts that pass one degree of latitude, and whose they are."""

    x1: array[float]
    y1: array[float]
    x2: array[float]
    y2: array[float]
    country: array[int]

    def __iter__(self) -> Iterator[tuple[float, float, float, float, int]]:
        return zip(self.x1, self.y1, self.x2, self.y2, self.country, strict=True)


def country_at(latitude: float, longitude: float) -> str | None:
    """The country a place is in, or the one whose coast is near; None where that is not clear."""
    names, bands = _index()
    inside = _containing(bands, latitude, longitude)
    if inside is not None:
        return names[inside]
    near = _touching(bands, _around(Box(longitude, latitude, longitude, latitude), NEAR_KM))
    return names[near.pop()] if len(near) == 1 else None


def describe(box: Box) -> str | None:
    """The country of all that lies in a box, as `Portugal`, `near Malta` or `France or Spain`.

    A point is a box, too. Its west is greater than its east when it crosses the 180th meridian.
    None where there is none, or there are more than three.
    """
    names, bands = _index()
    east = box.east + (360.0 if box.west > box.east else 0.0)
    whole = Box(box.west, box.south, east, box.north)
    inside = _containing(bands, (box.south + box.north) / 2, _turned((box.west + east) / 2))
    sure = _touching(bands, _around(whole, SURE_KM)) | ({inside} if inside is not None else set())
    said = sorted(names[each] for each in sure or _touching(bands, _around(whole, NEAR_KM)))
    if not said or len(said) > NAMED_MAX:
        return None
    either = " or ".join([", ".join(said[:-1]), said[-1]] if len(said) > 1 else said)
    return either if sure else f"near {either}"


@cache
def _index() -> tuple[Sequence[str], Sequence[_Band]]:
    """The names of countries by number, and what passes each degree of latitude from -90 on."""
    bands = [
        _Band(array("d"), array("d"), array("d"), array("d"), array("H")) for _ in range(_BANDS)
    ]
    names = []
    for number, (name, rings) in enumerate(read_world(Detail.REGION).countries):
        names.append(_WRITTEN_OUT.get(name, name))
        for ring in rings:
            for turns in (-1, 0, 1):
                if ring.box.moved(360.0 * turns).meets(_EVERYWHERE):
                    _add(bands, number, ring, 360.0 * turns)
    return names, bands


def _add(bands: Sequence[_Band], country: int, ring: Line, east: float) -> None:
    for (x1, y1), (x2, y2) in pairwise(ring):
        low, high = (y1, y2) if y1 <= y2 else (y2, y1)
        for band in bands[_band_of(low) : _band_of(high) + 1]:
            band.x1.append(x1 + east)
            band.y1.append(y1)
            band.x2.append(x2 + east)
            band.y2.append(y2)
            band.country.append(country)


def _band_of(latitude: float) -> int:
    return max(0, min(_BANDS - 1, math.floor(latitude) + 90))


def _containing(bands: Sequence[_Band], latitude: float, longitude: float) -> int | None:
    """The country whose border a way due east crosses an odd number of times."""
    x, y = longitude, max(latitude, _SOUTHERNMOST)
    within: set[int] = set()
    for x1, y1, x2, y2, country in bands[_band_of(y)]:
        if (y1 > y) != (y2 > y) and x1 + (y - y1) / (y2 - y1) * (x2 - x1) > x:
            within ^= {country}
    return min(within, default=None)


def _touching(bands: Sequence[_Band], box: Box) -> set[int]:
    """The countries whose border or coast passes a box, which may go on past 180°."""
    found: set[int] = set()
    for turns in (-1, 0, 1):
        moved = box.moved(360.0 * turns)
        if moved.east < -180 or moved.west > 180:
            continue
        for band in bands[_band_of(box.south) : _band_of(box.north) + 1]:
            for x1, y1, x2, y2, country in band:
                if country in found or (x1 < moved.west and x2 < moved.west):
                    continue
                if x1 > moved.east and x2 > moved.east:
                    continue
                if crosses((x1, y1), (x2, y2), moved):
                    found.add(country)
    return found


def _around(box: Box, km: float) -> Box:
    """A box with so many kilometres around it; near a pole all the way round."""
    along = km / _KM_PER_DEGREE
    farthest = math.radians(min(90.0, max(abs(box.south), abs(box.north)) + along))
    across = min(180.0, along / max(math.cos(farthest), 1e-6))
    grown = box.grown(across, along)
    return grown if grown.east - grown.west < 360 else Box(-180, grown.south, 180, grown.north)


def _turned(longitude: float) -> float:
    return (longitude + 180.0) % 360.0 - 180.0
