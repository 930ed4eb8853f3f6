"""Draws landscapes and writes them as photos: JPEG with EXIF, WebP derivatives, and what they show.

A scene follows from its seed alone, so that every run draws the same pictures.
"""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFilter, ImageOps, ImageStat

Colour = tuple[int, int, int]

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


@dataclass(frozen=True, slots=True)
class Palette:
    """The light of a time of day: sky from top to horizon, sun, hills from far to near, water."""

    sky: tuple[Colour, Colour, Colour]
    sun: Colour
    far: Colour
    near: Colour
    stars: int = 0


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
    rotated: bool = False  # stored on its side, with an orientation tag, as cameras do


def draw(scene: Scene, *, sun_share: float | None = None) -> Image.Image:
    """The scene as a picture, upright."""
    width, height = scene.width, scene.height
    chance = random.Random(scene.seed)  # noqa: S311 - the same picture every time is the point
    horizon = int(height * 0.62)
    picture = _sky(scene.palette, width, horizon, chance)
    _add_sun(picture, scene, horizon, scene.sun_share if sun_share is None else sun_share)
    _add_hills(picture, scene.palette, horizon, chance)
    # The water shows the sky and the hills upside down, darker, and broken by waves.
    water = ImageOps.flip(picture).resize((width, height - horizon))
    water = Image.blend(water, Image.new("RGB", water.size, scene.palette.near), 0.35)
    water = _waved(water, chance)
    whole = Image.new("RGB", (width, height))
    whole.paste(picture, (0, 0))
    whole.paste(water, (0, horizon))
    _add_shore(whole, scene.palette, chance)
    return whole


def write_photo(scene: Scene, file: Path) -> Image.Image:
    """Draw the scene and write it as a camera would; returns it upright."""
    picture = draw(scene)
    stored = picture.transpose(Image.Transpose.ROTATE_90) if scene.rotated else picture
    stored.save(file, "JPEG", quality=JPEG_QUALITY, exif=_exif(scene), optimize=True)
    return picture


def write_derivative(picture: Image.Image, file: Path, side_max: int, *, frosted: bool) -> None:
    """Write a smaller WebP of the picture, frosted over if asked."""
    small = picture.copy()
    small.thumbnail((side_max, side_max), Image.Resampling.LANCZOS)
    if frosted:
        small = small.filter(ImageFilter.GaussianBlur(side_max / 16))
    small.save(file, "WEBP", quality=WEBP_QUALITY, method=4)


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
        colour = (
            _mix(top, middle, share * 2) if share < 0.5 else _mix(middle, bottom, share * 2 - 1)
        )
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
    sky.paste(Image.new("RGB", (width, height), _mix(bottom, (255, 255, 255), 0.5)), mask=mask)
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


def _add_hills(picture: Image.Image, palette: Palette, horizon: int, chance: random.Random) -> None:
    pen = ImageDraw.Draw(picture)
    layers = 4
    for layer in range(layers):
        share = layer / (layers - 1)
        peak = horizon * (0.50 - 0.34 * share)
        ridge = _ridge(picture.width, peak, chance, rough=0.62 - 0.12 * share)
        points = [(x, horizon - int(lift)) for x, lift in enumerate(ridge)]
        outline = [(0, horizon), *points, (picture.width, horizon)]
        pen.polygon(outline, fill=_mix(palette.far, palette.near, share))


def _ridge(width: int, peak: float, chance: random.Random, *, rough: float) -> list[float]:
    """Heights of a mountain ridge, by displacing midpoints ever less."""
    heights = [chance.uniform(0.3, 0.8), chance.uniform(0.3, 0.8)]
    swing = 0.5
    while len(heights) < width + 1:
        between = [
            (left + right) / 2 + chance.uniform(-swing, swing) / 2
            for left, right in itertools.pairwise(heights)
        ]
        heights = [h for pair in zip(heights, between, strict=False) for h in pair] + heights[-1:]
        swing *= rough
    return [max(0.04, min(1.2, height)) * peak for height in heights[:width]]


def _waved(water: Image.Image, chance: random.Random) -> Image.Image:
    broken = Image.new("RGB", water.size)
    phase = chance.uniform(0, math.tau)
    for y in range(water.height):
        depth = y / max(1, water.height)
        shift = int((2 + 10 * depth) * math.sin(phase + y * (0.9 - 0.6 * depth)))
        row = water.crop((0, y, water.width, y + 1))
        broken.paste(row, (shift, y))
        # The edge that was left bare continues from the other side.
        broken.paste(row, (shift - water.width if shift > 0 else shift + water.width, y))
    return broken.filter(ImageFilter.GaussianBlur(0.8))


def _add_shore(picture: Image.Image, palette: Palette, chance: random.Random) -> None:
    pen = ImageDraw.Draw(picture)
    width, height = picture.size
    shore = [height - int(lift) for lift in _ridge(width, height * 0.07, chance, rough=0.5)]
    dark = _mix(palette.near, (0, 0, 0), 0.45)
    pen.polygon([(0, height), *enumerate(shore), (width, height)], fill=dark)
    for _ in range(width // 5):
        x = chance.randrange(width)
        blade = chance.randrange(height // 60, height // 18)
        lean = chance.randrange(-blade // 3, blade // 3 + 1)
        pen.line(
            (x, shore[x] + 2, x + lean, shore[x] - blade), fill=dark, width=max(1, width // 900)
        )


def _mix(one: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


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
