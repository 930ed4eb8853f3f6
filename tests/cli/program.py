"""Runs the program: in this process where only its result counts, else in one of its own."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from typing import Any

import structlog

from lading.cli import main
from lading.settings.archive_environment import DOCUMENTED

PROGRAM = Path(sys.executable).with_name("lading")
WAIT_S = 60
STAYING = ("serve", "up")
"""Refused in most tests; where one is not, by mistake, it must not stay in our own process."""


@dataclass(frozen=True)
class Ended:
    """How a run ended and what it wrote."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """Standard output as the one document it must be."""
        return json.loads(self.stdout)

    @property
    def error(self) -> dict[str, Any]:
        """The error of a run with `--json`: the last line of standard error."""
        document = json.loads(self.stderr.splitlines()[-1])
        assert document["exit_status"] == self.status
        error: dict[str, Any] = document["error"]
        return error


@dataclass
class Program:
    """An installation's folder and settings file, and the program run there."""

    folder: Path
    config: Path | None = None
    env: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str | Path, status: int = 0) -> Ended:
        """Run one command to its end in this process; it must have this exit status.

        Starting a process costs a second on a busy machine; most tests run a dozen commands.
        """
        if arguments[0] in STAYING:
            return self.run_apart(*arguments, status=status)
        out, err = io.StringIO(), io.StringIO()
        with (
            _environment(self.environment()),
            contextlib.chdir(self.folder),
            _logs_restored(),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            found = main.run(self.command(*arguments)[1:])
        ended = Ended(found, out.getvalue(), err.getvalue())
        assert ended.status == status, f"{arguments}: {ended}"
        return ended

    def run_apart(self, *arguments: str | Path, status: int = 0) -> Ended:
        """Run one command to its end as a process; it must have this exit status."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        ended = Ended(done.returncode, done.stdout, done.stderr)
        assert ended.status == status, f"{arguments}: {ended}"
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended

    def json(self, *arguments: str | Path, status: int = 0) -> Any:
        """Run one command with `--json` and return its document."""
        return self.run(*arguments, "--json", status=status).json

    def command(self, *arguments: str | Path) -> list[str]:
        chosen = ["--config", str(self.config)] if self.config else []
        return [str(PROGRAM), *chosen, *map(str, arguments)]

    def environment(self) -> Mapping[str, str]:
        """Ours, without what would point the program at another installation."""
        other = ("LADING_", *DOCUMENTED)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(other)}
        home = str(self.folder / "home")
        # A worker in this process must not slow all later tests down.
        fixed = {"LADING_WORKER__NICE": "0", "LADING_WORKER__IONICE": "none"}
        return {**kept, **fixed, "HOME": home, "XDG_CONFIG_HOME": f"{home}/config", **self.env}

    @contextmanager
    def started(self, *arguments: str | Path) -> Iterator[Started]:
        """Start a command that stays, and end it for good when the block is left."""
        process = subprocess.Popen(
            self.command(*arguments),
            cwd=self.folder,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            yield Started(process)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(WAIT_S)
            for stream in (process.stdout, process.stderr):
                if stream is not None:
                    stream.close()


class Started:
    """A running program whose lines can be waited for."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._arrived: Queue[str | None] = Queue()
        self._open = 2
        for stream in (process.stdout, process.stderr):
            threading.Thread(target=self._read, args=(stream,), daemon=True).start()

    def wait_for(self, words: str) -> str:
        """The next line, of either stream, that has these words in it."""
        while self._open:
            line = self._arrived.get(timeout=WAIT_S)
            if line is None:
                self._open -= 1
                continue
            self.lines.append(line)
            if words in line:
                return line
        raise AssertionError(f"{words!r} never came: {''.join(self.lines)}")

    def end(self, signal_number: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(signal_number)
        return self.process.wait(WAIT_S)

    def _read(self, stream: Any) -> None:
        try:
            for line in stream:
                self._arrived.put(line)
        except ValueError:
            pass  # closed by whoever has seen enough
        self._arrived.put(None)


@contextmanager
def _environment(wanted: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.clear()
    os.environ.update(wanted)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextmanager
def _logs_restored() -> Iterator[None]:
    """Take back what a long-running command does to the logging of its process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        yield
    finally:
        root.handlers[:], root.level = handlers, level
        structlog.reset_defaults()
