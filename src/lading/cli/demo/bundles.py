"""Publishes hand-over bundles as an upstream does: payload first, manifest next, sentinel last."""

from __future__ import annotations

import hashlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

_NAMESPACE: Final = uuid.uuid5(uuid.NAMESPACE_DNS, "demo.lading.example")


@dataclass(slots=True)
class AssetFolder:
    """The payload of one asset while it is written, and what the manifest will say of it."""

    root: Path
    path: str
    files: list[dict[str, Any]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Where its files go."""
        return self.root / self.path

    def place(self, name: str) -> Path:
        """The path for a file of this name, its folder made."""
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        return file

    def add(self, name: str, role: str, media_type: str, *, variant: str | None = None) -> str:
        """List a written file with its size and hash; returns the hash in hex."""
        data = (self.folder / name).read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        entry: dict[str, Any] = {"path": name, "role": role}
        if variant is not None:
            entry["variant"] = variant
        entry |= {"bytes": len(data), "sha256": digest, "media_type": media_type}
        self.files.append(entry)
        return digest

    def add_json(self, name: str, role: str, document: dict[str, Any]) -> None:
        """Write a JSON document and list it."""
        self.place(name).write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        self.add(name, role, "application/json")


@dataclass(slots=True)
class Bundle:
    """One bundle: its items as the manifest lists them."""

    name: str
    type: str
    items: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sync_id(self) -> str:
        """A UUID that follows from the name, so that a second showing makes the same bundle."""
        return sync_id_of(self.name)

    def publish(self, root: Path, *, completed: bool = True) -> None:
        """Write the manifest and, when the bundle is completed, its sentinel."""
        files = [file for item in self.items for file in item.get("files", [])]
        at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
        manifest: dict[str, Any] = {
            "schema_version": 1,
            "sync_id": self.sync_id,
            "type": self.type,
            "action": "import",
            "status": "completed" if completed else "running",
            "created_at": at,
        }
        if completed:
            manifest["completed_at"] = at
            manifest["verification"] = {
                "passed": True,
                "checked_at": at,
                "items": len(self.items),
                "bytes": sum(file["bytes"] for file in files),
            }
        manifest["items"] = self.items
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        sync = root / "sync"
        sync.mkdir(exist_ok=True)
        (sync / f"{self.sync_id}.json").write_text(text)
        if completed:
            digest = hashlib.sha256(text.encode()).hexdigest()
            (sync / f"{self.sync_id}.ready").write_text(f"{digest}\n")


def sync_id_of(name: str) -> str:
    """The sync id of the bundle of that name, the same in every showing."""
    return str(uuid.uuid5(_NAMESPACE, name))
