"""Gives way to the rest of the machine: CPU and I/O priority of this process (C1)."""

from __future__ import annotations

import psutil
import structlog

from lading.jobs.settings import WorkerSettings

_log = structlog.get_logger(__name__)


def apply(settings: WorkerSettings) -> list[str]:
    """Lower the priorities of this process; call it before threads start, which inherit them.

    Returns what was done, in words. What the system lacks or forbids is left out and logged.
    """
    process = psutil.Process()
    done = []
    if settings.nice:
        try:
            process.nice(max(settings.nice, process.nice()))
            done.append(f"nice {process.nice()}")
        except (psutil.Error, OSError) as error:
            _log.info("cpu priority not lowered", error=str(error))
    if settings.ionice != "none":
        # Linux has both classes, Windows other ones, and the rest of the world none.
        if hasattr(process, "ionice") and hasattr(psutil, "IOPRIO_CLASS_IDLE"):
            idle = settings.ionice == "idle"
            try:
                if idle:
                    process.ionice(psutil.IOPRIO_CLASS_IDLE)
                else:
                    process.ionice(psutil.IOPRIO_CLASS_BE, 7)
                done.append(f"ionice {settings.ionice}")
            except (psutil.Error, OSError) as error:
                _log.info("io priority not lowered", error=str(error))
        else:
            _log.info("io priority not lowered", error="this system has no I/O priorities")
    return done
