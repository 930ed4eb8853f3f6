"""Bundles that are wrong as a whole: their two files, and the manifest's header."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, Final

from lading.testing.breakage_kinds import (
    Breakage,
    Spoiled,
    breaks_batch,
    manifest_bytes,
)
from lading.testing.bundles import Bundle, BundlePublisher

MANIFEST_BYTES_HUGE: Final = 200 * 1000 * 1000


# The two files of a bundle.


@breaks_batch(Breakage.SENTINEL_MISSING, "sentinel_missing")
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    return Spoiled(bundle.publish(sentinel=None))


@breaks_batch(Breakage.MANIFEST_MISSING, "manifest_missing")
def _(publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    return Spoiled(publisher.publish_bytes(bundle.sync_id, None))


def _rewritten(kind: Breakage, rewrite: Callable[[bytes], bytes]) -> None:
    """A manifest whose text is not one JSON document."""

    def spoil(publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
        return Spoiled(publisher.publish_bytes(bundle.sync_id, rewrite(manifest_bytes(bundle))))

    breaks_batch(kind, "manifest_unreadable")(spoil)


def _with_field(text: bytes) -> Callable[[bytes], bytes]:
    return lambda manifest: manifest[:-1] + b', "more": ' + text + b"}"


_rewritten(Breakage.MANIFEST_EMPTY, lambda _: b"")
_rewritten(Breakage.MANIFEST_TRUNCATED, lambda manifest: manifest[: len(manifest) * 2 // 3])
_rewritten(Breakage.MANIFEST_TRAILING, lambda manifest: manifest + b"\n{}")
_rewritten(Breakage.MANIFEST_NOT_UTF8, _with_field(b'"caf\xe9"'))
_rewritten(Breakage.MANIFEST_BOM, lambda manifest: b"\xef\xbb\xbf" + manifest)
_rewritten(Breakage.MANIFEST_NOT_AN_OBJECT, lambda manifest: b"[" + manifest + b"]")
_rewritten(Breakage.MANIFEST_NESTED_ENDLESSLY, _with_field(b"[" * 100_000 + b"]" * 100_000))
_rewritten(
    Breakage.MANIFEST_DUPLICATE_KEY,
    lambda manifest: manifest[:-1] + b', "status": "completed"}',
)
_rewritten(Breakage.MANIFEST_NAN, _with_field(b"NaN"))
_rewritten(Breakage.MANIFEST_ENDLESS_NUMBER, _with_field(b"7" * 10_000))
_rewritten(Breakage.MANIFEST_RAW_CONTROL, _with_field(b'"one\x01two"'))


@breaks_batch(Breakage.MANIFEST_HUGE, "manifest_too_large")
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    published = bundle.publish()
    os.truncate(published.manifest, MANIFEST_BYTES_HUGE)  # a hole: it takes no space
    return Spoiled(published)


@breaks_batch(Breakage.MANIFEST_PIPE, "not_a_regular_file")
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    published = bundle.publish()
    published.manifest.unlink()
    os.mkfifo(published.manifest)
    return Spoiled(published)


@breaks_batch(Breakage.MANIFEST_FOLDER, "not_a_regular_file")
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    published = bundle.publish()
    published.manifest.unlink()
    published.manifest.mkdir()
    return Spoiled(published)


@breaks_batch(Breakage.MANIFEST_SYMLINK, "path_escapes_root")
def _(publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    published = bundle.publish()
    elsewhere = publisher.root.parent / f"{bundle.sync_id}-elsewhere.json"
    published.manifest.rename(elsewhere)
    published.manifest.symlink_to(elsewhere)
    return Spoiled(published)


@breaks_batch(Breakage.SENTINEL_PIPE, "not_a_regular_file")
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    published = bundle.publish(sentinel=None)
    os.mkfifo(published.sentinel)
    return Spoiled(published)


@breaks_batch(Breakage.NAME_UPPER_CASE, "name_not_canonical")
def _(publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    return Spoiled(publisher.publish_bytes(bundle.sync_id.upper(), manifest_bytes(bundle)))


@breaks_batch(Breakage.SENTINEL_OF_ANOTHER, "sentinel_hash_mismatch")
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    return Spoiled(bundle.publish(sentinel=b"0" * 64 + b"\n"))


@breaks_batch(Breakage.SENTINEL_GARBAGE, "sentinel_hash_mismatch")
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    return Spoiled(bundle.publish(sentinel=bytes(range(256)) * 100))


# The header.


def _header(kind: Breakage, reason: str, **fields: Any) -> None:
    """A manifest with these header fields; None leaves a field out."""

    def spoil(publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
        manifest = {
            name: value
            for name, value in {**bundle.manifest(), **fields}.items()
            if value is not None
        }
        return Spoiled(publisher.publish_bytes(bundle.sync_id, json.dumps(manifest).encode()))

    breaks_batch(kind, reason)(spoil)


_header(Breakage.ITEMS_MISSING, "manifest_unreadable", items=None)
_header(Breakage.ITEMS_NOT_A_LIST, "manifest_unreadable", items={"p-1": {}})
_header(
    Breakage.SYNC_ID_OF_ANOTHER,
    "sync_id_mismatch",
    sync_id="00000000-0000-4000-8000-000000000000",
)
_header(Breakage.SYNC_ID_NUMBER, "sync_id_mismatch", sync_id=7)
_header(Breakage.SCHEMA_UNKNOWN, "unsupported_schema", schema_version=2)
_header(Breakage.SCHEMA_TRUE, "unsupported_schema", schema_version=True)
_header(Breakage.TYPE_UNKNOWN, "unsupported_type", type="playlist")
_header(Breakage.ACTION_UNKNOWN, "unsupported_action", action="purge")
_header(Breakage.ACTION_A_LIST, "unsupported_action", action=["import"])
_header(Breakage.NOT_COMPLETED, "not_completed", status="running")
_header(Breakage.VERIFICATION_FAILED, "verification_failed", verification={"passed": False})
_header(Breakage.VERIFICATION_ONLY_TRUTHY, "verification_failed", verification={"passed": "true"})
_header(Breakage.VERIFICATION_MISSING, "verification_failed", verification=None)
_header(Breakage.ITEM_TOTAL_WRONG, "totals_mismatch", verification={"passed": True, "items": 3})
_header(Breakage.BYTE_TOTAL_WRONG, "totals_mismatch", verification={"passed": True, "bytes": 1})
_header(Breakage.TOTAL_NOT_A_NUMBER, "totals_mismatch", verification={"passed": True, "items": "2"})
