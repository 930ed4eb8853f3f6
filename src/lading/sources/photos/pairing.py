"""Decides which files of a folder belong together: by names, and by what their content is.

No file is looked at here; what the library holds of each is given.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from lading.library.photo_values import CompanionOf, HeldOriginal
from lading.media.kind import RAW_ENDINGS, Family, kind_of_type, types_by_name
from lading.media.rules import Belongs, Companion, folded, pair

LIVE_VIDEO_S_MAX: Final = 10.0
"""The films of live photos take three seconds or so; a longer one stands for itself."""

_EDITED: Final = re.compile(
    r"(?P<stem>.+)-edited(?P<number>\(\d{1,4}\))?(?P<ending>\.[^.]+)", re.IGNORECASE | re.DOTALL
)


def belonging(names: Iterable[str]) -> tuple[Belongs, ...]:
    """Which files of a folder belong to which, as far as their names tell."""
    every = list(names)
    endings = {name.rpartition(".")[2].lower() for name in every}
    return pair(
        every,
        pictures=frozenset(e for e in endings if _is(e, "image/") and e not in RAW_ENDINGS),
        raws=RAW_ENDINGS,
        videos=frozenset(e for e in endings if _is(e, "video/")),
    )


def companions(originals: Mapping[str, HeldOriginal]) -> dict[str, CompanionOf]:
    """The RAWs and films of live photos among the originals of a folder, each with its picture.

    Names pair them, and their content has to bear it out.
    """
    family = {name: kind_of_type(held.media_type or "").family for name, held in originals.items()}
    # Most pictures have none, and a folder may have very many.
    stems = {_stem(name) for name, one in family.items() if one is not Family.PICTURE}
    if not stems:
        return {}
    alike = [name for name in originals if _stem(name) in stems]
    return {
        one.name: CompanionOf(one.to, one.companion.value)
        for one in belonging(alike)
        if family[one.to] is Family.PICTURE
        and _bears_out(one.companion, family[one.name], originals[one.name])
    }


def edited_copies(originals: Mapping[str, HeldOriginal]) -> dict[str, str]:
    """The edited copies that Google's export has beside pictures, each with what it was made of.

    `a-edited.jpg` is one of `a.jpg`, and `a-edited(1).jpg` of `a(1).jpg`; where there are two of
    that name with other endings, nothing is guessed.
    """
    copies = {name: match for name in originals if (match := _EDITED.fullmatch(name))}
    if not copies:
        return {}
    by_name = {folded(name): name for name in originals}
    by_stem: dict[str, list[str]] = defaultdict(list)
    for name in originals:
        by_stem[_stem(name)].append(name)
    found = {}
    for name, match in copies.items():
        stem = folded(match["stem"] + (match["number"] or ""))
        same, alike = by_name.get(stem + folded(match["ending"])), by_stem.get(stem, [])
        if same is not None:
            found[name] = same
        elif len(alike) == 1:
            found[name] = alike[0]
    return found


def _stem(name: str) -> str:
    return folded(name.rpartition(".")[0])


def _bears_out(companion: Companion, family: Family, held: HeldOriginal) -> bool:
    if companion is Companion.RAW:
        return family is Family.RAW
    lasts_s = held.duration_s
    return family is Family.VIDEO and lasts_s is not None and lasts_s <= LIVE_VIDEO_S_MAX


def _is(ending: str, kind: str) -> bool:
    return any(media_type.startswith(kind) for media_type in types_by_name(f"x.{ending}"))
