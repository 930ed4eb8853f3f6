"""What a run costs: statements and requests by the code, and memory not at all (B1, B4)."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from lading.db import Database
from lading.ingest.rehearsal import rehearse
from lading.sources.archive.runs import RunOutcome
from lading.testing.source_suite import counted_statements
from tests.archive.front import Front, FrontArchive
from tests.archive.taking_in import TakingIn

FEW, MANY = 200, 1_000
PAGE = 1_000


@pytest.fixture
def here(
    sqlite_database: Database, behind_front: FrontArchive, take_in_by: Callable[..., TakingIn]
) -> TakingIn:
    return take_in_by(sqlite_database, behind_front)


def pages_of(objects: int) -> int:
    """The listing of the top, and the pages of a folder."""
    return 1 + -(-objects // PAGE)


def test_statements_and_requests_follow_pages_and_sidecars_and_nothing_else(
    here: TakingIn, front: Front, behind_front: FrontArchive
) -> None:
    planning, importing = {}, {}
    for codes, type_code in ((FEW, "BRD"), (MANY, "DVD")):
        behind_front.put_codes(codes, type_code=type_code)
        front.forget()
        with counted_statements(here.db.engine) as statements:
            started = here.start(within=f"{type_code}/")
        planning[codes] = len(statements)
        # A run that is narrowed to a folder has no folders to list side by side.
        assert front.counts() == {"list": pages_of(4 * codes) - 1}
        front.forget()
        with counted_statements(here.db.engine) as statements:
            here.installation.drain()
        importing[codes] = len(statements)
        assert here.report(started).created == codes
        # Three sidecars for each; the ETag of a streaming copy is its md5, so it is not read.
        assert front.counts() == {"get": 3 * codes}
        assert not any(request.key.endswith(".mp4") for request in front.requests)
    more = MANY - FEW
    assert (planning[MANY] - planning[FEW]) / more < 0.05
    assert (importing[MANY] - importing[FEW]) / more < 0.4

    front.forget()
    whole = here.start()
    here.installation.drain()
    assert (here.report(whole).held, here.report(whole).new) == (FEW + MANY, 0)
    # The top and two folders; not one object is read of what is held.
    assert front.counts() == {"list": pages_of(4 * FEW) + pages_of(4 * MANY) - 1}
    front.forget()
    with counted_statements(here.db.engine) as statements:
        assert here.start().outcome is RunOutcome.NOTHING_NEW
    assert len(statements) < 30
    assert set(front.counts()) == {"list"}


def test_a_streaming_copy_is_read_once_when_only_its_bytes_prove_the_checksum(
    here: TakingIn, front: Front, behind_front: FrontArchive
) -> None:
    behind_front.put_codes(3)
    key = "BRD/VO-BRD-00002.mp4"
    body, etag = front.objects[key]
    front.objects[key] = (body, f"{etag}-4")
    assert here.run().created == 3
    assert [one.key for one in front.requests if one.key.endswith(".mp4")] == [key]


@contextmanager
def peak_of(found: dict[int, int], size: int) -> Iterator[None]:
    """Note the largest number of bytes that were held within the block, above those before."""
    gc.collect()
    tracemalloc.start()
    try:
        yield
        found[size] = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_follow_the_number_of_codes(
    here: TakingIn, front: Front, behind_front: FrontArchive
) -> None:
    front.remembers = False
    planning: dict[int, int] = {}
    importing: dict[int, int] = {}
    behind_front.put_codes(20, type_code="VHS")
    here.run(within="VHS/")  # what is imported and compiled once
    for codes, type_code in ((200, "BRD"), (600, "DVD")):
        behind_front.put_codes(codes, type_code=type_code)
        with peak_of(planning, codes):
            here.start(within=f"{type_code}/")
        with peak_of(importing, codes):
            here.installation.drain()
    assert len(here.assets()) == 820
    # Three times as many; what is worked on at a time is up to 500, and full with the second.
    assert importing[600] < 1.9 * importing[200]
    assert planning[600] < 2.6 * planning[200]


def test_a_dry_run_of_much_that_is_held_reads_what_is_new_alone(
    here: TakingIn, front: Front, behind_front: FrontArchive
) -> None:
    behind_front.put_codes(30)
    here.run()
    behind_front.put_code("VO-BRD-00099")
    front.forget()
    with counted_statements(here.db.engine) as statements:
        found = rehearse(here.installation.parts, here.source)
    assert (found.create, found.unchanged) == (1, 30)
    assert front.counts() == {"list": 2, "get": 3}
    assert len(statements) < 10
    assert not any(one.lstrip().upper().startswith(("INSERT", "UPDATE")) for one in statements)
