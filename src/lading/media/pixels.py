"""Small, upright pictures in sRGB out of whatever a decoder gives, and how many pixels it may."""

from __future__ import annotations

from typing import Any, Final

from lading.media.errors import MediaDamaged, MediaTooLarge
from lading.media.limits import Limits
from lading.media.packages import vips

PIXELS_VERSION: Final = 2
"""Raised when other pixels are decoded from the same bytes through code of ours."""

_SRGB: Final = "srgb"
# Decoders leave out by blocks, which shows unless a finer scaling follows. libvips by itself asks
# for 2, for which the usual photo of 4000 pixels is just too small to be read at a quarter for 512.
_SPARE: Final = 1.5


def require_pixels(width: int, height: int, limits: Limits, name: str | None) -> None:
    """Raises `MediaTooLarge` for more pixels than the limits allow, `MediaDamaged` for none."""
    if width <= 0 or height <= 0:
        raise MediaDamaged("It states no size", subject=name, found=f"{width} x {height}")
    if width * height > limits.pixels_max:
        raise MediaTooLarge(
            "It has too many pixels to decode",
            subject=name,
            expected=f"at most {limits.pixels_max:,} (pixels_max)",
            found=f"{width} x {height} = {width * height:,}",
        )


def shrink(image: Any, side: int) -> Any:
    """`image` in sRGB, 8 bits a band, no side longer than `side`; smaller ones stay as they are."""
    small = image.thumbnail_image(
        side, height=side, size="down", no_rotate=True, **_conversion(image)
    )
    return plain(small)


def decode_small(header: Any, source: Any, side: int) -> Any:
    """The same from encoded bytes, upright; JPEG and WebP are decoded at a fraction of their size.

    `header` is the picture as it was opened, undecoded. Errors of the decoder come out as they
    are, for what breaks off as well. A picture that takes more than 100 MB is decoded into a
    temporary file.
    """
    # libvips has one call for all of this, in which a picture that breaks off has a grey rest
    # and no error; access at random decodes it as a whole before anything is made of it.
    image = vips().Image.new_from_source(
        source, "", access="random", fail_on="error", **_reduction(header, side)
    )
    return plain(image.thumbnail_image(side, height=side, size="down", **_conversion(image)))


def _reduction(header: Any, side: int) -> dict[str, float]:
    """How much the decoder may leave out: what stays is to be scaled, and larger by a half."""
    factor = max(header.width, header.height) / side / _SPARE
    loader = header.get("vips-loader")
    if loader.startswith("jpegload"):
        return {"shrink": next((step for step in (8, 4, 2) if factor >= step), 1)}
    if loader.startswith("webpload") and factor > 1:
        return {"scale": 1 / factor}
    return {}


def _conversion(image: Any) -> dict[str, str]:
    """How to get to sRGB: by the profile inside, or not at all, which saves a third of the time."""
    profiled = "icc-profile-data" in image.get_fields() or image.interpretation == "cmyk"
    return {"output_profile": _SRGB} if profiled else {}


def plain(image: Any) -> Any:
    """sRGB of 8 bits with or without alpha, held in memory, so that decoding is over."""
    if image.interpretation != _SRGB:
        image = image.colourspace(_SRGB)
    if image.format != "uchar":
        image = image.cast("uchar")
    return image.copy_memory()


def opaque(image: Any) -> Any:
    """`image` on white, without its alpha band."""
    return image.flatten(background=[255, 255, 255]) if image.hasalpha() else image


def from_rows(data: Any, *, width: int, height: int, bands: int, row_bytes: int) -> Any:
    """A picture of 8 bits a band from decoded rows, which may be padded at their ends."""
    if row_bytes % bands == 0:
        wide = vips().Image.new_from_memory(data, row_bytes // bands, height, bands, "uchar")
        image = wide.crop(0, 0, width, height)
    else:
        rows = memoryview(data).cast("B")
        packed = b"".join(
            rows[row * row_bytes : row * row_bytes + width * bands] for row in range(height)
        )
        image = vips().Image.new_from_memory(packed, width, height, bands, "uchar")
    return image.copy(interpretation="b-w" if bands < 3 else _SRGB)
