"""Server programs as children of the tests: not as root, with a log, and gone when the tests are.

A server that outlives its tests holds ports and memory on a developer's machine for days. On Linux
the kernel ends it together with the process that started it, however that process died.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

LOG_SHOWN_BYTES: Final = 4_000
STOP_WITHIN_S: Final = 20.0
_POLL_S: Final = 0.05

# Runs between fork and exec of the server, as a program of its own: a `preexec_fn` is not safe in
# a process with threads. Its arguments: our pid, the signal, uid, gid (or -1), then the command.
_LAUNCHER: Final = """
import ctypes, os, sys
parent, death_signal, uid, gid = (int(a) for a in sys.argv[1:5])
if uid >= 0:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
if sys.platform == "linux":
    ctypes.CDLL(None, use_errno=True).prctl(1, death_signal, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the process that started this is gone")
os.execv(sys.argv[5], sys.argv[5:])
"""


class ServerUnavailable(Exception):
    """A server for tests is not installed or does not start; the message carries its log."""


@dataclass(frozen=True, slots=True)
class User:
    """An account that a server runs as."""

    name: str
    uid: int
    gid: int


def server_user(*names: str) -> User | None:
    """The first existing account of `names` when we are root, else None: run as ourselves."""
    if os.getuid() != 0:
        return None
    for name in (*names, "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return User(name, entry.pw_uid, entry.pw_gid)
    raise ServerUnavailable("there is no account other than root that a server could run as")


def own(path: Path, user: User | None) -> None:
    """Give `path` to the server's account."""
    if user is not None:
        os.chown(path, user.uid, user.gid)


def run_program(
    command: Sequence[str | Path], *, user: User | None, env: Mapping[str, str] | None = None
) -> None:
    """Run a set-up program to its end; raises `ServerUnavailable` with what it said."""
    try:
        done = subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=None if env is None else {**os.environ, **env},
            check=False,
            user=None if user is None else user.uid,
            group=None if user is None else user.gid,
            extra_groups=None if user is None else [],
        )
    except OSError as error:
        raise ServerUnavailable(f"{command[0]} cannot be run: {error}") from error
    if done.returncode != 0:
        said = done.stdout[-LOG_SHOWN_BYTES:].decode(errors="replace")
        raise ServerUnavailable(f"{command[0]} ended with {done.returncode}:\n{said}")


@contextmanager
def running_server(
    command: Sequence[str | Path],
    *,
    user: User | None,
    log: Path,
    is_ready: Callable[[], bool],
    ready_within_s: float = 60.0,
    stop_signal: signal.Signals = signal.SIGTERM,
    death_signal: signal.Signals = signal.SIGKILL,
    env: Mapping[str, str] | None = None,
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a server that stays in the foreground, wait until `is_ready`, and stop it at the end.

    Start it from a thread that lives as long as the server shall: on Linux it is ended with it.
    Raises `ServerUnavailable` with the end of its log when it dies or is not ready in time.
    """
    uid, gid = (-1, -1) if user is None else (user.uid, user.gid)
    launcher = [sys.executable, "-ISc", _LAUNCHER]
    identity = [str(number) for number in (os.getpid(), int(death_signal), uid, gid)]
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*launcher, *identity, *(str(part) for part in command)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd="/",
            env=None if env is None else {**os.environ, **env},
            start_new_session=True,
        )
    last_resort = partial(_kill, process)
    atexit.register(last_resort)
    try:
        _wait_until_ready(process, is_ready, monotonic() + ready_within_s, log)
        yield process
    finally:
        stop_process(process, stop_signal)
        atexit.unregister(last_resort)


def stop_process(process: subprocess.Popen[bytes], stop_signal: signal.Signals) -> None:
    """Ask a server of ours to stop, and end it when it does not."""
    if process.poll() is None:
        process.send_signal(stop_signal)
    try:
        process.wait(STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        _kill(process)
        process.wait()


def log_tail(log: Path) -> str:
    """The end of a server's log, for error messages."""
    try:
        return log.read_bytes()[-LOG_SHOWN_BYTES:].decode(errors="replace")
    except OSError as error:
        return f"(no log: {error})"


def _wait_until_ready(
    process: subprocess.Popen[bytes], is_ready: Callable[[], bool], deadline_s: float, log: Path
) -> None:
    while not is_ready():
        with contextlib.suppress(subprocess.TimeoutExpired):
            status = process.wait(_POLL_S)
            raise ServerUnavailable(
                f"{process.args!r} ended with {status}; its log ends:\n{log_tail(log)}"
            )
        if monotonic() > deadline_s:
            raise ServerUnavailable(
                f"{process.args!r} was not ready in time; its log ends:\n{log_tail(log)}"
            )


def _kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
