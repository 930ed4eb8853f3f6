from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.base import steps
from lading.base.errors import StoreError
from lading.storage.folder import FolderStore, store_fault
from lading.storage.keys import KeyRefused
from lading.storage.port import StoreDenied, StoreFull, StoreUnavailable
from lading.testing.store_suite import read_all


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "store", create=True)


class Killed(BaseException):
    """Stands for the end of the process: nothing that cleans up may catch it and go on."""


def leave_unfinished(store: FolderStore, owner: str) -> None:
    """What a killed writer leaves: a file aside that nobody removes."""
    script = textwrap.dedent("""
        import os, sys
        from lading.base import steps
        from lading.storage.folder import FolderStore
        steps.observe(lambda step: os._exit(9) if step is steps.Step.FILE_SYNCED else None)
        FolderStore(sys.argv[1]).put("a/b", iter([b"x" * 100]), owner=sys.argv[2])
    """)
    done = subprocess.run(
        [sys.executable, "-c", script, str(store.root), owner], check=False, timeout=60
    )
    assert done.returncode == 9


def test_a_folder_is_made_only_when_asked_for(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable):
        FolderStore(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    FolderStore(tmp_path / "new/store", create=True).put("a", iter([b"x"]))
    assert read_all(FolderStore(tmp_path / "new/store"), "a") == b"x"
    assert read_all(FolderStore(tmp_path / "new/store", create=True), "a") == b"x"


def test_a_folder_that_is_not_a_store_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(StoreUnavailable):
        FolderStore(tmp_path / "photos")
    assert os.listdir(tmp_path / "photos") == []


@pytest.mark.parametrize("left", ["nothing", "an empty folder", "a file"])
def test_a_root_that_vanished_is_not_made_again_and_nothing_counts_as_missing(
    store: FolderStore, left: str
) -> None:
    """An unmounted disk leaves its empty mount point; filling that would fill the system disk."""
    store.put("a/b", iter([b"x"]))
    shutil.rmtree(store.root)
    if left == "an empty folder":
        store.root.mkdir()
    elif left == "a file":
        store.root.write_bytes(b"")
    for call in (
        lambda: store.put("a/b", iter([b"y"])),
        lambda: list(store.get("a/b")),
        lambda: store.head("a/b"),
        lambda: list(store.list()),
        lambda: list(store.list("a/")),
        lambda: store.delete("a/b"),
        lambda: store.clean("me"),
    ):
        with pytest.raises(StoreUnavailable) as raised:
            call()
        assert raised.value.transient
    if left == "nothing":
        assert not store.root.exists()
    elif left == "an empty folder":
        assert os.listdir(store.root) == []


def test_a_root_that_vanishes_during_a_put_is_not_made_again(store: FolderStore) -> None:
    def vanishing() -> Iterator[bytes]:
        yield b"some"
        shutil.rmtree(store.root)
        yield b" more"

    with pytest.raises(StoreUnavailable):
        store.put("a/b", vanishing())
    assert not store.root.exists()


def test_what_a_killed_writer_left_is_cleaned_by_its_name_alone(store: FolderStore) -> None:
    leave_unfinished(store, "job-1")
    leave_unfinished(store, "job-1")
    leave_unfinished(store, "job-10")
    assert len(os.listdir(store.root / ".incoming")) == 3
    assert list(store.list()) == []
    assert store.head("a/b") is None
    assert store.clean("job-2") == 0
    assert store.clean("job") == 0
    assert store.clean("") == 0
    assert store.clean("job-1") == 2
    assert store.clean("job-1") == 0
    assert store.clean("job-10") == 1
    assert os.listdir(store.root / ".incoming") == []


def test_an_object_is_synced_before_it_is_named_and_its_folder_after(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    real_fsync, real_rename = os.fsync, os.rename

    def fsync(fd: int) -> None:
        calls.append(f"sync {os.readlink(f'/proc/self/fd/{fd}').removeprefix(str(store.root))}")
        real_fsync(fd)

    def rename(source: str, target: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        calls.append("rename")
        real_rename(source, target, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "rename", rename)
    store.put("a/b/c", iter([b"x"]), owner="me")
    assert calls[0].startswith("sync /.incoming/me@")
    assert calls[1:] == ["sync ", "sync /a", "rename", "sync /a/b"]


def test_a_failing_sync_leaves_nothing(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(fd: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", fsync)
        with pytest.raises(StoreUnavailable):
            store.put("a", iter([b"x"]))
    assert store.head("a") is None
    assert os.listdir(store.root / ".incoming") == []


def test_short_writes_are_gone_on_with(store: FolderStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write

    def write(fd: int, data: memoryview) -> int:
        return real_write(fd, data[:1000])

    monkeypatch.setattr(os, "write", write)
    data = os.urandom(10_500)
    assert store.put("a", iter([data])).size_bytes == len(data)
    assert read_all(store, "a") == data


def test_an_observer_that_raises_leaves_nothing_behind(store: FolderStore) -> None:
    def end(step: steps.Step) -> None:
        if step is steps.Step.FILE_SYNCED:
            raise Killed

    steps.observe(end)
    try:
        with pytest.raises(Killed):
            store.put("a", iter([b"x"]))
    finally:
        steps.observe(None)
    assert os.listdir(store.root / ".incoming") == []


def test_links_and_strangers_in_the_folder_are_not_objects(
    store: FolderStore, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    store.put("a/b", iter([b"x"]))
    (store.root / "a/link").symlink_to(tmp_path / "secret")
    (store.root / "a/folder-link").symlink_to(tmp_path)
    os.mkfifo(store.root / "a/pipe")
    assert [info.key for info in store.list()] == ["a/b"]
    for key in ("a/link", "a/pipe", "a"):
        assert store.head(key) is None
        with pytest.raises(StoreError):
            read_all(store, key)


def test_an_object_cannot_lie_below_an_object(store: FolderStore) -> None:
    store.put("a", iter([b"x"]))
    with pytest.raises(KeyRefused):
        store.put("a/b", iter([b"y"]))
    assert store.head("a/b") is None
    assert read_all(store, "a") == b"x"
    store.put("c/d", iter([b"x"]))
    with pytest.raises(KeyRefused):
        store.put("c", iter([b"y"]))
    assert os.listdir(store.root / ".incoming") == []


def test_a_listing_holds_one_folder_at_a_time(store: FolderStore) -> None:
    for number in range(40):
        store.put(f"{number % 8}/{number}", iter([b"x"]))
    listing = store.list()
    first = next(listing)
    shutil.rmtree(store.root / "7")  # not looked at yet, so its objects are not in the listing
    assert {first.key, *(info.key for info in listing)} == {
        f"{n % 8}/{n}" for n in range(40) if n % 8 != 7
    }


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, StoreFull),
        (errno.EDQUOT, StoreFull),
        (errno.EFBIG, StoreFull),
        (errno.EROFS, StoreDenied),
        (errno.EACCES, StoreDenied),
        (errno.EPERM, StoreDenied),
        (errno.EIO, StoreUnavailable),
        (errno.ESTALE, StoreUnavailable),
        (errno.ENOTCONN, StoreUnavailable),
    ],
)
def test_faults_of_the_disk_have_names(code: int, kind: type[StoreError]) -> None:
    fault = store_fault(OSError(code, os.strerror(code)), "main", "write", "a/b")
    assert type(fault) is kind
    assert "main" in str(fault)
    assert "a/b" in str(fault)


def _as_in(*arguments: str) -> bool:
    return subprocess.run([*arguments, "true"], check=False, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def namespace() -> list[str]:
    """The command that runs another with mounts of its own."""
    for command in (["unshare", "-m"], ["unshare", "-rm"]):
        if shutil.which("unshare") and _as_in(*command):
            return command
    if os.environ.get("CI") == "true" or os.environ.get("LADING_REQUIRE_ALL") == "1":
        pytest.fail("a private mount namespace is required, and unshare does not give one")
    pytest.skip("unshare gives no private mount namespace here")


def run_on_small_disk(namespace: list[str], tmp_path: Path, script: str) -> None:
    """Run `script` where `disk` is a file system of 8 MB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = f"mount -t tmpfs -o size=8m tmpfs {disk}"
    preamble = textwrap.dedent("""
        import os, subprocess, sys
        from pathlib import Path
        from lading.storage.folder import FolderStore
        from lading.storage.port import StoreDenied, StoreFull, StoreUnavailable
        disk = Path(sys.argv[1])
        store = FolderStore(disk / "store", create=True)
        def refused(kind, call):
            try:
                call()
            except kind:
                return
            sys.exit(f"not refused with {kind}")
        def fill(size_bytes):
            return (b"x" * 100_000 for _ in range(size_bytes // 100_000))
    """)
    done = subprocess.run(
        [*namespace, "sh", "-c", f'{mount} && exec "$@"', "sh",
         sys.executable, "-c", preamble + textwrap.dedent(script), str(disk)],
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_is_reported_and_what_was_written_is_freed(
    namespace: list[str], tmp_path: Path
) -> None:
    run_on_small_disk(
        namespace,
        tmp_path,
        """
        store.put("first", fill(3_000_000))
        refused(StoreFull, lambda: store.put("too/large", fill(20_000_000), owner="me"))
        assert store.head("too/large") is None
        assert os.listdir(store.root / ".incoming") == []
        assert store.put("second", fill(4_000_000)).size_bytes == 4_000_000
        refused(StoreFull, lambda: store.put("first", fill(4_000_000)))
        assert sum(map(len, store.get("first"))) == 3_000_000
        """,
    )


def test_a_disk_that_became_read_only_is_read_and_not_written(
    namespace: list[str], tmp_path: Path
) -> None:
    run_on_small_disk(
        namespace,
        tmp_path,
        """
        store.put("first", fill(200_000))
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        refused(StoreDenied, lambda: store.put("second", fill(200_000)))
        refused(StoreDenied, lambda: store.put("first", fill(200_000)))
        refused(StoreDenied, lambda: store.delete("first"))
        again = FolderStore(disk / "store")
        assert sum(map(len, again.get("first"))) == 200_000
        assert [info.key for info in again.list()] == ["first"]
        assert again.clean("me") == 0
        """,
    )


def test_an_unmounted_disk_is_missed_and_its_mount_point_left_empty(
    namespace: list[str], tmp_path: Path
) -> None:
    run_on_small_disk(
        namespace,
        tmp_path,
        """
        top = FolderStore(disk, create=True)
        top.put("a", fill(200_000))
        subprocess.run(["umount", disk], check=True)
        refused(StoreUnavailable, lambda: top.put("a", fill(200_000)))
        refused(StoreUnavailable, lambda: top.head("a"))
        refused(StoreUnavailable, lambda: FolderStore(disk))
        assert os.listdir(disk) == []
        """,
    )


def test_a_limit_on_the_size_of_files_counts_as_full(tmp_path: Path) -> None:
    script = textwrap.dedent("""
        import os, resource, sys
        from lading.storage.folder import FolderStore
        from lading.storage.port import StoreFull
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
        store = FolderStore(sys.argv[1], create=True)
        try:
            store.put("a", iter([b"x" * 2_000_000]))
        except StoreFull:
            assert os.listdir(store.root / ".incoming") == []
            sys.exit(7)
    """)
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path / "s")], check=False)
    assert done.returncode == 7


def test_a_folder_that_may_not_be_written_denies(tmp_path: Path) -> None:
    """In a process without root's powers, which see no permissions."""
    store = FolderStore(tmp_path / "store", create=True)
    store.put("a", iter([b"x"]))
    for folder in (tmp_path, *tmp_path.parents):
        if folder == Path(tempfile.gettempdir()):
            break
        folder.chmod(0o755)
    if os.getuid() != 0:
        (store.root / ".incoming").chmod(0o555)
    script = textwrap.dedent("""
        import os, sys
        from lading.storage.folder import FolderStore
        from lading.storage.port import StoreDenied
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        store = FolderStore(sys.argv[1])
        assert b"".join(store.get("a")) == b"x"
        try:
            store.put("b", iter([b"x"]))
        except StoreDenied as error:
            sys.exit(7)
    """)
    done = subprocess.run([sys.executable, "-c", script, str(store.root)], check=False, cwd="/")
    assert done.returncode == 7
