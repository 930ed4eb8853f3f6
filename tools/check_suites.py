"""Reads the junit file of a test run and fails when a suite that shall run did not.

A green run proves nothing when the tests of a backend were skipped or never collected. Run it as
`python tools/check_suites.py build/junit.xml`; the last line says how many tests passed and failed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

# Each name with the pattern its tests match, as `package.module::test[parameters]`, and the least
# number of them that shall have passed.
REQUIRED: Final[Sequence[tuple[str, str, int]]] = (
    ("everything on SQLite", r"^tests\..*\[(.*-)?sqlite[-\]]", 200),
    ("everything on PostgreSQL", r"^tests\..*\[(.*-)?postgresql[-\]]", 200),
    ("everything on MariaDB", r"^tests\..*\[(.*-)?mariadb[-\]]", 200),
    ("store in memory", r"^tests\.storage\.test_stores\.TestMemoryStore::", 40),
    ("store in a folder", r"^tests\.storage\.test_stores\.TestFolderStore::", 40),
    ("store on ministack", r"^tests\.storage\.test_stores\.TestS3Store::.*ministack", 40),
    ("store on radosgw", r"^tests\.storage\.test_stores\.TestS3Store::.*radosgw", 40),
    ("sources conform", r"^tests\.ingest\.test_sources_conform\.", 80),
    ("killed workers", r"^tests\.ingest\.test_killed_workers::", 48),
    ("migrations", r"^tests\.db\.test_migrations::", 20),
    ("ledger", r"^tests\.ledger\.", 30),
    ("jobs", r"^tests\.jobs\.", 100),
    ("library", r"^tests\.library\.", 100),
    ("hand-over source", r"^tests\.handover\.", 100),
    ("archive source", r"^tests\.archive\.", 1_640),
    ("recordings catalog", r"^tests\.catalog\.", 200),
    ("recordings", r"^tests\.recordings\.", 250),
    ("recordings cut off", r"^tests\.recordings\.test_killed::", 12),
    ("recordings from Python", r"^tests\.data_interface\.", 10),
    ("uploads that go on", r"^tests\.storage\.test_uploading::", 60),
    ("pictures and videos", r"^tests\.media\.", 340),
    ("photos", r"^tests\.photos\.", 190),
    ("a messy disk", r"^tests\.photos\.test_messy_disk::", 4),
    ("people", r"^tests\.people\.", 60),
    ("a search for faces cut off", r"^tests\.people\.test_killed::", 8),
    ("sorting", r"^tests\.sorting\.", 90),
    ("geography", r"^tests\.geography\.", 15),
    ("accounts", r"^tests\.accounts\.", 150),
    ("operations", r"^tests\.operations\.", 200),
    ("console", r"^tests\.console\.", 1_050),
    ("every page in a browser", r"^tests\.console\.browser\.test_every_page::", 20),
    ("a newcomer", r"^tests\.console\.browser\.test_newcomer::", 1),
    ("who may do what", r"^tests\.console\.test_permissions::", 17),
    ("API fuzzed", r"^tests\.console\.test_api_fuzz::", 2),
    ("what looks at pages", r"^tests\.console\.browser\.test_checks_can_fail::", 43),
    ("rules of the house", r"^tests\.project\.", 20),
)


@dataclass(frozen=True, slots=True)
class Result:
    """One test of the run; `state` is passed, failed or skipped."""

    name: str
    state: str


def read_results(junit: Path) -> list[Result]:
    """All tests of a junit file."""
    results = []
    for case in ET.parse(junit).getroot().iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            state = "failed"
        elif case.find("skipped") is not None:
            state = "skipped"
        else:
            state = "passed"
        results.append(Result(name, state))
    return results


def find_problems(
    results: Sequence[Result], required: Sequence[tuple[str, str, int]] = REQUIRED
) -> list[str]:
    """A sentence for each suite that did not run as it shall, and for each skipped test."""
    problems = [f"skipped: {r.name}" for r in results if r.state == "skipped"]
    for suite, pattern, least in required:
        passed = sum(
            r.state == "passed" and re.search(pattern, r.name) is not None for r in results
        )
        if passed < least:
            problems.append(f"{suite}: {passed} tests passed, at least {least} shall ({pattern})")
    return problems


def main(junit: Path) -> int:
    """Print what is wrong and the sum; the exit status is 1 when anything is."""
    results = read_results(junit)
    problems = find_problems(results)
    for problem in problems:
        print(problem)
    passed = sum(result.state == "passed" for result in results)
    failed = sum(result.state == "failed" for result in results)
    print(f"{passed} passed, {failed} failed")
    return 1 if problems or failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
