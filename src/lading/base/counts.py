"""How many there are of something, when counting may have stopped before the end."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are; when not `exact`, there are more than `value`."""

    value: int
    exact: bool = True

    def __str__(self) -> str:
        return f"{self.value:,}" if self.exact else f"{self.value:,}+"

    def __bool__(self) -> bool:
        return self.value > 0

    def of(self, noun: str, plural: str | None = None) -> str:
        """`1 job`, `18 jobs`, `10,000+ jobs`."""
        single = self.exact and self.value == 1
        return f"{self} {noun if single else plural or noun + 's'}"

    def __add__(self, other: Count) -> Count:
        return Count(self.value + other.value, self.exact and other.exact)
