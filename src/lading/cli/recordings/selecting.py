"""Which recordings, and what of them: the options that `query`, `download` and `verify` share."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import click

from lading.catalog.catalog import Catalog
from lading.catalog.columns import RECORDINGS, Kind
from lading.catalog.errors import CatalogFilterRefused
from lading.catalog.values import RAW
from lading.cli.recordings.naming import NamedBy, find_recording
from lading.sources.recordings.querying import query
from lading.sources.recordings.registering import participants_named
from lading.sources.recordings.values import QueryResult

ANY: Final = "any"


@dataclass(frozen=True, slots=True)
class Selection:
    """What was asked for on the command line, as it was typed."""

    names: Sequence[str]
    hashes: Sequence[str]
    rec_ids: Sequence[str]
    modalities: Sequence[str]
    participant: str | None
    status: str
    where: Sequence[str]
    limit: int | None

    @property
    def is_of_all(self) -> bool:
        """Whether nothing narrows it to some recordings."""
        narrow = (self.names, self.hashes, self.rec_ids, self.participant, self.where, self.limit)
        return not any(narrow)

    def results(self, catalog: Catalog) -> Iterator[QueryResult]:
        """The recordings selected. Raises `RecordingMissing` for one that is named and not there.

        A participant is known by the identifier or by the display name.
        """
        named: list[tuple[str, NamedBy | None]] = [(name, None) for name in self.names]
        named += [(name, NamedBy.HASH) for name in self.hashes]
        named += [(name, NamedBy.IDENTIFIER) for name in self.rec_ids]
        wanted = [find_recording(catalog, name, by).recording_hash for name, by in named]
        participant = self.participant
        if participant is not None:
            participant = participants_named(catalog, participant)[0].participant_id
        return query(
            catalog,
            recording_hash=wanted or None,
            modalities=self.modalities or None,
            status=None if self.status == ANY else self.status,
            participant=participant,
            where=dict(map(filter_of, self.where)),
            limit=self.limit,
        )


def selection_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the shared options; it gets them as one `selection`."""

    @click.argument("names", nargs=-1, metavar="[RECORDING]...")
    @click.option("--hash", "hashes", multiple=True, metavar="HASH", help="By the hash alone.")
    @click.option("--rec-id", "rec_ids", multiple=True, metavar="ID", help="By the identifier.")
    @click.option(
        "--modality",
        "modalities",
        multiple=True,
        metavar="NAME",
        help="Only this family (eeg) or key (eeg_a) of modalities; may be given several times.",
    )
    @click.option("--participant", metavar="NAME", help="Only of whom this name or identifier is.")
    @click.option(
        "--status", default=RAW, show_default=True, help="Only modalities of this status, or any."
    )
    @click.option(
        "--where",
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Only where a column of recordings has this value; no value: where it has none.",
    )
    @click.option("--limit", type=click.IntRange(min=1), help="At most so many recordings.")
    @functools.wraps(function)
    def wrapped(*arguments: Any, **options: Any) -> Any:
        facts = {name: options.pop(name) for name in Selection.__dataclass_fields__}
        return function(*arguments, selection=Selection(**facts), **options)

    return wrapped


def filter_of(text: str) -> tuple[str, object]:
    """`column=value` as a filter, the value as its column has it. Raises `CatalogFilterRefused`."""
    column, sign, value = text.partition("=")
    kind = RECORDINGS.columns.get(column)
    if not sign or kind is None:
        raise CatalogFilterRefused(
            "This is no filter",
            expected=f"COLUMN=VALUE, with one of {', '.join(RECORDINGS.columns)}",
            found=text,
        )
    if not value:
        return column, None
    try:
        return column, _value(kind, value)
    except ValueError:
        expected = {Kind.MOMENT: "a time such as 2026-05-20T19:56:28Z"}.get(kind, "a number")
        raise CatalogFilterRefused(
            f"{column} never has such a value", expected=expected, found=value
        ) from None


def _value(kind: Kind, text: str) -> object:
    if kind is Kind.REAL:
        return float(text)
    if kind is Kind.WHOLE:
        return int(text)
    if kind is Kind.MOMENT:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return text
