"""The upstream's tree: never written, never blamed on an item when all of it is gone."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import event

from lading.base.reasons import Reason
from lading.base.stopping import StopSignal
from lading.ingest.source import BatchRef, FetchContext, ItemRefused, SourceMissing
from lading.ledger.states import Decision
from lading.sources.handover import HandoverSource, definition
from lading.sources.handover.source import BadSourceOptions
from lading.storage.memory import MemoryStore
from lading.testing.publisher import Breakage, Publisher
from tests.handover.conftest import CountingMeter, Desk

TAKE_IN = """
import sys
from pathlib import Path
from lading.db.schema import metadata
from lading.testing.servers_db import database_server, fresh_database
from lading.sources.handover import build
from tests.handover.conftest import Desk

root, key = sys.argv[1:]
try:
    Path(root, "sync", "probe").write_bytes(b"")
except OSError:
    pass
else:
    sys.exit("the tree can be written to: this test shows nothing")
with database_server("sqlite") as server, fresh_database(server) as db:
    taken = Desk(db, build("nas", {"root": root})).take_in(key, check_bytes=True)
    print(sorted(outcome.value for outcome in taken.outcomes.values()))
"""

MOUNT = """
mount --make-rprivate / && mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift &&
exec "$@"
"""


def tree(root: Path) -> dict[str, tuple[int, int, int]]:
    """Every entry with its size, time of change and inode."""
    found = {}
    for folder, folders, files in os.walk(root):
        for name in [*folders, *files, "."]:
            status = os.lstat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = (
                status.st_size,
                status.st_mtime_ns,
                status.st_ino,
            )
    return found


def may_mount() -> bool:
    probe = subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True)
    return os.geteuid() == 0 and probe.returncode == 0


def test_a_bundle_is_taken_in_from_a_tree_that_really_is_read_only(
    publisher: Publisher, root: Path
) -> None:
    bundle = publisher.bundle("gallery")
    bundle.gallery("spring", [bundle.photo("one", cover=True), bundle.video_simple("clip")])
    key = bundle.publish().sync_id
    before = tree(root)
    command = [sys.executable, "-c", TAKE_IN, str(root), key]
    if may_mount():
        command = ["unshare", "-m", "sh", "-ec", MOUNT, "sh", str(root), *command]
    elif os.geteuid() == 0:
        pytest.skip("root can write to anything unless it may mount")
    else:
        for folder, _, _ in os.walk(root):
            os.chmod(folder, 0o555)
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=60, cwd=Path.cwd()
    )
    for folder, _, _ in os.walk(root):
        os.chmod(folder, 0o755)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "['created', 'created', 'created']"
    assert tree(root) == before


@pytest.fixture
def open_root() -> Iterator[Path]:
    """A root that every user can reach; pytest's own folders are for one user alone."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder, "upstream")


def test_an_unprivileged_reader_names_the_file_it_may_not_read(open_root: Path) -> None:
    publisher, source = Publisher(open_root), HandoverSource("nas", str(open_root))
    store = MemoryStore()
    broken = publisher.publish_broken(Breakage.FILE_UNREADABLE)
    unreadable = publisher.bundle()
    unreadable.photo("two")
    published = unreadable.publish()
    published.manifest.chmod(0)
    found: dict[str, Reason | None] = {}

    def look() -> None:
        found.update({bundle.key: bundle.reason for bundle in source.discover({})})
        with source.open_batch(BatchRef(1, broken.sync_id, 1)) as opened:
            item = next(item for item in opened.items() if item.key == broken.item_key)
            context = FetchContext(store, "job1-1", CountingMeter(), StopSignal())
            with pytest.raises(ItemRefused) as refused:
                opened.fetch(item, Decision.CREATE, context)
            found["item"] = refused.value.reason

    with_capabilities_dropped(look)
    assert {key: reason and reason.code for key, reason in found.items()} == {
        broken.sync_id: None,
        published.sync_id: "unreadable",
        "item": "unreadable",
    }
    published.manifest.chmod(0o644)
    again = {bundle.key: bundle.reason for bundle in source.discover({})}
    assert again[published.sync_id] is None


def with_capabilities_dropped(work: Callable[[], None]) -> None:
    """Run `work` without root's right to read everything, in this thread alone."""
    if os.geteuid() != 0:
        work()
        return
    libc = ctypes.CDLL(None, use_errno=True)
    # setfsuid changes what the file system allows this one thread, and nothing else.
    libc.setfsuid(65534)
    try:
        work()
    finally:
        libc.setfsuid(0)


def test_files_missing_with_their_whole_tree_are_not_the_items_fault(
    publisher: Publisher, desk: Desk, root: Path
) -> None:
    bundle = publisher.bundle()
    bundle.photo("one")
    key = bundle.publish().sync_id
    with desk.source.open_batch(BatchRef(1, key, 1)) as opened:
        [item] = opened.items()
        root.rename(root.with_name("unmounted"))
        context = FetchContext(desk.store, "job1-1", CountingMeter(), StopSignal())
        for empty_folder_in_its_place in (False, True):
            if empty_folder_in_its_place:
                Publisher(root)
            # Folders that were open stay open for a moment, as on a lazily unmounted disk.
            desk.source._root.close()
            with desk.db.read() as conn, pytest.raises(SourceMissing):
                opened.decide(conn, [item])
            with pytest.raises(SourceMissing):
                opened.fetch(item, Decision.CREATE, context)


def test_deciding_about_more_items_takes_no_more_statements(
    publisher: Publisher, desk: Desk
) -> None:
    def statements_for(count: int) -> int:
        bundle = publisher.bundle("gallery")
        hashes = [bundle.photo(f"{count}-{n}", documents=("source.json",)) for n in range(count)]
        bundle.gallery(f"g-{count}", hashes)
        key = bundle.publish().sync_id
        desk.take_in(key)
        seen: list[str] = []

        def note(_conn: object, _cursor: object, statement: str, *_: object) -> None:
            seen.append(statement)

        with desk.source.open_batch(BatchRef(1, key, 1)) as opened:
            *assets, gallery = opened.items()
            event.listen(desk.db.engine, "before_cursor_execute", note)
            try:
                with desk.db.read() as conn:
                    decided = [*opened.decide(conn, assets), *opened.decide(conn, [gallery])]
            finally:
                event.remove(desk.db.engine, "before_cursor_execute", note)
        assert {d.decision for d in decided} == {Decision.UNCHANGED}
        return len(seen)

    assert statements_for(2) == statements_for(40) > 0


@pytest.mark.parametrize(
    ("options", "subject"),
    [
        ({}, "sources.nas.root"),
        ({"root": ""}, "sources.nas.root"),
        ({"root": "/x", "keep": "move"}, "sources.nas.keep"),
        ({"root": "/x", "keep": ["copy"]}, "sources.nas.keep"),
        ({"root": "/x", "manifest_bytes_max": 0}, "sources.nas.manifest_bytes_max"),
        ({"root": "/x", "manifest_bytes_max": "1 GB"}, "sources.nas.manifest_bytes_max"),
        ({"root": "/x", "rooot": 1}, "sources.nas.rooot"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(
    options: dict[str, object], subject: str
) -> None:
    with pytest.raises(BadSourceOptions) as refused:
        definition.build("nas", options)
    assert refused.value.subject == subject


def test_a_source_can_be_configured_before_its_disk_is_mounted(tmp_path: Path) -> None:
    source = definition.build("nas", {"root": str(tmp_path / "later")})
    with pytest.raises(SourceMissing):
        list(source.discover({}))
    Publisher(tmp_path / "later")
    assert list(source.discover({})) == []
