"""The upstream of tests and demonstrations: publishes what is in order, and what is not.

Each breakage of an item stands among items that are in order, so that tests can see them go on.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from lading.storage.roots import SafeFile

# Imported for what they register.
from lading.testing import broken_batches, broken_items
from lading.testing.breakage_kinds import NEIGHBOURS, WAYS, Breakage, Broken, Scope, Stage
from lading.testing.bundles import Bundle, BundlePublisher, Published

__all__ = ["Breakage", "Broken", "Bundle", "Published", "Publisher", "Scope", "Stage"]

if unregistered := sorted(set(Breakage) - set(WAYS)):
    raise AssertionError(
        f"{broken_batches.__name__} and {broken_items.__name__} lack {unregistered}"
    )


class Publisher(BundlePublisher):
    """An upstream that can also go wrong, in every way that `Breakage` names."""

    def publish_broken(self, kind: Breakage) -> Broken:
        """Publish a bundle that is wrong in this way, with sound photos beside a broken item."""
        way = WAYS[kind]
        bundle = self.bundle("asset", way.action)
        neighbours: tuple[str, ...] = ()
        if way.action == "import":
            neighbours = tuple(
                bundle.photo(f"sound-{kind.value}-{number}", documents=())
                for number in range(NEIGHBOURS)
            )
        spoiled = way.spoil(self, bundle)
        return Broken(
            kind,
            spoiled.published.sync_id,
            spoiled.published,
            spoiled.item_key,
            neighbours,
            spoiled.path,
        )

    @contextmanager
    def shrinking(self, path: str) -> Iterator[None]:
        """Cut the file at `path` in half once it was opened and looked at, before it is read."""
        victim = self.root / path
        read = SafeFile.read
        cut = threading.Event()

        def cutting(file: SafeFile, size: int | None = -1) -> bytes | None:
            # By whoever reads it: other threads open and read other files at the same time.
            if not cut.is_set() and os.path.samestat(os.fstat(file.fileno()), victim.stat()):
                cut.set()
                os.truncate(victim, victim.stat().st_size // 2)
            return read(file, size)

        SafeFile.read = cutting  # type: ignore[method-assign, assignment]
        try:
            yield
        finally:
            SafeFile.read = read  # type: ignore[method-assign]
