"""An upstream that publishes hand-over bundles: payload first, the manifest, the sentinel last.

Everything is written beside its place and renamed into it, as a careful upstream does it. What
is published is deterministic for a seed. `lading.testing.publisher` adds what is wrong.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

DERIVATIVES: Final = ("large", "frosted", "blurred", "vivid_blurred")
"""The variants a photo gets unless told otherwise; only the first is ever stored."""

DOCUMENTS: Final = (
    "source.json",
    "data/photo.manifest.json",
    "data/photo.analysis.json",
    "data/photo.meaning.json",
    "data/photo.family.json",
    "data/palette.json",
)
"""The documents a photo gets unless told otherwise, below `source/`."""


@dataclass(frozen=True, slots=True)
class Published:
    """One published bundle: where its two files are, and what the manifest says of itself."""

    sync_id: str
    manifest: Path
    sentinel: Path
    sha256: str
    items: int
    bytes: int


class BundlePublisher:
    """Publishes below `root`, which is made when it is not there."""

    def __init__(self, root: Path | str, *, seed: int = 0) -> None:
        self.root = Path(root)
        self.sync = self.root / "sync"
        self.sync.mkdir(parents=True, exist_ok=True)
        self.random = random.Random(seed)

    def new_sync_id(self) -> str:
        """A UUID that no other bundle of this publisher has."""
        return str(uuid.UUID(int=self.random.getrandbits(128), version=4))

    def bundle(
        self,
        type_: str = "asset",
        action: str = "import",
        *,
        sync_id: str | None = None,
    ) -> Bundle:
        """A bundle to add items to and then to publish; the same `sync_id` republishes."""
        return Bundle(self, type_, action, sync_id or self.new_sync_id())

    def place(self, path: str, data: bytes) -> dict[str, Any]:
        """Write a payload file whole; returns its size and hash as a manifest names them."""
        write_whole(self.root / path, data)
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def publish_many(
        self, count: int, *, payload: bool = True, gallery: bool = False, sync_id: str | None = None
    ) -> Published:
        """Publish `count` tiny assets, in constant memory.

        Without `payload` only the manifest is written. With `gallery`, one more item holds all.
        """
        sync_id = sync_id or self.new_sync_id()
        total = [0, 0]

        def pieces() -> Iterator[str]:
            header = _header(sync_id, "asset", "import")
            del header["verification"]
            yield json.dumps(header)[:-1] + ', "items": ['
            members = []
            for number in range(count):
                data = f"{sync_id}:{number}".encode()
                entry = _tiny_item(sync_id, number, data)
                if payload:
                    _write_plain(self.root / entry["path"], entry["files"][0]["path"], data)
                if gallery:
                    members.append(entry["content_hash"])
                total[0] += 1
                total[1] += len(data)
                yield ("\n" if number == 0 else ",\n") + json.dumps(entry)
            if gallery:
                total[0] += 1
                yield ",\n" + json.dumps(_container("gallery", "many", "Many", members))
            verification = {"passed": True, "items": total[0], "bytes": total[1]}
            yield '], "verification": ' + json.dumps(verification) + "}"

        return self.publish_stream(sync_id, (piece.encode() for piece in pieces()), b"", total)

    def replace_manifest(self, published: Published, *, title: str = "changed since") -> Published:
        """Change one title in a published manifest, as between preflight and import."""
        manifest = json.loads(published.manifest.read_bytes())
        manifest["items"][0]["title"] = title
        data = json.dumps(manifest).encode()
        sums = [published.items, published.bytes]
        return self.publish_stream(published.sync_id, iter([data]), b"", sums)

    def publish_bytes(
        self, sync_id: str, manifest: bytes | None, sentinel: bytes | None = b""
    ) -> Published:
        """Publish exactly these bytes as manifest and sentinel; None leaves a file out."""
        return self.publish_stream(
            sync_id, None if manifest is None else iter([manifest]), sentinel, [0, 0]
        )

    def withdraw(self, published: Published) -> None:
        """Take a bundle back: the sentinel first, then the manifest."""
        published.sentinel.unlink(missing_ok=True)
        published.manifest.unlink(missing_ok=True)

    def publish_stream(
        self,
        sync_id: str,
        manifest: Iterator[bytes] | None,
        sentinel: bytes | None,
        sums: Sequence[int],
    ) -> Published:
        """Publish the pieces of a manifest, then the sentinel; `@sha256` stands for their hash.

        `sums` are the items and bytes that the manifest claims.
        """
        manifest_path = self.sync / f"{sync_id}.json"
        sentinel_path = self.sync / f"{sync_id}.ready"
        sentinel_path.unlink(missing_ok=True)
        digest = hashlib.sha256()
        if manifest is not None:
            being_written = manifest_path.with_suffix(".json.tmp")
            with being_written.open("wb") as file:
                for piece in manifest:
                    digest.update(piece)
                    file.write(piece)
            being_written.replace(manifest_path)
        sha256 = digest.hexdigest()
        if sentinel is not None:
            write_whole(sentinel_path, sha256.encode() if sentinel == b"@sha256" else sentinel)
        return Published(sync_id, manifest_path, sentinel_path, sha256, sums[0], sums[1])


class Bundle:
    """One bundle under construction. `items` and `header` are plain JSON values, free to change."""

    def __init__(self, publisher: BundlePublisher, type_: str, action: str, sync_id: str) -> None:
        self.publisher = publisher
        self.sync_id = sync_id
        self.header: dict[str, Any] = _header(sync_id, type_, action)
        self.items: list[dict[str, Any]] = []

    def photo(
        self,
        name: str,
        *,
        data: bytes | None = None,
        title: str | None = None,
        captured_at: str = "2026-05-01T09:30:00+02:00",
        size: tuple[int, int] = (48, 32),
        derivatives: Sequence[str] = DERIVATIVES,
        documents: Sequence[str] | Mapping[str, bytes] = DOCUMENTS,
        cover: bool = False,
        **fields: Any,
    ) -> str:
        """Add a photo with derivatives, documents and, if wanted, a cover; returns its hash."""
        data = picture(self.publisher.random, size) if data is None else data
        digest = hashlib.sha256(data).hexdigest()
        folder = f"assets/{digest[:2]}/{digest}"
        files = [self._file(folder, f"original/{name}.jpg", "original", data, "image/jpeg")]
        for variant in derivatives:
            body = picture(self.publisher.random, (16, 12))
            path = f"derivatives/{variant}.jpg"
            files.append(
                self._file(folder, path, "derivative", body, "image/jpeg", variant=variant)
            )
        files += self._documents(folder, name, documents)
        cover_hash = None
        if cover:
            body = picture(self.publisher.random, (24, 16))
            files.append(self._file(folder, "cover/cover.jpg", "cover", body, "image/jpeg"))
            cover_hash = f"sha256:{hashlib.sha256(body).hexdigest()}"
        self.items.append(
            {
                "item_id": f"p-{name}",
                "kind": "asset",
                "asset_type": "photo",
                "asset_subtype": None,
                "content_hash": f"sha256:{digest}",
                "title": title or name,
                "captured_at": captured_at,
                "width": size[0],
                "height": size[1],
                "duration_s": None,
                "path": folder,
                "cover_hash": cover_hash,
                "files": files,
                **fields,
            }
        )
        return digest

    def video_simple(
        self,
        name: str,
        *,
        data: bytes | None = None,
        duration_s: float = 12.5,
        segments: int = 3,
        edition: str = "1",
        content: bool = True,
        **fields: Any,
    ) -> str:
        """Add a simple video with its deliverables; returns its hash.

        Another `edition` of the same `data` has other deliverables. Without `content`, the
        primary file itself is left out, as an update may do.
        """
        data = f"video {name} ".encode() * 64 if data is None else data
        digest = hashlib.sha256(data).hexdigest()
        folder = f"assets/{digest[:2]}/{digest}"
        files = []
        if content:
            files.append(self._file(folder, f"original/{name}.mp4", "original", data, "video/mp4"))
        listed = []
        for number in range(segments):
            path = f"hls/{number:04d}.ts"
            body = f"{name} segment {number} of edition {edition} ".encode() * 32
            files.append(self._file(folder, path, "hls", body, "video/mp2t"))
            listed.append(f"#EXTINF:{duration_s / max(segments, 1):.3f},\n{number:04d}.ts\n")
        playlist = "#EXTM3U\n#EXT-X-VERSION:3\n" + "".join(listed) + "#EXT-X-ENDLIST\n"
        media_type = "application/vnd.apple.mpegurl"
        files.append(self._file(folder, "hls/main.m3u8", "hls", playlist.encode(), media_type))
        for path, role, media_type in (
            ("transcript.vtt", "transcript", "text/vtt"),
            ("package.zip", "cloud_package", "application/zip"),
            ("library_cover.jpg", "library_cover", "image/jpeg"),
        ):
            body = f"{role} of {name}, edition {edition}".encode()
            files.append(self._file(folder, path, role, body, media_type))
        self.items.append(
            {
                "item_id": f"v-{name}",
                "kind": "asset",
                "asset_type": "video",
                "asset_subtype": "video_simple",
                "content_hash": f"sha256:{digest}",
                "title": name,
                "duration_s": duration_s,
                "path": folder,
                "files": files,
                **fields,
            }
        )
        return digest

    def gallery(self, key: str, members: Sequence[str], **fields: Any) -> None:
        """Add a gallery of assets, by their hashes, in order."""
        self.container("gallery", key, members, **fields)

    def collection(self, key: str, members: Sequence[str], **fields: Any) -> None:
        """Add a collection of assets, by their hashes, in order."""
        self.container("collection", key, members, **fields)

    def event(self, key: str, members: Sequence[str], **fields: Any) -> None:
        """Add an event with its assets, by their hashes, in order."""
        self.container("event", key, members, **fields)

    def container(self, kind: str, key: str, members: Sequence[str], **fields: Any) -> None:
        """Add a container; `title` and `cover_hash` may be among `fields`."""
        prefixed = [f"sha256:{member}" for member in members]
        self.items.append(_container(kind, key, key.title(), prefixed) | fields)

    def remove_asset(self, content_hash: str) -> None:
        """Add the removal of an asset."""
        item_id = f"r-{content_hash[:12]}"
        self.items.append(
            {"item_id": item_id, "kind": "asset", "content_hash": f"sha256:{content_hash}"}
        )

    def remove_container(self, kind: str, key: str) -> None:
        """Add the removal of a container."""
        self.items.append(
            {
                "item_id": f"r-{key}",
                "kind": "container",
                "container_type": kind,
                "container_key": key,
            }
        )

    def manifest(self) -> dict[str, Any]:
        """The manifest as it would be published, with its totals unless the header has them."""
        verification = self.header["verification"]
        if isinstance(verification, dict):
            sums = {"items": len(self.items), "bytes": claimed_bytes(self.items)}
            verification = sums | verification
        return {**self.header, "verification": verification, "items": self.items}

    def publish(self, *, sentinel: bytes | None = b"@sha256") -> Published:
        """Publish; the sentinel holds the manifest's sha256 unless other bytes are given."""
        data = json.dumps(self.manifest(), indent=1).encode()
        sums = [len(self.items), claimed_bytes(self.items)]
        return self.publisher.publish_stream(self.sync_id, iter([data]), sentinel, sums)

    def add_file(self, item: dict[str, Any], name: str, role: str, data: bytes, **more: Any) -> str:
        """Add a further file to an item of this bundle; returns its path below the root."""
        entry = self._file(item["path"], name, role, data, "application/octet-stream", **more)
        item["files"].append(entry)
        return f"{item['path']}/{name}"

    def _file(
        self, folder: str, name: str, role: str, data: bytes, media_type: str, **more: Any
    ) -> dict[str, Any]:
        facts = self.publisher.place(f"{folder}/{name}", data)
        return {"path": name, "role": role, **facts, "media_type": media_type, **more}

    def _documents(
        self, folder: str, name: str, documents: Sequence[str] | Mapping[str, bytes]
    ) -> list[dict[str, Any]]:
        files = []
        for path in documents:
            if isinstance(documents, Mapping):
                body = documents[path]
            else:
                body = json.dumps({"of": name, "document": path}).encode()
            role = "source" if path == "source.json" else "source_data"
            files.append(self._file(folder, f"source/{path}", role, body, "application/json"))
        return files


def claimed_bytes(items: Sequence[Any]) -> int:
    """What the files of `items` add up to, as far as they name numbers."""
    total = 0
    for item in items:
        files = item.get("files") if isinstance(item, dict) else None
        for file in files if isinstance(files, list) else []:
            size = file.get("bytes") if isinstance(file, dict) else None
            total += size if type(size) is int and size > 0 else 0
    return total


def picture(source: random.Random, size: tuple[int, int]) -> bytes:
    """A small real JPEG of coloured noise where Pillow is there, as many odd bytes where not."""
    width, height = size
    noise = source.randbytes(width * height * 3)
    try:
        from PIL import Image  # noqa: PLC0415 - it comes with an extra
    except ModuleNotFoundError:
        return noise
    out = io.BytesIO()
    Image.frombytes("RGB", size, noise).save(out, "JPEG", quality=60)
    return out.getvalue()


def write_whole(path: Path, data: bytes) -> None:
    """Write beside `path` and rename, so that no reader sees half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    being_written = path.parent / f".{path.name[:200]}.tmp"
    being_written.write_bytes(data)
    being_written.replace(path)


def _header(sync_id: str, type_: str, action: str) -> dict[str, Any]:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "schema_version": 1,
        "sync_id": sync_id,
        "type": type_,
        "action": action,
        "status": "completed",
        "created_at": now,
        "completed_at": now,
        "verification": {"passed": True, "checked_at": now},
    }


def _container(kind: str, key: str, title: str, members: Sequence[str]) -> dict[str, Any]:
    return {
        "item_id": f"c-{key}",
        "kind": "container",
        "container_type": kind,
        "container_key": key,
        "title": title,
        "cover_hash": None,
        "members": list(members),
    }


def _tiny_item(sync_id: str, number: int, data: bytes) -> dict[str, Any]:
    digest = hashlib.sha256(data).hexdigest()
    file = {"path": f"{number}.jpg", "role": "original", "bytes": len(data), "sha256": digest}
    return {
        "item_id": f"t-{number}",
        "kind": "asset",
        "asset_type": "photo",
        "content_hash": f"sha256:{digest}",
        "title": f"Tiny {number}",
        "path": f"many/{sync_id}/{number // 1000}",
        "files": [file],
    }


def _write_plain(folder: Path, name: str, data: bytes) -> None:
    """Write a file of a large bundle; nobody reads it before the manifest is there."""
    try:
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    except FileNotFoundError:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)
