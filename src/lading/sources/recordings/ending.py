"""Ends the threads of one call: when its caller asks for it, or when the call ends by itself."""

from __future__ import annotations

from lading.base.stopping import StopSignal


class Ending(StopSignal):
    """A signal of one call, which is also given when the caller's own is."""

    def __init__(self, asked: StopSignal | None) -> None:
        super().__init__()
        self._asked = asked

    def check(self) -> None:
        """Raise `Interrupted` when either was given."""
        if self._asked is not None:
            self._asked.check()
        super().check()
