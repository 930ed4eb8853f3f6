"""Appends what was done to sites and access packages to the ledger, in events of bounded size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection

from lading.ledger.chain import Entry, append_all
from lading.ledger.events import Event
from lading.ledger.library_events import LinkChange, PackageChanged, SiteChanged
from lading.library.statements import chunked
from lading.library.values import ContainerRef

NAMES_PER_EVENT: Final = 1_000


def record_site(
    conn: Connection,
    site_key: str,
    change: LinkChange,
    *,
    actor: str,
    before: str | None = None,
    after: str | None = None,
    package: str | None = None,
) -> None:
    """One event about the site itself, or about a package it was given."""
    event = SiteChanged(
        site=site_key, change=change.value, before=before, after=after, package=package
    )
    append_all(conn, [Entry(event, actor)])


def record_site_content(
    conn: Connection,
    site_key: str,
    change: LinkChange,
    *,
    actor: str,
    hashes: Sequence[str] = (),
    containers: Sequence[ContainerRef] = (),
) -> None:
    """Events about content that a site was given or lost; none when nothing changed."""
    events: list[Event] = [
        SiteChanged(site=site_key, change=change.value, content_hashes=chunk)
        for chunk in chunked(hashes, NAMES_PER_EVENT)
    ]
    events += [
        SiteChanged(site=site_key, change=change.value, containers=[str(ref) for ref in chunk])
        for chunk in chunked(containers, NAMES_PER_EVENT)
    ]
    append_all(conn, [Entry(event, actor) for event in events])


def record_package(
    conn: Connection,
    package_key: str,
    change: LinkChange,
    *,
    actor: str,
    before: str | None = None,
    after: str | None = None,
) -> None:
    """One event about the package itself."""
    event = PackageChanged(package=package_key, change=change.value, before=before, after=after)
    append_all(conn, [Entry(event, actor)])


def record_package_content(
    conn: Connection,
    package_key: str,
    change: LinkChange,
    *,
    actor: str,
    hashes: Sequence[str] = (),
    containers: Sequence[ContainerRef] = (),
) -> None:
    """Events about what went into a package or out of it; none when nothing changed."""
    events: list[Event] = [
        PackageChanged(package=package_key, change=change.value, content_hashes=chunk)
        for chunk in chunked(hashes, NAMES_PER_EVENT)
    ]
    events += [
        PackageChanged(
            package=package_key, change=change.value, containers=[str(ref) for ref in chunk]
        )
        for chunk in chunked(containers, NAMES_PER_EVENT)
    ]
    append_all(conn, [Entry(event, actor) for event in events])
