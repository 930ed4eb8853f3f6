from __future__ import annotations

import dataclasses
import itertools
import multiprocessing
import os
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.base.errors import MissingExtra, StoreError
from lading.base.stopping import Interrupted, StopReason, StopSignal
from lading.storage.folder import FolderStore
from lading.storage.memory import MemoryStore
from lading.storage.multipart import MultipartClient
from lading.storage.port import ObjectStore, StoreDenied, StoreUnavailable
from lading.storage.roots import SafeRoot
from lading.storage.s3 import PARTS_MAX, S3Store
from lading.storage.transfer import HashMismatch, SizeMismatch, verified_chunks
from lading.storage.uploading import (
    ATTEMPTS_MAX,
    UploadContested,
    Uploaded,
    _in_parts,
    part_bytes_for,
    uploader_for,
)
from lading.testing.servers_s3 import S3Facts
from lading.testing.store_suite import chunks_of, read_all
from tests.storage.relay import Relay, running_relay
from tests.storage.transfers import Counts
from tests.storage.uploads import (
    CHUNK,
    PART,
    assert_stored,
    breaking,
    bytes_of,
    parts_held,
    pending,
    raising,
    send,
    sha256_of,
    upload_in_process,
)

LARGE = bytes_of(3 * PART + 11)
FOUR = bytes_of(4 * PART)
KEY = "raw/cam 1+2/%20#1.bin"


@pytest.fixture
def relay(s3_facts: S3Facts) -> Iterator[Relay]:
    with running_relay(s3_facts) as running:
        yield running


def behind(relay: Relay, store: S3Store, **others: Any) -> S3Store:
    """The same store, reached through the relay."""
    return S3Store(
        dataclasses.replace(
            store.options, endpoint=relay.facts.endpoint, **{"retries_max": 0, **others}
        )
    )


@pytest.mark.parametrize("size_bytes", [0, 1, PART])
def test_what_fits_in_one_part_is_one_request(
    size_bytes: int, s3_store: S3Store, relay: Relay
) -> None:
    data = bytes_of(size_bytes)
    done = send(uploader_for(behind(relay, s3_store)), KEY, data, media_type="video/mp4")
    assert done == Uploaded(size_bytes, bytes_sent=size_bytes, bytes_resumed=0)
    assert relay.verbs == ["PUT"]
    assert_stored(s3_store, KEY, data)
    assert s3_store.head(KEY).metadata["Content-Type"] == "video/mp4"  # type: ignore[union-attr]


@pytest.mark.parametrize("size_bytes", [PART + 1, 2 * PART, 2 * PART + 7])
def test_larger_objects_are_sent_in_parts_without_a_request_too_many(
    size_bytes: int, s3_store: S3Store, relay: Relay
) -> None:
    data = bytes_of(size_bytes)
    done = send(uploader_for(behind(relay, s3_store)), KEY, data, media_type="video/mp4")
    assert done == Uploaded(size_bytes, bytes_sent=size_bytes, bytes_resumed=0)
    parts = -(-size_bytes // PART)
    assert sorted(relay.verbs) == ["GET", "HEAD", "POST", "POST", *["PUT"] * parts]
    assert_stored(s3_store, KEY, data)
    assert s3_store.head(KEY).metadata["Content-Type"] == "video/mp4"  # type: ignore[union-attr]


@pytest.mark.parametrize("error", [Interrupted(StopReason.SHUTDOWN), KeyboardInterrupt()])
def test_an_upload_that_is_stopped_in_mid_part_goes_on_with_the_next_part(
    error: BaseException, s3_store: S3Store, s3_facts: S3Facts, relay: Relay
) -> None:
    uploader = uploader_for(behind(relay, s3_store), resumable=(KeyboardInterrupt,))
    with pytest.raises(type(error)) as raised:
        send(uploader, KEY, LARGE, chunks=breaking(LARGE, 2 * PART + CHUNK, raising(error)))
    assert raised.value is error
    assert s3_store.head(KEY) is None
    (left,) = pending(s3_facts, s3_store, KEY)
    assert parts_held(s3_facts, left) == [1, 2]

    relay.forget()
    done = send(uploader, KEY, LARGE)
    assert done == Uploaded(len(LARGE), bytes_sent=PART + 11, bytes_resumed=2 * PART)
    assert relay.bytes_up < PART + 30_000  # what was kept did not go over the wire
    assert_stored(s3_store, KEY, LARGE)
    assert pending(s3_facts, s3_store, KEY) == []


def test_a_part_that_is_missing_between_others_is_sent(
    s3_store: S3Store, s3_facts: S3Facts
) -> None:
    key = {"Bucket": s3_facts.bucket, "Key": f"{s3_store.options.prefix}/{KEY}"}
    admin = s3_facts.admin()
    begun = admin.create_multipart_upload(**key, Metadata={"sha256": sha256_of(LARGE)})
    for number in (1, 3, 4):
        admin.upload_part(
            **key, UploadId=begun["UploadId"], PartNumber=number,
            Body=LARGE[(number - 1) * PART : number * PART],
        )  # fmt: skip
    done = send(uploader_for(s3_store), KEY, LARGE)
    assert done == Uploaded(len(LARGE), bytes_sent=PART, bytes_resumed=2 * PART + 11)
    assert_stored(s3_store, KEY, LARGE)


def test_a_store_error_in_the_middle_keeps_what_was_sent(
    s3_store: S3Store, s3_facts: S3Facts, relay: Relay
) -> None:
    uploader = uploader_for(behind(relay, s3_store, parts_in_flight_max=1))
    relay.breaks_after(2 * PART + PART // 2)
    with pytest.raises(StoreUnavailable):
        send(uploader, KEY, LARGE)
    assert s3_store.head(KEY) is None
    relay.breaks_after(None)
    done = send(uploader, KEY, LARGE)
    assert done == Uploaded(len(LARGE), bytes_sent=PART + 11, bytes_resumed=2 * PART)
    assert_stored(s3_store, KEY, LARGE)
    assert pending(s3_facts, s3_store, KEY) == []


def test_a_part_that_broke_off_is_sent_again_from_its_start(
    s3_store: S3Store, relay: Relay
) -> None:
    store = behind(relay, s3_store, retries_max=3)
    relay.breaks_after(PART + PART // 2, once=True)
    assert send(uploader_for(store), KEY, LARGE).bytes_sent == len(LARGE)
    assert relay.bytes_up > len(LARGE) + PART // 3
    assert_stored(s3_store, KEY, LARGE)


def test_a_process_that_was_killed_is_taken_up_by_the_next(
    s3_store: S3Store, s3_facts: S3Facts
) -> None:
    options = dataclasses.replace(s3_store.options, parts_in_flight_max=1)
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawning) as pool, pytest.raises(BrokenProcessPool):
        pool.submit(upload_in_process, options, len(FOUR), 3 * PART + CHUNK).result()
    (left,) = pending(s3_facts, s3_store, "shared")
    held = parts_held(s3_facts, left)
    assert held in ([1, 2], [1, 2, 3])  # the third was on its way
    done = send(uploader_for(s3_store), "shared", FOUR)
    assert done.bytes_resumed == len(held) * PART
    assert done.bytes_sent == len(FOUR) - done.bytes_resumed
    assert_stored(s3_store, "shared", FOUR)
    assert pending(s3_facts, s3_store, "shared") == []


def test_processes_that_upload_the_same_at_once_all_end_well(
    s3_store: S3Store, s3_facts: S3Facts
) -> None:
    stop = raising(Interrupted(StopReason.SHUTDOWN))
    with pytest.raises(Interrupted):  # so that there is something for all of them to go on with
        send(uploader_for(s3_store), "shared", LARGE, chunks=breaking(LARGE, PART + CHUNK, stop))
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as pool:
        work = [
            pool.submit(upload_in_process, s3_store.options, len(LARGE), None) for _ in range(8)
        ]
        assert {each.result()["size_bytes"] for each in work} == {len(LARGE)}
    assert_stored(s3_store, "shared", LARGE)
    assert pending(s3_facts, s3_store, "shared") == []


@pytest.mark.parametrize("is_resumed", [False, True])
def test_a_file_that_is_not_what_was_promised_leaves_nothing(
    is_resumed: bool, s3_store: S3Store, s3_facts: S3Facts, tmp_path: Path
) -> None:
    (tmp_path / "large").write_bytes(LARGE)
    uploader, stop = uploader_for(s3_store), StopSignal()

    def upload(sha256: str, meter: Counts) -> Uploaded:
        with SafeRoot(tmp_path) as root, root.open("large") as file:
            size_bytes = file.size_bytes

            def chunks() -> Iterator[bytes]:
                file.seek(0)
                return verified_chunks(
                    file, size_bytes=size_bytes, sha256=sha256, meter=meter, stop=stop,
                    chunk_bytes=CHUNK,
                )  # fmt: skip

            return uploader.upload(KEY, chunks, size_bytes=size_bytes, sha256=sha256)

    if is_resumed:
        with pytest.raises(Interrupted):
            upload("0" * 64, Counts(2 * PART, lambda: stop.request(StopReason.OPERATOR)))
        assert len(pending(s3_facts, s3_store, KEY)) == 1
        stop = StopSignal()
    with pytest.raises(HashMismatch):
        upload("0" * 64, Counts())
    assert s3_store.head(KEY) is None
    assert pending(s3_facts, s3_store, KEY) == []
    assert upload(sha256_of(LARGE), Counts()).bytes_sent == len(LARGE)
    assert_stored(s3_store, KEY, LARGE)


@pytest.mark.parametrize("size_bytes", [100, len(LARGE)])
@pytest.mark.parametrize("more", [-1, 1])
def test_a_file_of_another_size_leaves_nothing(
    size_bytes: int, more: int, s3_store: S3Store, s3_facts: S3Facts
) -> None:
    data = LARGE[:size_bytes]
    with pytest.raises(SizeMismatch):
        uploader_for(s3_store).upload(
            KEY,
            lambda: chunks_of(data, CHUNK),
            size_bytes=size_bytes + more,
            sha256=sha256_of(data),
        )
    assert s3_store.head(KEY) is None
    assert pending(s3_facts, s3_store, KEY) == []


@pytest.mark.parametrize(
    ("content", "part_bytes", "sent_twice_bytes"),
    [
        (bytes_of(len(LARGE), seed=8), PART, 0),
        (LARGE[:PART] + bytes_of(2 * PART, seed=8) + LARGE[-11:], PART, 0),
        (LARGE, PART + 1024, 0),
        (LARGE + b"one more", PART, 0),
        # These parts are the file's own, so they are found out by the object they make.
        (LARGE[: 2 * PART], PART, PART + 11),
    ],
    ids=["other bytes", "other bytes later", "other parts", "a longer file", "another hash"],
)
def test_an_unfinished_upload_of_something_else_is_not_taken_up_and_goes(
    content: bytes, part_bytes: int, sent_twice_bytes: int, s3_store: S3Store, s3_facts: S3Facts
) -> None:
    key = {"Bucket": s3_facts.bucket, "Key": f"{s3_store.options.prefix}/{KEY}"}
    admin = s3_facts.admin()
    begun = admin.create_multipart_upload(**key, Metadata={"sha256": "0" * 64})
    for number, body in enumerate(chunks_of(content, part_bytes), start=1):
        admin.upload_part(**key, UploadId=begun["UploadId"], PartNumber=number, Body=body)
    longer = admin.create_multipart_upload(**key | {"Key": key["Key"] + ".other"})
    done = send(uploader_for(s3_store), KEY, LARGE)
    assert done == Uploaded(len(LARGE), len(LARGE) + sent_twice_bytes, 0)
    assert_stored(s3_store, KEY, LARGE)
    (left,) = pending(s3_facts, s3_store, KEY)
    assert left["UploadId"] == longer["UploadId"]  # of a key that begins like ours
    admin.abort_multipart_upload(Bucket=s3_facts.bucket, Key=left["Key"], UploadId=left["UploadId"])


def test_long_listings_of_uploads_and_parts_are_read_to_their_end(
    s3_store: S3Store, s3_facts: S3Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lading.storage.multipart.PAGE_ENTRIES", 1)
    client = MultipartClient(s3_store.options, name="s3")
    begun = [client.begin(key, sha256="", media_type=None) for key in [KEY] * 3 + [KEY + "x"]]
    for upload_id in begun[:3]:
        for number in (1, 2, 4):
            client.send(KEY, upload_id, number, [memoryview(b"small")])
    found = {upload.upload_id: sorted(upload.parts) for upload in client.unfinished(KEY)}
    assert found == {upload_id: [1, 2, 4] for upload_id in begun[:3]}
    for key, upload_id in zip([KEY] * 3 + [KEY + "x"], begun, strict=True):
        client.abort(key, upload_id)
        client.abort(key, upload_id)  # again does nothing
    assert client.unfinished(KEY) == []


def test_an_upload_that_somebody_aborts_begins_afresh(s3_store: S3Store, s3_facts: S3Facts) -> None:
    def abort() -> None:
        (left,) = pending(s3_facts, s3_store, KEY)
        s3_facts.admin().abort_multipart_upload(
            Bucket=s3_facts.bucket, Key=left["Key"], UploadId=left["UploadId"]
        )

    for at_bytes in (2 * PART + CHUNK, len(LARGE)):  # while parts are sent, and before the end
        send(uploader_for(s3_store), KEY, LARGE, chunks=breaking(LARGE, at_bytes, abort))
        assert_stored(s3_store, KEY, LARGE)
        assert pending(s3_facts, s3_store, KEY) == []
        s3_store.delete(KEY)

    attempts = 0

    def always_aborted() -> Iterator[bytes]:
        nonlocal attempts
        attempts += 1
        return breaking(LARGE, PART + CHUNK, abort)()

    with pytest.raises(UploadContested):
        send(uploader_for(s3_store), KEY, LARGE, chunks=always_aborted)
    assert attempts == ATTEMPTS_MAX


def test_an_upload_that_somebody_completes_is_done(s3_store: S3Store, s3_facts: S3Facts) -> None:
    other = uploader_for(S3Store(s3_store.options))
    chunks = breaking(LARGE, 2 * PART + CHUNK, lambda: send(other, KEY, LARGE))
    assert send(uploader_for(s3_store), KEY, LARGE, chunks=chunks).size_bytes == len(LARGE)
    assert_stored(s3_store, KEY, LARGE)
    assert pending(s3_facts, s3_store, KEY) == []


def test_memory_and_reading_ahead_are_bounded_by_the_parts_in_flight(
    s3_server_of: Callable[[str], S3Facts],
) -> None:
    facts = s3_server_of("radosgw")
    store = S3Store(facts.options(prefix="bound", part_bytes=PART, parts_in_flight_max=2))
    uploader, parts = uploader_for(store), 12
    send(uploader, "warm", bytes_of(PART + 1))

    def chunks() -> Iterator[bytes]:
        return (bytes([number]) * (1 << 20) for number in range(parts * 5))

    sha256 = sha256_of(b"".join(chunks()))
    tracemalloc.start()
    try:
        uploader.upload(KEY, chunks, size_bytes=parts * PART, sha256=sha256)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 4 * PART  # two in flight, the next, and less than another in buffers
    assert sha256_of(read_all(store, KEY)) == sha256


def test_threads_share_an_uploader(s3_store: S3Store) -> None:
    uploader = uploader_for(s3_store)
    files = {
        f"many/{number}": bytes_of((PART + 5) if number % 3 == 0 else 1000 * number, seed=number)
        for number in range(9)
    }
    together = threading.Barrier(4)

    def bring(key: str) -> None:
        if key in ("many/0", "many/1", "many/2", "many/3"):
            together.wait()
        send(uploader, key, files[key])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(bring, files))
    for key, data in files.items():
        assert_stored(s3_store, key, data)


def test_a_checksum_is_sent_for_the_service_to_keep(
    s3_store: S3Store, s3_facts: S3Facts, relay: Relay
) -> None:
    uploader = uploader_for(behind(relay, s3_store, checksum_sha256=True))
    for data in (b"small", LARGE[: PART + 1]):
        relay.forget()
        send(uploader, KEY, data)
        heads = relay.heads.lower()
        parts = 1 if len(data) <= PART else 2
        assert heads.count(b"\r\nx-amz-checksum-sha256:") == parts
        assert_stored(s3_store, KEY, data)
    relay.forget()
    send(uploader_for(behind(relay, s3_store)), KEY, b"small")
    assert b"x-amz-checksum" not in relay.heads.lower()


def test_refusals_have_names_and_show_no_secret(s3_server_of: Callable[[str], S3Facts]) -> None:
    facts = s3_server_of("radosgw")
    wrong = dataclasses.replace(facts, secret_key="not-the-secret-key")
    for options, kind, said in (
        (wrong.options(part_bytes=PART), StoreDenied, "SignatureDoesNotMatch"),
        (
            dataclasses.replace(facts, bucket="no-such-bucket").options(part_bytes=PART),
            StoreUnavailable,
            "no-such-bucket",
        ),
    ):
        with pytest.raises(StoreError) as raised:
            send(uploader_for(S3Store(options)), KEY, LARGE)
        assert type(raised.value) is kind
        assert said in str(raised.value)
        assert "not-the-secret-key" not in str(raised.value)


def test_without_botocore_only_large_objects_are_refused(
    s3_store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def without(name: str) -> Any:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("lading.storage.botocore_client.import_module", without)
    uploader = uploader_for(s3_store)
    send(uploader, KEY, b"small")
    with pytest.raises(MissingExtra) as raised:
        send(uploader, KEY, LARGE)
    assert "lading[catalog]" in raised.value.advice


@pytest.mark.parametrize("kind", ["folder", "memory"])
def test_stores_that_are_no_bucket_are_put_to(kind: str, tmp_path: Path) -> None:
    store: ObjectStore = (
        FolderStore(tmp_path / "store", create=True) if kind == "folder" else MemoryStore()
    )
    uploader = uploader_for(store)
    assert send(uploader, "a/b", LARGE) == Uploaded(len(LARGE), len(LARGE), 0)
    assert read_all(store, "a/b") == LARGE
    stop = raising(Interrupted(StopReason.SHUTDOWN))
    with pytest.raises(Interrupted):
        send(uploader, "a/c", LARGE, chunks=breaking(LARGE, PART, stop))
    with pytest.raises(SizeMismatch):
        uploader.upload("a/c", lambda: iter([b"xy"]), size_bytes=1, sha256=sha256_of(b"x"))
    assert store.head("a/c") is None


@given(lengths=st.lists(st.integers(0, 40)), part_bytes=st.integers(1, 50))
def test_parts_are_the_same_bytes_in_other_pieces(lengths: list[int], part_bytes: int) -> None:
    data = os.urandom(sum(lengths))
    ends = [sum(lengths[:n]) for n in range(len(lengths) + 1)]
    chunks = (data[start:end] for start, end in itertools.pairwise(ends))
    parts = [b"".join(pieces) for pieces in _in_parts(chunks, part_bytes)]
    assert parts == [data[i : i + part_bytes] for i in range(0, len(data), part_bytes)]


@given(size_bytes=st.integers(1, 5 << 40), part_bytes=st.integers(PART, 64 << 20))
def test_parts_grow_only_when_there_would_be_too_many(size_bytes: int, part_bytes: int) -> None:
    chosen = part_bytes_for(size_bytes, part_bytes)
    assert -(-size_bytes // chosen) <= PARTS_MAX
    if chosen != part_bytes:
        assert size_bytes > part_bytes * PARTS_MAX
        assert chosen - part_bytes <= -(-size_bytes // PARTS_MAX) - part_bytes + (1 << 20)
