"""Writes `constraints.txt`: the exact versions installed here of all that Lading's extras need.

Run it in an environment with all extras, after the tests passed in it:
`.venv/bin/python tools/pin_constraints.py`. Pins make every machine test what was tested here.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT: Final = Path(__file__).resolve().parent.parent
HEADER: Final = """\
# Exact versions of everything the extras need, for `pip install -c constraints.txt`.
# Written by tools/pin_constraints.py; do not edit.
"""


def required_by_project() -> list[Requirement]:
    """The project's requirements, those of all its extras included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    return [Requirement(line) for group in groups for line in group]


def installed_closure(wanted: list[Requirement]) -> dict[str, str]:
    """Names and installed versions of `wanted` and of all they need in this environment."""
    pins: dict[str, str] = {}
    followed: set[tuple[str, str]] = set()
    while wanted:
        requirement = wanted.pop()
        name = canonicalize_name(requirement.name)
        found = distribution(requirement.name)
        pins[name] = found.version
        for extra in {"", *requirement.extras}:
            if (name, extra) in followed:
                continue
            followed.add((name, extra))
            for line in found.requires or []:
                needed = Requirement(line)
                if needed.marker is None or needed.marker.evaluate({"extra": extra}):
                    wanted.append(needed)
    return dict(sorted(pins.items()))


def main() -> None:
    """Write the file."""
    pins = installed_closure(required_by_project())
    lines = [f"{name}=={version}\n" for name, version in pins.items()]
    (ROOT / "constraints.txt").write_text(HEADER + "".join(lines))
    print(f"{len(pins)} packages pinned for Python {sys.version.split()[0]}")


if __name__ == "__main__":
    main()
