"""The pages made from code are current, and the check of that can fail."""

from __future__ import annotations

import filecmp
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHECK_AND_WRITE = """
from tools.generate_docs import PAGES, main
print(main(["--check"]), main([]), *PAGES, sep="\\n")
"""


def test_of_all_pages_the_outdated_one_alone_is_named_and_written_anew(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    (tmp_path / "tools").mkdir()
    shutil.copy(ROOT / "tools/generate_docs.py", tmp_path / "tools")
    page = tmp_path / "docs/states.md"
    page.write_text(page.read_text().replace("| `pending` |", "| `pendant` |", 1))
    assert not filecmp.cmp(page, ROOT / "docs/states.md", shallow=False)
    # Apart, as other tests add errors and events of their own to this process.
    told = subprocess.run(
        [sys.executable, "-c", CHECK_AND_WRITE],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.splitlines()[:4] == [
        "docs/states.md is not current; run `make docs`",
        "docs/states.md written",
        *("1", "0"),
    ]
    pages = told.stdout.splitlines()[4:]
    assert "states.md" in pages
    assert filecmp.cmpfiles(ROOT / "docs", tmp_path / "docs", pages, shallow=False)[0] == pages
