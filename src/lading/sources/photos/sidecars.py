"""Reads what a sidecar says of its picture: when and where that was taken.

Whatever is in it, the picture is taken in: what cannot be read is noted and says nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from lading.library.photo_values import SidecarFacts
from lading.media.facts import Statements
from lading.media.limits import Limits
from lading.media.rules import Companion, choose_capture, choose_place
from lading.media.takeout import read_takeout
from lading.media.xmp import read_xmp
from lading.sources.photos.facts import captured_at, refused_detail
from lading.sources.photos.rules import capture_doubt

READER: Final = "1"
"""Another one has all sidecars read again, by the next import of their folders."""
_READ: Final = {Companion.XMP: read_xmp, Companion.TAKEOUT: read_takeout}


def is_read(kind: Companion | None) -> bool:
    """Whether a sidecar of this kind says anything that is read."""
    return kind in _READ


def read_sidecar(kind: Companion | None, data: bytes | None, limits: Limits) -> SidecarFacts | None:
    """What it says; `data` is None when it is larger than any that is read.

    None for a kind that says nothing of time and place.
    """
    if kind is None or kind not in _READ:
        return None
    too_large = Statements(damaged=(kind.value,))
    said = too_large if data is None else _READ[kind](data, limits)
    capture, refused_times = choose_capture(said.times, datetime.now(UTC))
    place, refused_places = choose_place(said.places)
    detail = {
        **refused_detail(refused_times, refused_places),
        "damaged_metadata": list(said.damaged),
    }
    return SidecarFacts(
        kind=kind.value,
        reader=READER,
        taken_at=captured_at(capture),
        taken_offset_min=capture.offset_minutes if capture else None,
        doubt=capture_doubt(capture),
        latitude=place.latitude if place else None,
        longitude=place.longitude if place else None,
        altitude_m=place.altitude_m if place else None,
        detail={name: value for name, value in detail.items() if value},
    )
