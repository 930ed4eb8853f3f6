"""Several duties of a worker as one, each called when it wants to be."""

from __future__ import annotations

import time
from collections.abc import Sequence

from lading.jobs.worker import Duty


class Duties:
    """A duty that is made of others."""

    def __init__(self, duties: Sequence[Duty]) -> None:
        self._due_s = dict.fromkeys(duties, 0.0)

    def __call__(self, actor: str) -> float:
        """Call those that are due; returns the seconds until the next one is."""
        for duty, due_s in self._due_s.items():
            if time.monotonic() >= due_s:
                self._due_s[duty] = time.monotonic() + duty(actor)
        return max(0.0, min(self._due_s.values()) - time.monotonic())
