"""A hash of what a picture looks like, for finding copies that were scaled or encoded anew.

The picture is made 32 by 32 in grey; of its discrete cosine transform, the 8 by 8 slowest waves
that change both across and down each give a bit: whether they rise by more than a tenth of what
waves are high on average. So waves that are hardly there, as in symmetrical pictures, give the
same bit in every copy. Copies differ in a few bits, unrelated pictures in about 30. A picture
without such waves has no hash worth comparing; it is None.
"""

from __future__ import annotations

import math
from operator import mul
from typing import Any, Final

from lading.media.pixels import opaque

HASH_BITS: Final = 64
HASH_SIDE: Final = 512
"""The longest side of the decoded picture that is hashed, at the least."""

_SIDE: Final = 32
_WAVES: Final = tuple(
    tuple(math.cos(math.pi * wave * (2 * at + 1) / (2 * _SIDE)) for at in range(_SIDE))
    for wave in range(1, 9)
)
_RISE: Final = 0.1
# Waves below this height, of 255 * 1024 that are possible, are noise of encoding.
_FLAT: Final = 32.0


def perceptual_hash(small: Any) -> str | None:
    """The hash of an upright sRGB picture as 16 hexadecimal digits; None when it is flat."""
    grey = opaque(small).colourspace("b-w")
    grey = grey.thumbnail_image(_SIDE, height=_SIDE, size="force", no_rotate=True)
    data = grey.extract_band(0).cast("uchar").write_to_memory()
    return hash_of_grey(bytes(data))


def hash_of_grey(pixels: bytes) -> str | None:
    """The hash of 32 rows of 32 grey pixels, one byte each."""
    rows = [pixels[at : at + _SIDE] for at in range(0, _SIDE * _SIDE, _SIDE)]
    across = [[sum(map(mul, row, wave)) for row in rows] for wave in _WAVES]
    heights = [sum(map(mul, column, wave)) for wave in _WAVES for column in across]
    if max(map(abs, heights)) < _FLAT:
        return None
    least = sum(map(abs, heights)) / HASH_BITS * _RISE
    bits = 0
    for height in heights:
        bits = bits << 1 | (height > least)
    return f"{bits:016x}"


def hamming_distance(first: str, second: str) -> int:
    """In how many of the 64 bits two perceptual hashes differ."""
    return (int(first, 16) ^ int(second, 16)).bit_count()
