"""A worker that sorts as a process of its own, and ends itself at a step."""

from __future__ import annotations

from pathlib import Path

from lading.db import open_database
from lading.sorting import carrying_out
from lading.testing.faults import Fault, install
from tests.sorting.scene import SortScene


def work(url: str, home: str, away: str, fault: str) -> None:
    """Work off what is in line, two moves or a group at a time, until the fault."""
    carrying_out.CHUNK_MOVES = 2  # type: ignore[misc]
    scene = SortScene(open_database(url), Path(home), Path(away))
    install(Fault.parse(fault))
    scene.drain()
