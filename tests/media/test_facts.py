# ruff: noqa: DTZ001 - the time of a camera's clock has no zone
from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lading.media.derive import Derived, Wanted, derive_open
from lading.media.facts import Camera, MediaFacts, OffsetOrigin, Place, TimeOrigin, TimeRefusal
from lading.media.iptc import read_iptc
from lading.media.limits import DEFAULT_LIMITS
from tests.media.written import (
    PICTURE_FORMATS,
    TAKEN,
    dng,
    encoded,
    exif_block,
    full_exif,
    scene,
    write_video,
)

WANTED = Wanted(thumbnails=(), perceptual_hash=False, as_of=datetime(2026, 11, 21, tzinfo=UTC))
XMP = b"""<?xpacket begin='' id='W5M0MpCehiHzreSzNTczkc9d'?><x:xmpmeta xmlns:x='adobe:ns:meta/'>
<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#'><rdf:Description rdf:about=''
 xmlns:exif='http://ns.adobe.com/exif/1.0/' xmlns:photoshop='http://ns.adobe.com/photoshop/1.0/'
 xmlns:tiff='http://ns.adobe.com/tiff/1.0/' tiff:Make='XMaker' exif:GPSLatitude='48,51.504N'
 exif:GPSLongitude='2,17.67W' exif:GPSAltitude='71/2' exif:GPSAltitudeRef='1'>
<photoshop:DateCreated>2023-05-06T07:08:09.5+03:00</photoshop:DateCreated>
</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end='w'?>"""


def look(data: bytes, name: str = "a") -> Derived:
    return derive_open(data, WANTED, name=name)


def facts_of(data: bytes) -> MediaFacts:
    derived = look(data)
    assert derived.failures == ()
    assert derived.facts is not None
    return derived.facts


@pytest.mark.parametrize("name", [name for name in PICTURE_FORMATS if name != "GIF"])
def test_every_kind_of_picture_gives_the_facts_written_into_it(
    name: str, tmp_path: Path, exiftool: Callable[..., dict[str, Any]]
) -> None:
    data = encoded(scene(320, 240), name, exif=full_exif(6))
    facts = facts_of(data)
    assert (facts.width, facts.height) == (240, 320)
    assert facts.camera == Camera("Maker", "Model 1", "50mm")
    assert facts.capture is not None
    assert facts.capture.local == datetime(2024, 7, 1, 12, 34, 56, 123000)
    assert facts.capture.offset_minutes == 120
    assert facts.capture.origin is TimeOrigin.EXIF_ORIGINAL
    assert facts.place is not None
    assert facts.damaged_metadata == ()

    path = tmp_path / f"picture.{name.lower()}"
    path.write_bytes(data)
    said = exiftool(path)
    exif = {key.rpartition(":")[2]: value for key, value in said.items() if key.startswith("EXIF")}
    assert facts.capture.local.strftime("%Y:%m:%d %H:%M:%S") == exif["DateTimeOriginal"]
    assert exif["OffsetTimeOriginal"] == "+02:00"
    assert (facts.camera.make, facts.camera.lens) == (exif["Make"], exif["LensModel"])
    assert facts.place.latitude == pytest.approx(-exif["GPSLatitude"])
    assert facts.place.longitude == pytest.approx(exif["GPSLongitude"])
    assert facts.place.altitude_m == -35.5 == -exif["GPSAltitude"]
    # HEIC and AVIF say with boxes of their own how to turn, so EXIF's word is history there.
    if name not in ("HEIF", "AVIF"):
        assert facts.orientation == exif["Orientation"] == 6
    else:
        assert facts.orientation == 1


def test_a_picture_that_says_nothing_has_its_size() -> None:
    assert facts_of(encoded(scene(), "GIF")) == MediaFacts(320, 240)
    frames = [scene(), scene().rotate(90)]
    animated = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert facts_of(animated).frames == 2


def test_a_phone_that_keeps_its_place_to_itself_writes_no_damage() -> None:
    empty = exif_block({271: "Maker"}, {36867: TAKEN})
    assert empty.get_ifd(0x8825) == {}
    facts = facts_of(encoded(scene(), exif=empty))
    assert (facts.camera.make, facts.place, facts.refused_places) == ("Maker", None, ())
    assert facts.damaged_metadata == ()


def test_a_raw_picture_gives_the_facts_of_its_directory() -> None:
    facts = facts_of(dng(orientation=6))
    assert (facts.width, facts.height, facts.orientation) == (48, 64, 6)
    assert facts.camera == Camera("Maker", "Model 1")
    assert facts.capture is not None
    assert facts.capture.local.strftime("%Y:%m:%d %H:%M:%S") == TAKEN


@pytest.mark.parametrize("name", ["JPEG", "WEBP", "TIFF", "HEIF"])
def test_xmp_says_what_exif_does_not(name: str) -> None:
    options: dict[str, Any] = {"tiffinfo": {700: XMP}} if name == "TIFF" else {"xmp": XMP}
    facts = facts_of(encoded(scene(), name, **options))
    assert facts.capture is not None
    assert facts.capture.origin is TimeOrigin.XMP_CREATED
    assert facts.capture.moment == datetime(2023, 5, 6, 4, 8, 9, 500_000, tzinfo=UTC)
    assert facts.camera.make == "XMaker"
    assert facts.place is not None
    assert facts.place.latitude == pytest.approx(48.8584)
    assert facts.place.longitude == pytest.approx(-2.2945)
    assert facts.place.altitude_m == -35.5


def test_iptc_written_by_another_program_is_read(
    tmp_path: Path, exiftool: Callable[..., dict[str, Any]]
) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(scene()))
    tags = ["-IPTC:DateCreated=2022:03:04", "-IPTC:TimeCreated=05:06:07-05:00", "-IPTC:City=Zürich"]
    subprocess.run(["exiftool", "-q", "-overwrite_original", *tags, str(path)], check=True)
    facts = facts_of(path.read_bytes())
    assert facts.capture is not None
    assert facts.capture.origin is TimeOrigin.IPTC_CREATED
    assert facts.capture.moment == datetime(2022, 3, 4, 10, 6, 7, tzinfo=UTC)
    assert exiftool(path)["IPTC:TimeCreated"] == "05:06:07-05:00"
    assert read_iptc(b"", DEFAULT_LIMITS).times == ()


def test_bigtiff_is_read_as_tiff_is() -> None:
    data = encoded(scene(), "TIFF", big_tiff=True, exif=full_exif(3))
    assert data[2:4] == b"+\0"
    facts = facts_of(data)
    assert facts.orientation == 3
    assert facts.camera == Camera("Maker", "Model 1", "50mm")
    assert facts.place is not None


def test_the_satellites_time_gives_a_camera_without_a_zone_its_offset() -> None:
    gps = {1: "N", 2: (48.0, 0.0, 0.0), 3: "E", 4: (2.0, 0.0, 0.0)}
    clock = {7: (10.0, 34.0, 50.0), 29: "2024:07:01"}
    facts = facts_of(encoded(scene(), exif=exif_block(exif={36867: TAKEN}, gps=gps | clock)))
    assert facts.place == Place(48.0, 2.0)
    assert facts.capture is not None
    assert (facts.capture.offset_minutes, facts.capture.offset_origin) == (120, OffsetOrigin.GPS)


def test_absurd_times_are_facts_with_reasons() -> None:
    block = exif_block({306: "2031:01:01 00:00:00"}, {36867: "0000:00:00 00:00:00"})
    facts = facts_of(encoded(scene(), exif=block))
    assert facts.capture is None
    assert [(time.origin, time.reason) for time in facts.refused_times] == [
        (TimeOrigin.EXIF_ORIGINAL, TimeRefusal.UNSET),
        (TimeOrigin.EXIF_MODIFIED, TimeRefusal.FUTURE),
    ]


APPLE = {
    "creation_time": "2024-07-01T10:00:00.000000Z",
    "com.apple.quicktime.creationdate": "2024-07-01T12:00:00+0200",
    "com.apple.quicktime.location.ISO6709": "+48.8584+002.2945+035.000/",
    "com.apple.quicktime.make": "Maker",
    "com.apple.quicktime.model": "Model 1",
}


@pytest.mark.parametrize(("ending", "rotation"), [("mov", 90), ("mp4", 270), ("mov", 180)])
def test_a_video_gives_the_facts_that_others_read(
    ending: str, rotation: int, tmp_path: Path, exiftool: Callable[..., dict[str, Any]]
) -> None:
    path = tmp_path / f"v.{ending}"
    write_video(path, rotation=rotation, metadata=APPLE, sound=True)
    facts = facts_of(path.read_bytes())
    said = {key.rpartition(":")[2]: value for key, value in exiftool(path).items()}
    assert said["Rotation"] == rotation
    assert facts.duration_s == pytest.approx(said["Duration"], abs=0.05)
    assert (facts.width, facts.height) == ((320, 240) if rotation == 180 else (240, 320))
    picture, sound = facts.streams
    assert (picture.codec, picture.width, picture.height, picture.rotation) == (
        "h264", said["SourceImageWidth"], said["SourceImageHeight"], rotation,
    )  # fmt: skip
    assert picture.frames_per_s == said["VideoFrameRate"] == 25
    assert (sound.kind, sound.codec, sound.channels) == ("audio", "aac", said["AudioChannels"])
    assert sound.sample_rate_hz == said["AudioSampleRate"]
    assert facts.camera == Camera("Maker", "Model 1")
    assert facts.place == Place(48.8584, 2.2945, 35.0)
    assert facts.capture is not None
    assert facts.capture.origin is TimeOrigin.QUICKTIME_CREATION
    assert facts.capture.moment == datetime(2024, 7, 1, 10, tzinfo=UTC)
    assert facts.capture.offset_minutes == 120


def test_a_container_s_time_is_utc_and_says_nothing_of_the_zone(tmp_path: Path) -> None:
    stamped = {"creation_time": "2024-07-01T10:00:00.000000Z"}
    facts = facts_of(write_video(tmp_path / "v.mp4", metadata=stamped).read_bytes())
    assert facts.capture is not None
    assert facts.capture.origin is TimeOrigin.CONTAINER_CREATION
    assert facts.capture.offset_origin is OffsetOrigin.UTC
    undated = facts_of(write_video(tmp_path / "u.mp4").read_bytes())
    assert undated.capture is None
