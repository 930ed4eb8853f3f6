"""Draws landscapes and writes them as photos: JPEG with EXIF, WebP derivatives, and what they show.

A scene follows from its seed alone, so that every run draws the same pictures.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFilter, ImageStat

from lading.cli.demo.land import PAINTERS, Ground, Palette, mix

JPEG_QUALITY: Final = 88
WEBP_QUALITY: Final = 80
DERIVATIVES: Final = {"large": 1024, "thumb": 320}
"""The longer side, in pixels, of each derivative."""

# EXIF tags by number; the names are those of the standard.
_MAKE, _MODEL, _ORIENTATION, _SOFTWARE, _DATE_TIME = 0x010F, 0x0110, 0x0112, 0x0131, 0x0132
_EXIF_IFD, _GPS_IFD = 0x8769, 0x8825
_EXPOSURE_TIME, _F_NUMBER, _ISO = 0x829A, 0x829D, 0x8827
_DATE_TIME_ORIGINAL, _OFFSET_ORIGINAL, _FOCAL_LENGTH = 0x9003, 0x9011, 0x920A
_ROTATED_RIGHT: Final = 6


DAWN: Final = Palette(
    sky=((52, 66, 120), (214, 130, 132), (255, 206, 150)),
    sun=(255, 236, 196),
    far=(150, 116, 148),
    near=(40, 34, 62),
)
NOON: Final = Palette(
    sky=((46, 112, 190), (120, 176, 222), (214, 232, 240)),
    sun=(255, 252, 232),
    far=(142, 170, 186),
    near=(38, 84, 62),
)
DUSK: Final = Palette(
    sky=((30, 28, 74), (166, 70, 98), (250, 154, 86)),
    sun=(255, 206, 120),
    far=(112, 72, 106),
    near=(24, 20, 38),
)
NIGHT: Final = Palette(
    sky=((6, 10, 30), (18, 30, 66), (58, 82, 118)),
    sun=(232, 236, 246),
    far=(38, 54, 88),
    near=(8, 14, 26),
    stars=260,
)
SUMMER: Final = Palette(
    sky=((58, 128, 204), (138, 192, 228), (240, 232, 208)),
    sun=(255, 250, 220),
    far=(232, 196, 140),
    near=(196, 132, 72),
)
WINTER: Final = Palette(
    sky=((108, 146, 186), (172, 198, 222), (232, 236, 242)),
    sun=(255, 246, 226),
    far=(142, 156, 178),
    near=(44, 62, 74),
)
MIST: Final = Palette(
    sky=((150, 170, 178), (196, 208, 206), (228, 230, 218)),
    sun=(255, 250, 232),
    far=(176, 194, 190),
    near=(22, 46, 40),
)


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture: what it is called, when and where it was taken, and how it looks."""

    seed: int
    title: str
    palette: Palette
    width: int
    height: int
    taken_at: datetime
    latitude: float
    longitude: float
    sun_share: float = 0.68  # of the width, from the left
    view: str = "lake"  # one of `PAINTERS`
    rotated: bool = False  # stored on its side, with an orientation tag, as cameras do


def draw(scene: Scene, *, sun_share: float | None = None) -> Image.Image:
    """The scene as a picture, upright."""
    chance = random.Random(scene.seed)  # noqa: S311 - the same picture every time is the point
    paint, sky_share = PAINTERS[scene.view]
    horizon = int(scene.height * sky_share)
    sky = _sky(scene.palette, scene.width, horizon, chance)
    _add_sun(sky, scene, horizon, scene.sun_share if sun_share is None else sun_share)
    return paint(sky, Ground(scene.width, scene.height, scene.palette, chance))


def write_photo(scene: Scene, file: Path) -> Image.Image:
    """Draw the scene and write it as a camera would; returns it upright."""
    picture = draw(scene)
    stored = picture.transpose(Image.Transpose.ROTATE_90) if scene.rotated else picture
    stored.save(file, "JPEG", quality=JPEG_QUALITY, exif=_exif(scene))
    return picture


def write_derivative(picture: Image.Image, file: Path, side_max: int, *, frosted: bool) -> None:
    """Write a smaller WebP of the picture, frosted over if asked."""
    small = picture.copy()
    small.thumbnail((side_max, side_max), Image.Resampling.LANCZOS)
    if frosted:
        small = small.filter(ImageFilter.GaussianBlur(side_max / 16))
    small.save(file, "WEBP", quality=WEBP_QUALITY, method=2)


def measure(picture: Image.Image) -> dict[str, Any]:
    """What can be said of a picture by counting: brightness, contrast, and its main colours."""
    grey = ImageStat.Stat(picture.convert("L"))
    small = picture.resize((64, 64)).quantize(5)
    palette = small.getpalette() or []
    counted = small.getcolors() or []
    ranked = sorted(counted, key=lambda pair: pair[0], reverse=True)
    colours = []
    for count, index in ranked:
        place = int(index) * 3 if isinstance(index, int) else 0
        red, green, blue = palette[place : place + 3]
        colours.append({"rgb": f"#{red:02x}{green:02x}{blue:02x}", "share": round(count / 4096, 3)})
    return {
        "brightness": round(grey.mean[0] / 255, 3),
        "contrast": round(grey.stddev[0] / 255, 3),
        "colours": colours,
    }


def _sky(palette: Palette, width: int, height: int, chance: random.Random) -> Image.Image:
    column = Image.new("RGB", (1, height))
    top, middle, bottom = palette.sky
    for y in range(height):
        share = y / max(1, height - 1)
        colour = mix(top, middle, share * 2) if share < 0.5 else mix(middle, bottom, share * 2 - 1)
        column.putpixel((0, y), colour)
    sky = column.resize((width, height))
    pen = ImageDraw.Draw(sky)
    for _ in range(palette.stars):
        x, y, light = chance.randrange(width), chance.randrange(height), chance.randrange(90, 240)
        pen.ellipse((x, y, x + chance.choice((1, 1, 2)), y + 1), fill=(light, light, light))
    clouds = Image.new("L", (width // 8, max(1, height // 8)))
    cloud_pen = ImageDraw.Draw(clouds)
    for _ in range(0 if palette.stars else 9):
        x, y = chance.randrange(clouds.width), chance.randrange(max(1, clouds.height * 2 // 3))
        half = chance.randrange(clouds.width // 16, clouds.width // 6)
        cloud_pen.ellipse((x - half, y, x + half, y + max(2, half // 6)), fill=110)
    mask = clouds.filter(ImageFilter.GaussianBlur(3)).resize((width, height))
    sky.paste(Image.new("RGB", (width, height), mix(bottom, (255, 255, 255), 0.5)), mask=mask)
    return sky


def _add_sun(picture: Image.Image, scene: Scene, horizon: int, share: float) -> None:
    radius = max(6, scene.width // 34)
    x = int(scene.width * share)
    # It rises and sets along an arc.
    y = int(horizon * (0.88 - 0.62 * math.sin(math.pi * min(1.0, max(0.0, share)))))
    glow = Image.new("L", picture.size)
    pen = ImageDraw.Draw(glow)
    pen.ellipse((x - 3 * radius, y - 3 * radius, x + 3 * radius, y + 3 * radius), fill=110)
    glow = glow.filter(ImageFilter.GaussianBlur(radius * 1.5))
    ImageDraw.Draw(glow).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    picture.paste(Image.new("RGB", picture.size, scene.palette.sun), mask=glow)


def _exif(scene: Scene) -> Image.Exif:
    exif = Image.Exif()
    stamp = f"{scene.taken_at:%Y:%m:%d %H:%M:%S}"
    exif[_MAKE], exif[_MODEL], exif[_SOFTWARE] = "Lading", "Drawn Landscape 1", "lading demo"
    exif[_DATE_TIME] = stamp
    exif[_ORIENTATION] = _ROTATED_RIGHT if scene.rotated else 1
    details = exif.get_ifd(_EXIF_IFD)
    details[_DATE_TIME_ORIGINAL] = stamp
    details[_OFFSET_ORIGINAL] = _offset(scene.taken_at)
    details[_EXPOSURE_TIME], details[_F_NUMBER] = 1 / 250, 8.0
    details[_ISO], details[_FOCAL_LENGTH] = 100, 35.0
    place = exif.get_ifd(_GPS_IFD)
    place[1], place[2] = "N" if scene.latitude >= 0 else "S", _degrees(scene.latitude)
    place[3], place[4] = "E" if scene.longitude >= 0 else "W", _degrees(scene.longitude)
    return exif


def _offset(at: datetime) -> str:
    """The offset of a time from UTC as EXIF writes it, `+02:00`."""
    return at.isoformat()[-6:]


def _degrees(angle: float) -> tuple[float, float, float]:
    degrees, rest = divmod(abs(angle), 1)
    minutes, rest = divmod(rest * 60, 1)
    return degrees, minutes, round(rest * 60, 3)
