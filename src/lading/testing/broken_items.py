"""Items that are wrong among sound ones: their shape, their paths, their files, their targets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any, Final

from lading.testing.breakage_kinds import (
    NEIGHBOURS,
    Breakage,
    Spoiled,
    Stage,
    breaks_item,
    manifest_bytes,
)
from lading.testing.bundles import Bundle, BundlePublisher, write_whole

# One item among sound ones.


def _spoilt_item(
    kind: Breakage,
    reason: str,
    spoil: Callable[[dict[str, Any]], str | None],
    *,
    text: tuple[str, str] | None = None,
) -> None:
    """A photo that `spoil` changes in the manifest; `text` replaces a piece of its JSON.

    What `spoil` returns is the item's key when its item_id cannot serve.
    """

    def publish_spoilt(publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
        bundle.photo(f"spoilt-{kind.value}", documents=())
        item = bundle.items[-1]
        key = spoil(item) or str(item.get("item_id"))
        manifest = manifest_bytes(bundle).decode()
        if text is not None:
            manifest = manifest.replace(*text)
        published = publisher.publish_bytes(bundle.sync_id, manifest.encode())
        return Spoiled(published, key)

    breaks_item(kind, reason)(publish_spoilt)


def _set(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """Set fields of the item."""
    return lambda item: item.update(fields)


def _set_file(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """Set fields of the item's first file."""
    return lambda item: item["files"][0].update(fields)


def _nameless(**fields: Any) -> Callable[[dict[str, Any]], str]:
    """Set fields of an item that goes by its place in the manifest then."""

    def spoil(item: dict[str, Any]) -> str:
        item.update(fields)
        return f"#{NEIGHBOURS}"

    return spoil


def _nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def _all_wrong(item: dict[str, Any]) -> str:
    for name in ("item_id", "content_hash", "title", "captured_at", "width", "path", "files"):
        item[name] = {"not": ["what", "was", "asked"]}
    return f"#{NEIGHBOURS}"


def _file_twice(item: dict[str, Any]) -> None:
    item["files"].append(dict(item["files"][0]))


_SHAPE: Final = "manifest_shape"
_spoilt_item(Breakage.ITEM_WITHOUT_ID, _SHAPE, _nameless(item_id=None))
_spoilt_item(Breakage.ITEM_ID_TOO_LONG, _SHAPE, _nameless(item_id="x" * 191))
_spoilt_item(Breakage.ITEM_ID_NUL, _SHAPE, _nameless(item_id="p\0q"))
_spoilt_item(Breakage.ITEM_ID_NEWLINE, _SHAPE, _nameless(item_id="p\nq"))
_spoilt_item(Breakage.ITEM_NESTED_DEEPLY, _SHAPE, _set(more=_nested(300)))
_spoilt_item(Breakage.ITEM_WRONG_TYPES, _SHAPE, _all_wrong)
_spoilt_item(Breakage.KIND_UNKNOWN, "unsupported_type", _set(kind="person"))
_spoilt_item(Breakage.KIND_MISSING, _SHAPE, _set(kind=None))
_spoilt_item(Breakage.ASSET_TYPE_UNKNOWN, "unsupported_type", _set(asset_type="hologram"))
_spoilt_item(Breakage.CONTENT_HASH_MISSING, _SHAPE, _set(content_hash=None))
_spoilt_item(Breakage.CONTENT_HASH_OF_NO_FILE, _SHAPE, _set(content_hash="sha256:" + "1" * 64))
_spoilt_item(Breakage.TITLE_NUL, _SHAPE, _set(title="a\0b"))
_spoilt_item(Breakage.TITLE_LONE_SURROGATE, _SHAPE, _set(title="a\ud800b"))
_spoilt_item(Breakage.UNKNOWN_FIELD_NUL, _SHAPE, _set(more={"deep": ["a\0b"]}))
_spoilt_item(Breakage.CAPTURED_AT_NONSENSE, _SHAPE, _set(captured_at="yesterday"))
_spoilt_item(Breakage.WIDTH_HUGE, _SHAPE, _set(width=10**400))
_spoilt_item(
    Breakage.DURATION_INFINITE,
    _SHAPE,
    _set(duration_s="@infinite"),
    text=('"@infinite"', "1e999"),
)
_spoilt_item(Breakage.SIZE_NEGATIVE, _SHAPE, _set_file(bytes=-1))
_spoilt_item(Breakage.SIZE_FRACTION, _SHAPE, _set_file(bytes=1.5))
_spoilt_item(Breakage.ROLE_UNKNOWN, _SHAPE, _set_file(role="negative"))
_spoilt_item(Breakage.FILES_NOT_A_LIST, _SHAPE, _set(files="original.jpg"))
_spoilt_item(Breakage.FILE_TWICE, _SHAPE, _file_twice)
_spoilt_item(Breakage.PATH_ABSOLUTE, "path_escapes_root", _set(path="/etc"))
_spoilt_item(Breakage.PATH_PARENT, "path_escapes_root", _set(path="assets/../../elsewhere"))
_spoilt_item(
    Breakage.PATH_PARENT_IN_FILE, "path_escapes_root", _set_file(path="../../../etc/passwd")
)
_spoilt_item(Breakage.PATH_NUL, _SHAPE, _set_file(path="original/a\0b.jpg"))
_spoilt_item(Breakage.PATH_NEWLINE, _SHAPE, _set_file(path="original/a\nb.jpg"))
_spoilt_item(Breakage.PATH_TOO_LONG, "path_too_long", _set_file(path="é" * 200 + ".jpg"))


@breaks_item(Breakage.ITEM_NOT_AN_OBJECT, "manifest_shape")
def _(publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    manifest = bundle.manifest()
    manifest["items"] = [*manifest["items"], "p-3"]
    del manifest["verification"]["items"]
    data = json.dumps(manifest).encode()
    return Spoiled(publisher.publish_bytes(bundle.sync_id, data), f"#{NEIGHBOURS}")


def _spoilt_container(kind: Breakage, reason: str, **fields: Any) -> None:
    def spoil(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
        bundle.gallery(f"spoilt-{kind.value}", [])
        bundle.items[-1].update(fields)
        return Spoiled(bundle.publish(), f"c-spoilt-{kind.value}")

    breaks_item(kind, reason)(spoil)


_spoilt_container(Breakage.CONTAINER_TYPE_UNKNOWN, "unsupported_type", container_type="playlist")
_spoilt_container(Breakage.MEMBERS_NOT_HASHES, "manifest_shape", members=["p-1", 7])
_spoilt_container(
    Breakage.UNKNOWN_MEMBER,
    "unknown_member",
    members=[f"sha256:{number:064x}" for number in range(5)],
)


# One file among sound ones.


def _spoilt_file(
    kind: Breakage,
    reason: str,
    spoil: Callable[[BundlePublisher, str], None],
    *,
    stage: Stage = Stage.PREFLIGHT,
    which: str = "original",
) -> None:
    """A photo one of whose files `spoil` changes on the disk, after it was published."""

    def publish_spoilt(publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
        bundle.photo(f"spoilt-{kind.value}", size=(64, 64))
        item = bundle.items[-1]
        file = next(file for file in item["files"] if file["role"] == which)
        path = f"{item['path']}/{file['path']}"
        published = bundle.publish()
        spoil(publisher, path)
        return Spoiled(published, item["item_id"], path)

    breaks_item(kind, reason, stage)(publish_spoilt)


def _as_symlink(publisher: BundlePublisher, path: str) -> None:
    """Put the file outside of the root and a link to it in its place."""
    victim = publisher.root / path
    elsewhere = publisher.root.parent / f"elsewhere-{victim.name}"
    victim.rename(elsewhere)
    victim.symlink_to(elsewhere)


def _folder_as_symlink(publisher: BundlePublisher, path: str) -> None:
    folder = (publisher.root / path).parent
    elsewhere = publisher.root.parent / f"elsewhere-{folder.parent.name}"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere, target_is_directory=True)


def _as_pipe(publisher: BundlePublisher, path: str) -> None:
    (publisher.root / path).unlink()
    os.mkfifo(publisher.root / path)


def _as_folder(publisher: BundlePublisher, path: str) -> None:
    (publisher.root / path).unlink()
    (publisher.root / path).mkdir()


def _gone(publisher: BundlePublisher, path: str) -> None:
    (publisher.root / path).unlink()


def _shorter(publisher: BundlePublisher, path: str) -> None:
    os.truncate(publisher.root / path, 1)


def _unreadable(publisher: BundlePublisher, path: str) -> None:
    (publisher.root / path).chmod(0)


def _other_bytes(publisher: BundlePublisher, path: str) -> None:
    """The same size, other bytes: only reading it tells."""
    victim = publisher.root / path
    write_whole(victim, bytes(byte ^ 0xFF for byte in victim.read_bytes()))


def _untouched(publisher: BundlePublisher, path: str) -> None:
    """The file is spoiled later, by `shrinking`."""
    del publisher, path


_spoilt_file(Breakage.FILE_SYMLINK, "path_escapes_root", _as_symlink)
_spoilt_file(Breakage.FOLDER_SYMLINK, "path_escapes_root", _folder_as_symlink)
_spoilt_file(Breakage.FILE_PIPE, "not_a_regular_file", _as_pipe)
_spoilt_file(Breakage.FILE_FOLDER, "not_a_regular_file", _as_folder)
_spoilt_file(Breakage.FILE_MISSING, "missing_file", _gone)
_spoilt_file(Breakage.FILE_TOO_SHORT, "size_mismatch", _shorter)
# Permissions do not hold root back: to root, this one is no breakage.
_spoilt_file(Breakage.FILE_UNREADABLE, "unreadable", _unreadable, stage=Stage.IMPORT)
_spoilt_file(Breakage.FILE_OTHER_BYTES, "hash_mismatch", _other_bytes, stage=Stage.IMPORT)
_spoilt_file(
    Breakage.DOCUMENT_OTHER_BYTES,
    "hash_mismatch",
    _other_bytes,
    stage=Stage.IMPORT,
    which="source_data",
)
_spoilt_file(Breakage.FILE_SHRINKS, "file_changed", _untouched, stage=Stage.IMPORT)


@breaks_item(Breakage.DOCUMENT_TOO_LARGE, "document_too_large")
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    bundle.photo("spoilt-document_too_large", documents={"source.json": bytes(9 * 1024 * 1024)})
    return Spoiled(bundle.publish(), bundle.items[-1]["item_id"])


# Items that are in order by themselves.


@breaks_item(Breakage.DUPLICATE_ITEM, "duplicate_item", Stage.ENGINE)
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    bundle.photo("namesake", documents=())
    bundle.items[-1]["item_id"] = bundle.items[0]["item_id"]
    return Spoiled(bundle.publish(), bundle.items[0]["item_id"])


@breaks_item(Breakage.DUPLICATE_CONTENT, "duplicate_item", Stage.ENGINE)
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    bundle.items.append({**bundle.items[0], "item_id": "p-again"})
    return Spoiled(bundle.publish(), "p-again")


@breaks_item(Breakage.UNKNOWN_TARGET_OF_UPDATE, "unknown_target", action="update")
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    bundle.video_simple("never-seen", content=False)
    return Spoiled(bundle.publish(), bundle.items[-1]["item_id"])


@breaks_item(Breakage.UNKNOWN_TARGET_OF_REMOVE, "unknown_target", action="remove")
def _(_publisher: BundlePublisher, bundle: Bundle) -> Spoiled:
    bundle.remove_asset("2" * 64)
    return Spoiled(bundle.publish(), bundle.items[-1]["item_id"])
