from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lading.base import steps
from lading.base.errors import InternalError, LadingError
from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.storage.folder import FolderStore
from lading.storage.memory import MemoryStore
from lading.storage.placement import content_hash_of, content_key
from lading.storage.port import ObjectStore
from lading.storage.roots import FileMissing, PathEscapesRoot, SafeFile, SafeRoot
from lading.storage.s3 import S3Store
from lading.storage.transfer import (
    FileChanged,
    HashMismatch,
    SizeMismatch,
    Stored,
    hash_file,
    hash_stored,
    require_stored,
    verified_chunks,
    verify_in_place,
)
from tests.storage.transfers import DATA, SHA256, Counts, assert_empty, bring

CHUNK = 64 * 1024


def test_a_copy_is_the_file_under_its_content_key(root: SafeRoot, folder: FolderStore) -> None:
    meter = Counts()
    stored = bring(root, folder, meter=meter)
    assert stored == Stored(content_key(SHA256), len(DATA), moved=True)
    assert folder.path_of(stored.key).read_bytes() == DATA
    assert (meter.moved_bytes, meter.skipped_bytes) == (len(DATA), 0)
    assert os.listdir(folder.root / ".incoming") == []


def test_a_copy_into_a_bucket_carries_its_hash(root: SafeRoot, s3_store: S3Store) -> None:
    assert bring(root, s3_store).moved
    info = require_stored(s3_store, content_key(SHA256))
    assert info.size_bytes == len(DATA)
    assert info.metadata["sha256"] == SHA256
    assert info.metadata["Content-Type"] == "application/x-test"
    assert hash_stored(s3_store, info.key) == (SHA256, len(DATA))
    assert not bring(root, s3_store).moved


@pytest.mark.parametrize(("name", "data"), [("empty", b""), ("small", b"small")])
def test_small_and_empty_files_are_copied_like_large_ones(
    root: SafeRoot, folder: FolderStore, name: str, data: bytes
) -> None:
    digest = hashlib.sha256(data).hexdigest()
    stored = bring(root, folder, relative=f"in/{name}", size_bytes=len(data), sha256=digest)
    assert folder.path_of(stored.key).read_bytes() == data


def test_content_that_is_there_is_skipped_without_being_read(
    root: SafeRoot, folder: FolderStore
) -> None:
    bring(root, folder)
    meter = Counts()
    reached: list[steps.AnyStep] = []
    steps.observe(reached.append)
    try:
        assert bring(root, folder, meter=meter) == Stored(content_key(SHA256), len(DATA), False)
    finally:
        steps.observe(None)
    assert (meter.moved_bytes, meter.skipped_bytes) == (0, len(DATA))
    assert reached == []


def test_a_skip_still_looks_whether_the_claim_can_hold(root: SafeRoot, folder: FolderStore) -> None:
    bring(root, folder)
    with pytest.raises(SizeMismatch):
        bring(root, folder, relative="in/small")
    with pytest.raises(FileMissing):
        bring(root, folder, relative="in/none")
    with pytest.raises(PathEscapesRoot):
        bring(root, folder, relative="../in/large")


def test_a_stored_object_of_another_size_is_replaced(root: SafeRoot, folder: FolderStore) -> None:
    folder.put(content_key(SHA256), iter([DATA[:-1]]))
    assert bring(root, folder).moved
    assert hash_stored(folder, content_key(SHA256)) == (SHA256, len(DATA))


def test_a_stored_object_of_another_recorded_hash_is_replaced(root: SafeRoot) -> None:
    store = MemoryStore()
    store.put(
        content_key(SHA256),
        iter([bytes(len(DATA))]),
        sha256=hashlib.sha256(bytes(len(DATA))).hexdigest(),
    )
    assert bring(root, store).moved
    assert hash_stored(store, content_key(SHA256)) == (SHA256, len(DATA))


def test_another_size_is_refused_before_a_byte_is_read(root: SafeRoot, folder: FolderStore) -> None:
    meter = Counts()
    with pytest.raises(SizeMismatch) as raised:
        bring(root, folder, size_bytes=len(DATA) + 1, meter=meter)
    assert (raised.value.code, raised.value.subject) == ("size_mismatch", "in/large")
    assert (raised.value.expected, raised.value.found) == (len(DATA) + 1, len(DATA))
    assert meter.moved_bytes == 0
    assert_empty(folder)


@pytest.mark.parametrize("place", [0, len(DATA) // 2, len(DATA) - 1])
def test_one_other_byte_anywhere_leaves_nothing_in_the_store(
    root: SafeRoot, folder: FolderStore, place: int
) -> None:
    with open(root.path / "in/large", "r+b") as file:
        file.seek(place)
        file.write(bytes([DATA[place] ^ 1]))
    with pytest.raises(HashMismatch) as raised:
        bring(root, folder)
    assert raised.value.code == "hash_mismatch"
    assert str(raised.value.expected).endswith(SHA256)
    assert str(raised.value.found) != str(raised.value.expected)
    assert_empty(folder)


def test_a_hash_mismatch_leaves_nothing_in_a_bucket(root: SafeRoot, s3_store: S3Store) -> None:
    with pytest.raises(HashMismatch):
        bring(root, s3_store, sha256="0" * 64)
    assert list(s3_store.list()) == []


@pytest.mark.parametrize(
    "change",
    [
        lambda file: os.truncate(file, CHUNK * 3),
        lambda file: os.truncate(file, 0),
        lambda file: os.truncate(file, len(DATA) + 1),
        lambda file: os.utime(file, ns=(1, 1)),
        lambda file: file.write_bytes(DATA[::-1]),
    ],
    ids=["shrinks", "is emptied", "grows", "is touched", "is rewritten"],
)
def test_a_file_that_changes_while_it_is_read_is_refused(
    root: SafeRoot, change: Callable[[Path], object]
) -> None:
    path = root.path / "in/large"
    meter = Counts(CHUNK, lambda: change(path))
    with root.open("in/large") as file, pytest.raises(FileChanged) as raised:
        for _ in verified_chunks(
            file,
            size_bytes=len(DATA),
            sha256=SHA256,
            meter=meter,
            stop=StopSignal(),
            chunk_bytes=CHUNK,
        ):
            pass
    assert raised.value.code == "file_changed"
    assert raised.value.found != raised.value.expected


def test_a_copy_of_a_file_that_grows_leaves_nothing(root: SafeRoot, folder: FolderStore) -> None:
    def grow() -> None:
        with open(root.path / "in/large", "ab") as file:
            file.write(b"more")

    with pytest.raises(FileChanged):
        bring(root, folder, meter=Counts(1, grow))
    assert_empty(folder)


def test_a_name_that_is_replaced_while_its_file_is_read_does_no_harm(
    root: SafeRoot, folder: FolderStore
) -> None:
    def replace() -> None:
        (root.path / "in/new").write_bytes(b"another file")
        os.replace(root.path / "in/new", root.path / "in/large")

    assert bring(root, folder, meter=Counts(1, replace)).moved
    assert hash_stored(folder, content_key(SHA256)) == (SHA256, len(DATA))


def test_every_byte_is_read_once(root: SafeRoot, folder: FolderStore) -> None:
    def read_so_far() -> int:
        fields = dict(line.split(": ") for line in Path("/proc/self/io").read_text().splitlines())
        return int(fields["rchar"])

    before = read_so_far()
    bring(root, folder)
    read = read_so_far() - before
    assert len(DATA) <= read < len(DATA) + 100_000


@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_a_stop_is_honoured_between_chunks_and_leaves_nothing(
    root: SafeRoot, folder: FolderStore, request: pytest.FixtureRequest, kind: str
) -> None:
    store: ObjectStore = folder
    if kind == "bucket":
        facts = request.getfixturevalue("s3_server_of")("ministack")
        store = S3Store(facts.options(prefix="stopped", part_bytes=5 << 20))
    stop = StopSignal()
    meter = Counts(9 << 20, lambda: stop.request(StopReason.LEASE_LOST))
    with pytest.raises(Interrupted) as raised:
        bring(root, store, meter=meter, stop=stop)
    assert raised.value.reason is StopReason.LEASE_LOST
    assert meter.moved_bytes < len(DATA)
    assert list(store.list()) == []
    assert store.head(content_key(SHA256)) is None
    if kind == "folder":
        assert_empty(folder)


def test_a_meter_may_stop_the_transfer(root: SafeRoot, folder: FolderStore) -> None:
    def refuse() -> None:
        raise Interrupted(StopReason.LEASE_LOST)

    with pytest.raises(Interrupted):
        bring(root, folder, meter=Counts(1, refuse))
    assert_empty(folder)


def test_a_stop_that_was_asked_for_before_moves_nothing(
    root: SafeRoot, folder: FolderStore
) -> None:
    stop = StopSignal()
    stop.request(StopReason.OPERATOR)
    with pytest.raises(Interrupted):
        bring(root, folder, stop=stop)
    assert_empty(folder)


def test_the_steps_of_a_copy_are_reached_in_order(root: SafeRoot, folder: FolderStore) -> None:
    held: list[tuple[steps.AnyStep, bool, bool]] = []

    def look(step: steps.AnyStep) -> None:
        visible = folder.head(content_key(SHA256)) is not None
        held.append((step, bool(os.listdir(folder.root / ".incoming")), visible))

    steps.observe(look)
    try:
        bring(root, folder)
    finally:
        steps.observe(None)
    assert held == [
        (steps.Step.FILE_OPENED, False, False),
        (steps.Step.FILE_WRITTEN, True, False),
        (steps.Step.FILE_SYNCED, True, False),
        (steps.Step.FILE_PLACED, False, True),
    ]


def test_many_threads_bring_the_same_file_and_it_is_there_once(
    root: SafeRoot, folder: FolderStore
) -> None:
    with ThreadPoolExecutor(6) as pool:
        stored = list(pool.map(lambda _: bring(root, folder), range(6)))
    assert len({s.key for s in stored}) == 1
    assert [info.key for info in folder.list()] == [content_key(SHA256)]
    assert hash_stored(folder, content_key(SHA256)) == (SHA256, len(DATA))
    assert os.listdir(folder.root / ".incoming") == []


def test_verifying_in_place_reads_and_writes_nothing(root: SafeRoot) -> None:
    meter = Counts()
    found = verify_in_place(
        root, "in/large", size_bytes=len(DATA), sha256=SHA256, meter=meter, stop=StopSignal()
    )
    assert (found.sha256, found.size_bytes) == (SHA256, len(DATA))
    assert meter.moved_bytes == len(DATA)
    assert hash_file(root, "in/large", meter=Counts(), stop=StopSignal()) == found
    for size_bytes, sha256, error in (
        (len(DATA) - 1, SHA256, SizeMismatch),
        (len(DATA), "0" * 64, HashMismatch),
    ):
        with pytest.raises(error):
            verify_in_place(
                root,
                "in/large",
                size_bytes=size_bytes,
                sha256=sha256,
                meter=Counts(),
                stop=StopSignal(),
            )


def test_hashing_what_is_stored_can_be_stopped(root: SafeRoot, folder: FolderStore) -> None:
    bring(root, folder)
    stop = StopSignal()
    meter = Counts(2 << 20, lambda: stop.request(StopReason.SHUTDOWN))
    with pytest.raises(Interrupted):
        hash_stored(folder, content_key(SHA256), meter=meter, stop=stop)
    assert meter.moved_bytes < len(DATA)


def test_content_keys_name_their_content() -> None:
    assert content_key(SHA256) == f"files/{SHA256[:2]}/{SHA256[2:4]}/{SHA256}"
    assert content_hash_of(content_key(SHA256)) == SHA256
    for key in (SHA256, f"files/{SHA256}", f"files/00/00/{SHA256}", "files/a/b/c", ""):
        assert content_hash_of(key) is None
    with pytest.raises(InternalError):
        content_key("../../etc/passwd")


def test_a_read_error_of_the_source_is_the_sources_fault(
    root: SafeRoot, folder: FolderStore
) -> None:
    """A descriptor that cannot be read any more, as when a network mount goes stale."""
    with root.open("in/large") as file:
        broken = SafeFile(
            os.open(root.path, os.O_WRONLY | os.O_TMPFILE), "in/large", root.stat("in/large")
        )
        with broken, pytest.raises(LadingError) as raised:
            folder.put(
                "a",
                verified_chunks(
                    broken,
                    size_bytes=file.size_bytes,
                    sha256=SHA256,
                    meter=Counts(),
                    stop=StopSignal(),
                ),
            )
    assert raised.value.code == "file_unreadable"
    assert raised.value.subject == "in/large"
    assert_empty(folder)


_HASH_AFTER_FORK = """
import os, sys, threading
from lading.base.stopping import StopSignal
from lading.storage.roots import SafeRoot
from lading.storage.transfer import hash_file
class Meter:
    def moved(self, count): pass
    def skipped(self, count): pass
def find():
    return hash_file(SafeRoot(sys.argv[1]), "in/large", meter=Meter(), stop=StopSignal()).sha256
print(find(), flush=True)
assert threading.active_count() > 1
child = os.fork()
if child == 0:
    print(find(), flush=True)
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.timeout(60)
def test_hashing_works_in_a_forked_child_too(root: SafeRoot) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HASH_AFTER_FORK, str(root.path)],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [SHA256, SHA256]
