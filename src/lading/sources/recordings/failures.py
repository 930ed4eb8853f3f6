"""What kept one of many recordings from being done, as a value, while the others go on."""

from __future__ import annotations

from dataclasses import dataclass

from lading.base.errors import LadingError


@dataclass(frozen=True, slots=True)
class Failure:
    """One recording that could not be done; `subject` is its identifier, its hash or its folder."""

    subject: str
    error: LadingError

    @property
    def code(self) -> str:
        """The stable code of the error."""
        return self.error.code

    @property
    def message(self) -> str:
        """What happened, on one line."""
        return str(self.error)

    @property
    def next_step(self) -> str:
        """What to do about it."""
        return self.error.advice

    def as_dict(self) -> dict[str, object]:
        """The same as plain values, for `--json`."""
        return {"recording": self.subject, **self.error.as_dict()}
