"""A disk as people have it: photos of every kind and age, copies of copies, and what else is there.

Each file that is written is noted with what shall become of it, so that a test can ask for each.
"""

from __future__ import annotations

import io
import os
import shutil
import socket
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFilter

from lading.media.packages import vips
from tests.media.written import dng, encoded, exif_block, full_exif, upright_as, write_video

APPLE = "com.apple.quicktime."
LIVE = "5B1F9A40-2E3C-4F0B-9A51-0C2D6E1F7A88"
XMP = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>"


class Fate(StrEnum):
    """What shall become of a file."""

    HELD = "held"
    """It is in the library."""
    SPOILED = "spoiled"
    """It is an item with a reason, and not in the library."""
    NO_PICTURE = "no_picture"
    """It is no picture or video by its name, and counted with its folder."""
    LEFT = "left"
    """It lies in a folder that is never looked into, or where no pictures are."""


@dataclass
class MessyDisk:
    """The disk below `root`: the fate of each path, and what reason the spoiled ones have."""

    root: Path
    fates: dict[str, Fate] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)
    said_beside: dict[str, datetime] = field(default_factory=dict)
    """When a photo was taken that does not say so itself, by its path, as its sidecar has it."""

    def put(self, path: str, data: bytes, fate: Fate = Fate.HELD, reason: str = "") -> Path:
        """Write one file, and note what shall become of it."""
        place = self.at(path)
        place.write_bytes(data)
        self._note(path, fate, reason)
        return place

    def film(self, path: str, fate: Fate = Fate.HELD, **options: Any) -> Path:
        """The same for a video."""
        place = write_video(self.at(path), frames=12, **options)
        self._note(path, fate)
        return place

    def copy(self, path: str, to: str, fate: Fate = Fate.HELD) -> None:
        """The same bytes, with their time, at another place."""
        shutil.copy2(self.at(path), self.at(to))
        self._note(to, fate)
        if path in self.said_beside:
            self.said_beside[to] = self.said_beside[path]

    def at(self, path: str) -> Path:
        """Where a path of the disk is; its folder is made."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        return place

    def _note(self, path: str, fate: Fate, reason: str = "") -> None:
        assert path not in self.fates, path
        self.fates[path] = fate
        if fate is Fate.SPOILED:
            self.reasons[path] = reason or "unreadable"

    def of(self, *fates: Fate) -> set[str]:
        """The paths with these fates."""
        return {path for path, fate in self.fates.items() if fate in fates}


@cache
def photo(number: int, width: int = 160, height: int = 120) -> Image.Image:
    """A picture that looks like that of no other number, also when it is made small."""
    rows = bytes(
        (number * 7919 + at * at * 2654435761 * (number + 3)) >> 16 & 255 for at in range(48)
    )
    image = Image.frombytes("RGB", (4, 4), rows).resize((width, height), Image.Resampling.BICUBIC)
    ImageDraw.Draw(image).text((8, height // 2), str(number), fill=(0, 0, 0))
    return image


class _Numbers:
    def __init__(self) -> None:
        self.last = 0

    def next(self) -> Image.Image:
        self.last += 1
        return photo(self.last)


def messy_disk(root: Path, *, whole: bool = False) -> MessyDisk:
    """Fill the empty folder `root`; `whole` is with what takes long to write or to read."""
    root.mkdir()
    disk, new = MessyDisk(root), _Numbers()
    for part in (
        _phone,
        _cameras,
        _scanner,
        _downloads,
        _takeout,
        _broken,
        _junk,
        _names,
        _special,
    ):
        part(disk, new)
    _backups(disk)
    if whole:
        _large(disk, new)
    return disk


def taken(text: str, camera: str = "Pixel 7", **more: Any) -> Image.Exif:
    """A camera and a time; `more` are `offset`, `subseconds`, `gps` and `orientation`."""
    exif = {36867: text}
    if "offset" in more:
        exif[36881] = more["offset"]
    if "subseconds" in more:
        exif[37521] = more["subseconds"]
    main = {271: "Google", 272: camera, 274: more.get("orientation", 1)}
    return exif_block(main, exif, more.get("gps"))


GPS: Mapping[str, Mapping[int, Any]] = {
    "munich": {1: "N", 2: (48.0, 8.0, 13.5), 3: "E", 4: (11.0, 34.0, 30.0)},
    "null_island": {1: "N", 2: (0.0, 0.0, 0.0), 3: "E", 4: (0.0, 0.0, 0.0)},
    "swapped_refs": {1: "E", 2: (48.0, 8.0, 13.5), 3: "N", 4: (11.0, 34.0, 30.0)},
    "out_of_range": {1: "N", 2: (95.0, 0.0, 0.0), 3: "E", 4: (200.0, 0.0, 0.0)},
    "no_refs": {2: (48.0, 8.0, 13.5), 4: (11.0, 34.0, 30.0)},
    "divided_by_zero": {1: "N", 2: (Fraction(48), 0, 0), 3: "E"},
    "clock": {1: "S", 2: (33.0, 52.0, 0.0), 3: "E", 4: (151.0, 12.0, 0.0)}
    | {7: (23.0, 30.0, 0.0), 29: "2023:06:30"},
}
TIMES: Mapping[str, Mapping[str, str]] = {
    "zeros": {"text": "0000:00:00 00:00:00"},
    "blank": {"text": "    :  :     :  :  "},
    "of_1904": {"text": "1904:01:01 00:00:00"},
    "of_1970": {"text": "1970:01:01 00:00:00"},
    "of_2099": {"text": "2099:07:01 12:00:00"},
    "month_13": {"text": "2020:13:01 12:00:00"},
    "february_30": {"text": "2020:02:30 12:00:00"},
    "new_year_kiritimati": {"text": "2024:01:01 00:30:00", "offset": "+14:00"},
    "new_year_hawaii": {"text": "2023:12:31 23:30:00", "offset": "-10:00"},
    "in_the_gap": {"text": "2024:03:31 02:30:00"},
    "fold_summer": {"text": "2024:10:27 02:30:00", "offset": "+02:00"},
    "fold_winter": {"text": "2024:10:27 02:30:00", "offset": "+01:00"},
    "subseconds": {"text": "2024:02:29 23:59:59", "subseconds": "987654321"},
    "leap_second": {"text": "2016:12:31 23:59:60", "offset": "+00:00"},
    "bad_offset": {"text": "2021:05:05 05:05:05", "offset": "+99:00"},
}


def _phone(disk: MessyDisk, new: _Numbers) -> None:
    camera = "phones/Pixel 7/DCIM/Camera"
    for number in range(1, 9):
        image = upright_as(new.next(), number)
        exif = taken(f"2024:07:01 12:34:{number:02}", offset="+02:00", orientation=number)
        disk.put(f"{camera}/PXL_orientation_{number}.jpg", encoded(image, exif=exif))
    for name, gps in GPS.items():
        exif = taken("2023:07:01 09:30:00", gps=gps)
        disk.put(f"{camera}/PXL_gps_{name}.jpg", encoded(new.next(), exif=exif))
    for name, time in TIMES.items():
        exif = taken(**{"camera": "Old clock", **time})
        disk.put(f"{camera}/PXL_time_{name}.jpg", encoded(new.next(), exif=exif))
    burst = new.next()
    for number in range(4):
        shot = burst.copy()
        ImageDraw.Draw(shot).rectangle((60 + number, 50, 80 + number, 70), fill=(255, 255, 255))
        exif = taken("2024:08:09 10:11:12")
        disk.put(f"{camera}/PXL_BURST{number}.jpg", encoded(shot, exif=exif))
    film = disk.film(f"{camera}/PXL_film.mp4", metadata={"creation_time": "2024-07-01T10:00:00Z"})
    disk.film(f"{camera}/PXL_turned.mp4", rotation=90, metadata={"location": "+48.1371+011.5750/"})
    disk.film(f"{camera}/PXL_1904.mp4", metadata={"creation_time": "1904-01-01T00:00:00Z"})
    motion = encoded(new.next(), exif=taken("2024:07:02 08:00:00", offset="+02:00"))
    disk.put(f"{camera}/PXL_motion.MP.jpg", motion + film.read_bytes())
    disk.film("phones/Nokia/VID_0001.3gp", codec="mpeg4")
    apple = "phones/iPhone/DCIM/100APPLE"
    for number in (1, 2):
        exif = taken(f"2024:07:0{number} 18:00:00", "iPhone 15", offset="+02:00")
        disk.put(f"{apple}/IMG_000{number}.HEIC", encoded(new.next(), "HEIF", exif=exif))
        disk.film(
            f"{apple}/IMG_000{number}.MOV",
            metadata={
                f"{APPLE}content.identifier": LIVE,
                f"{APPLE}creationdate": f"2024-07-0{number}T18:00:00+0200",
                f"{APPLE}make": "Apple",
                f"{APPLE}model": "iPhone 15",
                "creation_time": f"2024-07-0{number}T16:00:00Z",
            },
        )
    disk.put(f"{apple}/IMG_E0001.HEIC", encoded(new.next(), "HEIF"))
    disk.put(f"{apple}/IMG_0001.AAE", b'<?xml version="1.0"?><plist/>')
    disk.put(f"{apple}/IMG_0003.PNG", encoded(new.next(), "PNG"))


def _cameras(disk: MessyDisk, new: _Numbers) -> None:
    card = "cameras/old card/DCIM/100CANON"
    exif = full_exif()
    disk.put(f"{card}/IMG_0001.JPG", encoded(new.next(), exif=exif))
    disk.put(f"{card}/IMG_0001.dng", dng())
    disk.put(f"{card}/IMG_0001.xmp", XMP)
    disk.put(f"{card}/IMG_0002.JPG", encoded(new.next(), exif=exif))
    disk.put(f"{card}/IMG_0002.JPG.xmp", XMP + b" ")
    disk.put(f"{card}/IMG_0003.CR2", b"II*\0\x10\0\0\0CR\2\0" + bytes(400), Fate.SPOILED)
    disk.put(f"{card}/IMG_0004.CR3", b"\0\0\0\x18ftypcrx \0\0\0\1" + bytes(400), Fate.SPOILED)
    disk.put(f"{card}/orphan.xmp", XMP, Fate.NO_PICTURE)
    disk.put(f"{card}/MVI_0005.THM", encoded(photo(5)), Fate.NO_PICTURE)
    disk.film(f"{card}/MVI_0005.AVI", codec="mpeg4")
    disk.film("cameras/AVCHD/BDMV/STREAM/00001.MTS", codec="libx264")
    disk.put("cameras/AVCHD/BDMV/INDEX.BDM", b"INDX0200", Fate.LEFT)
    disk.film("cameras/drone/DJI_0001.mkv", metadata={"creation_time": "2022-02-02T02:02:02Z"})
    # The counter began anew: the same name, another picture.
    disk.put("cameras/new card/DCIM/100CANON/IMG_0001.JPG", encoded(new.next(), exif=exif))


def _scanner(disk: MessyDisk, new: _Numbers) -> None:
    pages = [new.next() for _ in range(3)]
    disk.put("scans/letter.tif", encoded(pages[0], "TIFF", save_all=True, append_images=pages[1:]))
    disk.put("scans/print.jpg", encoded(new.next().convert("CMYK")))
    disk.put("scans/grey.jpg", encoded(new.next().convert("L")))
    rows = vips().Image.new_from_memory(new.next().tobytes(), 160, 120, 3, "uchar")
    deep = (rows.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    disk.put("scans/deep.png", deep.write_to_buffer(".png"))
    wide = rows.copy(interpretation="srgb").icc_transform("p3", input_profile="srgb")
    disk.put("scans/wide gamut.jpg", wide.write_to_buffer(".jpg"))
    disk.put("scans/contract.pdf", b"%PDF-1.4", Fate.NO_PICTURE)


def _downloads(disk: MessyDisk, new: _Numbers) -> None:
    frames = [new.next() for _ in range(3)]
    for name, kind in (("dance.gif", "GIF"), ("dance.webp", "WEBP")):
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
        disk.put(f"downloads/{name}", data)
    disk.put("downloads/new kind.avif", encoded(new.next(), "AVIF"))
    disk.put("downloads/archive.zip", b"PK\3\4", Fate.NO_PICTURE)
    disk.put("downloads/half.jpg.part", encoded(new.next())[:500], Fate.NO_PICTURE)


def _takeout(disk: MessyDisk, new: _Numbers) -> None:
    folder = "Takeout/Google Photos/Photos from 2019"
    said = b'{"photoTakenTime": {"timestamp": "1559390400"}, "geoData": {"latitude": 48.1}}'
    hostile = b'{"photoTakenTime": ' * 10_000
    disk.put(f"{folder}/IMG_1.jpg", encoded(new.next()))
    disk.put(f"{folder}/IMG_1.jpg.json", said)
    disk.put(f"{folder}/IMG_1-edited.jpg", encoded(new.next()))
    disk.put(f"{folder}/IMG_2.jpg", encoded(new.next()))
    disk.put(f"{folder}/IMG_2.jpg.supplemental-metadata.json", said + b" ")
    disk.put(f"{folder}/IMG_2(1).jpg", encoded(new.next()))
    disk.put(f"{folder}/IMG_2.jpg.supplemental-metadata(1).json", said + b"  ")
    long = "a photo that somebody gave a very long name indeed, years ago"
    disk.put(f"{folder}/{long}.jpg", encoded(new.next()))
    disk.put(f"{folder}/{long[:46]}.json", said + b"   ")
    disk.put(f"{folder}/IMG_3.jpg", encoded(new.next()))
    disk.put(f"{folder}/IMG_3.jpg.json", hostile)
    for name in ("IMG_1", "IMG_1-edited", "IMG_2", "IMG_2(1)", long):
        disk.said_beside[f"{folder}/{name}.jpg"] = datetime(2019, 6, 1, 12, tzinfo=UTC)
    disk.put(f"{folder}/metadata.json", b'{"title": "Photos from 2019"}', Fate.NO_PICTURE)


def _broken(disk: MessyDisk, new: _Numbers) -> None:
    whole = encoded(new.next().resize((640, 480)), quality=95)
    spoiled = {
        "empty.jpg": b"",
        "cut.jpg": whole[: len(whole) // 2],
        "cut.png": encoded(new.next(), "PNG")[:900],
        "cut.heic": encoded(new.next(), "HEIF")[:600],
        "text.jpg": b"Dear Anna,\n\nthe photos are on the other disk.\n",
        "page.png": b"<!DOCTYPE html><html></html>",
        "drawing.png": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "zeros.jpg": bytes(4096),
        "bomb.png": png_claim(60_000, 60_000),
        "bomb.gif": b"GIF89a"
        + struct.pack("<HH", 65_535, 65_535)
        + b"\x80\0\0"
        + bytes(6)
        + b",\0\0\0\0"
        + struct.pack("<HH", 65_535, 65_535)
        + b"\0\2\2L\1\0;",
        "bomb.tif": tiff_claim(60_000, 60_000),
        "bomb.webp": b"RIFF\x1e\0\0\0WEBPVP8L\x11\0\0\0/"
        + struct.pack("<I", (1 << 28) - 1)
        + bytes(12),
        "cut.mp4": b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom\0\0\1\0mdat" + bytes(200),
    }
    for name, data in spoiled.items():
        disk.put(f"recovered/{name}", data, Fate.SPOILED)
    disk.put("recovered/png inside.jpg", encoded(new.next(), "PNG"))
    film = disk.film("recovered/film.mp4")
    disk.put("recovered/film inside.jpg", film.read_bytes() + b"\0\0\0\x08free")


def png_claim(width: int, height: int) -> bytes:
    """A PNG that claims a size, with a few rows of it."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(100_000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def tiff_claim(width: int, height: int) -> bytes:
    """A TIFF that claims a size, in one strip that is not there."""
    entries = [(256, width), (257, height), (258, 8), (259, 1), (262, 1), (273, 8)]
    entries += [(277, 1), (278, height), (279, width * height & 0xFFFFFFFF)]
    table = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + table + bytes(4)


def _junk(disk: MessyDisk, new: _Numbers) -> None:
    trip = "phones/Pixel 7/DCIM/Camera"
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._PXL_BURST0.jpg", ".nomedia"):
        disk.put(f"{trip}/{name}", b"\0\5\x16\7" + name.encode(), Fate.NO_PICTURE)
    thumb = encoded(photo(1).resize((40, 30)))
    for folder in (
        f"{trip}/@eaDir/PXL_BURST0.jpg",
        f"{trip}/.thumbnails",
        ".Trash-1000/files",
        "lost+found",
        "$RECYCLE.BIN/S-1-5-21",
        "#recycle/2019",
        ".Spotlight-V100",
    ):
        disk.put(f"{folder}/left.jpg", thumb, Fate.LEFT)
    disk.put("Lightroom/Catalog Previews.lrdata/0/A/0A.lrprev", b"AgHg", Fate.LEFT)
    disk.put("Lightroom/Catalog.lrcat", b"SQLite format 3\0", Fate.LEFT)
    disk.put("documents/taxes 2019.ods", b"PK\3\4", Fate.LEFT)
    (disk.root / "empty/inside").mkdir(parents=True)


ODD_NAMES = (
    "caf\u00e9.jpg",
    "cafe\u0301.jpg",
    "new\nline.jpg",
    "tab\there.jpg",
    " spaces .jpg ",
    "  leading.jpg",
    "..two dots.jpg",
    "dots...jpg",
    "n" * 251 + ".jpg",
    "\u05ea\u05de\u05d5\u05e0\u05d4.jpg",
    "\U0001f1ee\U0001f1f9 \U0001f468\u200d\U0001f469\u200d\U0001f467.jpg",
    "\u202egpj.exe.jpg",
    "Twin.jpg",
    "twin.jpg",
    "CON.jpg",
    "aux.JPEG",
    "back\\slash.jpg",
    "colon: question?.jpg",
    "%41 &amp; <b>.jpg",
    "-rf.jpg",
    "' OR 1=1 --.jpg",
    "\x1b[31mred.jpg",
)


def _names(disk: MessyDisk, new: _Numbers) -> None:
    for name in ODD_NAMES:
        hidden = name.startswith(".") or not name.endswith((".jpg", ".JPEG"))
        data = encoded(new.next(), exif=taken("2015:05:05 05:05:05"))
        disk.put(f"odd names/{name}", data, Fate.NO_PICTURE if hidden else Fate.HELD)
    for raw in (b"odd names/\xff\xfe.jpg", b"odd names/caf\xe9.jpg"):
        data = encoded(new.next())
        disk.put(os.fsdecode(raw), data, Fate.SPOILED, reason="name_refused")
    disk.put(os.fsdecode(b"caf\xe9 2009/a.jpg"), encoded(new.next()), Fate.LEFT)
    deep = "/".join(["a folder in a folder"] * 40)
    disk.put(f"deep/{deep}/a.jpg", encoded(new.next()))


def _special(disk: MessyDisk, new: _Numbers) -> None:
    folder = "special"
    disk.put(f"{folder}/a.jpg", encoded(new.next()))
    at = disk.at(f"{folder}/a.jpg")
    outside = disk.root.with_name("outside the disk")
    outside.mkdir()
    (outside / "secret.jpg").write_bytes(encoded(new.next()))
    at.with_name("link.jpg").symlink_to("a.jpg")
    at.with_name("dangling.jpg").symlink_to("nowhere.jpg")
    at.with_name("outside.jpg").symlink_to(outside / "secret.jpg")
    at.with_name("loop").symlink_to("..", target_is_directory=True)
    at.with_name("outside").symlink_to(outside, target_is_directory=True)
    os.mkfifo(at.with_name("pipe.jpg"))
    with socket.socket(socket.AF_UNIX) as server:
        here = os.getcwd()
        os.chdir(at.parent)  # addresses of sockets are short
        try:
            server.bind("socket.jpg")
        finally:
            os.chdir(here)
    os.link(at, at.with_name("hard link.jpg"))
    disk.fates[f"{folder}/hard link.jpg"] = Fate.HELD
    at.with_name("folder.jpg").mkdir()
    disk.put(f"{folder}/folder.jpg/inside.jpg", encoded(new.next()))
    disk.put(f"{folder}/locked.jpg", encoded(new.next())).chmod(0 if os.geteuid() == 0 else 0o400)
    disk.put(f"{folder}/read only.jpg", encoded(new.next())).chmod(0o444)


def _backups(disk: MessyDisk) -> None:
    """Whole copies of what is there, copies that other programs made smaller, and one renamed."""
    held = sorted(disk.of(Fate.HELD))
    for path in held:
        if path.startswith(("phones/iPhone", "Takeout")):
            disk.copy(path, f"backups/laptop 2020/{path}")
            disk.copy(path, f"backups/old disk/backup/laptop 2020/{path}")
    disk.copy("scans/letter.tif", "backups/letter (1).tif")
    original = Image.open(disk.at("phones/Pixel 7/DCIM/Camera/PXL_orientation_1.jpg"))
    disk.put("backups/WhatsApp/IMG-20240701-WA0001.jpg", encoded(original, quality=60))
    smaller = original.resize((80, 60), Image.Resampling.LANCZOS)
    disk.put("backups/mailed/small.jpg", encoded(smaller))
    soft = original.filter(ImageFilter.GaussianBlur(1))
    disk.put("backups/mailed/converted.png", encoded(soft, "PNG"))


def _large(disk: MessyDisk, new: _Numbers) -> None:
    """What takes seconds: pictures at the limits, a sparse file, and paths that are very long."""
    with open(disk.at("large/sparse.jpg"), "wb") as file:
        file.truncate(3 << 30)
    disk.fates["large/sparse.jpg"] = Fate.SPOILED
    disk.reasons["large/sparse.jpg"] = "unreadable"
    rows = io.BytesIO()
    Image.new("1", (60_000, 60_000)).save(rows, "PNG")
    disk.put("large/all of 60000.png", rows.getvalue(), Fate.SPOILED)
    disk.put(
        "large/16383.webp",
        encoded(Image.new("RGB", (16_383, 16_383)), "WEBP", lossless=True, method=0),
    )
    for number in range(300):
        exif = taken(f"2018:01:{number % 28 + 1:02} 10:00:{number % 60:02}", "Bulk")
        disk.put(
            f"bulk/{number % 7}/IMG_{number:04}.jpg", encoded(photo(1_000 + number), exif=exif)
        )


def walk_files(root: Path) -> Iterator[str]:
    """Every regular file below, links not followed, by its path."""
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield str(path.relative_to(root))
