"""Access packages: what each holds, and to which sites it is open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from litestar import Response
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, JSONBody

from lading.accounts.values import Caller, Permission
from lading.console.actions import library as actions
from lading.console.actions.editing import edit_package
from lading.console.answers import Many
from lading.console.api.conventions import (
    BASE,
    Cursor,
    Done,
    DryRun,
    IfMatch,
    Limit,
    also,
    creates,
    edits,
    reads,
    rehearsed,
    unchanged_check,
    whole,
    with_etag,
)
from lading.console.api.sites import (
    Changed,
    ContentBody,
    EntryItem,
    NameBody,
    NamedBody,
    changed,
    entries,
    named_state,
)
from lading.console.parts import Console
from lading.console.readers.sites import PackageLine, read_package, read_packages
from lading.ledger.queries import EventView
from lading.library.granted import GrantedContainer
from lading.library.named import Named

TAG: Final = "packages"
OPERATE: Final = Permission.OPERATE


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageAnswer:
    """A package: what is in it, and to which sites it is open."""

    package: Named
    containers: Sequence[GrantedContainer]
    content: Many[EntryItem]
    sites: Sequence[Named]
    history: Sequence[EventView]


def routes() -> list[HTTPRouteHandler]:
    """The packages, one of them, and what is put in it."""
    return [list_of_packages, add_package, one_package, rename_package, add, remove]


@reads("/packages", "All access packages, and how much each holds", tag=TAG)
def list_of_packages(console: NamedDependency[Console]) -> Many[PackageLine]:
    """The packages by key."""
    return whole(read_packages(console.lading.db))


@creates(
    "/packages",
    "Set up an access package",
    tag=TAG,
    permission=OPERATE,
    status_code=201,
    responses=also(200, Done[Named], "A dry run: nothing was made."),
)
def add_package(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[NamedBody],
    *,
    dry_run: DryRun = False,
) -> Response[Done[Named]]:
    """Set up a package."""
    with rehearsed(dry_run):
        made = actions.create_package(console, caller, data.key, data.name)
    return Response(
        Done(dry_run=dry_run, result=made),
        status_code=200 if dry_run else 201,
        headers={} if dry_run else {"Location": f"{BASE}/packages/{made.key}"},
    )


@reads("/packages/{key:str}", "One access package with what is in it", tag=TAG)
def one_package(
    console: NamedDependency[Console],
    key: FromPath[str],
    *,
    cursor: Cursor = None,
    limit: Limit = 50,
) -> Response[PackageAnswer]:
    """A package, with the ETag of what can be changed of it."""
    found = read_package(console.lading.db, key, cursor=cursor or None, limit=limit)
    answer = PackageAnswer(
        package=found.package,
        containers=found.containers,
        content=entries(found.content),
        sites=found.sites,
        history=found.history,
    )
    return with_etag(answer, named_state(found.package))


@edits("/packages/{key:str}", "Give a package another name", tag=TAG, permission=OPERATE)
def rename_package(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[NameBody],
    *,
    if_match: IfMatch = None,
    dry_run: DryRun = False,
) -> Response[Done[Named]]:
    """Rename a package."""
    check = unchanged_check(if_match, data, subject=f"package {key}")
    with rehearsed(dry_run):
        after = edit_package(
            console, caller, key, data.name, check=lambda package: check(named_state(package))
        )
    return with_etag(Done(dry_run=dry_run, result=after), named_state(after))


@creates("/packages/{key:str}/add", "Put content in a package", tag=TAG, permission=OPERATE)
def add(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[ContentBody],
    *,
    dry_run: DryRun = False,
) -> Done[Changed]:
    """Add content, assets also before they arrive."""
    return changed(
        key, lambda: actions.add_to_package(console, caller, key, data.parsed), dry_run=dry_run
    )


@creates("/packages/{key:str}/remove", "Take content out of a package", tag=TAG, permission=OPERATE)
def remove(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    key: FromPath[str],
    data: JSONBody[ContentBody],
    *,
    dry_run: DryRun = False,
) -> Done[Changed]:
    """Remove content."""
    return changed(
        key,
        lambda: actions.remove_from_package(console, caller, key, data.parsed),
        dry_run=dry_run,
    )
