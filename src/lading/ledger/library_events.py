"""What was done by hand to sites and access packages, as events of the ledger (A18).

Lists in one event are bounded by whoever appends it; a larger change is several events.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from lading.ledger.events import Event


class LinkChange(StrEnum):
    """What was done to a site or an access package."""

    CREATED = "created"
    RENAMED = "renamed"
    GRANTED = "granted"
    REVOKED = "revoked"
    ALLOWED = "allowed"
    DISALLOWED = "disallowed"
    ATTACHED = "attached"
    DETACHED = "detached"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteChanged(Event):
    """A site was set up or renamed, or was given content or lost it.

    `before` and `after` are its names; what is named below was not there before, or is not after.
    """

    kind: ClassVar[str] = "site_changed"
    site: str
    change: str
    before: str | None = None
    after: str | None = None
    content_hashes: list[str] | None = None
    containers: list[str] | None = None
    package: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChanged(Event):
    """An access package was set up or renamed, or content was put in or taken out.

    `before` and `after` are its names; what is named below was not in before, or is not after.
    """

    kind: ClassVar[str] = "package_changed"
    package: str
    change: str
    before: str | None = None
    after: str | None = None
    content_hashes: list[str] | None = None
    containers: list[str] | None = None
