"""The pages made from code are current, and the check of that can fail."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def generate(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(root / "tools/generate_docs.py"), *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_generated_pages_are_current() -> None:
    checked = generate(ROOT, "--check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_an_outdated_page_is_named_and_written_anew(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/generate_docs.py", tmp_path / "tools")
    page = tmp_path / "docs/states.md"
    page.write_text(page.read_text().replace("| `pending` |", "| `pendant` |", 1))
    checked = generate(tmp_path, "--check")
    assert checked.returncode == 1
    assert "docs/states.md is not current" in checked.stdout
    assert generate(tmp_path).returncode == 0
    assert page.read_text() == (ROOT / "docs/states.md").read_text()
