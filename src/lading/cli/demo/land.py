"""Paints what is under the sky: hills by a lake, a coast with sails, a town, woods, dunes, snow.

Each painter gets the sky as a picture and gives back the whole one; where there is water, it
shows what is above it upside down.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFilter, ImageOps

Colour = tuple[int, int, int]
_WHITE: Final[Colour] = (246, 248, 252)
_BLACK: Final[Colour] = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Palette:
    """The light of a time of day: sky from top to horizon, sun, land from far to near."""

    sky: tuple[Colour, Colour, Colour]
    sun: Colour
    far: Colour
    near: Colour
    stars: int = 0


@dataclass(frozen=True, slots=True)
class Ground:
    """How large the whole picture is, its light, and the chance its shapes follow from."""

    width: int
    height: int
    palette: Palette
    chance: random.Random


Painter = Callable[[Image.Image, Ground], Image.Image]


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """`one` with a share of `other` in it."""
    red, green, blue = (int(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def paint_lake(sky: Image.Image, ground: Ground) -> Image.Image:
    """Hills in four rows, water below them, and a shore with grass."""
    _add_hills(sky, ground)
    whole = _with_water(sky, ground, dim=0.35)
    _add_shore(whole, ground)
    return whole


def paint_coast(sky: Image.Image, ground: Ground) -> Image.Image:
    """Open water with a far coast, sails on the horizon, and a beach."""
    width, horizon, chance = sky.width, sky.height, ground.chance
    pen = ImageDraw.Draw(sky)
    coast = _ridge(width, horizon * 0.09, chance, rough=0.5)
    pen.polygon(
        [(0, horizon), *((x, horizon - int(h)) for x, h in enumerate(coast)), (width, horizon)],
        fill=mix(ground.palette.far, ground.palette.sky[2], 0.35),
    )
    for _ in range(chance.randrange(2, 6)):
        _add_sail(pen, chance.randrange(width), horizon, chance.randrange(18, 64) * horizon // 500)
    whole = _with_water(sky, ground, dim=0.22)
    edge = _wave(width, ground.height * 0.10, chance)
    sand = mix(ground.palette.sky[2], (206, 178, 130), 0.55)
    pen = ImageDraw.Draw(whole)
    for lift, fill in ((1.12, mix(sand, _WHITE, 0.55)), (1.0, mix(sand, ground.palette.near, 0.2))):
        outline = [(x, ground.height - int(h * lift)) for x, h in enumerate(edge)]
        pen.polygon([(0, ground.height), *outline, (width, ground.height)], fill=fill)
    return whole


def paint_town(sky: Image.Image, ground: Ground) -> Image.Image:
    """Two rows of houses on a river, with lights in them when it is dark."""
    palette, chance, horizon = ground.palette, ground.chance, sky.height
    pen = ImageDraw.Draw(sky)
    dark = sum(palette.sky[0]) < 260
    for share, tall in ((0.35, 0.50), (1.0, 0.36)):
        fill = mix(palette.far, palette.near, share)
        x = -chance.randrange(20)
        while x < sky.width:
            wide = chance.randrange(sky.width // 40, sky.width // 14)
            top = horizon - int(horizon * tall * chance.uniform(0.45, 1.0))
            pen.rectangle((x, top, x + wide, horizon), fill=fill)
            if chance.random() < 0.35:
                pen.polygon(
                    [(x, top), (x + wide // 2, top - wide // 2), (x + wide, top)], fill=fill
                )
            if share == 1.0:
                _add_windows(pen, (x, top, x + wide, horizon), chance, lit=dark)
            x += wide + chance.randrange(3)
    return _with_water(sky, ground, dim=0.3)


def paint_woods(sky: Image.Image, ground: Ground) -> Image.Image:
    """Rows of firs, each nearer, taller and darker than the last, with mist between them."""
    palette, chance = ground.palette, ground.chance
    whole = Image.new("RGB", (ground.width, ground.height), palette.sky[2])
    whole.paste(sky, (0, 0))
    rows = 5
    for row in range(rows):
        share = row / (rows - 1)
        base = int(sky.height * 0.92 + (ground.height * 1.06 - sky.height * 0.92) * share**1.3)
        fill = mix(palette.far, palette.near, share)
        tall = ground.height * (0.10 + 0.34 * share)
        floor = _wave(ground.width, ground.height * 0.05, chance)
        pen = ImageDraw.Draw(whole)
        outline = [(x, base - int(h)) for x, h in enumerate(floor)]
        below = [(0, ground.height), *outline, (ground.width, ground.height)]
        pen.polygon(below, fill=fill)
        x = -int(tall * 0.1)
        while x < ground.width + tall * 0.1:
            foot = base - int(floor[max(0, min(ground.width - 1, x))]) + 4
            _add_fir(pen, x, foot, int(tall * chance.uniform(0.6, 1.0)), fill)
            x += max(3, int(tall * chance.uniform(0.10, 0.26)))
    return whole


def paint_dunes(sky: Image.Image, ground: Ground) -> Image.Image:
    """Dunes with a bright and a shaded side, far ones pale."""
    palette, chance = ground.palette, ground.chance
    whole = Image.new("RGB", (ground.width, ground.height), palette.sky[2])
    whole.paste(sky, (0, 0))
    pen = ImageDraw.Draw(whole)
    rows = 5
    for row in range(rows):
        share = row / (rows - 1)
        base = sky.height + int((ground.height - sky.height) * share)
        crest = _wave(ground.width, ground.height * (0.10 + 0.12 * share), chance)
        bright = mix(palette.far, palette.near, share)
        line = [(x, base - int(h)) for x, h in enumerate(crest)]
        pen.polygon([(0, ground.height), *line, (ground.width, ground.height)], fill=bright)
        # What falls away to the right lies in its own shade.
        shade = mix(bright, _BLACK, 0.28)
        lean = int(ground.height * 0.16)
        for (x, y), (_, after) in itertools.pairwise(line[::2]):
            if after > y:
                pen.line((x, y, x + lean // 3, y + lean), fill=shade, width=3)
    return whole


def paint_snow(sky: Image.Image, ground: Ground) -> Image.Image:
    """Mountains with white tops above a snowfield with single firs, and snow in the air."""
    palette, chance = ground.palette, ground.chance
    whole = Image.new("RGB", (ground.width, ground.height), mix(_WHITE, palette.sky[1], 0.25))
    whole.paste(sky, (0, 0))
    pen = ImageDraw.Draw(whole)
    for share, high in ((0.2, 1.05), (0.75, 0.62)):
        ridge = _ridge(ground.width, sky.height * high, chance, rough=0.56)
        top = [(x, sky.height - int(h)) for x, h in enumerate(ridge)]
        foot = [(ground.width, sky.height + 2), (0, sky.height + 2)]
        pen.polygon([*top, *foot], fill=mix(palette.far, palette.near, share))
        snow = mix(_WHITE, palette.sky[1], 0.15 + 0.2 * share)
        line = max(ridge) * 0.42
        jagged = [
            (x, min(sky.height, y + int(max(0, h - line) * chance.uniform(0.35, 0.75))))
            for (x, y), h in zip(top, ridge, strict=True)
        ]
        pen.polygon([*top, *reversed(jagged)], fill=snow)
    field = _wave(ground.width, ground.height * 0.05, chance)
    line_of = [(x, sky.height - int(h * 0.5)) for x, h in enumerate(field)]
    shadowed = mix(_WHITE, palette.sky[1], 0.3)
    pen.polygon([(0, ground.height), *line_of, (ground.width, ground.height)], fill=shadowed)
    for _ in range(chance.randrange(5, 12)):
        x, depth = chance.randrange(ground.width), chance.uniform(0.1, 1.0)
        y = sky.height + int((ground.height - sky.height) * depth)
        _add_fir(pen, x, y, int(ground.height * (0.06 + 0.20 * depth)), palette.near)
    for _ in range(160):
        x, y = chance.randrange(ground.width), chance.randrange(ground.height)
        size = chance.choice((1, 2, 3))
        pen.ellipse((x, y, x + size, y + size), fill=_WHITE)
    return whole


def _with_water(picture: Image.Image, ground: Ground, *, dim: float) -> Image.Image:
    """The picture above water that shows it upside down, darker, and broken by waves."""
    deep = ground.height - picture.height
    water = ImageOps.flip(picture).resize((ground.width, deep), Image.Resampling.BILINEAR)
    water = Image.blend(water, Image.new("RGB", water.size, ground.palette.near), dim)
    whole = Image.new("RGB", (ground.width, ground.height))
    whole.paste(picture, (0, 0))
    whole.paste(_waved(water, ground.chance), (0, picture.height))
    return whole


def _waved(water: Image.Image, chance: random.Random) -> Image.Image:
    broken = Image.new("RGB", water.size)
    phase = chance.uniform(0, math.tau)
    for y in range(0, water.height, 2):
        depth = y / max(1, water.height)
        shift = int((2 + 10 * depth) * math.sin(phase + y * (0.9 - 0.6 * depth)))
        row = water.crop((0, y, water.width, y + 2))
        broken.paste(row, (shift, y))
        # The edge that was left bare continues from the other side.
        broken.paste(row, (shift - water.width if shift > 0 else shift + water.width, y))
    return broken.filter(ImageFilter.BoxBlur(1))


def _add_hills(picture: Image.Image, ground: Ground) -> None:
    pen, horizon = ImageDraw.Draw(picture), picture.height
    layers = 4
    for layer in range(layers):
        share = layer / (layers - 1)
        peak = horizon * (0.50 - 0.34 * share)
        ridge = _ridge(picture.width, peak, ground.chance, rough=0.62 - 0.12 * share)
        points = [(x, horizon - int(lift)) for x, lift in enumerate(ridge)]
        outline = [(0, horizon), *points, (picture.width, horizon)]
        pen.polygon(outline, fill=mix(ground.palette.far, ground.palette.near, share))


def _add_shore(picture: Image.Image, ground: Ground) -> None:
    pen, chance = ImageDraw.Draw(picture), ground.chance
    width, height = picture.size
    shore = [height - int(lift) for lift in _ridge(width, height * 0.07, chance, rough=0.5)]
    dark = mix(ground.palette.near, _BLACK, 0.45)
    pen.polygon([(0, height), *enumerate(shore), (width, height)], fill=dark)
    for _ in range(width // 5):
        x = chance.randrange(width)
        blade = chance.randrange(height // 60, height // 18)
        lean = chance.randrange(-blade // 3, blade // 3 + 1)
        end = (x + lean, shore[x] - blade)
        pen.line((x, shore[x] + 2, *end), fill=dark, width=max(1, width // 900))


def _add_sail(pen: ImageDraw.ImageDraw, x: int, y: int, tall: int) -> None:
    hull = tall // 5
    pen.polygon([(x, y - tall), (x + tall // 2, y - hull), (x, y - hull)], fill=_WHITE)
    pen.polygon([(x - 2, y - tall + 4), (x - 2 - tall // 4, y - hull), (x - 2, y - hull)], _WHITE)
    outline = [(x - tall // 3, y - hull), (x + tall // 2, y - hull), (x + tall // 3, y)]
    pen.polygon([*outline, (x - tall // 5, y)], fill=(40, 42, 52))


def _add_windows(
    pen: ImageDraw.ImageDraw, house: tuple[int, int, int, int], chance: random.Random, *, lit: bool
) -> None:
    left, top, right, bottom = house
    step = max(7, (right - left) // 4)
    for y in range(top + step, bottom - step // 2, step):
        for x in range(left + step // 2, right - step // 2, step):
            if chance.random() < (0.55 if lit else 0.8):
                glow = chance.randrange(170, 256)
                fill = (glow, int(glow * 0.82), 110) if lit else (150, 166, 182)
                pen.rectangle((x, y, x + step // 3, y + step // 2), fill=fill)


def _add_fir(pen: ImageDraw.ImageDraw, x: int, foot: int, tall: int, fill: Colour) -> None:
    pen.rectangle((x - max(1, tall // 40), foot - tall // 6, x + max(1, tall // 40), foot), fill)
    for part in range(3):
        top = foot - tall + part * tall // 4
        half = tall * (3 + 2 * part) // 32
        pen.polygon(
            [(x, top), (x - half, top + tall * 2 // 5), (x + half, top + tall * 2 // 5)], fill
        )


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


def _wave(width: int, peak: float, chance: random.Random) -> Sequence[float]:
    """Heights of soft ground: three long waves, one over the other."""
    parts = [
        (chance.uniform(0.6, 1.4) * n, chance.uniform(0, math.tau), 1 / n) for n in (1, 2, 3.5)
    ]
    return [
        peak * (1 + sum(s * math.sin(p + math.tau * f * x / width) for f, p, s in parts) / 2.2)
        for x in range(width)
    ]


PAINTERS: Final[dict[str, tuple[Painter, float]]] = {
    "lake": (paint_lake, 0.62),
    "coast": (paint_coast, 0.55),
    "town": (paint_town, 0.64),
    "woods": (paint_woods, 0.50),
    "dunes": (paint_dunes, 0.52),
    "snow": (paint_snow, 0.66),
}
"""How each view is painted, and how much of its height is sky."""
