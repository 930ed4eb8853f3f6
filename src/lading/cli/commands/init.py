"""`lading init`: from nothing to an installation that a scan can be run in."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

import click

from lading.base.errors import RequestError
from lading.cli import output
from lading.cli.session import Session, with_session
from lading.cli.setting_up import set_up
from lading.settings import load_settings, masked_url
from lading.settings.load import CONFIG_VARIABLE, FILE_NAME
from lading.settings.model import SOURCE_NAME

_HEAD: Final = """\
# Settings of Lading. Every setting is explained in docs/settings.md; what is not here has its
# default. Paths are relative to this file. Keep secrets in the environment instead, for example
# LADING_DATABASE__PASSWORD.
"""


class AlreadyInitialised(RequestError):
    """There is a settings file here already; it is not written over."""

    code = "already_initialised"
    http_status = 409
    next_step = "Edit the file, or name another one with --config."


class SettingsNotWritten(RequestError):
    """The settings file cannot be written where it was asked for."""

    code = "settings_not_written"
    next_step = "Go to a folder that can be written, or name another file with --config."


@click.command("init")
@click.option(
    "--source",
    "sources",
    multiple=True,
    metavar="NAME=PATH",
    help="A hand-over tree to take media from; may be given several times.",
)
@click.option(
    "--photos",
    multiple=True,
    metavar="NAME=PATH",
    help="A tree of photos to look after where they are; may be given several times.",
)
@click.option("--data-dir", metavar="PATH", help="Folder for all that Lading itself keeps.")
@click.option("--database", metavar="URL", help="A database other than SQLite in that folder.")
@click.option("--store", metavar="URL", help="A store other than a folder in that folder.")
@click.option("--dry-run", is_flag=True, help="Only print the settings file.")
@with_session
def command(
    session: Session,
    *,
    sources: Sequence[str],
    photos: Sequence[str],
    data_dir: str | None,
    database: str | None,
    store: str | None,
    dry_run: bool,
) -> None:
    """Make a settings file, the data folder and the database.

    The file is ./lading.toml unless --config names another. An existing one is never written
    over. A database that has tables already is left as it is; see `lading db upgrade`.
    """
    named = session.config or os.environ.get(CONFIG_VARIABLE) or FILE_NAME
    file = os.path.abspath(os.path.expanduser(named))
    trees = dict(_parse_source(tree, "--photos") for tree in photos)
    others = dict(_parse_source(source, "--source") for source in sources)
    if len(trees.keys() | others.keys()) < len(photos) + len(sources):
        raise click.UsageError("each source has a name of its own")
    text = settings_text(
        others,
        photos=trees,
        data_dir=data_dir,
        database=database,
        store=store,
    )
    if dry_run:
        _tell_dry_run(session, file, text)
        return
    facts = initialise(file, text)
    if session.as_json:
        output.emit(facts)
        return
    output.say(f"Wrote {file}.")
    output.say(f"Data folder: {facts['data_dir']}")
    output.say(f"Database:    {facts['database']}")
    output.say()
    if sources or photos:
        output.say("Next: `lading config check`, then `lading scan`.")
    else:
        output.say(
            "Next: add a source to the file, see docs/how-to/first-import.md, then `lading scan`."
        )


def initialise(file: str, text: str) -> dict[str, object]:
    """Write the settings file and make what it names; returns the facts of it.

    Raises `AlreadyInitialised`. What the file says is tried before it stays.
    """
    try:
        encoded = text.encode()
    except UnicodeEncodeError as error:
        raise SettingsNotWritten(
            "a path in it is not text in UTF-8", subject=file, next_step="Rename that folder."
        ) from error
    try:
        os.makedirs(os.path.dirname(file), exist_ok=True)
        with open(file, "xb") as stream:
            stream.write(encoded)
    except OSError as error:
        if os.path.lexists(file):
            raise AlreadyInitialised("a settings file is here already", subject=file) from error
        raise SettingsNotWritten(error.strerror or str(error), subject=file) from error
    try:
        settings = load_settings(file)
        created = set_up(settings)
    except BaseException:
        os.unlink(file)
        raise
    return {
        "settings_file": file,
        "data_dir": settings.data_dir,
        "database": masked_url(settings.database.url),
        "database_created": created,
        "sources": {name: source.kind for name, source in settings.sources.items()},
    }


def settings_text(
    sources: dict[str, str],
    *,
    photos: Mapping[str, str] = MappingProxyType({}),
    data_dir: str | None = None,
    database: str | None = None,
    store: str | None = None,
) -> str:
    """The text of a settings file with these values."""
    lines = [_HEAD]
    if data_dir is not None:
        lines.append(f"data_dir = {_quoted(os.path.abspath(os.path.expanduser(data_dir)))}\n")
    for section, url in (("database", database), ("store", store)):
        if url is not None:
            lines.append(f"[{section}]\nurl = {_quoted(url)}\n")
    for name, root in sources.items():
        lines.append(f'[sources.{name}]\nkind = "handover"\nroot = {_quoted(root)}\n')
    for name, path in photos.items():
        lines.append(f'[sources.{name}]\nkind = "photos"\npath = {_quoted(path)}\n')
    if not (sources or photos):
        lines.append('# [sources.node2]\n# kind = "handover"\n# root = "/mnt/nas/node2/assets"\n')
    return "\n".join(lines)


def _parse_source(text: str, option: str) -> tuple[str, str]:
    name, equals, path = text.partition("=")
    if not equals or not path or SOURCE_NAME.fullmatch(name) is None:
        raise click.BadParameter(
            f"{text!r} is not NAME=PATH (a name has lower-case letters, digits, - and _)",
            param_hint=option,
        )
    return name, os.path.abspath(os.path.expanduser(path))


def _quoted(text: str) -> str:
    """`text` as a TOML string; JSON's escapes are a part of TOML's."""
    return json.dumps(text, ensure_ascii=False)


def _tell_dry_run(session: Session, file: str, text: str) -> None:
    if session.as_json:
        output.emit({"settings_file": file, "text": text, "dry_run": True})
    else:
        output.note(f"This would be {file}:")
        output.say(text.rstrip("\n"))
