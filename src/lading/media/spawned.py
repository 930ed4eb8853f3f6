"""Spawned processes for work that may crash or hang: each does one thing at a time, within a limit.

An executor of the standard library can end all of its processes or none, and cannot tell over
what one of them died. These are asked through a pipe each, so both are known. They end with the
process that started them, however that ends, even while code hangs that never lets go of Python.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import signal
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any, Final, Generic, NamedTuple, Self, TypeVar

T = TypeVar("T")

BEAT_S: Final = 1.0
"""Who waits for a process is heard at least this often, and a stop within this time."""
# What hangs in the system itself ends later than this; nobody waits for it.
_END_S: Final = 1.0


class ProcessEnded(Exception):
    """The process ended before it answered."""


class TimeLimitReached(Exception):
    """The process had not answered within its limit, and was ended."""


class NotPrepared(Exception):
    """A process could not even be prepared; its cause is one of the above, or what was raised."""


class Call(NamedTuple):
    """A function with its arguments; all of it can be pickled."""

    function: Callable[..., Any]
    args: tuple[Any, ...] = ()


class Task(Generic[T]):
    """What was asked of a process, and its answer when it is `over`."""

    def __init__(self, call: Call, limit_s: float) -> None:
        self.call = call
        self.limit_s = limit_s
        self.over = False
        self._value: T | None = None
        self._error: BaseException | None = None

    def answer(self, value: T | None, error: BaseException | None) -> None:
        """It is over, and this came of it."""
        self.over, self._value, self._error = True, value, error

    def result(self) -> T:
        """What the call gave; raises what it raised, and `ProcessEnded` and so on."""
        if self._error is not None:
            raise self._error
        return self._value  # type: ignore[return-value]


@dataclass(slots=True, eq=False)
class _Member:
    process: BaseProcess
    pipe: Connection
    prepared: Call | None = None
    preparing: Call | None = None
    task: Task[Any] | None = None
    until_s: float = 0.0


class SpawnedProcesses:
    """Up to so many processes, started when they are needed and anew when they end.

    What is asked for takes at most `limit_s` seconds, unless it is asked for with a limit of its
    own. To be used by one thread at a time; a context manager.
    """

    def __init__(
        self,
        processes: int,
        *,
        limit_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.processes = processes
        self.limit_s = limit_s
        self._clock = clock
        self._first: Call | None = None
        self._members: list[_Member] = []
        self._queue: deque[Task[Any]] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def prepare(self, function: Callable[..., object], *args: Any) -> None:
        """Each process does this first, from now on, unless it was the last that it did first."""
        self._first = Call(function, args)

    def ask(self, function: Callable[..., T], *args: Any, limit_s: float | None = None) -> Task[T]:
        """Have a process do this, after what was asked for before."""
        task: Task[T] = Task(Call(function, args), limit_s or self.limit_s)
        self._queue.append(task)
        self._assign()
        return task

    def result(self, task: Task[T], beat: Callable[[], object] = lambda: None) -> T:
        """Wait for the answer; `beat` is called every `BEAT_S` seconds, and may raise.

        Raises what was raised there, `ProcessEnded`, `TimeLimitReached`, `NotPrepared`.
        """
        self.settle(task, beat)
        return task.result()

    def settle(self, task: Task[Any], beat: Callable[[], object] = lambda: None) -> None:
        """Wait until the task is over, whatever came of it."""
        while not task.over:
            self._turn()
            beat()

    def drop(self, task: Task[Any]) -> None:
        """The answer is not wanted any more; a process that is at it is ended."""
        if task in self._queue:
            self._queue.remove(task)
        for member in [each for each in self._members if each.task is task]:
            self._lose(member, ProcessEnded("nobody waits for it"))

    def rest(self) -> None:
        """Drop all that was asked for and is not over."""
        self._queue.clear()
        for task in [each.task for each in self._members if each.task is not None]:
            self.drop(task)

    def close(self) -> None:
        """End all processes; they are started again when they are needed."""
        self.rest()
        while self._members:
            self._end(self._members[-1])

    def _assign(self) -> None:
        while self._queue:
            member = next((each for each in self._members if each.task is None), None)
            if member is None:
                if len(self._members) >= self.processes:
                    return
                member = self._start()
            if member.prepared != self._first:
                member.preparing = self._first
            task = self._queue[0]
            if self._send(member, member.preparing or task.call, task.limit_s):
                member.task = self._queue.popleft()

    def _start(self) -> _Member:
        # Spawned: the process that asks has threads, which a forked one would not.
        spawning = multiprocessing.get_context("spawn")
        ours, theirs = spawning.Pipe()
        process = spawning.Process(target=_serve, args=(theirs,), daemon=True)
        process.start()
        theirs.close()
        member = _Member(process, ours)
        self._members.append(member)
        return member

    def _send(self, member: _Member, call: Call, limit_s: float) -> bool:
        """Whether the process is still there to hear it."""
        member.until_s = self._clock() + limit_s
        try:
            member.pipe.send(call)
        except OSError:
            self._end(member)
            return False
        return True

    def _turn(self) -> None:
        """Wait for an answer, an end or a limit, no longer than `BEAT_S`, and take note of it."""
        self._assign()
        busy = [each for each in self._members if each.task is not None]
        left_s = min(each.until_s for each in busy) - self._clock()
        ready = wait([each.pipe for each in busy], timeout=min(max(left_s, 0.0), BEAT_S))
        for member in busy:
            if member.pipe in ready:
                self._take(member)
            elif self._clock() >= member.until_s and member.task is not None:
                self._lose(member, TimeLimitReached(f"{member.task.limit_s:g} s"))

    def _take(self, member: _Member) -> None:
        try:
            value, error = member.pipe.recv()
        except (EOFError, OSError):
            member.process.join(_END_S)
            self._lose(member, ProcessEnded(_ending(member.process.exitcode)))
            return
        task = member.task
        if task is None:
            return
        if member.preparing is None:
            member.task = None
            task.answer(value, error)
        elif error is not None:
            self._lose(member, error)
        else:
            member.prepared, member.preparing = member.preparing, None
            if not self._send(member, task.call, task.limit_s):
                task.answer(None, ProcessEnded("before it was asked"))

    def _lose(self, member: _Member, error: BaseException) -> None:
        task, preparing = member.task, member.preparing is not None
        self._end(member)
        if task is None:
            return
        if preparing:
            failed = NotPrepared(str(error))
            failed.__cause__ = error
            error = failed
        task.answer(None, error)

    def _end(self, member: _Member) -> None:
        self._members.remove(member)
        member.process.kill()
        member.process.join(_END_S)
        member.pipe.close()


def end_with_parent() -> None:
    """From now on this process ends when the one that spawned it does.

    The kernel sends SIGIO when the other end of the pipe between them closes, and nothing has to
    run here for that to end the process: a thread that looks after the parent would never have its
    turn beside code that holds the interpreter.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return
    signal.signal(signal.SIGIO, signal.SIG_DFL)
    pipe = parent.sentinel
    fcntl.fcntl(pipe, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(pipe, fcntl.F_SETFL, fcntl.fcntl(pipe, fcntl.F_GETFL) | os.O_ASYNC)
    if not parent.is_alive():
        sys.exit(1)


def _serve(pipe: Connection) -> None:
    """What a process does: one call after the other, until nobody is there to ask."""
    end_with_parent()
    # Who stops a program at its terminal stops all of it; the parent says when this is over.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        try:
            call = pipe.recv()
        except (EOFError, OSError):
            return
        pipe.send(_answered(call))


def _answered(call: Call) -> tuple[Any, Exception | None]:
    try:
        return call.function(*call.args), None
    # Whatever it is, it is raised where somebody waits for the answer.
    except Exception as error:  # noqa: BLE001
        error.add_note(traceback.format_exc())
        return None, error


def _ending(exit_code: int | None) -> str:
    if exit_code is None or exit_code >= 0:
        return f"its process ended with {exit_code}"
    return f"its process was ended by {signal.Signals(-exit_code).name}"
