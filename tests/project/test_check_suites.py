"""A run in which a suite was skipped, failed or never ran is not taken for a good one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tools.check_suites import REQUIRED, find_problems, main, read_results

REQUIRED_HERE = [("sums", r"^tests\.sums::test_.*\[real\]$", 2)]


def run_tests(folder: Path, body: str) -> Path:
    """The junit file of a real run of pytest over `body`."""
    (folder / "tests").mkdir()
    (folder / "tests/__init__.py").touch()
    (folder / "tests/sums.py").write_text(f"import pytest\n{body}")
    junit = folder / "junit.xml"
    options = ["-q", "-p", "no:cacheprovider", "-c", "/dev/null", f"--rootdir={folder}"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--junitxml={junit}", "tests/sums.py"],
        cwd=folder,
        # What is read here pytest writes by itself; its plug-ins take seconds to load.
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        check=False,
    )
    return junit


GOOD = """
@pytest.mark.parametrize("kind", ["real"])
def test_one(kind): pass
@pytest.mark.parametrize("kind", ["real"])
def test_two(kind): pass
"""


def test_a_run_of_all_suites_is_good(tmp_path: Path) -> None:
    results = read_results(run_tests(tmp_path, GOOD))
    assert [result.state for result in results] == ["passed", "passed"]
    assert find_problems(results, REQUIRED_HERE) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("def test_two(kind): pass", "def test_two(kind): pytest.skip('none')"), "skipped: "),
        (("def test_two(kind): pass", "def test_two(kind): assert False"), "sums: 1 tests passed"),
        (('["real"])\ndef test_two', '["fake"])\ndef test_two'), "sums: 1 tests passed"),
    ],
    ids=["skipped", "failed", "never ran"],
)
def test_a_suite_that_did_not_run_is_a_problem(
    tmp_path: Path, change: tuple[str, str], problem: str
) -> None:
    body = GOOD.replace(*change)
    assert body != GOOD
    problems = find_problems(read_results(run_tests(tmp_path, body)), REQUIRED_HERE)
    assert any(text.startswith(problem) for text in problems), problems


def test_a_test_that_breaks_in_its_fixture_counts_as_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = "@pytest.fixture\ndef kind(): raise OSError\ndef test_one(kind): pass\n"
    junit = run_tests(tmp_path, broken)
    assert [result.state for result in read_results(junit)] == ["failed"]
    assert main(junit) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "0 passed, 1 failed"


def test_this_run_would_be_refused_when_nothing_ran() -> None:
    assert len(find_problems([])) == len(REQUIRED)
