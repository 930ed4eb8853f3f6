"""Private S3 servers for tests: a fast imitation (ministack) and a real one (Ceph radosgw).

The real one is a whole Ceph in miniature: one monitor, one object daemon that keeps everything in
memory, one gateway. Both listen on loopback only, in a temporary folder, and end with the tests.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

from lading.storage.s3 import S3Options
from lading.testing.processes import (
    ServerUnavailable,
    User,
    own,
    run_program,
    running_server,
    server_user,
)

BUCKET: Final = "lading-test"
REGION: Final = "us-east-1"
ACCESS_KEY: Final = "test-access"
SECRET_KEY: Final = "test-secret-of-no-worth"
_PROGRAMS: Final = (
    "ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin",
)  # fmt: skip

# What the short waits are for: pools are made in milliseconds, deleted data leaves memory soon,
# and a small answer is not held back for a fuller packet.
_CEPH_CONF: Final = """\
[global]
fsid = {fsid}
mon initial members = a
mon host = [v2:127.0.0.1:{mon_port}/0]
auth allow insecure global id reclaim = false
keyring = {folder}/keyring
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
paxos propose interval = 0.01
paxos min wait = 0.01
mon data avail crit = 1
log file = {folder}/$name.log
run dir = {folder}
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
ms bind ipv6 = false
[mon.a]
host = localhost
mon data = {folder}/mon
[osd.0]
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 4294967296
[client.rgw]
rgw frontends = beast endpoint=127.0.0.1:{port} tcp_nodelay=1
rgw enable ops log = false
rgw thread pool size = 32
rgw dynamic resharding = false
rgw gc obj min wait = 2
rgw gc processor period = 3
rgw gc processor max time = 3
"""


@dataclass(frozen=True, slots=True)
class S3Facts:
    """How to reach a bucket on a server of ours."""

    endpoint: str
    bucket: str
    access_key: str
    secret_key: str
    region: str
    requests: Callable[[], Mapping[str, int]] | None = field(default=None, compare=False)
    """Where the server counts: `req` in all, `get` and `put` among them, since it was started."""

    def options(self, *, prefix: str = "", **others: Any) -> S3Options:
        """The options of a store on this bucket, with few retries so that faults show soon."""
        return S3Options(
            bucket=self.bucket,
            prefix=prefix,
            endpoint=self.endpoint,
            region=self.region,
            access_key=self.access_key,
            secret_key=self.secret_key,
            allow_http=True,
            **{"retries_max": 1, "retry_timeout_s": 10.0, **others},
        )

    def admin(self) -> Any:
        """A boto3 client, for what the store port leaves out: buckets, uploads in progress."""
        import boto3  # noqa: PLC0415 - only tests have it, and it is slow to import

        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
        )


def ministack_available() -> bool:
    """Whether the imitation can be started here."""
    return find_spec("ministack") is not None


def radosgw_available() -> bool:
    """Whether the programs of the real server are installed here."""
    return all(shutil.which(program) for program in _PROGRAMS)


@contextmanager
def ministack_server() -> Iterator[S3Facts]:
    """The imitation with an empty bucket. It checks no signatures. Raises `ServerUnavailable`."""
    if not ministack_available():
        raise ServerUnavailable("the package ministack is not installed")
    with _folder(None) as folder:
        port = _free_port()
        with running_server(
            [sys.executable, "-c", "from ministack.app import main; main()"],
            user=None,
            log=folder / "ministack.log",
            is_ready=lambda: _listens(port),
            env={
                "BIND_HOST": "127.0.0.1",
                "GATEWAY_PORT": str(port),
                "HOME": str(folder),
                "TMPDIR": str(folder),
            },
        ):
            yield _with_bucket(port)


@contextmanager
def radosgw_server() -> Iterator[S3Facts]:
    """The real server with an empty bucket; starts in two seconds. Raises `ServerUnavailable`."""
    if not radosgw_available():
        missing = [program for program in _PROGRAMS if not shutil.which(program)]
        raise ServerUnavailable(
            f"not installed: {', '.join(missing)} (Debian: ceph-mon ceph-osd radosgw ceph-common)"
        )
    user = server_user("ceph")
    with _folder(user) as folder, ExitStack() as daemons:
        port, mon_port = _free_port(), _free_port()
        ceph = _Ceph(folder, user, daemons)
        ceph.prepare(port, mon_port)
        ceph.start("ceph-mon", ["-i", "a"], mon_port)
        ceph.run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", str(uuid4()))
        osd_fsid = (folder / "osd" / "fsid").read_text().strip()
        ceph.run("ceph", "osd", "new", osd_fsid)
        ceph.start("ceph-osd", ["-i", "0"], None)
        ceph.start("radosgw", ["-n", "client.rgw"], port)
        ceph.run(
            "radosgw-admin", "user", "create", "--uid=test", "--display-name=test",
            f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}",
        )  # fmt: skip
        yield replace(_with_bucket(port), requests=ceph.requests)


class _Ceph:
    """The commands of one private cluster in `folder`."""

    def __init__(self, folder: Path, user: User | None, daemons: ExitStack) -> None:
        self._folder = folder
        self._conf = folder / "ceph.conf"
        self._user = user
        self._daemons = daemons

    def prepare(self, port: int, mon_port: int) -> None:
        """Write configuration, keys and the monitor's map."""
        fsid = str(uuid4())
        for name in ("mon", "osd"):
            (self._folder / name).mkdir()
            own(self._folder / name, self._user)
        self._conf.write_text(
            _CEPH_CONF.format(fsid=fsid, folder=self._folder, port=port, mon_port=mon_port)
        )
        keyring, monmap = self._folder / "keyring", self._folder / "monmap"
        self._tool(
            "ceph-authtool", "-C", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"
        )
        for name, caps in {
            "client.admin": {"mon": "allow *", "osd": "allow *"},
            "client.rgw": {"mon": "allow rw", "osd": "allow rwx"},
            "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
        }.items():
            flags = [part for kind, cap in caps.items() for part in ("--cap", kind, cap)]
            self._tool("ceph-authtool", keyring, "--gen-key", "-n", name, *flags)
        address = f"[v2:127.0.0.1:{mon_port}]"
        self._tool("monmaptool", "--create", "--fsid", fsid, "--addv", "a", address, monmap)
        self.run("ceph-mon", "-i", "a", "--mkfs", "--monmap", monmap, "--keyring", keyring)

    def start(self, program: str, arguments: Sequence[str], port: int | None) -> None:
        """Start a daemon in the foreground, as our child, and wait until it listens on `port`."""
        self._daemons.enter_context(
            running_server(
                [_path(program), "-f", "-c", self._conf, *arguments],
                user=self._user,
                log=self._folder / f"{program}.out",
                is_ready=lambda: port is None or _listens(port),
            )
        )

    def run(self, program: str, *arguments: str | Path) -> None:
        """Run one command against the cluster to its end."""
        self._tool(program, "-c", self._conf, *arguments)

    def requests(self) -> Mapping[str, int]:
        """How many requests of each kind the gateway has answered."""
        command = [_path("ceph"), "--admin-daemon", str(self._folder / "client.rgw.asok")]
        said = subprocess.run([*command, "perf", "dump"], capture_output=True, check=True)
        counted: Mapping[str, Any] = json.loads(said.stdout)["rgw"]
        return {name: counted[name] for name in ("req", "get", "put")}

    def _tool(self, program: str, *arguments: str | Path) -> None:
        run_program([_path(program), *arguments], user=self._user)


@contextmanager
def _folder(user: User | None) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="lading-s3-", ignore_cleanup_errors=True) as name:
        own(Path(name), user)
        yield Path(name)


def _path(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        raise ServerUnavailable(f"{program} is not installed")
    return found


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _with_bucket(port: int) -> S3Facts:
    facts = S3Facts(f"http://127.0.0.1:{port}", BUCKET, ACCESS_KEY, SECRET_KEY, REGION)
    facts.admin().create_bucket(Bucket=BUCKET)
    return facts
