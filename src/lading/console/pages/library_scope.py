"""What the pages of the library share: the site they are narrowed to, and where one came from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from litestar import Request
from litestar.response import Redirect

from lading.accounts.values import Caller
from lading.base.units import format_count
from lading.console.listing import Field, ListQuery, parse_query, read_query
from lading.console.pages.forms import (
    BadForm,
    local_path,
    one,
    required,
    see_other,
    with_parameters,
)
from lading.console.parts import Console
from lading.console.readers.audit import AuditLine, describe
from lading.console.readers.library import ASSET_FIELDS, ASSET_SORTS, container_address
from lading.console.readers.sites import site_choices
from lading.ledger.batches import get_batches
from lading.ledger.queries import EventView
from lading.library.filters import AssetFilter, ContainerFilter
from lading.library.granted import GrantedContainer
from lading.library.named import Named
from lading.library.tables import ContainerKind

ASSETS: Final = "/library/assets"
VIEWS: Final = ("grid", "list")
LISTS: Final[Mapping[str, str]] = {
    ASSETS: "Assets",
    "/library/galleries": "Galleries",
    "/library/collections": "Collections",
    "/library/events": "Events",
}
"""The lists that a site narrows."""

_ORIGINS: Final[Mapping[str, tuple[str, str]]] = {
    "/library/galleries": ("Galleries", "gallery"),
    "/library/collections": ("Collections", "collection"),
    "/library/events": ("Events", "event"),
    "/library/sites": ("Sites", "site"),
    "/library/packages": ("Access packages", "access package"),
    "/library/trash": ("Trash", "trash"),
    "/photos": ("Photos", "photos"),
}
"""Where one may come from besides the list of assets: what it is called, and one of it."""

CHANGES: Final[Mapping[str, str]] = {
    "created": "It is set up.",
    "renamed": "It has its new name.",
    "granted": "The site shows {} more.",
    "revoked": "{} taken off the site.",
    "allowed": "{} put on the allow list.",
    "disallowed": "{} taken off the allow list.",
    "attached": "The package is open to the site.",
    "detached": "The package is closed to the site.",
    "added": "{} put in the package.",
    "removed": "{} taken out of the package.",
    "taken_back": "The undo was taken back: {} restored.",
}
"""What pages say of changes that no operation records, with how much was changed."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The site a list is narrowed to; None is no site, which shows all that is not in the trash."""

    site: Named | None
    choices: Sequence[Named]

    @property
    def key(self) -> str | None:
        """The key of the site."""
        return self.site.key if self.site else None

    @property
    def others(self) -> Sequence[tuple[str, str]]:
        """The lists of the library, all narrowed alike, by name."""
        tail = f"?site={quote(self.site.key)}" if self.site else ""
        return [(name, path + tail) for path, name in LISTS.items()]


@dataclass(frozen=True, slots=True)
class Origin:
    """The list that a page was come from; `query` is None for one without an order to walk in."""

    url: str
    label: str
    query: ListQuery | None
    site: str | None


def scoped_query(
    request: Request[Any, Any, Any],
    console: Console,
    caller: Caller,
    fields: Sequence[Field],
    *,
    sorts: Sequence[str] = (),
) -> tuple[ListQuery, Scope]:
    """What the address of a list of the library asks for, and the site it is narrowed to."""
    choices = site_choices(console.lading.db)
    query = read_query(
        request,
        fields,
        sorts=sorts,
        default_sort=sorts[0] if sorts else "",
        page_size=int(caller.account.preferences.get("page_size", "50")),
        extra={"view": list(VIEWS), "site": [site.key for site in choices]},
    )
    chosen = query.extra.get("site")
    return query, Scope(next((s for s in choices if s.key == chosen), None), choices)


def origin_of(request: Request[Any, Any, Any], console: Console) -> Origin | None:
    """The list of the library that the address says someone came from."""
    url = local_path(str(request.query_params.get("list", "")), "")
    parts = urlsplit(url)
    if parts.path != ASSETS:
        depth = 3 if parts.path.startswith("/library/") else 2
        base = "/".join(parts.path.split("/")[:depth])
        if base not in _ORIGINS:
            return None
        label, one = _ORIGINS[base]
        return Origin(url, label if parts.path == base else f"Back to the {one}", None, None)
    keys = [site.key for site in site_choices(console.lading.db)]
    query = parse_query(
        parts.path,
        parse_qsl(parts.query),
        ASSET_FIELDS,
        sorts=ASSET_SORTS,
        default_sort=ASSET_SORTS[0],
        extra={"view": list(VIEWS), "site": keys},
    )
    return Origin(url, "Assets", query, query.extra.get("site"))


def from_list(url: str) -> str:
    """What is put behind the address of a thing so that its page knows the list it stood in."""
    return "?" + urlencode({"list": url}, safe="/")


def audit_lines(console: Console, events: Sequence[EventView]) -> list[AuditLine]:
    """Events as lines of the audit, their batches named."""
    ids = {event.batch_id for event in events if event.batch_id is not None}
    with console.lading.db.read() as conn:
        keys = {number: batch.batch_key for number, batch in get_batches(conn, ids).items()}
    return [describe(event, keys) for event in events]


def container_urls(containers: Sequence[GrantedContainer]) -> Mapping[tuple[str, int], str]:
    """The pages of containers, by kind and number."""
    return {
        (found.ref.kind, found.id): container_address(ContainerKind(found.ref.kind), found.id)
        for found in containers
    }


def assets_selection(filters: AssetFilter) -> str:
    """What selects all assets that a list shows, as an address names it."""
    return urlencode(
        _given(
            resource="assets",
            q=filters.q,
            types=",".join(filters.types),
            subtypes=",".join(filters.subtypes),
            batch_id=filters.batch_id,
            has_transcript=filters.has_transcript,
            has_hls=filters.has_hls,
            beside=filters.beside,
            cover=filters.cover,
            camera=filters.camera,
            person=filters.person,
            created_after=filters.created_after,
            created_before=filters.created_before,
            site=filters.site,
        ),
        safe=",:",
    )


def containers_selection(resource: str, filters: ContainerFilter) -> str:
    """What selects all containers that a list shows, as an address names it."""
    return urlencode(
        _given(resource=resource, q=filters.q, batch_id=filters.batch_id, site=filters.site)
    )


def _given(**named: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in named.items():
        if value is None or value == "":
            continue
        if isinstance(value, bool):
            found[name] = "yes" if value else "no"
        else:
            found[name] = value.isoformat() if hasattr(value, "isoformat") else str(value)
    return found


def with_change(path: str, change: str, count: int = 1) -> str:
    """An address whose page says what was just changed."""
    return with_parameters(path, changed=change, count=str(count))


def chosen_of(data: Mapping[str, Any], does: Mapping[str, Callable[..., Any]]) -> str:
    """Which of these changes a form asks for. Raises `BadForm`."""
    change = required(data, "change")
    if change not in does:
        raise BadForm(
            "the form asks for what there is not", subject=change, expected=", ".join(does)
        )
    return change


def back_to(data: Mapping[str, Any], page: str, change: str, count: int = 1) -> Redirect:
    """Where a form came from, else its thing's own page, saying what was just changed."""
    return see_other(with_change(local_path(one(data, "back"), page), change, count))


def changed_words(request: Request[Any, Any, Any]) -> str | None:
    """What a page says of a change that was just made; None without one."""
    change = str(request.query_params.get("changed", ""))
    count = str(request.query_params.get("count", "1"))
    if change not in CHANGES or not (count.isascii() and count.isdigit() and len(count) <= 6):
        return None
    number = int(count)
    if not number:
        return "Nothing was changed: it was so already."
    return CHANGES[change].format(format_count(number, "entry", "entries"))
