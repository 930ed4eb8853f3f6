"""A worker that looks for faces as a process of its own, and ends itself at a step."""

from __future__ import annotations

import sys
from pathlib import Path

from lading.db import open_database
from lading.testing.faults import Fault, install
from tests.people.library import PeopleInstallation
from tests.photos.tree import PhotosBench


def work(url: str, folder: str, site: str, fault: str) -> None:
    """Work off what is in line, until the fault if there is one; `site` has the toy engine."""
    sys.path.insert(0, site)
    if fault:
        install(Fault.parse(fault))
    path = Path(folder)
    PeopleInstallation(open_database(url), PhotosBench(path), path).drain()
