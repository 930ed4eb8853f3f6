"""Ends or freezes this process at a chosen step of an import: the n-th time it is reached.

A fault is written `<step>:<count>:<signal>`, for example `file_synced:2:KILL`.
"""

from __future__ import annotations

import os
import signal
import threading
from dataclasses import dataclass

from lading.base.steps import AnyStep, FaceStep, RecordingStep, SortStep, Step, observe


@dataclass(frozen=True, slots=True)
class Fault:
    """Send ourselves `signal` when `step` is reached for the `count`-th time, counted from 1."""

    step: AnyStep
    count: int = 1
    signal: signal.Signals = signal.SIGKILL

    def __str__(self) -> str:
        return f"{self.step}:{self.count}:{self.signal.name.removeprefix('SIG')}"

    @classmethod
    def parse(cls, text: str) -> Fault:
        """The fault that `str` wrote."""
        step, count, name = text.split(":")
        return cls(_step(step), int(count), signal.Signals[f"SIG{name}"])


def install(fault: Fault) -> None:
    """Arm the fault in this process, before it has threads; there is room for one.

    A frozen process holds no lock it did not hold at the step: the thread that reached it waits
    until the process is woken, since the others may run on for a moment after the signal.
    """
    freezes = fault.signal is signal.SIGSTOP
    if freezes:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCONT})
    left = fault.count
    lock = threading.Lock()

    def reached(step: AnyStep) -> None:
        nonlocal left
        if step is not fault.step:
            return
        with lock:
            left -= 1
            now = left == 0
        if now:
            os.kill(os.getpid(), fault.signal)
            if freezes:
                signal.sigwait({signal.SIGCONT})

    observe(reached)


def record_steps() -> list[AnyStep]:
    """Install an observer that notes every step reached, in order; returns its list."""
    steps: list[AnyStep] = []
    observe(steps.append)
    return steps


def _step(name: str) -> AnyStep:
    steps: tuple[AnyStep, ...] = (*Step, *RecordingStep, *SortStep, *FaceStep)
    return next(step for step in steps if step == name)
