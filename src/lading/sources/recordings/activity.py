"""Whether the rig records now, by a marker that it leaves; whoever reads its disk then waits."""

from __future__ import annotations

import os
from pathlib import Path

from lading.base.stopping import StopSignal
from lading.ingest.source import SourceBusy
from lading.sources.recordings.errors import UploadInterrupted


class Rig:
    """The rig of one source; it records while there is a file at `marker`."""

    def __init__(self, name: str, marker: Path | None) -> None:
        self._name = name
        self._marker = marker

    def is_active(self) -> bool:
        """Whether the rig records now. One look at the disk; from any thread."""
        return self._marker is not None and os.path.lexists(self._marker)

    def require_idle(self) -> None:
        """Raise `SourceBusy` while the rig records."""
        if self.is_active():
            raise self.busy()

    def busy(self) -> SourceBusy:
        """The error that says that the rig records."""
        return SourceBusy("the rig is recording", subject=self._name, found=self._marker)


class RigStop(StopSignal):
    """The stop of one import, which ends a file between two chunks when the rig records, too."""

    def __init__(self, stop: StopSignal, rig: Rig) -> None:
        super().__init__()
        self._stop = stop
        self._rig = rig

    def check(self) -> None:
        """Raise `Interrupted` when a stop was asked for, `UploadInterrupted` when the rig records.

        After either, an upload in parts goes on later where it stopped.
        """
        self._stop.check()
        if self._rig.is_active():
            raise UploadInterrupted("The rig is recording")
