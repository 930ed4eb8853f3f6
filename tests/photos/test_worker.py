"""Workers that are killed, processes that crash, and the commands from a folder to the library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import update

from lading.base.steps import Step
from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.db import Database
from lading.db.clock import now
from lading.jobs.tables import import_job
from lading.ledger.states import BatchState
from lading.library.photo_values import FileStamp
from lading.media.derive import Derived, FileAt, Wanted, derive
from lading.sources.photos.deriving import DecoderCrashed, Deriving, stamp_of
from lading.storage.folder import FolderStore
from lading.storage.roots import SafeRoot
from lading.storage.transfer import Unmetered
from lading.testing.faults import Fault
from lading.testing.installation import ACTOR, Installation
from lading.testing.servers_db import url_of
from lading.testing.snapshots import library_snapshot, store_snapshot
from tests.photos.library import files, installed, outcomes
from tests.photos.tree import PhotosBench


def derive_or_crash(where: FileAt, wanted: Wanted) -> Derived:
    """What `derive` does, but a file of this name ends the process, as a bad decoder would."""
    if "crash" in where.relative:
        os.kill(os.getpid(), signal.SIGKILL)
    return derive(where, wanted)


def stamp(path: Path) -> FileStamp:
    status = path.stat()
    return stamp_of(status.st_size, status.st_mtime_ns, status.st_ino)


def test_a_file_over_which_the_decoder_crashes_is_alone_refused(tmp_path: Path) -> None:
    bench = PhotosBench(tmp_path)
    names = ["1.jpg", "crash.jpg", "2.jpg", "3.jpg"]
    for name in names:
        bench.write(name)
    deriving = Deriving(2, derive_or_crash)
    root = SafeRoot(bench.root)

    def look(name: str) -> Derived | DecoderCrashed:
        try:
            return deriving.derive(
                root,
                name,
                stamp(bench.root / name),
                Wanted(),
                meter=Unmetered(),
                stop=StopSignal(),
            )
        except DecoderCrashed as error:
            return error

    with ThreadPoolExecutor(2) as executor:
        found = dict(zip(names, executor.map(look, names), strict=True))
    deriving.close()
    crashed = found.pop("crash.jpg")
    assert isinstance(crashed, DecoderCrashed)
    assert all(isinstance(one, Derived) and one.facts and one.thumbnails for one in found.values())


def derive_or_hang(where: FileAt, wanted: Wanted) -> Derived:
    """What `derive` does, but over a file of this name it takes for ever."""
    if "hang" in where.relative:
        signal.pause()
    return derive(where, wanted)


class StopsAtABeat(Unmetered):
    """Asks for a stop as soon as it hears that somebody waits."""

    def __init__(self, stop: StopSignal) -> None:
        self._stop = stop

    def moved(self, count: int) -> None:
        """Nothing is moved while a process is waited for."""
        if not count:
            self._stop.request(StopReason.OPERATOR)


def test_a_file_over_which_the_decoder_hangs_is_ended_and_refused(tmp_path: Path) -> None:
    bench = PhotosBench(tmp_path)
    path = bench.write("hang.jpg")
    deriving = Deriving(1, derive_or_hang, seconds_max=0.1)
    with pytest.raises(DecoderCrashed, match="took too long"):
        deriving.derive(
            SafeRoot(bench.root),
            "hang.jpg",
            stamp(path),
            Wanted(),
            meter=Unmetered(),
            stop=StopSignal(),
        )
    deriving.close()


def test_a_stop_is_heard_while_a_decoder_hangs_and_the_next_file_is_looked_into(
    tmp_path: Path,
) -> None:
    bench = PhotosBench(tmp_path)
    hanging, sound = bench.write("hang.jpg"), bench.write("sound.jpg")
    deriving, stop = Deriving(1, derive_or_hang), StopSignal()
    root = SafeRoot(bench.root)
    with pytest.raises(Interrupted):
        deriving.derive(
            root, "hang.jpg", stamp(hanging), Wanted(), meter=StopsAtABeat(stop), stop=stop
        )
    found = deriving.derive(
        root, "sound.jpg", stamp(sound), Wanted(), meter=Unmetered(), stop=StopSignal()
    )
    deriving.close()
    assert found.facts


@pytest.mark.parametrize(
    "fault",
    [
        Fault(Step.ITEM_WRITTEN, 2),
        Fault(Step.ITEM_COMMITTED, 3),
        *(
            pytest.param(Fault(step, count), marks=pytest.mark.slow)
            for step in (Step.ITEM_STARTED, Step.ITEM_FETCHED, Step.ITEM_GUARDED)
            for count in (1, 3)
        ),
        pytest.param(Fault(Step.BATCH_FINISHED), marks=pytest.mark.slow),
    ],
    ids=str,
)
def test_what_a_killed_worker_left_is_completed_as_if_it_had_not_been(
    sqlite_database: Database, tmp_path: Path, fault: Fault
) -> None:
    bench = PhotosBench(tmp_path)
    installation = installed(sqlite_database, bench, tmp_path)
    for name in ("album/1.jpg", "album/2.jpg", "album/3.jpg"):
        bench.write(name)
    bench.write("album/2.jpg.xmp", b"<x/>")
    installation.ingest.queue(installation.scan(), actor=ACTOR)
    config = tmp_path / "worker.json"
    config.write_text(
        json.dumps(
            {
                "database_url": url_of(sqlite_database),
                "store": str(tmp_path / "store"),
                "sources": {"home": {"kind": "photos", **bench.options}},
                "fault": str(fault),
            }
        )
    )
    killed = subprocess.run(
        [sys.executable, "-m", "lading.testing.worker_program", str(config)],
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    with sqlite_database.write() as conn:
        conn.execute(update(import_job).values(heartbeat_at=now(-3600)))

    installation.drain()

    assert installation.batch("album").state is BatchState.IMPORTED
    assert outcomes(installation, "album") == {"created": 4}
    assert set(files(installation)) == {
        f"album/{name}" for name in ("1.jpg", "2.jpg", "2.jpg.xmp", "3.jpg")
    }
    with sqlite_database.read() as conn:
        held = library_snapshot(conn, with_times=True)
    stored = store_snapshot(installation.store)
    assert len(stored) == 3
    installation.ingest.queue([installation.batch("album").id], actor=ACTOR)
    installation.drain()
    with sqlite_database.read() as conn:
        assert library_snapshot(conn, with_times=True) == held
    assert store_snapshot(installation.store) == stored


def test_processes_take_in_what_threads_do(sqlite_database: Database, tmp_path: Path) -> None:
    bench = PhotosBench(tmp_path)
    bench.source = bench.opened(processes=1)
    store = FolderStore(tmp_path / "store", name="library", create=True)
    installation = Installation(sqlite_database, store, [bench.source])
    bench.write("album/1.jpg")
    bench.write("album/cut.jpg", (bench.root / "album/1.jpg").read_bytes()[:900])
    installation.take_in()
    bench.source.close()
    assert outcomes(installation, "album") == {"created": 1, "failed": 1}


def test_the_commands_lead_from_a_folder_to_the_library(tmp_path: Path) -> None:
    bench = PhotosBench(tmp_path)
    bench.write("album/1.jpg")
    bench.write("album/2.jpg")
    settings = tmp_path / "lading.toml"
    settings.write_text(
        f'data_dir = "{tmp_path}/data"\n\n[sources.home]\nkind = "photos"\n'
        'path = "photos"\nstable_for_s = 0\n'
    )

    def lading(*arguments: str) -> str:
        told = subprocess.run(
            [sys.executable, "-m", "lading.cli", "--config", str(settings), *arguments],
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 0, told.stderr + told.stdout
        return told.stdout

    assert "album" in lading("scan", "home")
    lading("queue", "album")
    lading("worker", "--drain")
    shown = json.loads(lading("batch", "album", "--json"))
    assert shown["state"] == "imported"
    lading("verify", "album")
