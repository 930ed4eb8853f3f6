"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
from collections.abc import Iterator
from enum import StrEnum
from functools import cache
from pathlib import Path

import pytest

from lading.base.errors import LadingError
from lading.db.schema import metadata

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
STATE_MODULES = (
    "lading.ledger.states",
    "lading.jobs.states",
    "lading.library.tables",
    "lading.library.people_tables",
    "lading.operations.states",
    "lading.sorting.values",
    "lading.accounts.values",
)
TABLE_MODULES = (
    "lading.ledger.tables",
    "lading.jobs.tables",
    "lading.library.tables",
    "lading.library.people_tables",
    "lading.operations.tables",
    "lading.sorting.tables",
    "lading.accounts.tables",
)


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked_files() -> list[Path]:
    """What is under version control; in an export without it, everything that is not made."""
    if (ROOT / ".git").exists():
        listing = subprocess.run(
            ["git", "-C", str(ROOT), "ls-files", "-z"], capture_output=True, check=True
        )
        names = listing.stdout.decode().split("\0")
        return [ROOT / name for name in names if name and (ROOT / name).is_file()]
    made = {".venv", "build", "dist", "demo", "__pycache__"}
    return [p for p in ROOT.rglob("*") if p.is_file() and not made & set(p.parts)]


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_no_file_is_so_long_that_it_is_two() -> None:
    lengths = {shown(path): len(path.read_text().splitlines()) for path in SOURCES}
    assert len(lengths) > 50
    assert {name: n for name, n in lengths.items() if n > FILE_LINES_MAX} == {}


def test_no_function_is_longer_than_a_page() -> None:
    too_long = {
        f"{shown(path)}: {node.name}": node.end_lineno - node.lineno + 1
        for path in SOURCES
        for node in functions(path)
        if node.end_lineno is not None and node.end_lineno - node.lineno >= FUNCTION_LINES_MAX
    }
    assert too_long == {}


def test_no_file_is_named_for_being_a_rest() -> None:
    rests = re.compile(r"^(utils?|helpers?|commons?|misc|tools?)\.\w+$")
    assert [shown(path) for path in tracked_files() if rests.match(path.name)] == []


def test_every_module_says_what_it_decides_or_does() -> None:
    silent = [shown(path) for path in SOURCES if not ast.get_docstring(parsed(path))]
    assert silent == []


def test_every_state_and_every_table_is_in_the_glossary() -> None:
    glossary = (ROOT / "docs/glossary.md").read_text()
    explained = set(re.findall(r"`([^`\n]+)`", glossary))
    words: set[str] = set()
    for name in STATE_MODULES:
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, type) and issubclass(value, StrEnum) and value is not StrEnum:
                words |= {member.value for member in value}
    for name in TABLE_MODULES:
        importlib.import_module(name)
    words |= set(metadata.tables)
    assert len(words) > 60
    assert sorted(words - explained) == []


def test_no_word_is_explained_twice_in_the_glossary() -> None:
    lines = (ROOT / "docs/glossary.md").read_text().splitlines()
    heads = [re.match(r"\| (?:\*\*)?([^|*]+?)(?:\*\*)? \|", line) for line in lines]
    words = [head.group(1) for head in heads if head and head.group(1) not in {"word", "---"}]
    assert len(words) > 40
    assert sorted(word for word in set(words) if words.count(word) > 1) == []


def test_every_error_has_a_code_of_its_own() -> None:
    codes: dict[str, str] = {}
    pending: list[type[LadingError]] = [LadingError]
    while pending:
        for cls in pending.pop().__subclasses__():
            pending.append(cls)
            if not cls.__module__.startswith("lading."):
                continue
            assert "code" in vars(cls), f"{cls.__qualname__} has the code of its base"
            assert re.fullmatch(r"[a-z][a-z0-9_]{2,63}", cls.code), cls.code
            assert codes.setdefault(cls.code, cls.__qualname__) == cls.__qualname__
    assert len(codes) > 10


def test_no_tracked_file_names_a_registry_or_the_folder_it_was_written_in() -> None:
    # Put together here, so that this file passes its own test.
    hosts = "|".join(["pypi" + r"\.org", "python" + "hosted", "npm" + "js", "index" + "-url"])
    folder = "(?<![\\w.])/" + "work/"
    forbidden = re.compile(f"{hosts}|{folder}".encode())
    found = [
        f"{shown(path)}:{number}"
        for path in tracked_files()
        for number, line in enumerate(path.read_bytes().splitlines(), 1)
        if forbidden.search(line)
    ]
    assert found == []


def test_every_shelf_and_room_is_on_the_map() -> None:
    page = (ROOT / "docs/architecture.md").read_text()
    folder = ROOT / "src/lading"
    shelves = [f"{path.name}/" for path in folder.iterdir() if (path / "__init__.py").exists()]
    shelves += [path.name for path in folder.glob("*.py") if not path.name.startswith("__")]
    assert len(shelves) > 8
    assert [name for name in shelves if f"`{name}`" not in page] == []


def pages() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".md"]


def test_every_make_command_on_a_page_exists() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    named = {
        (shown(page), target)
        for page in pages()
        for target in re.findall(
            r"(?:`|^\s*(?:\$ )?)make ([a-z][a-z-]*)", page.read_text(), re.MULTILINE
        )
    }
    assert any(target == "check" for _, target in named)
    assert [name for name in sorted(named) if name[1] not in targets] == []


def test_every_link_to_another_page_leads_somewhere() -> None:
    broken = [
        f"{shown(page)}: {target}"
        for page in pages()
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())
        if "://" not in target and not target.startswith(("#", "mailto:"))
        if not (page.parent / target.split("#")[0]).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("command", ["help", ""])
def test_make_lists_every_command_that_is_meant_for_people(command: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    said = subprocess.run(
        ["make", "--no-print-directory", *command.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert set(re.findall(r"^  make ([a-z-]+) ", said, re.MULTILINE)) == set(phony[1].split())
