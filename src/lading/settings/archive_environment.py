"""What the documented names of an archive's environment mean as settings (B6, B7, B8).

`BUCKET_NAME` and `AWS_*` describe a source of kind `archive`, `DB_*` the database, `SMTP_*` the
mail, `ACH_*` how the archive is run. Decided from plain mappings; nothing is read here.
`docs/decisions/0012-archive-settings.md` says which of two values wins.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import URL

from lading.base.errors import printable
from lading.settings.errors import SettingsInvalid

BUCKET: Final = "BUCKET_NAME"
KIND: Final = "archive"
SOURCE: Final = "archive"
# The later of two for one setting wins.
S3_VARIABLES: Final = (
    ("endpoint", "AWS_ENDPOINT_URL"),
    ("endpoint", "AWS_ENDPOINT_URL_S3"),
    ("region", "AWS_DEFAULT_REGION"),
    ("region", "AWS_REGION"),
    ("access_key", "AWS_ACCESS_KEY_ID"),
    ("secret_key", "AWS_SECRET_ACCESS_KEY"),
    ("session_token", "AWS_SESSION_TOKEN"),
)
RUN_VARIABLES: Final = (("dry_run", "ACH_DRY_RUN"), ("safe_run", "ACH_SAFE_RUN"))
DATABASE_VARIABLES: Final = ("DB_HOST", "DB_NAME", "DB_USER", "DB_PASSWORD", "DB_PORT")
MAIL_VARIABLES: Final = (
    ("host", "SMTP_HOST"),
    ("port", "SMTP_PORT"),
    ("user", "SMTP_USER"),
    ("password", "SMTP_PASSWORD"),
    ("sender", "SMTP_FROM"),
    ("recipients", "SMTP_TO"),
)
MEANINGS: Final[Mapping[tuple[str, ...], str]] = {
    (BUCKET,): (
        "Bucket of the archive. `DB_*` and `SMTP_*`, being common names, count only beside it."
    ),
    ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"): (
        "Keys, together, for an archive that says none of them and is not `anonymous`; for the"
        " store, each that it does not say."
    ),
    ("AWS_REGION", "AWS_DEFAULT_REGION"): "Region of the bucket; the first comes first.",
    ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"): (
        "Address of an S3-compatible service; the first comes first. For an archive, `http://` in"
        " it sets `allow_http`: whoever writes that has said that the network is theirs."
    ),
    DATABASE_VARIABLES: (
        "A PostgreSQL database. They count together, where `[database] url` is not given."
        " `DB_HOST` may be the folder of a socket; `DB_PORT` is 5432 unless given."
    ),
    ("ACH_DRY_RUN",): (
        "Everything but the writes: `true`, `1`, `yes`, `on`, or `false`, `0`, `no`, `off`; any"
        " other word is refused."
    ),
    ("ACH_SAFE_RUN",): "The first warning ends the run before anything is inserted; same words.",
    tuple(variable for _, variable in MAIL_VARIABLES): (
        "Where reports are mailed. They count together, where `[mail] host` is not given."
        " `SMTP_TO` is parted by commas; port 465 means `security` `tls`."
    ),
}
DOCUMENTED: Final = tuple(variable for group in MEANINGS for variable in group)
_KEYS: Final = frozenset({"access_key", "secret_key", "session_token"})
_WORDS: Final = {
    **dict.fromkeys(("true", "1", "yes", "on"), True),
    **dict.fromkeys(("false", "0", "no", "off"), False),
}
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)
_TLS_PORT: Final = "465"

Place = tuple[str, ...]
_ABSENT: Final = object()


@dataclass(frozen=True, slots=True)
class Layer:
    """Settings as nested mappings, and the variable behind each place in them."""

    values: dict[str, Any] = field(default_factory=dict)
    origins: dict[Place, str] = field(default_factory=dict)

    def put(self, place: Place, value: object, variable: str) -> None:
        """Set what stands at `place`, because `variable` says so."""
        table = self.values
        for key in place[:-1]:
            table = table.setdefault(key, {})
        table[place[-1]] = value
        self.origins[place] = variable


@dataclass(frozen=True, slots=True)
class Documented:
    """What the documented names say.

    `below` counts where neither the settings file nor `LADING_*` says anything; `above` counts
    before the settings file.
    """

    below: Layer = field(default_factory=Layer)
    above: Layer = field(default_factory=Layer)


def documented_settings(environ: Mapping[str, str], configured: Mapping[str, Any]) -> Documented:
    """What the documented names in `environ` say beside what is `configured` (B8).

    `configured` is the settings file under `LADING_*`, not yet checked. A name without a value
    counts as not given, but for `ACH_*`. Raises `SettingsInvalid` with every problem, each naming
    its variable.
    """
    told = Documented()
    _tell_store(environ, told)
    problems = [*_tell_sources(environ, configured, told)]
    if environ.get(BUCKET):
        # Names as common as these count only where somebody clearly means an archive.
        if _at(configured, "database", "url") is _ABSENT:
            problems += _tell_database(environ, told)
        if _at(configured, "mail", "host") is _ABSENT:
            problems += _tell_mail(environ, told)
    if problems:
        raise SettingsInvalid(problems, subject="environment")
    return told


def _tell_store(environ: Mapping[str, str], told: Documented) -> None:
    """The store takes the usual variables of S3 clients where its settings say nothing."""
    for option, (variable, value) in _given(environ, S3_VARIABLES).items():
        told.below.put(("store", option), value, variable)


def _tell_sources(
    environ: Mapping[str, str], configured: Mapping[str, Any], told: Documented
) -> Iterator[str]:
    """Every source of the archive's kind gets what it does not say itself; one is made up."""
    sources = configured.get("sources", {})
    if not isinstance(sources, Mapping):
        return  # told where the settings are checked
    archives = {
        name: source
        for name, source in sources.items()
        if isinstance(source, Mapping) and source.get("kind") == KIND
    }
    if not archives and environ.get(BUCKET):
        unnamed = sources.get(SOURCE, {})
        if not isinstance(unnamed, Mapping) or "kind" in unnamed:
            yield (
                f"{BUCKET}: expected the name {SOURCE!r} to be free for a source of kind {KIND!r},"
                f" found a source of another kind; name that one otherwise, or configure a source"
                f" of kind {KIND!r}"
            )
            return
        archives = {SOURCE: unnamed}
        told.below.put(("sources", SOURCE, "kind"), KIND, BUCKET)
    for name, source in archives.items():
        for option, (variable, value) in _source_options(environ, source).items():
            told.below.put(("sources", name, option), value, variable)
    if archives:
        yield from _tell_runs(environ, list(archives), told)


def _source_options(
    environ: Mapping[str, str], source: Mapping[str, Any]
) -> dict[str, tuple[str, object]]:
    """Bucket and access of one source. Keys come together from one place, or not at all."""
    options: dict[str, tuple[str, object]] = {}
    options |= _given(environ, (("bucket", BUCKET), *S3_VARIABLES))
    if source.get("anonymous") or _KEYS & source.keys():
        options = {option: given for option, given in options.items() if option not in _KEYS}
    options = {option: given for option, given in options.items() if option not in source}
    variable, endpoint = options.get("endpoint", ("", ""))
    if str(endpoint).lower().startswith("http://"):
        # Whoever writes http:// into this variable has said that the network is theirs.
        options["allow_http"] = (variable, True)
    return options


def _tell_runs(environ: Mapping[str, str], names: list[str], told: Documented) -> Iterator[str]:
    """`ACH_*` come before the settings file: a dry run that is asked for must be one."""
    for option, variable in RUN_VARIABLES:
        if variable not in environ:
            continue
        chosen = _WORDS.get(environ[variable].strip().lower())
        if chosen is None:
            yield (
                f"{variable}: expected true or false (or 1, 0, yes, no, on, off), found"
                f" {printable(environ[variable], length_max=100)!r}"
            )
            continue
        for name in names:
            told.above.put(("sources", name, option), chosen, variable)


def _tell_database(environ: Mapping[str, str], told: Documented) -> Iterator[str]:
    """The address of a PostgreSQL database, of `DB_*`; `DB_HOST` may be a socket's folder."""
    given = {name: environ[name] for name in DATABASE_VARIABLES if environ.get(name)}
    if not given:
        return
    host, name, port = (given.get(key, "").strip() for key in ("DB_HOST", "DB_NAME", "DB_PORT"))
    problems = [
        f"{variable}: this variable is needed beside {', '.join(sorted(given))}"
        for variable in ("DB_HOST", "DB_NAME")
        if variable not in given
    ]
    if host and not _is_host(host) and not host.startswith("/"):
        problems.append(
            "DB_HOST: expected a host name, an address, or the folder of a socket such as"
            f" /run/postgresql, found {printable(host, length_max=100)!r}; a port goes to DB_PORT"
        )
    if re.search(r"[?#\x00-\x1f]", name):
        problems.append("DB_NAME: expected a name without ? and #, found another")
    port_number = _port(port or "5432")
    if port_number is None:
        problems.append(f"DB_PORT: {_port_expected(port)}")
    if problems or port_number is None:
        yield from problems
        return
    url = URL.create(
        "postgresql",
        username=given.get("DB_USER"),
        host=None if host.startswith("/") else host,
        port=None if host.startswith("/") else port_number,
        database=name,
        query={"host": host, "port": str(port_number)} if host.startswith("/") else {},
    )
    address = url.render_as_string(hide_password=False)
    told.below.put(("database", "url"), address, "DB_HOST")
    if "DB_PASSWORD" in given:
        place = ("database", "password")
        told.below.put(place, given["DB_PASSWORD"], "DB_PASSWORD")


def _tell_mail(environ: Mapping[str, str], told: Documented) -> Iterator[str]:
    """Where reports are mailed, of `SMTP_*`; port 465 means TLS from the first byte."""
    given = _given(environ, MAIL_VARIABLES)
    if not given:
        return
    if "host" not in given:
        found = ", ".join(sorted(variable for variable, _ in given.values()))
        yield f"SMTP_HOST: this variable is needed beside {found}"
        return
    port = given.get("port", ("", ""))[1].strip()
    if port and _port(port) is None:
        yield f"SMTP_PORT: {_port_expected(port)}"
        return
    for option, (variable, value) in given.items():
        told.below.put(("mail", option), value, variable)
    if port == _TLS_PORT:
        told.below.put(("mail", "security"), "tls", "SMTP_PORT")


def _given(
    environ: Mapping[str, str], variables: tuple[tuple[str, str], ...]
) -> dict[str, tuple[str, str]]:
    """For each option the variable that gives it, the later of two, and its value."""
    return {
        option: (variable, environ[variable])
        for option, variable in variables
        if environ.get(variable)
    }


def _at(values: Mapping[str, Any], section: str, key: str) -> object:
    table = values.get(section)
    return table.get(key, _ABSENT) if isinstance(table, Mapping) else _ABSENT


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        ipaddress.IPv6Address(host)
    except ValueError:
        return False
    return True


def _port(text: str) -> int | None:
    if re.fullmatch(r"[0-9]{1,5}", text, re.ASCII) is None:
        return None
    return int(text) if 0 < int(text) < 65_536 else None


def _port_expected(found: str) -> str:
    return f"expected a port, 1 to 65535, found {printable(found, length_max=100)!r}"
