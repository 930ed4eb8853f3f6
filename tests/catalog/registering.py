"""What processes of their own do to a catalog; by `spawn`, since its clients survive no fork."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

from lading.catalog.catalog import Catalog
from lading.catalog.tables import DeltaRows
from lading.storage.s3 import S3Options
from tests.catalog.rows import a_modality, a_participant, a_recording


def register_many(
    options: S3Options,
    prefix: str,
    worker: int,
    shared: Sequence[str],
    start: Barrier,
    said: Queue[Any],
) -> None:
    """Register recordings that others register too, and some of our own, once all are ready.

    Of what is shared, each brings its own modality and participant, as nodes of one session do.
    """
    catalog = Catalog.open(options, prefix=prefix)
    person = f"P-{worker}"
    start.wait()
    for name in shared:
        catalog.register(
            a_recording(name, participant_ids=(person,)),
            [a_modality(name, worker_id=str(worker))],
            [a_participant(person)],
            on_conflict="merge_participants",
        )
    own = [f"{worker}-{number}" for number in range(2)]
    for name in own:
        catalog.register(a_recording(name), [a_modality(name)], [a_participant()])
    said.put((worker, own))


def register_until_killed(folder: str, table: str, after: bool) -> None:
    """Register one recording, and be killed at the write of one table: before it, or after."""
    commit = DeltaRows.commit

    def killed(self: DeltaRows[Any], *args: Any) -> Any:
        if self.shape.name == table and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        done = commit(self, *args)
        if self.shape.name == table:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    DeltaRows.commit = killed  # type: ignore[assignment,method-assign]
    Catalog.open(folder).register(a_recording(), [a_modality()], [a_participant()])


def read_all(folder: str, keep: bool, said: Queue[Any]) -> None:
    """Read every recording; how many there were, and by how many bytes memory grew at its peak."""
    catalog = Catalog.open(folder)
    list(catalog.list_recordings(limit=1))
    before = memory_bytes("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from now on
    rows = catalog.list_recordings()
    count = len(list(rows)) if keep else sum(1 for _ in rows)
    said.put((count, memory_bytes("VmHWM") - before))


def memory_bytes(name: str) -> int:
    """A size of this process, by its name in the kernel's status of it."""
    (found,) = re.findall(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found) * 1024
