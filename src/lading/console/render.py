"""Makes pages from templates: escaped, strict about what is missing, in the viewer's zone.

`Renderer.page` gives a template what every page has: who looks, the engine's strip, the menu.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import jinja2
from jinja2.bccache import Bucket
from litestar import Request, Response
from markupsafe import Markup

from lading.accounts.values import Caller, Permission
from lading.base.naming import short_name
from lading.base.reasons import Reason
from lading.base.units import format_bytes, format_count, format_duration
from lading.console import formats
from lading.console.static_files import StaticFiles
from lading.console.vocabulary import look_of

if TYPE_CHECKING:
    from lading.console.parts import Console

HTML: Final = "text/html"  # Litestar adds the charset
HTMX_CONFIG: Final = json.dumps(
    {
        "morphIgnore": ["data-htmx-powered", "open", "checked"],
        "includeIndicatorCSS": False,
        "history": "reload",
        "noSwap": [204, 304, 401, 403, 404, 429, "5xx"],
    }
)
"""`includeIndicatorCSS` would write a style element, which the content policy forbids."""

UNKNOWN_REASON: Final = "No further description of this reason is known to this version."


@dataclass(frozen=True, slots=True)
class MenuEntry:
    """A page in the menu; `key` follows `g` on the keyboard."""

    label: str
    url: str
    key: str | None = None
    needs: Permission = Permission.READ
    of_source: str | None = None  # there only where a source of this kind is configured


@dataclass(frozen=True, slots=True)
class MenuGroup:
    """Pages that belong together."""

    label: str
    entries: Sequence[MenuEntry]


MENU: Final[Sequence[MenuGroup]] = (
    MenuGroup(
        "Work",
        (
            MenuEntry("Overview", "/", "o"),
            MenuEntry("Import media", "/import", "i"),
            MenuEntry("Scans", "/scans"),
            MenuEntry("Archive", "/archive", of_source="archive"),
            MenuEntry("Recordings", "/recordings", of_source="recordings"),
        ),
    ),
    MenuGroup(
        "Activity",
        (
            MenuEntry("Jobs", "/jobs", "j"),
            MenuEntry("Operations", "/operations"),
            MenuEntry("Problems", "/problems", "p"),
        ),
    ),
    MenuGroup(
        "Library",
        (
            MenuEntry("Assets", "/library/assets", "l"),
            MenuEntry("Photos", "/photos", of_source="photos"),
            MenuEntry("People", "/people", of_source="photos"),
            MenuEntry("Galleries", "/library/galleries"),
            MenuEntry("Collections", "/library/collections"),
            MenuEntry("Events", "/library/events"),
            MenuEntry("Sites", "/library/sites"),
            MenuEntry("Access packages", "/library/packages"),
            MenuEntry("Trash", "/library/trash"),
        ),
    ),
    MenuGroup(
        "System",
        (
            MenuEntry("Sources", "/sources", "s"),
            MenuEntry("Workers", "/workers", "w"),
            MenuEntry("Settings", "/settings"),
        ),
    ),
    MenuGroup(
        "Admin",
        (
            MenuEntry("Audit", "/audit", "a"),
            MenuEntry("Users", "/users", needs=Permission.ADMINISTER),
            MenuEntry("Tokens", "/tokens"),
            MenuEntry("About", "/about"),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Shell:
    """What every page has around its own part."""

    caller: Caller
    section: str  # address of the menu's entry that this page belongs to
    at: datetime
    engine: Any
    live: str  # what the live stream of this page follows, as a query
    crumbs: Sequence[tuple[str, str]] = ()
    source_kinds: Collection[str] = ()
    menu: Sequence[MenuGroup] = field(default=MENU)

    def may(self, permission: str) -> bool:
        """Whether the one who looks may do this."""
        return self.caller.may(Permission(permission))

    def shown(self, entry: MenuEntry) -> bool:
        """Whether the menu has this entry for the one who looks."""
        there = entry.of_source is None or entry.of_source in self.source_kinds
        return there and self.caller.may(entry.needs)

    @property
    def zone_name(self) -> str:
        """The zone in which times are shown: a name, or `browser`."""
        return self.caller.account.preferences.get("zone", "browser")

    @property
    def theme(self) -> str:
        """`light`, `dark`, or `auto`."""
        return self.caller.account.preferences.get("theme", "auto")

    def preference(self, name: str, otherwise: str) -> str:
        """A choice the one who looks made for themselves."""
        return self.caller.account.preferences.get(name, otherwise)

    def when(self, at: datetime | None, *, relative: bool = False) -> Markup:
        """A `time` element: the instant in the viewer's zone, UTC in its title."""
        if at is None:
            return Markup("<span>-</span>")
        utc = formats.format_utc(at)
        zone = formats.zone_of(self.zone_name)
        text = formats.format_instant(at, zone)
        if relative:
            age = formats.format_age(max(0.0, (self.at - at).total_seconds()))
            return Markup('<time datetime="{}" title="{}" data-relative>{}</time>').format(
                utc, utc, age
            )
        if self.zone_name == "browser":
            return Markup('<time datetime="{}" title="{}" data-local>{}</time>').format(
                utc, utc, text
            )
        return Markup('<time datetime="{}" title="{}">{}</time>').format(utc, utc, text)


class _Compiled(jinja2.BytecodeCache):
    """Templates that this process has compiled, by their text: tests open many consoles in one."""

    def __init__(self) -> None:
        self._kept: dict[tuple[str, str], Any] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        bucket.code = self._kept.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key, bucket.checksum] = bucket.code


_COMPILED: Final = _Compiled()


class Renderer:
    """Templates of the console, compiled once. Safe to share between threads."""

    def __init__(self, static: StaticFiles, reasons: Mapping[str, Reason]) -> None:
        self.static = static
        self._reasons = reasons
        self._env = jinja2.Environment(
            loader=jinja2.PackageLoader("lading.console"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            bytecode_cache=_COMPILED,
        )
        self._env.filters.update(_FILTERS)
        self._env.tests["in_menu_of"] = lambda entry, shell: shell.shown(entry)
        self._env.globals.update(
            static=static.url,
            htmx_config=HTMX_CONFIG,
            look_of=look_of,
            reason_of=self.reason_of,
            count_of=format_count,
            once=lambda: secrets.token_urlsafe(9),
        )

    def reason_of(self, code: str) -> Reason:
        """The sentence and the next step of a reason or error code."""
        return self._reasons.get(code) or Reason(code, UNKNOWN_REASON, "")

    def render(self, template: str, **context: object) -> str:
        """One template as text, without a shell."""
        return self._env.get_template(template).render(**context)

    def fragment(self, template: str, macro: str, *arguments: object) -> str:
        """What one macro of a template writes; for parts of a page that change while it is seen."""
        module = self._env.get_template(template).module
        part: Callable[..., str] = getattr(module, macro)
        return str(part(*arguments))

    def plain(self, template: str, *, status_code: int = 200, **context: object) -> Response[str]:
        """A page without a menu: sign-in, and errors before it."""
        return Response(self.render(template, **context), media_type=HTML, status_code=status_code)


def page(
    console: Console,
    caller: Caller,
    template: str,
    *,
    section: str,
    live: str = "",
    crumbs: Sequence[tuple[str, str]] = (),
    status_code: int = 200,
    **context: object,
) -> Response[str]:
    """A page in its shell.

    `section` is the address of its entry in the menu, `live` the query of its live stream (the
    engine's strip unless given), `crumbs` the way to it as (label, address).
    """
    shell = make_shell(console, caller, section=section, live=live, crumbs=crumbs)
    html = console.renderer.render(template, shell=shell, who=caller, **context)
    return Response(html, media_type=HTML, status_code=status_code)


def make_shell(
    console: Console,
    caller: Caller,
    *,
    section: str = "",
    live: str = "",
    crumbs: Sequence[tuple[str, str]] = (),
) -> Shell:
    """The shell of a page; fragments of the live stream are rendered with one too."""
    return Shell(
        caller=caller,
        section=section,
        at=datetime.now(UTC),
        engine=console.engine.read(),
        live=live or "topics=engine",
        crumbs=crumbs,
        source_kinds={source.kind for source in console.lading.sources.values()},
    )


def row_shell(caller: Caller) -> Shell:
    """A shell for single rows and parts: it knows the viewer and the time, not the engine."""
    return Shell(caller=caller, section="", at=datetime.now(UTC), engine=None, live="")


def wants_html(request: Request[Any, Any, Any]) -> bool:
    """Whether an answer for people is asked for, rather than one for programs."""
    return not request.url.path.startswith("/api/") and "text/html" in request.headers.get(
        "accept", "text/html"
    )


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False, default=str)


_FILTERS: Final[Mapping[str, Callable[..., Any]]] = {
    "bytes": format_bytes,
    "number": formats.format_number,
    "duration": format_duration,
    "captured": formats.format_captured,
    "span": formats.format_span,
    "age": formats.format_age,
    "clock": formats.format_clock,
    "rate": formats.format_rate,
    "eta": formats.format_eta,
    "share": formats.format_share,
    "short_name": short_name,
    "utc": formats.format_utc,
    "pretty": _pretty,
    "capitalize_first": lambda text: text[:1].upper() + text[1:],
}
