"""A manifest is read once, and its items come out in one order, in constant memory."""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.ingest.source import BatchRef, BatchRefused
from lading.sources.handover import HandoverSource
from lading.sources.handover.fields import Misshapen, check_path
from lading.sources.handover.items import AssetItem, BadItem, ContainerItem, parse_item
from lading.sources.handover.manifest import read_manifest
from lading.sources.handover.reasons import REASONS
from lading.testing.publisher import Publisher
from tests.handover.fuzzing import fuzzed

SYNC_ID = "00000000-0000-4000-8000-00000000000f"


def keys(source: HandoverSource, sync_id: str) -> list[tuple[str, str]]:
    with source.open_batch(BatchRef(1, sync_id, 1)) as opened:
        return [(item.key, item.kind) for item in opened.items()]


def test_assets_come_before_what_contains_them_in_the_same_order_each_time(
    publisher: Publisher, source: HandoverSource
) -> None:
    bundle = publisher.bundle()
    bundle.gallery("first", [])
    bundle.photo("one")
    bundle.event("second", [])
    bundle.photo("two")
    bundle.items.append({"kind": "riddle"})
    published = bundle.publish()
    expected = [
        ("p-one", "asset"),
        ("p-two", "asset"),
        ("c-first", "gallery"),
        ("c-second", "event"),
        ("#4", "unknown"),
    ]
    with source.open_batch(BatchRef(1, published.sync_id, 1)) as opened:
        first, second = opened.items(), opened.items()
        # Two walks at once do not disturb each other.
        pairs = list(zip(first, second, strict=True))
        again = list(opened.items())
    assert [(a.key, a.kind) for a, _ in pairs] == expected
    assert [(b.key, b.kind) for _, b in pairs] == expected
    assert [(item.key, item.kind) for item in again] == expected


def test_an_open_bundle_is_not_changed_by_what_happens_upstream(
    publisher: Publisher, source: HandoverSource
) -> None:
    bundle = publisher.bundle()
    bundle.photo("one", title="as it was")
    published = bundle.publish()
    with source.open_batch(BatchRef(1, published.sync_id, 1)) as opened:
        changed = publisher.replace_manifest(published, title="changed since")
        [item] = opened.items()
        assert item.title == "as it was"
        assert opened.manifest_sha256 == published.sha256
    with source.open_batch(BatchRef(1, published.sync_id, 1)) as opened:
        assert opened.manifest_sha256 == changed.sha256 != published.sha256


def test_the_hash_is_over_every_byte_also_behind_a_fault() -> None:
    data = b'{"items": [oops' + b" " * 1_000_000
    reading = read_manifest(io.BytesIO(data), size_bytes=len(data), bytes_max=2_000_000)
    assert reading.fault is not None
    assert reading.fault.code == "manifest_unreadable"
    assert "byte 11" in (reading.fault.found or "")
    assert reading.sha256 == hashlib.sha256(data).hexdigest()


def test_a_manifest_that_grows_while_it_is_read_is_cut_off_at_the_limit() -> None:
    class Growing(io.RawIOBase):
        read_bytes = 0

        def read(self, size: int = -1, /) -> bytes:
            self.read_bytes += size
            return b" " * size

    growing = Growing()
    reading = read_manifest(growing, size_bytes=10, bytes_max=1_000_000)
    assert reading.fault is not None
    assert reading.fault.code == "manifest_too_large"
    assert growing.read_bytes < 2_000_000


def test_a_hundred_thousand_items_are_all_read_and_in_flat_memory(
    publisher: Publisher, source: HandoverSource
) -> None:
    few = publisher.publish_many(2_000, payload=False)
    many = publisher.publish_many(100_000, payload=False, gallery=True)
    found = {bundle.key: bundle for bundle in source.discover({})}
    large = found[many.sync_id]
    assert (large.items, large.bytes, large.reason) == (100_001, many.bytes, None)
    assert traced_bytes(source, many.sync_id) < traced_bytes(source, few.sync_id) + 1_000_000
    seen: set[str] = set()
    last = None
    with source.open_batch(BatchRef(1, many.sync_id, 1)) as opened:
        for item in opened.items():
            seen.add(item.key)
            last = item
    assert len(seen) == 100_001
    assert last is not None
    assert isinstance(last.payload, ContainerItem)
    assert len(last.payload.members or ()) == 100_000


def traced_bytes(source: HandoverSource, sync_id: str) -> int:
    """The most memory that the first items of a bundle take."""
    with source.open_batch(BatchRef(1, sync_id, 1)) as opened:
        # Tracing is slow, and the memory of a walk does not grow after its first windows.
        tracemalloc.start()
        try:
            assert sum(1 for _ in itertools.islice(opened.items(), 2_000)) == 2_000
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()


FIELDS = [
    *("item_id", "kind", "asset_type", "content_hash", "title", "captured_at", "width", "path"),
    *("duration_s", "files", "role", "bytes", "sha256", "container_type", "container_key"),
    *("members", "cover_hash", "more"),
]

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["asset", "container", "gallery", "photo", "\ud800", "a" * 64, "../x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(FIELDS),
            inner,
            max_size=8,
        )
    ),
    max_leaves=25,
)


@fuzzed
@given(json_values)
def test_any_value_as_an_item_is_taken_or_has_a_reason(value: Any) -> None:
    item = parse_item(3, value)
    if isinstance(item, BadItem):
        assert item.code in REASONS
        assert 1 <= len(item.key) <= 190
        f"{item.key}{item.expected}{item.found}{item.field}".encode()
    else:
        json.dumps(dict(item.detail), allow_nan=False).encode()
        assert isinstance(item, AssetItem | ContainerItem)


@fuzzed
@given(st.lists(json_values, max_size=5), st.dictionaries(st.text(), json_values, max_size=4))
def test_any_manifest_is_opened_or_refused(
    tmp_path_factory: pytest.TempPathFactory, items: list[Any], header: dict[str, Any]
) -> None:
    publisher = Publisher(tmp_path_factory.mktemp("any"))
    manifest = {**publisher.bundle(sync_id=SYNC_ID).manifest(), "items": items, **header}
    manifest["verification"] = {"passed": True}
    publisher.publish_bytes(SYNC_ID, json.dumps(manifest).encode())
    source = HandoverSource("nas", str(publisher.root))
    refused = None
    try:
        found = keys(source, SYNC_ID)
    except BatchRefused as error:
        refused = error
    if refused is None:
        assert len(found) == len(manifest["items"])
    else:
        assert refused.reason.code in REASONS


@fuzzed
@given(st.binary(max_size=300), st.binary(max_size=80))
def test_any_bytes_as_a_bundle_are_refused(
    tmp_path_factory: pytest.TempPathFactory, manifest: bytes, sentinel: bytes
) -> None:
    publisher = Publisher(tmp_path_factory.mktemp("bytes"))
    publisher.publish_bytes(SYNC_ID, manifest, sentinel)
    source = HandoverSource("nas", str(publisher.root))
    [found] = source.discover({})
    assert found.reason is not None
    with pytest.raises(BatchRefused) as refused:
        keys(source, SYNC_ID)
    assert refused.value.reason == found.reason


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("original/a.jpg", None),
        ("été/ça va (1).jpg", None),
        (".hidden/..double", None),
        ("a\\..\\b", None),
        ("x" * 255, None),
        ("/etc/passwd", "path_escapes_root"),
        ("..", "path_escapes_root"),
        ("a/../b", "path_escapes_root"),
        ("a/..", "path_escapes_root"),
        ("x" * 256, "path_too_long"),
        ("é" * 128, "path_too_long"),
        ("", "manifest_shape"),
        ("a//b", "manifest_shape"),
        ("a/./b", "manifest_shape"),
        ("a/", "manifest_shape"),
        ("a\0b", "manifest_shape"),
        ("a\nb", "manifest_shape"),
        ("a\x7fb", "manifest_shape"),
        ("a\udc80b", "manifest_shape"),
        (None, "manifest_shape"),
        (["a"], "manifest_shape"),
    ],
)
def test_a_path_stays_below_its_root_by_its_spelling(path: object, code: str | None) -> None:
    if code is None:
        assert check_path(path, "path") == path
    else:
        with pytest.raises(Misshapen) as refused:
            check_path(path, "path")
        assert refused.value.code == code
