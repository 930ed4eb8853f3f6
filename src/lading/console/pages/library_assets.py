"""The library's assets: a grid or a table, narrowed by facets and to a site (A18)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler

from lading.accounts.values import Caller, Permission
from lading.console.listing import ListQuery
from lading.console.pages.library_scope import ASSETS, assets_selection, from_list, scoped_query
from lading.console.parts import Console
from lading.console.readers.asset_choices import read_choices, with_persons
from lading.console.readers.library import (
    ASSET_FIELDS,
    ASSET_SORTS,
    BADGE_WORDS,
    asset_filter,
    kind_word,
    read_assets,
)
from lading.console.readers.operations import LIST_OF, told_of
from lading.console.readers.sites import read_packages
from lading.console.render import page
from lading.console.security.guards import requires
from lading.db.counting import Count
from lading.library.browsing import AssetSort, Facet
from lading.operations.values import Selection

SORT_WORDS: Final[Mapping[str, str]] = {
    "-arrived": "Newest arrivals first",
    "arrived": "Oldest arrivals first",
    "-captured": "Last captured first",
    "captured": "First captured first",
}


@dataclass(frozen=True, slots=True)
class FacetLink:
    """One kind of asset with how many there are of it, and the list of just those."""

    label: str
    url: str
    count: Count
    current: bool


def routes() -> list[HTTPRouteHandler]:
    """The list; one asset has its own module."""
    return [assets_page]


@get(ASSETS, guards=[requires(Permission.READ)], sync_to_thread=True, include_in_schema=False)
def assets_page(
    request: Request[Any, Any, Any],
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
) -> Response[str]:
    """One page of the assets."""
    query, scope = scoped_query(request, console, caller, ASSET_FIELDS, sorts=ASSET_SORTS)
    filters = asset_filter(query, scope.key)
    choices = read_choices(console.lading.db, query.one("person"))
    query = with_persons(query, choices.persons)
    listed = read_assets(
        console.lading.db,
        filters,
        sort=AssetSort(query.sort),
        cursor=query.cursor,
        limit=query.limit,
    )
    selectable = caller.may(Permission.OPERATE)
    selection = selection_of(console, query, selectable=selectable)
    ids = [card.asset.id for card in listed.cards]
    told = told_of(console, query.done)
    running = f"&job={told.job_id}" if told and told.running and told.job_id else ""
    return page(
        console,
        caller,
        "pages/assets.html",
        section=ASSETS,
        live=f"topics=engine,told{running}",
        query=query,
        scope=scope,
        listed=listed,
        view=query.extra.get("view", "grid"),
        kinds=_facets(query, listed.facets),
        cameras=choices.cameras,
        persons=choices.persons,
        all_kinds_url=query.url(type=None, subtype=None),
        field_names=[known.name for known in ASSET_FIELDS],
        sort_words=SORT_WORDS,
        badge_words=BADGE_WORDS,
        from_list=from_list(query.url(cursor=query.cursor, done=None, sel=None)),
        selectable=selectable,
        selection=selection,
        ticked=ticked_of(console, selection, ids),
        selection_query=assets_selection(filters),
        packages=[line.package for line in read_packages(console.lading.db)] if selectable else [],
        told=told,
    )


def selection_of(console: Console, query: ListQuery, *, selectable: bool) -> Selection | None:
    """The selection of the address, for whoever could do something with it."""
    if not query.selection or not selectable:
        return None
    found = console.operations.get_selection(query.selection)
    return found if LIST_OF[found.resource] == query.path else None


def ticked_of(console: Console, selection: Selection | None, ids: Sequence[int]) -> set[int]:
    """Which of the things on a page are in the selection."""
    if selection is None:
        return set()
    return set(console.operations.selected_among(selection.key, ids))


def _facets(query: ListQuery, facets: Sequence[Facet]) -> list[FacetLink]:
    types, subtypes = query.many("type"), query.many("subtype")
    return [
        FacetLink(
            label=kind_word(facet.asset_type, facet.asset_subtype),
            url=query.url(type=facet.asset_type, subtype=facet.asset_subtype),
            count=facet.count,
            current=types == [facet.asset_type]
            and subtypes == ([facet.asset_subtype] if facet.asset_subtype else []),
        )
        for facet in facets
    ]
