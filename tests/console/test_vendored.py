"""What is vendored is what its table says: every file, unedited, with its licence beside it."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = {
    "served": ROOT / "src/lading/console/static/vendor",
    "maps": ROOT / "src/lading/geography/vendor",
    "for tests": ROOT / "tests/console/vendor",
}
ROW = re.compile(
    r"^\| `(?P<file>[^`]+)` \| [^|]+ \| (?P<version>[\d.]+) \| (?P<licence>[^|]+) \| [^|]+"
    r" \| `(?P<sha256>[0-9a-f]{64})` \|$",
    re.MULTILINE,
)


def table_of(folder: Path) -> list[re.Match[str]]:
    return list(ROW.finditer((folder / "README.md").read_text()))


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_every_vendored_file_is_unedited(folder: Path) -> None:
    stated = {row["file"]: row["sha256"] for row in table_of(folder)}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.suffix in {".js", ".css", ".json"}
    }
    assert found
    assert found == stated


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_every_vendored_file_has_its_licence_beside_it_and_its_version_in_its_name(
    folder: Path,
) -> None:
    rows = table_of(folder)
    assert rows
    for row in rows:
        assert row["version"] in row["file"]
        texts = re.findall(r"`([^`]+)`", row["licence"])
        assert texts
        assert all((folder / text).stat().st_size > 500 for text in texts)


@pytest.mark.parametrize("folder", FOLDERS.values(), ids=FOLDERS)
def test_nothing_lies_there_unlisted(folder: Path) -> None:
    text = (folder / "README.md").read_text()
    files = {path.name for path in folder.iterdir()} - {"README.md"}
    assert [name for name in sorted(files) if f"`{name}`" not in text] == []
