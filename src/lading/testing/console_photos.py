"""A tree of photos by real encoders that was taken in: three years, with all that goes wrong.

Undated pictures and impossible dates, places, copies, pictures that look alike, a burst, a film,
and a file that cannot be read.
"""

from __future__ import annotations

import io
import os
import random
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from lading.bootstrap import Lading
from lading.sorting.values import Wanted
from lading.testing.console_imported import ACTOR, drain, take_in

PHOTOS: Final = "home"
PHOTOS_TOML: Final = """
[sources.home]
kind = "photos"
path = "pictures"
stable_for_s = 0
threads = 2
"""

LISBON: Final = (38.7139, -9.1394)
OSLO: Final = (59.9139, 10.7522)
SUVA: Final = (-18.1416, 178.4419)
TRIPS: Final = (
    ("2022/lisbon", "2022-05-14 10:05", "+01:00", LISBON, 14),
    ("2023/oslo", "2023-07-03 18:40", "+02:00", OSLO, 16),
    ("2024/garden", "2024-03-30 08:15", "+01:00", None, 12),
    ("2024/suva", "2024-11-02 07:00", "+12:00", SUVA, 6),
)
"""Folder, first picture by the clock of the place, its offset, the place, how many there are."""

NEW_YEAR: Final = "2024/new-year.jpg"
"""Taken half an hour into 2024 in Tokyo, when it was still 2023 in UTC."""
LARGE: Final = "2023/lake.jpg"
SMALL: Final = "2023/sent/lake-small.jpg"
"""The same picture, scaled down and encoded anew."""
BURST: Final = ("2023/dog-1.jpg", "2023/dog-2.jpg", "2023/dog-3.jpg")
UNDATED: Final = ("scans/letter.png", "scans/map.png")
SORTED_BEFORE: Final = "scans"
"""The folder of the undated, which was sorted once, and put back."""
WRONG_CLOCK: Final = ("old camera/first.jpg", "old camera/tomorrow.jpg")
COPIED: Final = "2022/lisbon/img_000.jpg"
COPY: Final = "backup/2022/img_000.jpg"
FILM: Final = "2024/garden/bees.mp4"
UNREADABLE: Final = "2024/garden/broken.jpg"
ODD: Final = '2024/garden/<b> "roses" & more.jpg'
DATED: Final = sum(trip[-1] for trip in TRIPS) + 1 + 2 + 3 + 1 + 1
"""How many are in the timeline: the trips, New Year, the lake twice, the dog, the film, the odd."""

_MAKE, _MODEL, _OFFSET, _TAKEN, _LENS = 271, 272, 36881, 36867, 42036
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825


def make_photos(lading: Lading) -> None:
    """Write the tree beside the settings and take it in by a worker."""
    root = tree_of(lading)
    for relative, data in _files():
        path = root / relative
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    _write_film(root / FILM)
    take_in(lading, PHOTOS)
    _sort_and_take_back(lading)


def _sort_and_take_back(lading: Lading) -> None:
    """A run of sorting to look at, after which every file is where it was."""
    wanted = Wanted(source=PHOTOS, target=PHOTOS, folder=SORTED_BEFORE)
    run = lading.sorting.start(wanted, actor=ACTOR)
    drain(lading)
    lading.sorting.undo(run.key, actor=ACTOR)
    drain(lading)


def tree_of(lading: Lading) -> Path:
    """The folder of the pictures."""
    return Path(os.path.dirname(lading.settings.data_dir)) / "pictures"


def encode(look: str, *, side: int = 240, shift: int = 0, **exif: Any) -> bytes:
    """A JPEG that looks like no other of another `look`; moved a little by `shift` pixels."""
    from PIL import Image  # noqa: PLC0415 - of an extra, as the media package needs it

    chance = random.Random(look)
    rough = Image.frombytes("RGB", (7, 5), chance.randbytes(7 * 5 * 3))
    image = rough.resize((360, 260), Image.Resampling.BICUBIC)
    image = image.crop((shift, 0, shift + 320, 240))
    image = image.resize((side * 4 // 3, side), Image.Resampling.LANCZOS)
    written = io.BytesIO()
    image.save(written, "JPEG", quality=90, exif=exif_of(**exif))
    return written.getvalue()


def _files() -> Iterator[tuple[str, bytes]]:
    for folder, first, offset, place, count in TRIPS:
        for number in range(count):
            taken = _clock(first) + timedelta(hours=5 * number, minutes=7 * number)
            near = None if place is None else (place[0] + number * 0.002, place[1] - number * 0.003)
            name = f"{folder}/img_{number:03}.jpg"
            data = encode(name, taken=taken, offset=offset, place=near)
            yield name, data
            if name == COPIED:
                yield COPY, data
    yield NEW_YEAR, encode("fireworks", taken=_clock("2024-01-01 00:30"), offset="+09:00")
    lake = _clock("2023-08-09 12:00")
    yield LARGE, encode("lake", side=480, taken=lake, offset="+02:00", place=OSLO)
    yield SMALL, encode("lake", side=120, taken=lake)
    for number, name in enumerate(BURST):
        at = _clock("2023-09-01 15:00") + timedelta(seconds=number)
        yield name, encode("dog", shift=number * 3, taken=at, offset="+02:00")
    for number, name in enumerate(UNDATED):
        yield name, _png(number)
    early, late = WRONG_CLOCK
    yield early, encode(early, taken=_clock("1970-01-01 00:00"))
    yield late, encode(late, taken=_clock("2099-05-05 00:00"))
    yield ODD, encode(ODD, taken=_clock("2024-03-31 09:00"), offset="+02:00")
    yield UNREADABLE, encode(UNREADABLE)[:4_000]


def _clock(text: str) -> datetime:
    """What a camera's clock shows; it knows no zone."""
    return datetime.fromisoformat(text)


def _png(number: int) -> bytes:
    from PIL import Image, ImageDraw  # noqa: PLC0415

    image = Image.new("L", (200, 280), 240)
    draw = ImageDraw.Draw(image)
    for line in range(12):
        y = 20 + line * 20
        draw.line((20, y, 60 + (line * 37 + number * 53) % 120, y), fill=30, width=6)
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def exif_of(
    *,
    taken: datetime | None = None,
    offset: str | None = None,
    place: tuple[float, float] | None = None,
) -> bytes:
    """The metadata of a camera that knows so much."""
    from PIL import Image  # noqa: PLC0415

    block = Image.Exif()
    if taken is None:
        return block.tobytes()
    block.update({_MAKE: "Fuji", _MODEL: "X100"})
    said: dict[int, Any] = {_TAKEN: f"{taken:%Y:%m:%d %H:%M:%S}", _LENS: "23mm f/2"}
    if offset is not None:
        said[_OFFSET] = offset
    block.get_ifd(_EXIF_IFD).update(said)
    if place is not None:
        (south, north), (west, east) = (("S", "N"), ("W", "E"))
        block.get_ifd(_GPS_IFD).update(
            {
                1: north if place[0] >= 0 else south,
                2: _sexagesimal(abs(place[0])),
                3: east if place[1] >= 0 else west,
                4: _sexagesimal(abs(place[1])),
            }
        )
    return block.tobytes()


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    whole = int(degrees)
    minutes = (degrees - whole) * 60
    return float(whole), float(int(minutes)), round((minutes - int(minutes)) * 60, 2)


def _write_film(path: Path) -> None:
    import av  # noqa: PLC0415
    from PIL import Image  # noqa: PLC0415

    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as out:
        out.metadata["creation_time"] = "2024-03-30T10:00:00.000000Z"
        stream = out.add_stream("libx264", rate=25)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        with Image.open(io.BytesIO(encode("bees", side=120))) as image:
            frame = av.VideoFrame.from_image(image)  # type: ignore[no-untyped-call]
        for number in range(25):
            frame.pts = number
            out.mux(stream.encode(frame))
        out.mux(stream.encode())
