from __future__ import annotations

import io
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.media.content import Content
from lading.media.kind import OCTETS, Family, kind_of, named_kind, types_by_name
from tests.media.written import (
    MEDIA_TYPES,
    PICTURE_FORMATS,
    dng,
    encoded,
    exif_block,
    scene,
    write_video,
)

CONTAINERS = {
    "mov": ("libx264", "video/quicktime"),
    "mp4": ("mpeg4", "video/mp4"),
    "3gp": ("mpeg4", "video/3gpp"),
    "mkv": ("libx264", "video/x-matroska"),
    "webm": ("libvpx", "video/webm"),
    "avi": ("mpeg4", "video/x-msvideo"),
    "ts": ("mpeg2video", "video/mp2t"),
    "m2ts": ("mpeg2video", "video/mp2t"),
    "mpg": ("mpeg1video", "video/mpeg"),
    "flv": ("flv", "video/x-flv"),
    "wmv": ("wmv2", "video/x-ms-wmv"),
}


@pytest.mark.parametrize("name", PICTURE_FORMATS)
def test_pictures_are_known_by_their_content(name: str) -> None:
    kind = kind_of(Content(encoded(scene(), name)))
    assert (kind.media_type, kind.family) == (MEDIA_TYPES[name], Family.PICTURE)


@pytest.mark.parametrize("ending", CONTAINERS)
def test_videos_are_known_by_their_content(ending: str, tmp_path: Path) -> None:
    codec, media_type = CONTAINERS[ending]
    path = write_video(tmp_path / f"v.{ending}", codec=codec, frames=5)
    found = named_kind(Content(path.read_bytes()), path.name)
    assert (found.kind.media_type, found.kind.family) == (media_type, Family.VIDEO)
    assert not found.mislabelled


def tiff_by(maker: str, *, subfile_type: int) -> bytes:
    entries = [(254, 4, 1, struct.pack("<I", subfile_type)), (271, 2, len(maker) + 1, None)]
    table = struct.pack("<H", 2)
    for tag, kind, count, value in entries:
        table += struct.pack("<HHI", tag, kind, count) + (value or struct.pack("<I", 100))
    return (b"II*\0" + struct.pack("<I", 8) + table).ljust(100, b"\0") + maker.encode() + b"\0"


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (dng(), "image/x-adobe-dng"),
        (tiff_by("NIKON CORPORATION", subfile_type=1), "image/x-nikon-nef"),
        (tiff_by("SONY", subfile_type=1), "image/x-sony-arw"),
        (tiff_by("NIKON CORPORATION", subfile_type=0), "image/tiff"),
        (tiff_by("Somebody", subfile_type=1), "image/tiff"),
        (b"II*\0\x10\0\0\0CR\2\0", "image/x-canon-cr2"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "image/x-canon-cr3"),
        (b"FUJIFILMCCD-RAW 0201", "image/x-fuji-raf"),
        (b"IIU\0\x18\0\0\0", "image/x-panasonic-rw2"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1avif", "image/avif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "image/heic"),
        (b"\0\0\0\x14ftypmif1\0\0\0\0mif1", "image/heif"),
        (b"\0\0\0\x08wide\0\0\0\x08mdat", "video/quicktime"),
        (b"%PDF-1.7\n", "application/pdf"),
        (b"PK\3\4" + bytes(26), "application/zip"),
        (b"#EXTM3U\n#EXT-X-VERSION:3\n", OCTETS),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", OCTETS),
        (b"RIFF\x04\0\0\0WAVE", "audio/x-wav"),
        (b"", OCTETS),
    ],
)
def test_a_kind_is_told_from_the_first_bytes(data: bytes, media_type: str) -> None:
    assert kind_of(Content(data)).media_type == media_type


def test_a_scan_by_a_camera_maker_s_scanner_is_no_raw_picture() -> None:
    scanned = encoded(scene(), "TIFF", exif=exif_block({271: "NIKON CORPORATION"}))
    assert kind_of(Content(scanned)).media_type == "image/tiff"


def test_a_wrong_name_is_a_fact_and_no_error() -> None:
    content = Content(encoded(scene(), "PNG"))
    named = named_kind(content, "holiday.JPG")
    assert named.mislabelled
    assert named.kind.media_type == "image/png"
    assert named.named == ("image/jpeg",)
    assert not named_kind(content, "holiday.png").mislabelled
    assert not named_kind(content, "holiday").mislabelled
    assert types_by_name(".jpg") == ()


@pytest.mark.parametrize(
    ("ending", "media_type"),
    [
        *(("MPO", "image/jpeg"), ("insp", "image/jpeg"), ("HIF", "image/heic")),
        *(("nrw", "image/x-nikon-nef"), ("rwl", "image/x-panasonic-rw2")),
        *(("MOD", "video/mpeg"), ("tod", "video/mp2t"), ("3gpp", "video/3gpp")),
    ],
)
def test_the_less_common_endings_of_cameras_are_not_passed_over(
    ending: str, media_type: str
) -> None:
    assert media_type in types_by_name(f"a.{ending}")


@given(st.binary(max_size=300))
def test_every_content_has_a_kind(data: bytes) -> None:
    for start in (b"", b"II*\0", b"MM\0+", b"\0\0\0\x20ftyp", b"RIFF"):
        assert "/" in kind_of(Content(io.BytesIO(start + data))).media_type
