"""A whole import into an S3-compatible object store ends as one into a folder does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

from lading.db import Database
from lading.ingest.registry import build_source
from lading.ingest.verifying import VerifyLevel, verify_library
from lading.ledger.states import BatchState
from lading.storage.port import ObjectInfo
from lading.storage.s3 import S3Options, S3Store
from lading.testing.installation import ACTOR, Installation
from lading.testing.servers_db import Backend, Server, fresh_database
from lading.testing.servers_s3 import S3Facts
from lading.testing.snapshots import library_snapshot, store_snapshot
from tests.ingest.upstreams import Upstream


class NotingStore(S3Store):
    """The store as it is, and a note of every key that was put."""

    def __init__(self, options: S3Options, *, name: str) -> None:
        super().__init__(options, name=name)
        self.written: list[str] = []

    def put(self, key: str, *arguments: Any, **options: Any) -> ObjectInfo:
        """Put, and take a note."""
        self.written.append(key)
        return super().put(key, *arguments, **options)


def test_an_import_into_a_bucket_equals_one_into_a_folder_and_a_second_one_writes_nothing(
    sqlite_database: Database,
    server_of: Callable[[Backend], Server],
    s3_facts: S3Facts,
    upstream: Upstream,
    install: Callable[..., Installation],
) -> None:
    source = build_source("handover", "nas", {"root": str(upstream.root)})
    store = NotingStore(s3_facts.options(prefix=f"library/{uuid4().hex}"), name="library")
    here = Installation(sqlite_database, store, [source])
    ids = here.take_in()
    states = sorted(here.batch(batch_id).state for batch_id in ids)
    assert states == [BatchState.IMPORTED, BatchState.IMPORTED, BatchState.PARTIAL]
    with fresh_database(server_of("sqlite")) as other:
        folder = install(other, upstream.root)
        folder.take_in()
        with other.read() as conn, sqlite_database.read() as mine:
            assert library_snapshot(mine) == library_snapshot(conn)
    held = store_snapshot(store)
    assert set(held) <= set(store.written)
    assert held == store_snapshot(folder.store)
    # The hash travels with the object, also for whoever has nothing but the bucket.
    for known in map(store.head, held):
        assert known is not None
        assert known.metadata["sha256"] == held[known.key]
    report = verify_library(here.parts, level=VerifyLevel.SHA256, orphan_age_min_s=0)
    assert (report.problems, report.orphans_total) == ([], 0)

    with sqlite_database.read() as conn:
        rows = library_snapshot(conn, with_times=True)
    whole = [i for i in ids if here.batch(i).state is BatchState.IMPORTED]
    store.written.clear()
    here.ingest.queue(whole, actor=ACTOR)
    here.drain()
    with sqlite_database.read() as conn:
        assert library_snapshot(conn, with_times=True) == rows
    assert store.written == []
