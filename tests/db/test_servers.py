"""The private servers of the tests: never left behind, and clear when they do not start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from sqlalchemy import text

from lading.db import DatabaseUnavailable, DatabaseUnusable, open_database
from lading.db.engine import ping
from lading.testing.processes import ServerUnavailable, running_server
from lading.testing.servers_db import Backend, Server, database_server, fresh_database, url_of

SERVERS = ["postgresql", "mariadb"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends children with their parent")
@pytest.mark.parametrize("backend", SERVERS)
def test_a_server_ends_with_the_process_that_started_it_even_when_that_is_killed(
    server: Server, backend: Backend
) -> None:
    program = (
        "import sys, psutil; from lading.testing.servers_db import database_server\n"
        "with database_server(sys.argv[1]):\n"
        "    children = psutil.Process().children(recursive=True)\n"
        "    print(*[child.pid for child in children], flush=True); sys.stdin.readline()\n"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LADING_TEST_")}
    starter = subprocess.Popen(
        [sys.executable, "-c", program, backend],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
    )
    assert starter.stdout is not None
    pids = [int(pid) for pid in starter.stdout.readline().split()]
    processes = [psutil.Process(pid) for pid in pids if psutil.pid_exists(pid)]
    assert any(backend[:5] in p.name() or "maria" in p.name() for p in processes)
    starter.send_signal(signal.SIGKILL)
    starter.communicate(timeout=30)
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert alive == []
    # What it left on the disk, or in memory, goes when the next server starts.
    remains = f"lading-{backend}-{starter.pid}-*"
    assert list(server_folders(remains)) != []
    with database_server(backend):
        assert list(server_folders(remains)) == []


def server_folders(pattern: str) -> Iterator[Path]:
    for base in {Path(tempfile.gettempdir()), Path("/dev/shm")}:
        yield from base.glob(pattern)


@pytest.mark.skipif(os.getuid() != 0, reason="only root could do this wrong")
@pytest.mark.parametrize("backend", SERVERS)
def test_no_server_runs_as_root(server: Server, backend: Backend) -> None:
    if os.environ.get(f"LADING_TEST_{backend.upper()}_URL"):
        pytest.skip("the server is not ours")
    listening = [
        process
        for process in psutil.Process().children(recursive=True)
        if server.url.port
        in {c.laddr.port for c in process.net_connections() if c.status == "LISTEN"}
    ]
    assert len(listening) == 1
    assert listening[0].uids().real != 0


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    with (
        pytest.raises(ServerUnavailable, match="no licence to run"),
        running_server(
            ["/bin/sh", "-c", "echo no licence to run; exit 3"],
            user=None,
            log=tmp_path / "log",
            is_ready=lambda: False,
        ),
    ):
        pass


def test_a_server_that_is_never_ready_is_ended_and_shows_its_log(tmp_path: Path) -> None:
    started: list[int] = []

    def is_ready() -> bool:
        started[:] = [child.pid for child in psutil.Process().children()]
        return False

    with (
        pytest.raises(ServerUnavailable, match=r"(?s)not ready in time.*thinking"),
        running_server(
            ["/bin/sh", "-c", "echo thinking; exec sleep 600"],
            user=None,
            log=tmp_path / "log",
            is_ready=is_ready,
            ready_within_s=0.5,
        ),
    ):
        pass
    assert not any(
        psutil.pid_exists(pid) and "sleep" in psutil.Process(pid).name() for pid in started
    )


def test_fresh_databases_share_nothing_and_leave_nothing(server: Server) -> None:
    with fresh_database(server) as first, fresh_database(server) as second:
        assert url_of(first) != url_of(second)
        with first.write() as conn:
            conn.execute(text("UPDATE ledger_head SET seq = 5"))
        with second.read() as conn:
            assert conn.scalar(text("SELECT seq FROM ledger_head")) == 0
        name = str(first.engine.url.database)
    assert not exists(server, name)


def exists(server: Server, name: str) -> bool:
    if server.backend == "sqlite":
        return Path(name).exists()
    with closing(open_database(server.url_of(name))) as database:
        try:
            ping(database)
        except (DatabaseUnusable, DatabaseUnavailable):
            return False
        return True


def test_a_required_server_that_cannot_start_fails_the_test_instead_of_skipping(
    tmp_path: Path,
) -> None:
    """With everything required, a machine without a server has a red run, not a green one."""
    broken = tmp_path / "mariadb-install-db"
    broken.write_text("#!/bin/sh\necho this installation is broken\nexit 1\n")
    broken.chmod(0o755)
    tests = ["tests/db/test_engine.py", "-k", "mariadb and sees_what_others"]
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("LADING_", "CI"))}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"
    outcomes = {}
    for required in ("0", "1"):
        run = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests],
            cwd=Path(__file__).resolve().parents[2],
            env={**environment, "LADING_REQUIRE_ALL": required},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "mariadb-install-db" in run.stdout, run.stdout
        outcomes[required] = run.stdout.splitlines()[-1]
    assert "1 skipped" in outcomes["0"], outcomes
    assert "1 error" in outcomes["1"], outcomes
