"""A bucket is listed as it is: every key once, exactly as it is spelled, however odd (B3)."""

from __future__ import annotations

import builtins
import threading
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import obstore
import pytest

from lading.base.errors import MissingExtra
from lading.storage.bucket import (
    Bucket,
    BucketMissing,
    ObjectChanged,
    is_plain_key,
)
from lading.storage.port import ObjectMissing, StoreDenied, StoreUnavailable
from lading.storage.s3 import connect
from lading.testing.archive_bucket import ArchiveBucket
from lading.testing.servers_s3 import S3Facts
from tests.archive.front import DENIED, SLOW_DOWN, Front, FrontArchive, Request, Trouble

E_ACUTE_NFC, E_ACUTE_NFD = "\u00e9", "e\u0301"

READABLE = (
    "BRD/VO-BRD-00001.mp4",
    "BRD/%41.mp4",
    "BRD/A.mp4",
    "BRD/a+b",
    "BRD/a b",
    "BRD/ends in a space ",
    "BRD/h#x",
    "BRD/q?x=1&y",
    f"BRD/{E_ACUTE_NFC}",
    f"BRD/{E_ACUTE_NFD}",
    "BRD/<a>&amp;'\"",
    "BRD/back\\slash",
    "BRD/\u20ac\U0001f600",
    "DVD/~*'()!",
    "DVD/%2F",
    "DVD/%",
    "DVD/%2e%2e",
    "DVD/^{}|[]`",
    "DVD/...",
)
UNREADABLE = (
    "/leading",
    "//two leading",
    "BRD/",
    "BRD/VO-BRD-00001.mp4/",
    "BRD/folder/",
    "BRD//double",
    "BRD/./dot",
    "BRD/../dots",
    "BRD/n\nl",
    "BRD/ends in a newline\n",
    "BRD/cr\r",
    "BRD/\x01",
    "BRD/\t",
    "BRD/\x7f",
    "DVD/zero width\u200b",
    "./x",
    "../x",
    "N\n/x",
    "DVD/x//y/",
)


def listed(bucket: Bucket, within: str = "", *, threads: int = 4) -> list[str]:
    """Every key, each as often as it is listed."""
    return sorted(one.key for page in bucket.pages(within, threads=threads) for one in page)


def body_of(key: str) -> bytes:
    """Nothing for the marker of a folder, as tools make them."""
    return b"" if key.endswith("/") else key.encode()


def filled(archive: ArchiveBucket, keys: Collection[str]) -> Bucket:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda key: archive.put(key, body_of(key)), keys))
    return Bucket(archive.facts.options(), name="archive")


@pytest.fixture
def real_archive(s3_facts: S3Facts) -> ArchiveBucket:
    """An empty bucket on each of the servers."""
    return ArchiveBucket(s3_facts)


def test_every_odd_key_is_listed_exactly_as_it_is(real_archive: ArchiveBucket) -> None:
    bucket = filled(real_archive, READABLE + UNREADABLE)
    assert listed(bucket) == sorted(READABLE + UNREADABLE)
    found = {one.key: one for page in bucket.pages() for one in page}
    assert {key: one.size_bytes for key, one in found.items()} == {
        key: len(body_of(key)) for key in READABLE + UNREADABLE
    }


def test_an_odd_key_alone_in_its_folder_is_listed_exactly_as_it_is(
    real_archive: ArchiveBucket,
) -> None:
    """Beside many odd ones each of them would be listed exactly for the others' sake."""
    keys = [f"{place:03}/{key.removeprefix('BRD/')}" for place, key in enumerate(UNREADABLE)]
    keys += [f"{place:03}/plain" for place in range(len(UNREADABLE))]
    assert listed(filled(real_archive, keys), threads=8) == sorted(keys)


def test_what_is_a_plain_path_can_be_read_and_what_is_not_is_told(
    real_archive: ArchiveBucket,
) -> None:
    bucket = filled(real_archive, READABLE)
    for key in READABLE:
        assert is_plain_key(key)
        assert bucket.read(key, bytes_max=1_000) == key.encode()
        assert bucket.head(key).size_bytes == len(key.encode())
        assert b"".join(bucket.stream(key, offset=2)) == key.encode()[2:]
    assert [key for key in UNREADABLE if is_plain_key(key)] == []


def test_pages_of_a_large_folder_lose_nothing_and_give_nothing_twice(
    real_archive: ArchiveBucket,
) -> None:
    """Also where an odd key stops the fast listing in the third page, and the marker the first."""
    keys = [f"BRD/{number:05}" for number in range(2_450)]
    with ThreadPoolExecutor(8) as pool:  # many, so not by the slow client that takes any key
        client = connect(real_archive.facts.options())
        list(pool.map(lambda key: obstore.put(client, key, b"x"), keys))
    odd = ["BRD/", "BRD/02100\n", "BRD/02100/", "BRD/02200//x", *(f"DVD/{n}" for n in range(20))]
    bucket = filled(real_archive, odd)
    assert listed(bucket) == sorted(keys + odd)
    assert max(len(page) for page in bucket.pages()) <= 1_000


def test_more_than_a_page_lies_at_the_top(behind_front: FrontArchive) -> None:
    keys = [f"{number:05}" for number in range(1_500)] + [f"F{n:04}/x" for n in range(1_200)]
    assert listed(filled(behind_front, keys)) == sorted(keys)


def test_a_folder_with_one_odd_key_is_listed_fast_again_after_it(
    front: Front, behind_front: FrontArchive
) -> None:
    bucket = filled(behind_front, ["BRD/", *(f"BRD/{number:05}" for number in range(5_000))])
    assert len(listed(bucket)) == 5_001
    # The top, a page that is thrown away, the same page exactly, and four more; one may be ahead.
    assert front.counts()["list"] <= 10


def test_a_prefix_of_the_source_is_cut_off_and_nothing_beside_it_is_listed(
    archive: ArchiveBucket,
) -> None:
    filled(archive, ["a/b/BRD/x", "a/b/BRD/", "a/b/top", "a/bc/BRD/x", "a/other", "BRD/x"])
    bucket = Bucket(archive.facts.options(prefix="a/b"), name="archive")
    assert listed(bucket) == ["BRD/", "BRD/x", "top"]
    assert listed(bucket, "BRD/x") == ["BRD/x"]
    assert bucket.read("BRD/x", bytes_max=100) == b"a/b/BRD/x"
    assert bucket.head("top").size_bytes == 7


def test_a_run_may_be_narrowed_to_a_folder_or_to_part_of_a_name(archive: ArchiveBucket) -> None:
    bucket = filled(archive, ["BRD/VO-BRD-00001.mp4", "BRD/VO-BRD-00012.mp4", "BR", "BRE/x", "C/x"])
    assert listed(bucket, "BRD/VO-BRD-0001") == ["BRD/VO-BRD-00012.mp4"]
    assert listed(bucket, "BRD/") == listed(bucket, "BRD")
    assert listed(bucket, "BRD") == ["BRD/VO-BRD-00001.mp4", "BRD/VO-BRD-00012.mp4"]
    assert listed(bucket, "BR") == ["BR", "BRD/VO-BRD-00001.mp4", "BRD/VO-BRD-00012.mp4", "BRE/x"]
    assert listed(bucket, "nothing") == []


def test_folders_are_listed_side_by_side(front: Front, behind_front: FrontArchive) -> None:
    """Each of the two waits for the other to be asked for."""
    bucket = filled(behind_front, ["A/x", "B/x"])
    both = threading.Barrier(2)

    def meet(request: Request) -> Trouble | None:
        if request.key in {"A/", "B/"}:
            both.wait(timeout=20)
        return None

    front.fault = meet
    assert listed(bucket, threads=2) == ["A/x", "B/x"]


def test_a_listing_that_nobody_wants_to_the_end_leaves_no_thread_and_asks_no_more(
    front: Front, behind_front: FrontArchive
) -> None:
    bucket = filled(behind_front, [f"{folder:04}/x" for folder in range(400)])
    pages = bucket.pages(threads=2)
    assert len(next(pages)) == 1
    pages.close()  # type: ignore[attr-defined] # a generator, which can be closed
    asked = front.counts()["list"]
    assert asked < 50
    assert [one for one in threading.enumerate() if "list-archive" in one.name] == []
    assert front.counts()["list"] == asked


def test_a_bucket_that_is_not_there_is_said_so(s3_facts: S3Facts) -> None:
    bucket = Bucket(replace(s3_facts, bucket="no-such-bucket").options(), name="archive")
    with pytest.raises(BucketMissing) as caught:
        listed(bucket)
    assert caught.value.subject == "no-such-bucket"
    assert not caught.value.transient
    with pytest.raises(BucketMissing):
        bucket.require()


def test_a_wrong_secret_is_denied_and_not_told(s3_server_of: Callable[[str], S3Facts]) -> None:
    facts = replace(s3_server_of("radosgw"), secret_key="a-secret-that-is-wrong")
    bucket = Bucket(facts.options(), name="archive")
    for ask in (bucket.require, lambda: listed(bucket), lambda: bucket.head("x")):
        with pytest.raises(StoreDenied) as caught:
            ask()
        assert "a-secret-that-is-wrong" not in str(caught.value.as_dict())


def test_a_server_that_is_away_may_be_back_later(front: Front, behind_front: FrontArchive) -> None:
    bucket = filled(behind_front, ["A/x"])
    front.fault = lambda request: SLOW_DOWN if request.key == "A/" else None
    with pytest.raises(StoreUnavailable) as caught:
        listed(bucket)
    assert caught.value.transient
    front.fault = lambda _: SLOW_DOWN
    with pytest.raises(StoreUnavailable, match="SlowDown") as caught:
        listed(bucket)
    assert caught.value.transient
    gone = replace(front.facts, endpoint="http://127.0.0.1:9")
    with pytest.raises(StoreUnavailable) as caught:
        listed(Bucket(gone.options(retries_max=0), name="archive"))
    assert caught.value.transient


def test_a_folder_that_may_not_be_listed_ends_the_listing(
    front: Front, behind_front: FrontArchive
) -> None:
    """What of it was listed by then is no listing of the bucket."""
    bucket = filled(behind_front, ["A/x", "B/x", "C/x"])
    front.fault = lambda request: DENIED if request.key == "B/" else None
    with pytest.raises(StoreDenied):
        listed(bucket)


def test_an_object_that_is_not_the_listed_one_is_told_from_one_that_is_gone(
    archive: ArchiveBucket,
) -> None:
    bucket = filled(archive, ["BRD/x"])
    ((one,),) = bucket.pages()
    archive.put("BRD/x", b"something longer than before")
    with pytest.raises(ObjectChanged) as caught:
        bucket.read("BRD/x", bytes_max=100, etag=one.etag)
    assert caught.value.expected == one.etag
    with pytest.raises(ObjectChanged):
        list(bucket.stream("BRD/x", etag=one.etag))
    with pytest.raises(ObjectChanged, match="at most 5 bytes"):
        bucket.read("BRD/x", bytes_max=5)
    archive.delete("BRD/x")
    for ask in (
        lambda: bucket.read("BRD/x", bytes_max=100),
        lambda: bucket.head("BRD/x"),
        lambda: list(bucket.stream("BRD/x")),
    ):
        with pytest.raises(ObjectMissing):
            ask()


def test_without_botocore_it_is_said_what_to_install(
    front: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    import_module = "lading.storage.botocore_client.import_module"

    def without(name: str) -> Any:
        if name.startswith("botocore"):
            raise ModuleNotFoundError(name)
        return builtins.__import__(name)

    monkeypatch.setattr(import_module, without)
    with pytest.raises(MissingExtra) as caught:
        listed(Bucket(front.facts.options(), name="archive"))
    assert "lading[archive]" in caught.value.advice
