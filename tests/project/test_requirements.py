"""The page of requirements is true of the tests: what it names exists, what code cites is on it."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/requirements.md"
LINK = re.compile(r"\[([^\]]+)\]\(([^)]+\.py)\)")
CITED = re.compile(r"\b[AG][1-9][0-9]?\b")


def rows() -> dict[str, str]:
    """The lines of the page's table by their identifier."""
    found = re.findall(r"^\| ([AG][0-9]+) (\|.*)$", PAGE.read_text(), re.MULTILINE)
    assert len(dict(found)) == len(found)
    return dict(found)


@cache
def names_in(path: Path) -> set[str]:
    """What a link to this file may name: its functions, or a benchmark as a whole."""
    if path.parent.name == "benchmarks":
        return {path.stem}
    tree = ast.walk(ast.parse(path.read_text()))
    return {node.name for node in tree if isinstance(node, ast.FunctionDef)}


def test_every_test_that_the_page_of_requirements_names_exists() -> None:
    links = LINK.findall(PAGE.read_text())
    assert len(links) > 50
    wrong = [
        f"{name} in {target}"
        for name, target in links
        if name not in names_in((PAGE.parent / target).resolve())
    ]
    assert wrong == []


def test_every_requirement_on_the_page_names_what_shows_it() -> None:
    assert len(rows()) > 25
    assert [identifier for identifier, row in rows().items() if not LINK.search(row)] == []


def test_every_requirement_that_code_cites_is_on_the_page() -> None:
    cited = {
        identifier
        for path in (ROOT / "src").rglob("*.py")
        for identifier in CITED.findall(path.read_text())
    }
    assert len(cited) > 20
    assert sorted(cited - rows().keys()) == []
