"""Runs the blocks of a page of the documentation in order, and compares what they print."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cli.program import Program

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STATUS = re.compile(r"#\s*status (\d+)$")
ACCEPT = re.compile(r"flip --accept (\S+)")


@dataclass
class DocPage:
    """A page and where it is tried: `places` are the folders that its paths stand for.

    A `console` block has commands after `$ `, each with lines of what it prints: they have to come
    in this order, others may come between, `…` stands for anything. `# status 1` is the status it
    ends with. `python` blocks share their names. A `csv` block is the file `names.csv`.
    """

    program: Program
    places: Mapping[str, str]
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})
    word: str = ""

    def run(self, page: Path) -> list[str]:
        """Run all blocks; the kinds of blocks there were."""
        kinds = []
        for found in BLOCK.finditer(page.read_text()):
            kind, body = found.groups()
            kinds.append(kind)
            at = f"{page.name}:{page.read_text()[: found.start()].count(chr(10)) + 1}"
            if kind == "console":
                self._console(body, at)
            elif kind == "python":
                self._python(body, at)
            elif kind == "csv":
                (self.program.folder / "names.csv").write_text(body)
            elif kind == "toml":
                tomllib.loads(body)
        return kinds

    def _console(self, body: str, at: str) -> None:
        for part in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
            command, *expected = part.rstrip("\n").split("\n")
            status = STATUS.search(command)
            words = shlex.split(self._here(command).replace("WORD", self.word), comments=True)
            assert words[0] == "lading", f"{at}: {command}"
            ended = self.program.run(*words[1:], status=int(status[1]) if status else 0)
            if told := ACCEPT.search(ended.stdout):
                self.word = told[1]
            printed = iter(self._as_written(ended.stdout).splitlines())
            for line in filter(str.strip, expected):
                wanted = re.compile(r"\s+".join(map(_pattern, line.split())))
                assert any(wanted.fullmatch(each.strip()) for each in printed), (
                    f"{at}: {command}\nnever printed: {line}\n{ended.stdout}{ended.stderr}"
                )

    def _python(self, body: str, at: str) -> None:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            exec(compile(self._here(body), at, "exec"), self.names)
        if "print(" in body:
            assert printed.getvalue().strip(), f"{at} printed nothing"

    def _here(self, text: str) -> str:
        for written, here in self.places.items():
            text = text.replace(written, here)
        return text

    def _as_written(self, text: str) -> str:
        for written, here in self.places.items():
            text = text.replace(here, written)
        return text


def _pattern(word: str) -> str:
    return ".*".join(map(re.escape, word.split("…")))
