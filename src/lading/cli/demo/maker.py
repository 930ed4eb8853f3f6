"""Loads what makes the showing's media, or says which extra is missing."""

from __future__ import annotations

import importlib
from pathlib import Path

from lading.base.errors import MissingExtra

_NEEDED = {"PIL": "Pillow", "av": "PyAV"}


def make_demo_tree(root: Path) -> bool:
    """Make the hand-over tree at `root`; False when it is there already.

    Raises `MissingExtra` without Pillow or PyAV.
    """
    try:
        tree = importlib.import_module("lading.cli.demo.tree")
    except ModuleNotFoundError as error:
        missing = _NEEDED.get((error.name or "").partition(".")[0])
        if missing is None:
            raise
        raise MissingExtra(
            f"{missing} is not installed, and the showing makes its media with it",
            next_step="Run: pip install 'lading[demo]'.",
        ) from error
    made: bool = tree.make_tree(root)
    return made
