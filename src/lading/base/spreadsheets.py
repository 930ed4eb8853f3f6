"""What a spreadsheet makes of a cell of text: one that begins like a formula is run."""

from __future__ import annotations

from typing import Final

_BEGINS: Final = ("=", "+", "-", "@")
_CONTROLS: Final = ("\t", "\r")


def as_text(text: str) -> str:
    """`text` so that no spreadsheet runs it: with an apostrophe before what may be a formula."""
    is_formula = text.startswith(_CONTROLS) or text.lstrip().startswith(_BEGINS)
    return f"'{text}" if is_formula else text
