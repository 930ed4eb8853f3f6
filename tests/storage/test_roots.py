from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lading.storage.roots import (
    FileMissing,
    FileUnreadable,
    NotARegularFile,
    PathEscapesRoot,
    ReadFault,
    RootMissing,
    SafeRoot,
    source_fault,
)

SECRET = b"outside of the root"


@pytest.fixture
def root(tmp_path: Path) -> Iterator[SafeRoot]:
    """`a/b/file` below the root, `secret` and `elsewhere/file` beside it."""
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/a/b/file").write_bytes(b"inside")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/file").write_bytes(SECRET)
    (tmp_path / "secret").write_bytes(SECRET)
    with SafeRoot(tmp_path / "root") as safe:
        yield safe


def test_a_file_is_opened_with_its_facts(root: SafeRoot) -> None:
    with root.open("a/b/file") as file:
        assert file.read() == b"inside"
        facts = root.stat("a/b/file")
        assert (file.size_bytes, file.mtime_ns) == (facts.size_bytes, facts.mtime_ns)
        assert facts.size_bytes == 6
        assert facts.inode == os.fstat(file.fileno()).st_ino
    assert file.closed


@pytest.mark.parametrize(
    "path",
    [
        "", "/", "//", "/etc/passwd", "//etc/passwd", ".", "..", "../secret", "a/../../secret",
        "a/b/../../../secret", "./a/b/file", "a/./b/file", "a//b/file", "a/b/file/", "a/b/", "a/..",
        "a/b/file\0", "\0", "a\0/b", "\udcff", "a/\ud800/file", "x" * 256, "a/" + "ä" * 128 + "/b",
        "../root/a/b/file",
    ],
    ids=ascii,
)  # fmt: skip
def test_paths_that_are_not_plainly_below_the_root_are_refused(root: SafeRoot, path: str) -> None:
    with pytest.raises(PathEscapesRoot) as opened:
        root.open(path)
    with pytest.raises(PathEscapesRoot):
        root.stat(path)
    assert opened.value.code == "path_escapes_root"
    assert str(opened.value).isprintable()


@pytest.mark.parametrize(
    "path", ["..\\secret", "a\\b\\file", "C:\\file", "%2e%2e/secret", "...", "~", "a\u2215b"]
)
def test_what_means_something_elsewhere_is_a_plain_name_here(root: SafeRoot, path: str) -> None:
    with pytest.raises(FileMissing):
        root.open(path)
    plain = root.path / path
    plain.parent.mkdir(exist_ok=True)
    plain.write_bytes(b"plain")
    with root.open(path) as file:
        assert file.read() == b"plain"


@pytest.mark.parametrize("target", ["absolute", "relative", "inside"])
@pytest.mark.parametrize("component", ["a", "a/b", "a/b/file"])
def test_a_symbolic_link_is_refused_at_every_component(
    root: SafeRoot, tmp_path: Path, component: str, target: str
) -> None:
    """Also one that stays inside: whoever can make one can change where it points."""
    place = root.path / component
    moved = root.path / "moved"
    outside = tmp_path / "outside"
    place.rename(moved if target == "inside" else outside)
    aim = moved if target == "inside" else outside
    place.symlink_to(os.path.relpath(aim, place.parent) if target == "relative" else aim)
    assert (root.path / "a/b/file").read_bytes() == b"inside"  # a careless reader would follow
    for call in (root.open, root.stat):
        with pytest.raises(PathEscapesRoot) as raised:
            call("a/b/file")
        assert raised.value.subject is not None
        assert "a/b/file".startswith(raised.value.subject)
    if component != "a/b/file":
        with pytest.raises(PathEscapesRoot):
            list(root.names("a/b"))


def test_a_link_that_appears_while_the_folder_is_kept_open_is_refused(
    root: SafeRoot, tmp_path: Path
) -> None:
    with root.open("a/b/file"):
        pass
    (root.path / "a/b/file").unlink()
    (root.path / "a/b/file").symlink_to(tmp_path / "secret")
    with pytest.raises(PathEscapesRoot):
        root.open("a/b/file")


def test_a_link_in_place_of_a_folder_kept_open_does_not_lead_outside(
    root: SafeRoot, tmp_path: Path
) -> None:
    with root.open("a/b/file"):
        pass
    shutil.move(root.path / "a/b", tmp_path / "taken")
    (root.path / "a/b").symlink_to(tmp_path / "elsewhere")
    with root.open("a/b/file") as file:  # the folder that was walked to, for two seconds
        assert file.read() == b"inside"
    root.close()
    with pytest.raises(PathEscapesRoot):
        root.open("a/b/file")


@pytest.mark.timeout(20)
def test_a_pipe_is_refused_without_waiting_for_its_writer(root: SafeRoot) -> None:
    os.mkfifo(root.path / "pipe")
    with pytest.raises(NotARegularFile) as raised:
        root.open("pipe")
    assert raised.value.found == "named pipe"


def test_a_socket_is_refused(root: SafeRoot, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        here = os.open(root.path, os.O_RDONLY)
        try:
            listener.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
        with pytest.raises(NotARegularFile):
            root.open("socket")


def test_devices_are_refused() -> None:
    root = SafeRoot("/dev")
    for name in ("null", "zero", "full", "tty"):
        with pytest.raises(NotARegularFile) as raised:
            root.open(name)
        assert raised.value.found == "character device"
        with pytest.raises(NotARegularFile):
            root.stat(name)


def test_a_folder_is_not_a_file_and_a_file_not_a_folder(root: SafeRoot) -> None:
    with pytest.raises(NotARegularFile) as raised:
        root.open("a/b")
    assert raised.value.found == "folder"
    with pytest.raises(FileMissing):
        root.open("a/b/file/c")
    with pytest.raises(FileMissing):
        list(root.names("a/b/file"))


def test_what_is_not_there_is_named(root: SafeRoot) -> None:
    for path in ("a/b/other", "a/other/file", "other"):
        with pytest.raises(FileMissing) as raised:
            root.open(path)
        assert raised.value.code == "file_missing"
        assert raised.value.subject is not None
        assert path.startswith(raised.value.subject)


def test_a_name_that_would_upset_a_terminal_is_shown_escaped(root: SafeRoot) -> None:
    with pytest.raises(FileMissing) as raised:
        root.open("evil\x1b[2J\nname")
    assert "\\x1b[2J\\nname" in str(raised.value)


def test_a_root_that_is_gone_is_told_from_a_file_that_is_gone(root: SafeRoot) -> None:
    with root.open("a/b/file"):
        pass
    root.path.rename(root.path.with_name("gone"))
    root.close()
    for call in (
        lambda: root.open("a/b/file"),
        lambda: root.stat("a/b/file"),
        root.identity,
        lambda: list(root.names()),
    ):
        with pytest.raises(RootMissing) as raised:
            call()
        assert raised.value.transient
    root.path.write_bytes(b"a file where the root was")
    with pytest.raises(RootMissing):
        root.open("a/b/file")


def test_the_root_itself_may_be_reached_through_a_link(root: SafeRoot, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(root.path)
    linked = SafeRoot(tmp_path / "link")
    with linked.open("a/b/file") as file:
        assert file.read() == b"inside"
    assert linked.identity() == root.identity()


def test_identity_tells_a_root_from_another_in_its_place(root: SafeRoot) -> None:
    before = root.identity()
    assert SafeRoot(root.path).identity() == before
    (root.path / "new").mkdir()
    assert root.identity() == before
    root.path.rename(root.path.with_name("moved"))
    root.path.mkdir()
    assert root.identity() != before


def test_names_are_listed_without_being_followed(root: SafeRoot, tmp_path: Path) -> None:
    (root.path / "a/link").symlink_to(tmp_path / "elsewhere")
    entries = {e.name: e.is_dir(follow_symlinks=False) for e in root.names("a")}
    assert entries == {"b": True, "link": False}
    assert [e.name for e in root.names()] == ["a"]
    assert [e.stat(follow_symlinks=False).st_size for e in root.names("a/b")] == [6]
    with pytest.raises(FileMissing):
        list(root.names("none"))


def test_a_replaced_folder_is_seen_once_the_kept_one_has_aged(
    root: SafeRoot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lading.storage.roots.FOLDERS_KEPT_S", 0.0)
    with root.open("a/b/file"):
        pass
    (root.path / "a/b").rename(root.path / "a/old")
    with pytest.raises(FileMissing):
        root.open("a/b/file")


def test_folders_kept_open_are_few_and_closed_at_the_end(root: SafeRoot) -> None:
    for number in range(100):
        (root.path / f"d{number}").mkdir()
        (root.path / f"d{number}/file").write_bytes(b"")
    before = len(os.listdir("/proc/self/fd"))
    for number in range(100):
        root.open(f"d{number}/file").close()
    assert len(os.listdir("/proc/self/fd")) <= before + 32
    root.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_refusal_leaves_no_descriptor_open(root: SafeRoot) -> None:
    os.mkfifo(root.path / "a/pipe")
    root.stat("a/b/file")
    with pytest.raises(NotARegularFile):
        root.open("a/pipe")
    before = len(os.listdir("/proc/self/fd"))
    for path in ("a/pipe", "a/none", "a/b", "a/none/x"):
        with pytest.raises((NotARegularFile, FileMissing)):
            root.open(path)
    assert len(os.listdir("/proc/self/fd")) == before


_AS_NOBODY = """
import os, sys
from lading.storage.roots import FileUnreadable, SafeRoot
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
root = SafeRoot(sys.argv[1])
print(root.open("readable").read().decode())
for path in ("unreadable", "closed/file"):
    for call in (root.open, root.stat) if path != "unreadable" else (root.open,):
        try:
            call(path)
        except FileUnreadable as error:
            print(error.code, error.transient, error.subject)
"""


def test_a_file_we_may_not_read_says_so(tmp_path: Path) -> None:
    """In a process without root's powers, which see no permissions."""
    for folder in (*tmp_path.parents[:3], tmp_path):
        if folder.stat().st_uid == os.getuid() and folder != Path("/tmp"):
            folder.chmod(0o755)
    (tmp_path / "readable").write_text("fine")
    (tmp_path / "unreadable").write_text("no")
    (tmp_path / "unreadable").chmod(0)
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed/file").write_text("no")
    (tmp_path / "closed").chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(tmp_path)],
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "fine",
        "file_unreadable False unreadable",
        "file_unreadable False closed/file",
        "file_unreadable False closed/file",
    ]


@pytest.mark.parametrize("code", [errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN])
def test_faults_of_disk_and_network_may_pass(code: int) -> None:
    fault = source_fault(OSError(code, os.strerror(code)), "a")
    assert isinstance(fault, ReadFault)
    assert isinstance(fault, FileUnreadable)
    assert fault.transient
    assert os.strerror(code) in str(fault)
