"""An upstream with one of everything that a hand-over can bring."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lading.testing.publisher import Publisher


@dataclass(frozen=True)
class Upstream:
    """A tree with three bundles: photos, a simple video, and a gallery with one broken item."""

    root: Path
    items: int
    broken: int


def publish_everything(root: Path) -> Upstream:
    """Photos with derivatives and documents, a video with HLS, a gallery with a cover, a fault.

    The gallery has members of its own bundle only: all bundles are queued before any is imported.
    """
    upstream = Publisher(root, seed=7)
    first = upstream.bundle("asset")
    for name in ("one", "two"):
        first.photo(name, cover=name == "one")
    first.publish()
    second = upstream.bundle("asset")
    second.video_simple("clip")
    second.publish()
    third = upstream.bundle("gallery")
    spoiled = third.photo("spoiled")
    three = third.photo("three")
    third.gallery("spring", [three, spoiled], cover_hash=f"sha256:{three}")
    third.publish()
    # The same size, other bytes: only reading it tells.
    path = next((root / "assets" / spoiled[:2] / spoiled).glob("original/*"))
    path.write_bytes(bytes(len(path.read_bytes())))
    return Upstream(root, items=6, broken=1)
