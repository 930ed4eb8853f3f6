"""What a reason is: a stable code, a sentence, and what to do next. Sources declare their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item was rejected or a bundle cannot be consumed (G5)."""

    code: str
    sentence: str
    next_step: str


def reason_table(reasons: Iterable[Reason]) -> Mapping[str, Reason]:
    """Reasons by code; two of the same code are a mistake."""
    table: dict[str, Reason] = {}
    for reason in reasons:
        if reason.code in table:
            raise ValueError(f"reason code {reason.code!r} is declared twice")
        table[reason.code] = reason
    return table
