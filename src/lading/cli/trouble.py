"""Tells about one item that needs a person: what, which file, expected and found, what next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lading.base.reasons import Reason
from lading.cli import output
from lading.ledger.queries import ItemView
from lading.ledger.states import Outcome

TROUBLED_OUTCOMES: Final = (Outcome.REJECTED, Outcome.FAILED)
_SAID_OTHERWISE: Final = frozenset({"code", "message", "next_step", "reason"})
# By these a file is known again; a person knows it by its name, which is said anyway.
_OF_MACHINES: Final = frozenset({"inode", "mtime_ns", "name", "size_bytes"})
_FIRST: Final = ("subject", "file", "expected", "found")


def trouble_lines(item: ItemView, reason: Reason | None) -> Iterator[str]:
    """The lines about a rejected or failed item; file names in them are escaped."""
    title = f" ({output.cell(item.title)})" if item.title not in {None, "", item.key} else ""
    yield f"Item {output.cell(item.key)}{title}: {item.outcome}"
    if reason is not None:
        yield f"  {'why:':<11}{reason.code}: {reason.sentence}"
    left_out = _SAID_OTHERWISE | _OF_MACHINES
    detail = {key: value for key, value in item.detail.items() if key not in left_out}
    for key in sorted(detail, key=lambda key: (key not in _FIRST, key)):
        yield f"  {key + ':':<11}{output.cell(output.plain(detail[key]))}"
    if item.last_error and not detail:
        yield f"  {'error:':<11}{output.cell(item.last_error)}"
    if reason is not None:
        yield f"  {'next step:':<11}{reason.next_step}"
