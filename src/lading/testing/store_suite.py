"""What every store has to do, as tests that any store can be put through.

    class TestMyStore(StoreSuite):
        @pytest.fixture
        def store(self):
            yield MyStore(...)          # empty, or below a prefix of its own

Stores choose their branch by `abilities`; nothing is skipped for the lack of one.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from lading.base.errors import RequestError
from lading.base.stopping import Interrupted, StopReason
from lading.storage.port import ObjectMissing, ObjectStore, StoreMismatch

SMALL = b"a small object"
LARGE_BYTES = 17 * 1024 * 1024 + 11
"""More than one part of an upload and more than one chunk of a read."""

ODD_KEYS = (
    "odd/a b", "odd/a+b", "odd/a%20b", "odd/a#b", "odd/a?b&c=d", "odd/~a'b", 'odd/"a"', "odd/a\\b",
    "odd/[a]{b}<c>|d", "odd/a:b@c,d;e$f!(g)*^`", "odd/.hidden", "odd/a..b/...", "odd/-a",
    "odd/A", "odd/a",
)  # fmt: skip
REFUSED_KEYS = (
    "", "/", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", "./a", "ä", "a\nb", "a\0b", "a\x7f",
    "x" * 256, "/".join(["x" * 99] * 10), ".incoming/a",
)  # fmt: skip


def large_bytes(seed: bytes = b"lading") -> bytes:
    """`LARGE_BYTES` bytes in which no two pages are alike, the same for the same seed."""
    return hashlib.shake_256(seed).digest(LARGE_BYTES)


def chunks_of(data: bytes, size: int = 1 << 20) -> Iterator[bytes]:
    """`data` in pieces of `size` bytes."""
    return (data[i : i + size] for i in range(0, len(data), size))


def read_all(store: ObjectStore, key: str) -> bytes:
    """All bytes of an object."""
    return b"".join(store.get(key))


class StoreSuite:
    """Derive from it and give a `store` fixture."""

    def test_what_was_put_is_read_back_whole(self, store: ObjectStore) -> None:
        data = large_bytes()
        info = store.put("a/large", chunks_of(data))
        assert (info.key, info.size_bytes) == ("a/large", LARGE_BYTES)
        assert hashlib.sha256(read_all(store, "a/large")).digest() == hashlib.sha256(data).digest()

    def test_an_empty_object_is_an_object(self, store: ObjectStore) -> None:
        assert store.put("empty", iter(())).size_bytes == 0
        assert read_all(store, "empty") == b""
        found = store.head("empty")
        assert found is not None
        assert found.size_bytes == 0

    def test_chunks_of_any_size_are_taken(self, store: ObjectStore) -> None:
        store.put("uneven", iter((b"", b"a", b"", b"bc" * 70_000, b"d")))
        assert read_all(store, "uneven") == b"a" + b"bc" * 70_000 + b"d"

    def test_a_second_put_replaces_the_first(self, store: ObjectStore) -> None:
        store.put("a", iter([b"first, and longer"]))
        store.put("a", iter([b"second"]))
        assert read_all(store, "a") == b"second"
        assert [info.size_bytes for info in store.list()] == [6]

    def test_reading_what_is_not_there_says_so(self, store: ObjectStore) -> None:
        with pytest.raises(ObjectMissing) as raised:
            read_all(store, "not/there")
        assert raised.value.subject == "not/there"
        for offset, length in ((0, 0), (5, None), (5, 5)):
            with pytest.raises(ObjectMissing):
                list(store.get("not/there", offset=offset, length=length))
        assert store.head("not/there") is None

    @pytest.mark.parametrize(
        ("offset", "length", "expected"),
        [
            (0, None, b"0123456789"),
            (3, None, b"3456789"),
            (0, 4, b"0123"),
            (3, 4, b"3456"),
            (8, 100, b"89"),
            (3, 0, b""),
            (10, None, b""),
            (10, 5, b""),
            (50, 5, b""),
        ],
    )
    def test_a_range_is_clipped_to_the_object(
        self, store: ObjectStore, offset: int, length: int | None, expected: bytes
    ) -> None:
        store.put("digits", iter([b"0123456789"]))
        assert b"".join(store.get("digits", offset=offset, length=length)) == expected

    def test_a_large_object_is_read_in_chunks(self, store: ObjectStore) -> None:
        data = large_bytes()
        store.put("large", chunks_of(data))
        sizes = [len(chunk) for chunk in store.get("large", offset=1, length=LARGE_BYTES - 2)]
        assert sum(sizes) == LARGE_BYTES - 2
        assert max(sizes) <= LARGE_BYTES // 2
        assert min(sizes) > 0

    def test_head_tells_size_and_time_and_what_the_store_can_keep(self, store: ObjectStore) -> None:
        digest = hashlib.sha256(SMALL).hexdigest()
        put = store.put("a", iter([SMALL]), sha256=digest, media_type="image/jpeg")
        found = store.head("a")
        assert found is not None
        assert (found.key, found.size_bytes) == ("a", len(SMALL))
        assert found.etag == put.etag
        assert abs(datetime.now(UTC) - found.modified_at) < timedelta(minutes=10)
        expected = digest if store.abilities.user_metadata else None
        assert found.metadata.get("sha256") == put.metadata.get("sha256") == expected

    def test_metadata_of_a_large_object_is_kept_too(self, store: ObjectStore) -> None:
        data = large_bytes()
        digest = hashlib.sha256(data).hexdigest()
        store.put("large", chunks_of(data), sha256=digest)
        found = store.head("large")
        assert found is not None
        assert found.metadata.get("sha256") == (digest if store.abilities.user_metadata else None)

    def test_a_store_that_checks_hashes_refuses_other_bytes(self, store: ObjectStore) -> None:
        wrong = hashlib.sha256(b"something else").hexdigest()
        if store.abilities.checksum_sha256:
            with pytest.raises(StoreMismatch):
                store.put("a", iter([SMALL]), sha256=wrong)
            assert store.head("a") is None
        else:
            store.put("a", iter([SMALL]), sha256=wrong)
            assert read_all(store, "a") == SMALL

    @pytest.mark.parametrize("chunks_before", [0, 1, 12])
    def test_an_error_of_the_source_comes_out_unchanged_and_leaves_nothing(
        self, store: ObjectStore, chunks_before: int
    ) -> None:
        for error in (
            Interrupted(StopReason.OPERATOR),
            OSError(5, "of the source, not of the store"),
            ValueError("of the source"),
            FileNotFoundError(2, "of the source"),
        ):

            def broken(error: Exception = error) -> Iterator[bytes]:
                yield from chunks_of(large_bytes()[: chunks_before << 20])
                raise error

            with pytest.raises(type(error)) as raised:
                store.put("never/there", broken(), owner="me")
            assert raised.value is error
        assert store.head("never/there") is None
        assert list(store.list()) == []
        assert store.clean("me") == 0

    def test_an_error_of_the_source_leaves_the_older_object_alone(self, store: ObjectStore) -> None:
        def broken() -> Iterator[bytes]:
            yield SMALL * 100
            raise Interrupted(StopReason.SHUTDOWN)

        store.put("a", iter([b"the older"]))
        with pytest.raises(Interrupted):
            store.put("a", broken())
        assert read_all(store, "a") == b"the older"

    def test_an_object_is_not_visible_before_its_put_returns(self, store: ObjectStore) -> None:
        seen: list[object] = []

        def watching() -> Iterator[bytes]:
            for chunk in chunks_of(large_bytes(), 4 << 20):
                seen.append(store.head("a"))
                seen.extend(store.list())
                yield chunk

        store.put("a", watching())
        assert seen == [None] * 5
        assert store.head("a") is not None

    def test_an_object_can_be_copied_from_the_store_to_itself(self, store: ObjectStore) -> None:
        data = large_bytes()
        store.put("from", chunks_of(data))
        store.put("to", store.get("from"))
        assert read_all(store, "to") == data

    def test_put_if_absent_leaves_what_is_there(self, store: ObjectStore) -> None:
        first = store.put("a", iter([b"first"]), if_absent=True)
        second = store.put("a", iter([b"the second"]), if_absent=True)
        assert (first.size_bytes, second.size_bytes) == (5, 5)
        assert read_all(store, "a") == b"first"

    def test_one_of_many_racers_creates_the_object(self, store: ObjectStore) -> None:
        together = threading.Barrier(8)

        def body(number: int) -> Iterator[bytes]:
            together.wait(60)  # every racer has seen that nothing is there
            yield bytes([number]) * (number + 1)

        with ThreadPoolExecutor(8) as pool:
            infos = list(pool.map(lambda n: store.put("race", body(n), if_absent=True), range(8)))
        data = read_all(store, "race")
        assert data == data[:1] * (data[0] + 1)
        if store.abilities.atomic_create:
            assert {info.size_bytes for info in infos} == {len(data)}

    def test_many_threads_put_at_once_and_the_last_object_is_whole(
        self, store: ObjectStore
    ) -> None:
        def put(number: int) -> None:
            store.put("same", iter([bytes([number]) * 100_000] * 3), owner=f"thread-{number}")
            store.put(f"own/{number}", iter([bytes([number])]))

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(put, range(16)))
        assert len(set(read_all(store, "same"))) == 1
        assert len(read_all(store, "same")) == 300_000
        assert {read_all(store, f"own/{n}")[0] for n in range(16)} == set(range(16))

    @pytest.mark.parametrize("key", REFUSED_KEYS, ids=lambda key: ascii(key[:12]))
    def test_keys_that_not_every_store_can_hold_are_refused(
        self, store: ObjectStore, key: str
    ) -> None:
        for call in (
            lambda: store.put(key, iter([SMALL])),
            lambda: list(store.get(key)),
            lambda: store.head(key),
            lambda: store.delete(key),
        ):
            with pytest.raises(RequestError):
                call()
        assert list(store.list()) == []

    def test_odd_keys_are_kept_as_they_are(self, store: ObjectStore) -> None:
        for key in ODD_KEYS:
            store.put(key, iter([key.encode()]))
        assert {info.key for info in store.list("odd/")} == set(ODD_KEYS)
        for key in ODD_KEYS:
            assert read_all(store, key) == key.encode()
            store.delete(key)
        assert list(store.list()) == []

    def test_a_listing_gives_what_lies_below_the_prefix(self, store: ObjectStore) -> None:
        keys = {"a/1", "a/b/2", "a/b/c/3", "ab/4", "b/5", "6"}
        for key in keys:
            store.put(key, iter([key.encode()]))
        assert {info.key for info in store.list()} == keys
        assert {info.key for info in store.list("a/")} == {"a/1", "a/b/2", "a/b/c/3"}
        assert {info.key for info in store.list("a/b/")} == {"a/b/2", "a/b/c/3"}
        assert list(store.list("nothing/here/")) == []
        assert {(i.key, i.size_bytes) for i in store.list("b/")} == {("b/5", 3)}
        assert all(info.metadata == {} for info in store.list())

    def test_a_prefix_is_a_folder(self, store: ObjectStore) -> None:
        with pytest.raises(RequestError):
            list(store.list("a"))
        with pytest.raises(RequestError):
            list(store.list("../"))

    def test_a_long_listing_is_complete_and_can_be_gone_on_with(self, store: ObjectStore) -> None:
        keys = [f"many/{n % 7}/{n:04}" for n in range(1100)]
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda key: store.put(key, iter([b"x"])), keys))
        listed = [info.key for info in store.list("many/")]
        assert sorted(listed) == sorted(keys)
        if listed == sorted(listed):  # a store that lists in key order
            for place in (0, 1, 500, 1050, 1099):
                rest = [info.key for info in store.list("many/", after=listed[place])]
                assert rest == listed[place + 1 :]
            assert [i.key for i in store.list(after="many/3/zzz")] == [
                key for key in listed if key > "many/3/zzz"
            ]
        else:
            assert {i.key for i in store.list("many/", after=listed[0])} >= set(listed[1:])

    def test_deleting_twice_is_deleting_once(self, store: ObjectStore) -> None:
        store.put("a/b", iter([SMALL]))
        store.put("a/c", iter([SMALL]))
        store.delete("a/b")
        store.delete("a/b")
        store.delete("never/was/there")
        assert [info.key for info in store.list()] == ["a/c"]
        store.put("a/b", iter([SMALL]))
        assert read_all(store, "a/b") == SMALL

    def test_cleaning_removes_nothing_that_is_stored(self, store: ObjectStore) -> None:
        store.put("a", iter([SMALL]), owner="me")
        assert store.clean("me") == 0
        assert store.clean("somebody else") == 0
        assert read_all(store, "a") == SMALL

    def test_an_owner_of_any_spelling_is_taken(self, store: ObjectStore) -> None:
        for owner in ("", "../../x", "host:7/3 @ä", "o" * 500):
            store.put("a", iter([owner.encode()]), owner=owner)
            assert read_all(store, "a") == owner.encode()
            assert store.clean(owner) == 0
