"""The upstream of tests and demonstrations: publishes what is in order, and what is not.

Each breakage of an item stands among items that are in order, so that tests can see them go on.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lading.base.steps import Step, observe

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
        """Cut the file at `path` in half once this process has opened it, before it is read."""
        victim = self.root / path
        cut = False

        def on_step(step: Step) -> None:
            nonlocal cut
            if step is Step.FILE_OPENED and not cut and _is_open(victim):
                cut = True
                os.truncate(victim, victim.stat().st_size // 2)

        observe(on_step)
        try:
            yield
        finally:
            observe(None)


def _is_open(path: Path) -> bool:
    """Whether this process has the file open, in whichever thread."""
    wanted = path.stat()
    for descriptor in os.listdir("/proc/self/fd"):
        try:
            if os.path.samestat(os.fstat(int(descriptor)), wanted):
                return True
        except OSError:
            continue  # closed since the listing
    return False
