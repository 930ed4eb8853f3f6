"""Reads pictures: what they say of themselves, and their pixels made small.

libvips decodes what it may, libheif HEIC, LibRaw the cameras' own kinds.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final, Protocol

from lading.media.content import Content
from lading.media.errors import damage
from lading.media.exif import ExifBlock
from lading.media.facts import Statements
from lading.media.kind import Family, Kind
from lading.media.packages import heif, raw, vips
from lading.media.pixels import decode_small, from_rows, require_pixels, shrink
from lading.media.raws import raw_statements
from lading.media.statements import gather, merge

_HEIF_TYPES: Final = frozenset({"image/heic", "image/heif"})
# LibRaw's flips, as degrees clockwise.
_FLIPS: Final = {3: 180, 5: 270, 6: 90}


class Picture(Protocol):
    """An opened picture: its size as it is shown, and how its pixels are stored."""

    width: int
    height: int
    orientation: int
    frames: int

    def statements(self) -> Statements:
        """What its metadata says, unjudged."""
        ...

    def small(self, side: int) -> Any:
        """A libvips picture, upright, in sRGB, no side longer than `side`.

        Raises `MediaDamaged`, and `ReadFault` when the system failed to read.
        """
        ...


def picture_tool(kind: Kind) -> str:
    """The package that decodes pictures of this kind."""
    if kind.family is Family.RAW:
        return "rawpy"
    return "pillow-heif" if kind.media_type in _HEIF_TYPES else "pyvips"


def open_picture(content: Content, kind: Kind) -> Picture:
    """The picture, its header read and its size found within the limits.

    Raises `MediaDamaged`, `MediaTooLarge`, `MissingExtra`, and `ReadFault`.
    """
    tool = picture_tool(kind)
    if tool == "rawpy":
        return _RawPicture(content, kind)
    return _HeifPicture(content) if tool == "pillow-heif" else _VipsPicture(content, kind)


class _VipsPicture:
    """What libvips decodes."""

    def __init__(self, content: Content, kind: Kind) -> None:
        self._content = content
        self._tiff = kind.media_type == "image/tiff"
        package = vips()
        with damage(content.name, "read its header"), _faults(content):
            image = package.Image.new_from_source(content.source(), "", access="sequential")
            fields = frozenset(image.get_fields())
            self.orientation = image.get("orientation") if "orientation" in fields else 1
            self.frames = image.get("n-pages") if "n-pages" in fields else 1
            self._blocks = {
                name: bytes(image.get(name))
                for name in ("exif-data", "xmp-data", "iptc-data")
                if name in fields
            }
        self._header = image
        if not 1 <= self.orientation <= 8:
            self.orientation = 1
        self.width, self.height = image.width, image.height
        if self.orientation >= 5:
            self.width, self.height = self.height, self.width
        require_pixels(self.width, self.height, content.limits, content.name)

    def statements(self) -> Statements:
        xmp, iptc = self._blocks.get("xmp-data", b""), self._blocks.get("iptc-data", b"")
        if not self._tiff:
            exif = self._blocks.get("exif-data", b"")
            return gather(exif=exif, xmp=xmp, iptc=iptc, limits=self._content.limits)
        block = ExifBlock.read(self._content.stream(), self._content.limits)
        return merge(
            block.statements(),
            gather(xmp=xmp or block.xmp, iptc=iptc or block.iptc, limits=self._content.limits),
        )

    def small(self, side: int) -> Any:
        with damage(self._content.name, "decode its pixels"), _faults(self._content):
            return decode_small(self._header, self._content.source(), side)


class _HeifPicture:
    """HEIC and its kin. libheif turns pixels upright itself and EXIF's orientation is history."""

    def __init__(self, content: Content) -> None:
        self._content = content
        self.orientation = 1
        package = heif()
        with damage(content.name, "read its header"):
            file = package.open_heif(content.whole(), convert_hdr_to_8bit=True)
            self._image = file[file.primary_index]
            self.width, self.height = self._image.size
            self.frames = len(file)
            self._info = dict(self._image.info)
        require_pixels(self.width, self.height, content.limits, content.name)

    def statements(self) -> Statements:
        exif, xmp = self._info.get("exif") or b"", self._info.get("xmp") or b""
        return gather(exif=bytes(exif), xmp=bytes(xmp), limits=self._content.limits)

    def small(self, side: int) -> Any:
        with damage(self._content.name, "decode its pixels"):
            data, bands = self._image.data, len(self._image.mode)
            image = from_rows(
                data,
                width=self.width,
                height=self.height,
                bands=bands,
                row_bytes=self._image.stride,
            )
            profile = self._info.get("icc_profile")
            if profile:
                image = image.copy()
                image.set_type(vips().GValue.blob_type, "icc-profile-data", bytes(profile))
            return shrink(image, side)


class _RawPicture:
    """What cameras keep of their sensor; shown by the picture that the camera put beside it."""

    def __init__(self, content: Content, kind: Kind) -> None:
        self._content = content
        self._kind = kind
        self.frames = 1
        package = raw()
        with damage(content.name, "read its header"):
            self._bytes = content.whole()
            with package.RawPy() as file:
                self._open(file)
                sizes = file.sizes
                self._turn = _FLIPS.get(sizes.flip, 0)
                self.width, self.height = sizes.width, sizes.height
        self.orientation = {0: 1, 180: 3, 90: 6, 270: 8}[self._turn]
        if self._turn in (90, 270):
            self.width, self.height = self.height, self.width
        require_pixels(self.width, self.height, content.limits, content.name)

    def statements(self) -> Statements:
        return raw_statements(self._content, self._kind)

    def small(self, side: int) -> Any:
        package = raw()
        with damage(self._content.name, "decode its pixels"), package.RawPy() as file:
            self._open(file)
            return self._preview(file, side) or self._developed(file, side)

    def _open(self, file: Any) -> None:
        file.open_buffer(BytesIO(self._bytes))

    def _preview(self, file: Any, side: int) -> Any:
        """The camera's own picture, unless it has none or a smaller one than is wanted."""
        package = raw()
        try:
            thumb = file.extract_thumb()
        except (package.LibRawNoThumbnailError, package.LibRawUnsupportedThumbnailError):
            return None
        if thumb.format != package.ThumbFormat.JPEG:
            return None
        header = vips().Image.new_from_buffer(thumb.data, "", access="sequential")
        require_pixels(header.width, header.height, self._content.limits, self._content.name)
        if max(header.width, header.height) < min(side, max(self.width, self.height)):
            return None
        image = decode_small(header, vips().Source.new_from_memory(thumb.data), side)
        upright = "orientation" in header.get_fields() and header.get("orientation") > 1
        return image if upright or not self._turn else image.rot(f"d{self._turn}").copy_memory()

    @staticmethod
    def _developed(file: Any, side: int) -> Any:
        rows = file.postprocess(half_size=True, use_camera_wb=True, output_bps=8)
        height, width, bands = rows.shape
        data = rows.tobytes()
        image = from_rows(data, width=width, height=height, bands=bands, row_bytes=width * bands)
        return shrink(image, side)


@contextmanager
def _faults(content: Content) -> Iterator[None]:
    """What the system failed to read is said as that, and not as damage of the file."""
    try:
        yield
    finally:
        if content.fault is not None:
            raise content.fault
