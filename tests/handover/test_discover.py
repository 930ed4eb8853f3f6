"""A scan lists every bundle with its reason, and reads only what changed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lading.ingest.source import SourceMissing
from lading.sources.handover import HandoverSource
from lading.testing.publisher import Breakage, Publisher

_opened: list[str] | None = None


def _note_opening(event: str, args: tuple[object, ...]) -> None:
    if _opened is not None and event == "open":
        _opened.append(str(args[0]))


sys.addaudithook(_note_opening)


@contextmanager
def openings() -> Iterator[list[str]]:
    """The names of a bundle's files that are opened meanwhile."""
    global _opened  # noqa: PLW0603 - an audit hook cannot be taken away again
    names: list[str] = []
    _opened = []
    try:
        yield names
    finally:
        names += [name for name in _opened if name.endswith((".json", ".ready"))]
        _opened = None


def fingerprints(source: HandoverSource) -> dict[str, str]:
    return {found.key: found.fingerprint for found in source.discover({})}


def publish_some(publisher: Publisher, count: int) -> list[str]:
    made = []
    for number in range(count):
        bundle = publisher.bundle("asset", "update")
        bundle.photo(f"photo-{number}", derivatives=(), documents=())
        made.append(bundle.publish().sync_id)
    return made


def test_a_new_bundle_is_listed_with_what_its_manifest_says(
    publisher: Publisher, source: HandoverSource
) -> None:
    bundle = publisher.bundle("gallery", "update")
    bundle.gallery("spring", [bundle.photo("one")])
    published = bundle.publish()
    [found] = source.discover({})
    assert (found.key, found.type, found.action) == (published.sync_id, "gallery", "update")
    assert (found.items, found.bytes) == (2, published.bytes)
    assert found.manifest_sha256 == published.sha256
    assert found.reason is None
    assert len(found.fingerprint) <= 190


def test_unchanged_bundles_are_not_opened(publisher: Publisher, source: HandoverSource) -> None:
    made = publish_some(publisher, 5)
    with openings() as names:
        known = fingerprints(source)
    assert len(names) == 10  # a manifest and a sentinel each: the counting works
    with openings() as names:
        again = list(source.discover(known))
    assert names == []
    assert {found.key: found.fingerprint for found in again} == known
    assert sorted(known) == sorted(made)


def test_each_manifest_is_opened_once_and_only_the_changed_one(
    publisher: Publisher, source: HandoverSource
) -> None:
    made = publish_some(publisher, 4)
    known = fingerprints(source)
    bundle = publisher.bundle(sync_id=made[1])
    bundle.photo("another")
    published = bundle.publish()
    with openings() as names:
        changed = [found for found in source.discover(known) if found.manifest_sha256]
    assert sorted(names) == [f"{made[1]}.json", f"{made[1]}.ready"]
    assert [(found.key, found.manifest_sha256) for found in changed] == [
        (made[1], published.sha256)
    ]


@pytest.mark.parametrize("suffix", ["json", "ready"])
def test_either_file_written_anew_with_the_same_bytes_is_a_change(
    publisher: Publisher, source: HandoverSource, suffix: str
) -> None:
    [key] = publish_some(publisher, 1)
    before = fingerprints(source)
    path = publisher.sync / f"{key}.{suffix}"
    times = path.stat()
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    os.utime(copy, ns=(times.st_atime_ns, times.st_mtime_ns))
    copy.replace(path)
    assert fingerprints(source) != before


def test_a_sentinel_that_comes_later_makes_the_bundle_consumable(
    publisher: Publisher, source: HandoverSource
) -> None:
    broken = publisher.publish_broken(Breakage.SENTINEL_MISSING)
    [waiting] = source.discover({})
    assert waiting.reason is not None
    assert waiting.reason.code == "sentinel_missing"
    assert (waiting.type, waiting.items) == ("asset", 2)
    broken.published.sentinel.touch()
    [ready] = source.discover({waiting.key: waiting.fingerprint})
    assert ready.reason is None
    assert ready.manifest_sha256 == broken.published.sha256


def test_what_is_plainly_no_bundle_is_passed_over(
    publisher: Publisher, source: HandoverSource
) -> None:
    [key] = publish_some(publisher, 1)
    for name in (
        "README.json",
        ".ready",
        f"{key}.json.tmp",
        f".{key}.json.tmp",
        f"{key}.JSON",
        "notes.txt",
        f"{key}x.json",
    ):
        (publisher.sync / name).write_text("{}")
    (publisher.sync / "a folder").mkdir()
    (publisher.sync / os.fsdecode(b"caf\xe9.json")).write_text("{}")
    os.mkfifo(publisher.sync / "pipe.json")
    assert [found.key for found in source.discover({})] == [key]


def test_a_manifest_above_the_limit_is_consumable_once_the_limit_is_raised(
    publisher: Publisher, make_source: Callable[..., HandoverSource]
) -> None:
    [key] = publish_some(publisher, 1)
    [small] = make_source(manifest_bytes_max=100).discover({})
    assert small.reason is not None
    assert small.reason.code == "manifest_too_large"
    assert small.detail["expected"] == "at most 100 B"
    assert small.manifest_sha256 is None
    [large] = make_source().discover({key: small.fingerprint})
    assert large.reason is None
    assert large.manifest_sha256 is not None


def test_the_200_megabyte_manifest_is_refused_without_reading_it(
    publisher: Publisher, source: HandoverSource
) -> None:
    publisher.publish_broken(Breakage.MANIFEST_HUGE)
    [found] = source.discover({})
    assert found.reason is not None
    assert found.reason.code == "manifest_too_large"
    assert found.detail["found"] == "200.0 MB"


def test_a_missing_root_or_sync_folder_is_the_sources_fault_not_an_empty_scan(
    publisher: Publisher, source: HandoverSource, root: Path
) -> None:
    publish_some(publisher, 1)
    (root / "sync").rename(root / "elsewhere")
    with pytest.raises(SourceMissing):
        list(source.discover({}))
    with pytest.raises(SourceMissing):
        source.identity()
    (root / "sync").symlink_to(root / "elsewhere")
    with pytest.raises(SourceMissing):
        list(source.discover({}))
    shutil.rmtree(root)
    with pytest.raises(SourceMissing):
        list(source.discover({}))


def test_another_tree_in_the_same_place_has_another_identity(
    publisher: Publisher, source: HandoverSource, root: Path
) -> None:
    before = source.identity()
    assert source.identity() == before
    root.rename(root.with_name("away"))
    Publisher(root)
    assert source.identity() != before
    assert HandoverSource("nas", str(root.with_name("away"))).identity() == before
    del publisher
