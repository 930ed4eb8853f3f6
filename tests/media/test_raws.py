"""What the cameras' own kinds say: containers built here, and exiftool's word on the same bytes."""

# ruff: noqa: DTZ001 - the time of a camera's clock has no zone
from __future__ import annotations

import random
import struct
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from lading.media.content import Content
from lading.media.facts import Camera, StatedTime, Statements, TimeOrigin
from lading.media.kind import Family, kind_of
from lading.media.limits import DEFAULT_LIMITS, Limits
from lading.media.raws import raw_statements
from tests.media.test_facts import XMP
from tests.media.written import cr3, encoded, full_exif, raf, raw_like, rw2, scene

JPEG = encoded(scene(64, 48), exif=full_exif(6))
RAWS = {
    "cr3": ("image/x-canon-cr3", cr3()),
    "wide.cr3": ("image/x-canon-cr3", cr3(wide=True)),
    "raf": ("image/x-fuji-raf", raf(JPEG)),
    "rw2": ("image/x-panasonic-rw2", rw2(JPEG)),
    "orf": ("image/x-olympus-orf", raw_like(b"IIRO", "OLYMPUS CORPORATION")),
    "nef": ("image/x-nikon-nef", raw_like(b"II*\0", "NIKON CORPORATION")),
    "arw": ("image/x-sony-arw", raw_like(b"II*\0", "SONY")),
    "pef": ("image/x-pentax-pef", raw_like(b"II*\0", "PENTAX")),
    "srw": ("image/x-samsung-srw", raw_like(b"II*\0", "SAMSUNG")),
}


def said_in(data: bytes, limits: Limits = DEFAULT_LIMITS) -> Statements:
    content = Content(data, name="a", limits=limits)
    return raw_statements(content, kind_of(content))


def taken(said: Statements) -> StatedTime:
    (time,) = (one for one in said.times if one.origin is TimeOrigin.EXIF_ORIGINAL)
    return time


@pytest.mark.parametrize("name", RAWS)
def test_every_camera_s_own_kind_gives_the_time_that_exiftool_reads(
    name: str, tmp_path: Path, exiftool: Callable[..., dict[str, Any]]
) -> None:
    media_type, data = RAWS[name]
    kind = kind_of(Content(data, name="a"))
    assert (kind.media_type, kind.family) == (media_type, Family.RAW)
    said = said_in(data)
    assert said.damaged == ()
    assert said.orientation == 6
    time = taken(said)
    assert time.local is not None
    assert time.offset_minutes == 120
    path = tmp_path / f"a.{name}"
    path.write_bytes(data)
    theirs = {key.rpartition(":")[2]: value for key, value in exiftool(path).items()}
    assert time.local.strftime("%Y:%m:%d %H:%M:%S") == theirs["DateTimeOriginal"]
    assert theirs["OffsetTimeOriginal"] == "+02:00"
    assert (said.camera.make, said.camera.model) == (theirs["Make"], theirs["Model"])
    for place in said.places[:1]:
        assert place.latitude == pytest.approx(theirs["GPSLatitude"])
        assert place.longitude == pytest.approx(theirs["GPSLongitude"])
        assert place.altitude_m == pytest.approx(theirs["GPSAltitude"])


def test_a_cr3_says_all_that_its_boxes_hold() -> None:
    said = said_in(cr3(xmp=XMP))
    assert said.camera == Camera("Canon", "Canon EOS R5", "RF50mm F1.2 L USM")
    assert taken(said).local == datetime(2024, 7, 1, 12, 34, 56, 120_000)
    assert {time.origin for time in said.times} == {
        TimeOrigin.EXIF_ORIGINAL,
        TimeOrigin.EXIF_DIGITIZED,
        TimeOrigin.EXIF_MODIFIED,
        TimeOrigin.XMP_CREATED,
    }
    assert [place.altitude_m for place in said.places] == [-35.5, -35.5]


def test_xmp_and_places_of_the_picture_in_a_raf_are_read() -> None:
    said = said_in(raf(encoded(scene(64, 48), exif=full_exif(6), xmp=XMP)))
    assert said.camera == Camera("Maker", "Model 1", "50mm")
    assert len(said.places) == 2
    assert TimeOrigin.XMP_CREATED in {time.origin for time in said.times}


@pytest.mark.parametrize("name", ["cr3", "raf", "rw2"])
def test_a_raw_that_breaks_off_says_so_and_keeps_what_could_be_read(name: str) -> None:
    _, data = RAWS[name]
    full = said_in(data)
    begin = data.index(b"Exif\0\0") + 6 if name != "cr3" else data.index(b"CMT1") + 4
    for cut in range(begin + 4, begin + 200, 7):
        said = said_in(data[:cut])
        assert said == full or said.damaged
    assert said_in(data[: len(data) // 8]).damaged or name == "rw2"


@pytest.mark.parametrize("name", ["cr3", "wide.cr3", "raf", "rw2"])
def test_random_damage_of_a_raw_raises_nothing(name: str) -> None:
    _, data = RAWS[name]
    chosen = random.Random(7)
    front = min(len(data), 1_500)
    for _ in range(400):
        damaged = bytearray(data)
        for _ in range(chosen.randint(1, 6)):
            damaged[chosen.randrange(32, front)] = chosen.choice((0, 1, 0x7F, 0x80, 0xFF))
        content = Content(bytes(damaged), name="a")
        raw_statements(content, kind_of(Content(data, name="a")))


def test_boxes_within_the_limits_alone_are_looked_at() -> None:
    data = cr3()
    few = replace(DEFAULT_LIMITS, entries_max=4)
    assert said_in(data, few).times == ()
    assert said_in(data, few).damaged
    small = replace(DEFAULT_LIMITS, metadata_bytes_max=20)
    assert said_in(data, small).times == ()
    # A box that claims to be empty of all, its own head included, is the end of the walk.
    endless = data.replace(struct.pack(">I4s", 20, b"CCTP"), struct.pack(">I4s", 4, b"CCTP"))
    assert endless != data
    assert said_in(endless).damaged == ("exif",)
