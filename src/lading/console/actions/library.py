"""What is done about sites and access packages, by a page or the API.

What is done to assets and containers themselves, one or many, is in `operations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lading.accounts.values import Caller, Permission
from lading.base.errors import RequestError
from lading.base.identifiers import parse_content_hash
from lading.console.parts import Console
from lading.library import packages, sites, trash
from lading.library.named import Named
from lading.library.values import ContainerRef

NAMES_MAX: Final = 1_000


class NameUnclear(RequestError):
    """Something that was to be granted is neither a content hash nor the name of a container."""

    code = "name_unclear"
    next_step = "Write one name a line: a content hash, or gallery:, collection: or event: and key."


class TooManyNames(RequestError):
    """More content was named at once than one change of the ledger takes."""

    code = "too_many_names"
    next_step = "Send the names in several parts, or select the assets in the library."


@dataclass(frozen=True, slots=True)
class ContentNames:
    """Assets by content hash and containers by kind and key."""

    hashes: Sequence[str] = ()
    containers: Sequence[ContainerRef] = ()


def parse_names(text: str) -> ContentNames:
    """The content that lines of text name. Raises `NameUnclear` and `TooManyNames`."""
    hashes: list[str] = []
    containers: list[ContainerRef] = []
    names = _lines(text)
    for name in names:
        digest = parse_content_hash(name)
        ref = ContainerRef.parse(name)
        if digest is not None:
            hashes.append(digest)
        elif ref.kind in {"gallery", "collection", "event"} and ref.key:
            containers.append(ref)
        else:
            raise NameUnclear("this names no content", subject=name[:100])
    return ContentNames(hashes, containers)


def parse_hashes(text: str) -> list[str]:
    """The content hashes in lines of text. Raises `NameUnclear` and `TooManyNames`."""
    names = parse_names(text)
    if names.containers:
        raise NameUnclear(
            "an allow list holds content hashes alone", subject=str(names.containers[0])
        )
    return list(names.hashes)


def create_site(console: Console, caller: Caller, key: str, name: str) -> Named:
    """Set up a site. Raises `KeyTaken` and `NameRefused`."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        return sites.create_site(conn, key, name, actor=caller.actor)


def rename_site(console: Console, caller: Caller, key: str, name: str) -> Named:
    """Give a site another name. Raises `UnknownSite` and `NameRefused`."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        return sites.rename_site(conn, key, name, actor=caller.actor)


def grant_content(console: Console, caller: Caller, key: str, names: ContentNames) -> int:
    """Show assets and containers on a site; returns how many it did not show so before.

    Raises `UnknownSite`, `UnknownAsset` and `UnknownContainer`.
    """
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        assets = sites.grant_assets(conn, key, names.hashes, actor=caller.actor)
        containers = sites.grant_containers(conn, key, names.containers, actor=caller.actor)
    return len(assets) + len(containers)


def revoke_content(console: Console, caller: Caller, key: str, names: ContentNames) -> int:
    """Take assets and containers off a site; returns how many it showed. Raises the same."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        assets = sites.revoke_assets(conn, key, names.hashes, actor=caller.actor)
        containers = sites.revoke_containers(conn, key, names.containers, actor=caller.actor)
    return len(assets) + len(containers)


def allow_hashes(console: Console, caller: Caller, key: str, hashes: Sequence[str]) -> int:
    """Put content on a site's allow list, here or awaited; returns how many are new on it."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        return len(sites.allow_hashes(conn, key, hashes, actor=caller.actor))


def disallow_hashes(console: Console, caller: Caller, key: str, hashes: Sequence[str]) -> int:
    """Take content off a site's allow list; returns how many were on it."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        return len(sites.disallow_hashes(conn, key, hashes, actor=caller.actor))


def attach_package(console: Console, caller: Caller, site: str, package: str) -> bool:
    """Open a package to a site; False when it was. Raises `UnknownSite` and `UnknownPackage`."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        return packages.attach_package(conn, site, package, actor=caller.actor)


def detach_package(console: Console, caller: Caller, site: str, package: str) -> bool:
    """Close a package to a site; False when it was not open. Raises the same."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        return packages.detach_package(conn, site, package, actor=caller.actor)


def create_package(console: Console, caller: Caller, key: str, name: str) -> Named:
    """Set up an access package. Raises `KeyTaken` and `NameRefused`."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        return packages.create_package(conn, key, name, actor=caller.actor)


def rename_package(console: Console, caller: Caller, key: str, name: str) -> Named:
    """Give a package another name. Raises `UnknownPackage` and `NameRefused`."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        return packages.rename_package(conn, key, name, actor=caller.actor)


def add_to_package(console: Console, caller: Caller, key: str, names: ContentNames) -> int:
    """Put content in a package, assets also before they arrive; returns how much is new in it.

    Raises `UnknownPackage` and `UnknownContainer`.
    """
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        added = packages.add_to_package(
            conn, key, hashes=names.hashes, containers=names.containers, actor=caller.actor
        )
    return len(added.assets) + len(added.containers)


def remove_from_package(console: Console, caller: Caller, key: str, names: ContentNames) -> int:
    """Take content out of a package; returns how much was in it. Raises the same."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        gone = packages.remove_from_package(
            conn, key, hashes=names.hashes, containers=names.containers, actor=caller.actor
        )
    return len(gone.assets) + len(gone.containers)


def take_back_undo(console: Console, caller: Caller, batch_id: int) -> int:
    """Restore all that the last undo of a batch put in the trash; returns how much that is."""
    caller.require(Permission.OPERATE)
    with console.lading.db.write() as conn:
        restored = trash.restore_batch(conn, batch_id, actor=caller.actor)
    return len(restored.assets) + len(restored.containers)


def _lines(text: str) -> list[str]:
    names = list(dict.fromkeys(name.strip() for name in text.splitlines() if name.strip()))
    if not names:
        raise NameUnclear("nothing is named")
    if len(names) > NAMES_MAX:
        raise TooManyNames("these are too many names at once", expected=NAMES_MAX, found=len(names))
    return names
