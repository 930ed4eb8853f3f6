"""Pictures and videos as real encoders write them, with metadata that is known."""

from __future__ import annotations

import io
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import av
import pillow_heif
from PIL import Image

pillow_heif.register_heif_opener()

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF", "AVIF", "HEIF")
MEDIA_TYPES = {name: f"image/{name.lower()}" for name in PICTURE_FORMATS} | {"HEIF": "image/heic"}
TAKEN = "2024:07:01 12:34:56"


def scene(width: int = 320, height: int = 240) -> Image.Image:
    """A picture whose corners tell which way is up: red, green, blue, white from top left on."""
    image = Image.new("RGB", (2, 2))
    for at, colour in (
        ((0, 0), (220, 20, 20)),
        ((1, 0), (20, 200, 20)),
        ((0, 1), (20, 20, 220)),
        ((1, 1), (240, 240, 240)),
    ):
        image.putpixel(at, colour)
    return image.resize((width, height), Image.Resampling.NEAREST)


def exif_block(
    main: Mapping[int, Any] | None = None,
    exif: Mapping[int, Any] | None = None,
    gps: Mapping[int, Any] | None = None,
) -> Image.Exif:
    """An EXIF block by Pillow."""
    block = Image.Exif()
    block.update(main or {})
    block.get_ifd(0x8769).update(exif or {})
    block.get_ifd(0x8825).update(gps or {})
    return block


def full_exif(orientation: int = 1) -> Image.Exif:
    """A camera, a time with offset and parts of a second, a place south of the equator."""
    return exif_block(
        {271: "Maker", 272: "Model 1", 274: orientation, 306: "2025:01:02 03:04:05"},
        {36867: TAKEN, 37521: "123", 36881: "+02:00", 36868: "2024:07:02 00:00:00", 42036: "50mm"},
        {1: "S", 2: (48.0, 51.0, 30.24), 3: "E", 4: (2.0, 17.0, 40.2), 5: b"\1", 6: 35.5},
    )


def encoded(image: Image.Image, name: str = "JPEG", **options: Any) -> bytes:
    """The picture as a file; EXIF is left out where the format has none."""
    if name == "GIF":
        options.pop("exif", None)
    if "exif" in options:
        # As bytes, TIFF gets all directories, and HEIC the boxes that say how to turn.
        options["exif"] = options["exif"].tobytes()
    written = io.BytesIO()
    image.save(written, name, **options)
    return written.getvalue()


def upright_as(image: Image.Image, orientation: int) -> Image.Image:
    """The pixels to be stored so that a reader that honours the orientation shows `image`."""
    turns = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    turn = turns[orientation]
    return image if turn is None else image.transpose(turn)


def write_video(
    path: Path,
    *,
    codec: str = "libx264",
    rotation: int = 0,
    metadata: Mapping[str, str] | None = None,
    frames: int = 50,
    sound: bool = False,
) -> Path:
    """A video of `scene`, 25 frames a second; `rotation` is clockwise degrees to show it."""
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata.update(metadata or {})
        stream = out.add_stream(codec, rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        if rotation:
            stream.set_display_rotation(-rotation)
        track = out.add_stream("aac", rate=44100, layout="stereo") if sound else None
        frame = av.VideoFrame.from_image(scene())  # type: ignore[no-untyped-call]
        for number in range(frames):
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
        if track is not None:
            assert isinstance(track, av.AudioStream)
            silence = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
            silence.sample_rate = 44100
            for plane in silence.planes:
                plane.update(bytes(plane.buffer_size))
            out.mux(track.encode(silence))
            out.mux(track.encode())
    return path


def dng(*, width: int = 64, height: int = 48, orientation: int = 1) -> bytes:
    """A raw picture of the sensor, without a preview: red left above, blue left below."""
    rows = []
    for row in range(height):
        for column in range(width):
            top, left = row < height // 2, column < width // 2
            colour = (row % 2) * 2 + column % 2  # of the pattern red, green, green, blue
            bright = {(True, True): 0, (True, False): 1, (False, True): 3}.get((top, left))
            shown = bright is None or colour == bright or (bright == 1 and colour == 2)
            rows.append(60_000 if shown else 3_000)
    strip = struct.pack(f"<{len(rows)}H", *rows)
    taken = TAKEN.encode() + b"\0"
    entries: list[Entry] = [
        (254, 4, 1, struct.pack("<I", 0)),
        (256, 4, 1, struct.pack("<I", width)),
        (257, 4, 1, struct.pack("<I", height)),
        (258, 3, 1, struct.pack("<H", 16)),
        (259, 3, 1, struct.pack("<H", 1)),
        (262, 3, 1, struct.pack("<H", 32803)),
        (271, 2, 6, b"Maker\0"),
        (272, 2, 8, b"Model 1\0"),
        (273, 4, 1, b"STRP"),
        (274, 3, 1, struct.pack("<H", orientation)),
        (277, 3, 1, struct.pack("<H", 1)),
        (278, 4, 1, struct.pack("<I", height)),
        (279, 4, 1, struct.pack("<I", len(strip))),
        (284, 3, 1, struct.pack("<H", 1)),
        (306, 2, len(taken), taken),
        (33421, 3, 2, struct.pack("<2H", 2, 2)),
        (33422, 1, 4, bytes([0, 1, 1, 2])),
        (50706, 1, 4, bytes([1, 4, 0, 0])),
        (50707, 1, 4, bytes([1, 1, 0, 0])),
        (50708, 2, 8, b"Model 1\0"),
        (50717, 4, 1, struct.pack("<I", 65535)),
        (50721, 10, 9, struct.pack("<18i", *(v for n in range(9) for v in (int(n % 4 == 0), 1)))),
        (50728, 5, 3, struct.pack("<6I", 1, 1, 1, 1, 1, 1)),
        (50778, 3, 1, struct.pack("<H", 21)),
    ]
    return tiff(entries, strip=strip)


Entry = tuple[int, int, int, bytes]
"""A tag, its type, how many values, and their bytes; `STRP` stands for where the strip begins."""


def tiff(
    entries: Sequence[Entry], *, start: bytes = b"II*\0", at: int = 0, strip: bytes = b""
) -> bytes:
    """A little-endian TIFF of one directory, `at` so many bytes in its file."""
    begin = at + 8 + 2 + 12 * len(entries) + 4
    extra = b""
    table = struct.pack("<H", len(entries))
    for tag, kind, count, value in entries:
        if len(value) > 4:
            table += struct.pack("<HHII", tag, kind, count, begin + len(extra))
            extra += value + b"\0" * (len(value) % 2)
        else:
            table += struct.pack("<HHI", tag, kind, count) + value.ljust(4, b"\0")
    table = table.replace(b"STRP", struct.pack("<I", begin + len(extra)))
    return start + struct.pack("<I", at + 8) + table + bytes(4) + extra + strip


def text_entry(tag: int, text: str) -> Entry:
    """An entry of text."""
    data = text.encode() + b"\0"
    return tag, 2, len(data), data


def box(kind: bytes, filling: bytes, *, uuid: str = "", wide: bool = False) -> bytes:
    """A box of ISO's base format; a `wide` one has its size in 64 bits."""
    filling = bytes.fromhex(uuid) + filling
    if wide:
        return struct.pack(">I4sQ", 1, kind, 16 + len(filling)) + filling
    return struct.pack(">I4s", 8 + len(filling), kind) + filling


CANON = "85c0b687820f11e08111f4ce462b6a48"
ADOBE = "be7acfcb97a942e89c71999491e3afac"


def cr3(orientation: int = 6, *, xmp: bytes = b"", wide: bool = False) -> bytes:
    """The container of Canon's CR3 with its four TIFFs, and no pixels."""
    main = [
        text_entry(271, "Canon"),
        text_entry(272, "Canon EOS R5"),
        (274, 3, 1, struct.pack("<H", orientation)),
        text_entry(306, "2025:01:02 03:04:05"),
    ]
    exif = [
        text_entry(36867, TAKEN),
        text_entry(36868, TAKEN),
        text_entry(36881, "+02:00"),
        text_entry(37521, "12"),
        text_entry(42036, "RF50mm F1.2 L USM"),
    ]
    gps = [
        (0, 1, 4, bytes([2, 3, 0, 0])),
        text_entry(1, "S"),
        (2, 5, 3, struct.pack("<6I", 48, 1, 51, 1, 3024, 100)),
        text_entry(3, "E"),
        (4, 5, 3, struct.pack("<6I", 2, 1, 17, 1, 402, 10)),
        (5, 1, 1, b"\1"),
        (6, 5, 1, struct.pack("<2I", 71, 2)),
    ]
    canon = (
        box(b"CNCV", b"CanonCR3_001/00.10.00/00.00.00")
        + box(b"CCTP", bytes(12))
        + box(b"CTBO", bytes(4))
        + box(b"free", b"")
        + box(b"CMT1", tiff(main))
        + box(b"CMT2", tiff(exif))
        + box(b"CMT3", tiff([text_entry(7, "Firmware Version 1.0.0")]))
        + box(b"CMT4", tiff(gps))
    )
    moov = box(b"uuid", canon, uuid=CANON) + box(b"mvhd", bytes(100))
    whole = box(b"ftyp", b"crx \0\0\0\1crx isom") + box(b"moov", moov, wide=wide)
    if xmp:
        whole += box(b"uuid", xmp, uuid=ADOBE)
    return whole + box(b"mdat", b"pixels of the sensor", wide=wide)


def raf(jpeg: bytes) -> bytes:
    """The header of Fuji's RAF and the picture it keeps, without the pixels of the sensor."""
    head = b"FUJIFILMCCD-RAW 0201FF383501" + b"X-T5".ljust(32, b"\0") + b"0100" + bytes(20)
    begin = 0x94
    places = struct.pack(">6I", begin, len(jpeg), begin + len(jpeg), 0, begin + len(jpeg), 0)
    return (head + places).ljust(begin, b"\0") + jpeg


def rw2(jpeg: bytes) -> bytes:
    """A Panasonic whose directory has no time: it stands in the picture beside it."""
    entries = [
        text_entry(271, "Panasonic"),
        text_entry(272, "DC-GH5"),
        (274, 3, 1, struct.pack("<H", 6)),
        (0x2E, 7, len(jpeg), jpeg),
    ]
    return tiff(sorted(entries), start=b"IIU\0")


def raw_like(start: bytes, make: str) -> bytes:
    """What the cameras of most makers write: a TIFF whose directory leads to those of EXIF."""
    exif_at = 8 + 2 + 12 * 5 + 4 + len(make) + 64
    main = [
        (254, 4, 1, struct.pack("<I", 1)),
        text_entry(271, make),
        text_entry(272, "Model 1"),
        (274, 3, 1, struct.pack("<H", 6)),
        (34665, 4, 1, struct.pack("<I", exif_at + 8)),
    ]
    exif = tiff([text_entry(36867, TAKEN), text_entry(36881, "+02:00")], at=exif_at)
    return tiff(main, start=start).ljust(exif_at, b"\0") + exif
