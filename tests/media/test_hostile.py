"""Whatever a file is made of, it ends in one family of errors, and within the limits."""

from __future__ import annotations

import io
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lading.media.derive import Derived, FileAt, Part, Wanted, derive, derive_open
from lading.media.errors import (
    MediaDamaged,
    MediaEmpty,
    MediaTooLarge,
    MediaUnreadable,
    MediaUnsupported,
)
from lading.media.exif import ExifBlock
from lading.media.iptc import read_iptc
from lading.media.limits import DEFAULT_LIMITS, Limits
from lading.media.xmp import read_xmp
from lading.storage.roots import FileMissing, NotARegularFile, PathEscapesRoot
from tests.media.written import PICTURE_FORMATS, dng, encoded, full_exif, scene, write_video

WANTED = Wanted()


def look(data: bytes, wanted: Wanted = WANTED) -> Derived:
    return derive_open(data, wanted, name="a.jpg")


def failure_of(data: bytes, wanted: Wanted = WANTED) -> MediaUnreadable:
    failures = look(data, wanted).failures
    assert failures
    return failures[-1].error


def test_an_empty_file_is_named_as_that() -> None:
    derived = look(b"")
    assert [type(failure.error) for failure in derived.failures] == [MediaEmpty]
    assert derived.sha256 == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@pytest.mark.parametrize("name", PICTURE_FORMATS)
@pytest.mark.parametrize("kept", [0.1, 0.6])
def test_a_picture_that_breaks_off_is_damaged_and_still_hashed(name: str, kept: float) -> None:
    whole = encoded(scene(640, 480).rotate(10), name)
    cut = look(whole[: int(len(whole) * kept)])
    assert [type(failure.error) for failure in cut.failures] == [MediaDamaged]
    assert cut.failures[0].error.subject == "a.jpg"
    assert cut.thumbnails == ()
    assert cut.perceptual_hash is None
    assert cut.sha256 is not None


def test_the_facts_of_a_picture_that_breaks_off_are_kept() -> None:
    whole = encoded(scene(640, 480), exif=full_exif())
    cut = look(whole[: len(whole) - 2000])
    assert cut.facts is not None
    assert cut.facts.capture is not None
    assert [failure.part for failure in cut.failures] == [Part.THUMBNAIL]


def test_a_video_that_breaks_off_is_damaged(tmp_path: Path) -> None:
    data = write_video(tmp_path / "v.mp4").read_bytes()
    assert isinstance(failure_of(data[: len(data) // 2]), MediaDamaged)
    assert isinstance(failure_of(data[:200]), MediaDamaged)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@pytest.mark.parametrize(
    "data",
    [
        b"II*\0\x10\0\0\0CR\2\0" + bytes(400),
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\1\0mdat" + bytes(200),
    ],
    ids=["LibRaw", "FFmpeg"],
)
def test_what_a_decoder_says_of_damage_is_in_words_for_people(data: bytes) -> None:
    found = str(failure_of(data).found)
    assert found[0].isupper()
    assert not any(mark in found for mark in ("b'", "Errno", "<none>"))


def test_a_decompression_bomb_is_refused_by_its_header() -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000_000), 9)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)
    error = failure_of(bomb + chunk(b"IEND", b""))
    assert isinstance(error, MediaTooLarge)
    assert "pixels_max" in str(error)
    assert "60000 x 60000" in str(error)


@pytest.mark.parametrize("name", [*PICTURE_FORMATS, "DNG", "MOV"])
def test_the_limit_of_pixels_holds_for_every_decoder(name: str, tmp_path: Path) -> None:
    if name == "MOV":
        data = write_video(tmp_path / "v.mov", frames=3).read_bytes()
    else:
        data = dng(width=320, height=240) if name == "DNG" else encoded(scene(), name)
    assert look(data, Wanted(limits=Limits(pixels_max=320 * 240))).failures == ()
    error = failure_of(data, Wanted(limits=Limits(pixels_max=320 * 240 - 1)))
    assert isinstance(error, MediaTooLarge)


def test_what_is_decoded_in_memory_has_a_limit_of_bytes() -> None:
    limits = Limits(buffered_bytes_max=100, decoded_bytes_max=200)
    data = io.BytesIO(encoded(scene(), "HEIF"))
    derived = derive_open(data, Wanted(limits=limits), name="a.heic")
    assert [type(failure.error) for failure in derived.failures] == [MediaTooLarge]


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'></svg>",
        b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"%!PS-Adobe-3.0\nshowpage\n",
        b"%PDF-1.4\n",
        b"\x76\x2f\x31\x01" + bytes(100),
        bytes(1000),
    ],
)
def test_what_is_no_picture_or_video_reaches_no_decoder(data: bytes) -> None:
    assert isinstance(failure_of(data), MediaUnsupported)


def test_a_picture_inside_another_kind_s_clothes_is_refused_and_not_decoded() -> None:
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'></svg>"
    for start in (b"\xff\xd8\xff", b"GIF89a", b"\x89PNG\r\n\x1a\n", b"II*\0\x08\0\0\0"):
        assert isinstance(failure_of(start + svg), MediaDamaged)


@pytest.mark.parametrize("name", [*PICTURE_FORMATS, "DNG"])
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(damage=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1))
def test_damaged_pictures_end_in_one_family_of_errors(
    name: str, damage: list[tuple[float, int]]
) -> None:
    picture = dng() if name == "DNG" else encoded(scene(), name, exif=full_exif(6))
    data = bytearray(picture)
    for place, value in damage:
        data[int(place * len(data))] = value
    derived = look(bytes(data), Wanted(limits=Limits(pixels_max=4_000_000)))
    assert all(isinstance(failure.error, MediaUnreadable) for failure in derived.failures)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(damage=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1))
def test_damaged_videos_end_in_one_family_of_errors(
    damage: list[tuple[float, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "whole.mov"
    if not path.exists():
        write_video(path, frames=5, sound=True)
    data = bytearray(path.read_bytes())
    for place, value in damage:
        data[int(place * len(data))] = value
    derived = look(bytes(data), Wanted(limits=Limits(pixels_max=4_000_000)))
    assert all(isinstance(failure.error, MediaUnreadable) for failure in derived.failures)


EXIF = full_exif().tobytes()


@settings(max_examples=300, deadline=None)
@given(
    data=st.one_of(
        st.binary(max_size=400).map(lambda tail: b"MM\0*\0\0\0\x08" + tail),
        st.binary(max_size=400).map(lambda tail: b"II+\0\x08\0\0\0" + tail),
        st.tuples(st.integers(6, len(EXIF) - 9), st.binary(min_size=1, max_size=8)).map(
            lambda change: EXIF[: change[0]] + change[1] + EXIF[change[0] + len(change[1]) :]
        ),
    )
)
def test_no_exif_breaks_its_reader(data: bytes) -> None:
    said = ExifBlock.read(data, DEFAULT_LIMITS).statements()
    assert len(said.times) <= 3


@settings(deadline=None)
@given(data=st.binary(max_size=300))
def test_no_xmp_or_iptc_breaks_its_reader(data: bytes) -> None:
    read_xmp(data, DEFAULT_LIMITS)
    read_xmp(b"<a b='" + data + b"'/>", DEFAULT_LIMITS)
    read_iptc(data, DEFAULT_LIMITS)
    read_iptc(b"Photoshop 3.0\0008BIM\x04\x04\0\0" + data, DEFAULT_LIMITS)
    read_iptc(b"\x1c\x02\x37" + data, DEFAULT_LIMITS)


def test_metadata_has_limits_of_size_depth_and_entries() -> None:
    lol = b"<!DOCTYPE l [<!ENTITY a 'lol'><!ENTITY b '&a;&a;'>]><x>&b;</x>"
    assert read_xmp(lol, DEFAULT_LIMITS).damaged == ("xmp",)
    deep = b"<a>" * 200_000
    assert read_xmp(deep, DEFAULT_LIMITS).damaged == ("xmp",)
    assert read_xmp(b" " * 2_000_000, DEFAULT_LIMITS).damaged == ("xmp",)
    assert read_iptc(bytes(2_000_000), DEFAULT_LIMITS).damaged == ("iptc",)
    many = b"II*\0\x08\0\0\0" + struct.pack("<H", 60_000) + bytes(720_000)
    assert ExifBlock.read(many, DEFAULT_LIMITS).damaged
    # An entry that says it has four milliards of rationals.
    greedy = b"II*\0\x08\0\0\0\1\0" + struct.pack("<HHII", 271, 5, 0xFFFF_FFFF, 8) + bytes(4)
    assert ExifBlock.read(greedy, DEFAULT_LIMITS).damaged


def test_a_directory_that_names_itself_is_read_once() -> None:
    entries = struct.pack("<HHII", 34665, 4, 1, 8) + struct.pack("<HHII", 34853, 4, 1, 8)
    block = ExifBlock.read(b"II*\0\x08\0\0\0\2\0" + entries + bytes(4), DEFAULT_LIMITS)
    assert block.statements().times == ()


def test_a_video_has_a_limit_of_streams(tmp_path: Path) -> None:
    data = write_video(tmp_path / "v.mov", sound=True, frames=3).read_bytes()
    error = failure_of(data, Wanted(limits=Limits(streams_max=1)))
    assert "streams_max" in str(error)


def test_a_path_is_walked_without_following_links(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "a.jpg").write_bytes(encoded(scene()))
    (tmp_path / "inside/link.jpg").symlink_to(tmp_path / "a.jpg")
    os.mkfifo(tmp_path / "inside/pipe.jpg")
    for relative, error in (
        ("link.jpg", PathEscapesRoot),
        ("../a.jpg", PathEscapesRoot),
        ("pipe.jpg", NotARegularFile),
        ("none.jpg", FileMissing),
    ):
        with pytest.raises(error):
            derive(FileAt(str(tmp_path / "inside"), relative))


PROGRAM = """
import gc, logging, random, sys
from pathlib import Path
from lading.media.derive import Wanted, derive_open
good, chance = Path(sys.argv[1]).read_bytes(), random.Random(1)
wanted = Wanted(sha256=False)
gc.set_threshold(20)
logging.basicConfig()
for _ in range(200):
    data = bytearray(good)
    for _ in range(5):
        data[chance.randrange(len(data))] = chance.randrange(256)
    derive_open(bytes(data), wanted, name="a")
print("survived")
"""


def test_many_damaged_pictures_neither_end_the_process_nor_fill_its_output(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(encoded(scene(120, 90).rotate(10), exif=full_exif(6)))
    said = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=False
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "survived\n", "")
