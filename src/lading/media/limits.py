"""How much of a file is read, parsed and decoded at the most."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds for one file; what is beyond them is refused and never tried.

    `pixels_max` counts width times height of a picture or video frame. `buffered_bytes_max` is
    the size up to which a file is read once, into memory; a larger one is streamed, for its
    hash and once more for its decoder. HEIC and RAW are decoded from memory, up to
    `decoded_bytes_max`. A block of metadata (EXIF, XMP, IPTC) has at most
    `metadata_bytes_max`, nests at most `nesting_max` deep and lists at most `entries_max`
    entries. A video has at most `streams_max` streams, and its poster is looked for in at most
    `packets_max` packets. To find the faces of a file, decoding included, takes at most
    `engine_seconds_max` seconds.
    """

    pixels_max: int = 300_000_000
    buffered_bytes_max: int = 64 << 20
    decoded_bytes_max: int = 512 << 20
    metadata_bytes_max: int = 1 << 20
    nesting_max: int = 32
    entries_max: int = 1_000
    streams_max: int = 64
    packets_max: int = 2_000
    engine_seconds_max: float = 120.0


DEFAULT_LIMITS = Limits()
