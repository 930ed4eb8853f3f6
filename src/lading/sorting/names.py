"""Tells by the names of a folder's files which are photos, and which belong together."""

from __future__ import annotations

from collections.abc import Sequence

from lading.media.kind import RAW_ENDINGS, types_by_name
from lading.media.rules import Belongs, pair


def pairs_of(names: Sequence[str]) -> tuple[Belongs, ...]:
    """Which files of a folder belong to which, as far as their names tell."""
    endings = {name.rpartition(".")[2].lower() for name in names}
    return pair(
        names,
        pictures=frozenset(e for e in endings if _is(e, "image/") and e not in RAW_ENDINGS),
        raws=RAW_ENDINGS,
        videos=frozenset(e for e in endings if _is(e, "video/")),
    )


def _is(ending: str, kind: str) -> bool:
    return any(media_type.startswith(kind) for media_type in types_by_name(f"x.{ending}"))


def is_media(name: str) -> bool:
    """Whether a name stands for a picture or video."""
    return bool(types_by_name(name))


def is_text(name: str) -> bool:
    """Whether the bytes of a name are text, so that it can be recorded."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
