from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageFilter

from lading.media.derive import FileAt, Wanted, derive, derive_open
from lading.media.hashes import hamming_distance
from lading.media.thumbnails import ThumbnailFormat, ThumbnailSpec
from tests.media.written import (
    PICTURE_FORMATS,
    dng,
    encoded,
    full_exif,
    scene,
    upright_as,
    write_video,
)

SMALL = ThumbnailSpec(side=64)
CORNERS = ((220, 20, 20), (20, 200, 20), (20, 20, 220), (240, 240, 240))


def thumbnail_of(data: bytes, spec: ThumbnailSpec = SMALL) -> Image.Image:
    derived = derive_open(data, Wanted(thumbnails=(spec,)), name="a")
    assert derived.failures == ()
    (thumbnail,) = derived.thumbnails
    image = Image.open(io.BytesIO(thumbnail.data))
    image.load()
    assert image.size == (thumbnail.width, thumbnail.height)
    assert Image.MIME[image.format or ""] == thumbnail.media_type
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    width, height = image.size
    x, y = width // 5, height // 5
    places = ((x, y), (width - x, y), (x, height - y), (width - x, height - y))
    pixels = [image.getpixel(place) for place in places]
    return [pixel for pixel in pixels if isinstance(pixel, tuple)]


def assert_upright(image: Image.Image, tolerance: int = 20) -> None:
    for found, expected in zip(corners(image.convert("RGB")), CORNERS, strict=True):
        assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= tolerance


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["JPEG", "TIFF", "HEIF"])
def test_thumbnails_are_upright(name: str, orientation: int) -> None:
    stored = upright_as(scene(320, 240), orientation)
    image = thumbnail_of(encoded(stored, name, exif=full_exif(orientation), quality=95))
    assert image.size == (64, 48)
    assert_upright(image)


@pytest.mark.parametrize("name", PICTURE_FORMATS)
@pytest.mark.parametrize("form", ThumbnailFormat)
def test_thumbnails_say_nothing_of_the_original(name: str, form: ThumbnailFormat) -> None:
    image = thumbnail_of(encoded(scene(), name, exif=full_exif()), ThumbnailSpec(64, form))
    assert_upright(image)
    assert not image.getexif()
    assert not {"exif", "xmp", "icc_profile", "comment", "photoshop"} & set(image.info)


def test_a_picture_is_never_enlarged() -> None:
    assert thumbnail_of(encoded(scene(40, 30), "PNG")).size == (40, 30)
    assert thumbnail_of(encoded(scene(4000, 3), "PNG")).size == (64, 1)


def adobe_like_profile() -> bytes:
    """A profile in which red and green have changed places, so that a missed one is seen."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for at in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        name = bytes(profile[at : at + 4])
        if name in (b"rXYZ", b"gXYZ"):
            profile[at : at + 4] = b"gXYZ" if name == b"rXYZ" else b"rXYZ"
    return bytes(profile)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
def test_colours_are_brought_to_srgb_by_the_profile_inside(name: str) -> None:
    red, green, blue = thumbnail_of(
        encoded(scene(), name, icc_profile=adobe_like_profile(), quality=95)
    ).split()
    assert_upright(Image.merge("RGB", (green, red, blue)))


@pytest.mark.parametrize("mode", ["L", "1", "CMYK", "P", "LA", "RGBA", "I;16"])
def test_other_kinds_of_pixels_become_srgb(mode: str) -> None:
    if mode == "I;16":
        data = encoded(Image.new("I;16", (320, 240), 30_000), "PNG")
    elif mode == "CMYK":
        data = encoded(scene().convert("CMYK"), "JPEG", quality=95)
    else:
        data = encoded(scene().convert(mode), "PNG")
    image = thumbnail_of(data)
    assert image.mode == "RGB"
    if mode == "I;16":
        assert all(abs(band - 30_000 / 257) < 3 for band in corners(image)[0])
    elif mode in ("P", "RGBA"):
        assert_upright(image)
    elif mode == "CMYK":
        assert_upright(image, tolerance=120)


def test_transparency_is_white_in_jpeg_and_kept_in_webp() -> None:
    clear = Image.new("RGBA", (100, 100), (255, 0, 0, 0))
    assert corners(thumbnail_of(encoded(clear, "PNG")))[0] == (255, 255, 255)
    kept = thumbnail_of(encoded(clear, "PNG"), ThumbnailSpec(64, ThumbnailFormat.WEBP))
    assert kept.mode == "RGBA"
    assert corners(kept)[0][3] == 0


def test_many_sizes_come_from_one_decoding_and_keep_their_order() -> None:
    specs = (ThumbnailSpec(32), ThumbnailSpec(200), ThumbnailSpec(100, ThumbnailFormat.WEBP))
    derived = derive_open(encoded(scene()), Wanted(thumbnails=specs), name="a")
    assert [each.spec for each in derived.thumbnails] == list(specs)
    assert [each.width for each in derived.thumbnails] == [32, 200, 100]


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_raw_picture_without_a_preview_is_developed(orientation: int) -> None:
    # The sensor's picture is upright for 1 and turned for the others.
    image = thumbnail_of(dng(width=128, height=96, orientation=orientation)).convert("RGB")
    turned = {1: 0, 3: 180, 6: 90, 8: 270}[orientation]
    found = corners(image.rotate(turned, expand=True))
    strongest = [max(range(3), key=lambda band: pixel[band]) for pixel in found[:3]]
    assert strongest == [0, 1, 2]
    assert min(found[3]) > 200


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_a_poster_stands_as_the_video_is_shown(rotation: int, tmp_path: Path) -> None:
    path = write_video(tmp_path / "v.mov", rotation=rotation)
    derived = derive(FileAt(str(tmp_path), path.name), Wanted(thumbnails=(SMALL,)))
    assert derived.failures == ()
    image = Image.open(io.BytesIO(derived.thumbnails[0].data))
    assert image.size == ((48, 64) if rotation in (90, 270) else (64, 48))
    assert_upright(image.rotate(rotation, expand=True), tolerance=30)


def likeness(image: Image.Image, name: str = "JPEG", **options: Any) -> str:
    wanted = Wanted(facts=False, thumbnails=())
    derived = derive_open(encoded(image, name, **options), wanted, name="a")
    assert derived.perceptual_hash is not None
    return derived.perceptual_hash


def photo(seed: int) -> Image.Image:
    """A soft picture unlike that of any other seed."""
    small = Image.frombytes(
        "RGB", (8, 6), bytes((seed * 7919 + n * n * 31) % 256 for n in range(144))
    )
    return small.resize((800, 600), Image.Resampling.BICUBIC)


def test_copies_look_alike_and_other_pictures_do_not() -> None:
    original = photo(1)
    first = likeness(original)
    copies = [
        likeness(original, quality=30),
        likeness(original, "WEBP"),
        likeness(original, "PNG"),
        likeness(original, "HEIF"),
        likeness(original.resize((200, 150))),
        likeness(original.filter(ImageFilter.GaussianBlur(3))),
        likeness(upright_as(original, 6), exif=full_exif(6)),
    ]
    assert max(hamming_distance(first, copy) for copy in copies) <= 5
    others = [likeness(photo(seed)) for seed in range(2, 12)]
    assert min(hamming_distance(first, other) for other in others) >= 14
    assert hamming_distance("0" * 16, "f" * 16) == 64


def test_what_else_is_wanted_hardly_changes_the_likeness() -> None:
    data = encoded(photo(3).resize((3000, 2000)))
    alone = derive_open(data, Wanted(thumbnails=()), name="a").perceptual_hash
    beside = derive_open(data, Wanted(thumbnails=(ThumbnailSpec(1600),)), name="a").perceptual_hash
    assert alone is not None
    assert beside is not None
    assert hamming_distance(alone, beside) <= 2


def test_a_picture_of_one_colour_is_like_none() -> None:
    flat = encoded(Image.new("RGB", (300, 200), "navy"))
    derived = derive_open(flat, Wanted(thumbnails=()), name="a")
    assert (derived.perceptual_hash, derived.failures) == (None, ())


@pytest.mark.parametrize("wrong", [{"side": 0}, {"side": 20_000}, {"quality": 0}])
def test_a_thumbnail_that_cannot_be_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="no thumbnail"):
        ThumbnailSpec(**wrong)  # type: ignore[arg-type] # the point
