"""What keeps a picture or video from being looked into; one family, `MediaUnreadable`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from lading.base.errors import LadingError, SourceError, printable


class MediaUnreadable(SourceError):
    """A file could not be looked into. Its bytes are as they were and can still be kept."""

    code = "media_unreadable"
    next_step = "Open it in another program; if that fails as well, get the file from its origin."


class MediaEmpty(MediaUnreadable):
    """The file has no bytes."""

    code = "media_empty"
    next_step = "Copy it again from where it came from; most likely a copy was cut off."


class MediaUnsupported(MediaUnreadable):
    """By its content it is no picture or video of a kind that is looked into."""

    code = "media_unsupported"
    next_step = "Keep it as a file, or convert it to JPEG, PNG, TIFF, MP4 or MOV."


class MediaDamaged(MediaUnreadable):
    """The content breaks off or breaks the rules of its kind."""

    code = "media_damaged"
    next_step = "Copy it again from where it came from, then scan."


class MediaTooLarge(MediaUnreadable):
    """Decoding it would take more than the limits allow, as a decompression bomb does."""

    code = "media_too_large"
    next_step = "If it is meant to be so large, raise `pixels_max` of its source."


@contextmanager
def damage(name: str | None, doing: str) -> Iterator[None]:
    """Whatever a decoder raises comes out as `MediaDamaged`; `doing` completes "It failed to"."""
    try:
        yield
    except (LadingError, MemoryError):
        raise
    # Each decoder has errors of its own, and hostile files find further ones.
    except Exception as error:
        # libvips says the same of each part of a picture that it could not make.
        lines = dict.fromkeys(line.strip() for line in _said(error).splitlines())
        words = printable("; ".join(filter(None, lines)), length_max=200) or type(error).__name__
        raise MediaDamaged(f"It failed to {doing}", subject=name, found=words) from error


def _said(error: Exception) -> str:
    """What a decoder says, as text: LibRaw says it in bytes, FFmpeg with a number and no file."""
    first = error.args[0] if error.args else None
    if isinstance(first, bytes):
        return first.decode("utf-8", "replace")
    return str(getattr(error, "strerror", None) or error)
