"""The roots of every error Lading raises, by whose fault it is, and the registry of their codes.

An error is for people: it says what happened, to which file or record, what was expected and
found, and what to do next. Concrete classes live beside the code that raises them; each has a
stable `code`, an HTTP status and an exit status, and is listed in `docs/errors.md`.
"""

from __future__ import annotations

from typing import ClassVar

_REGISTRY: dict[str, type[LadingError]] = {}


class LadingError(Exception):
    """Base of all errors meant for people.

    Subclasses set `code` (stable, snake_case), `next_step` (one sentence) and, where it differs
    from their root, `transient` (worth an automatic retry with back-off). A transient one that is
    not `counted` is no sign of a fault: the work may wait for its end as often as it takes.
    """

    code: ClassVar[str] = "error"
    http_status: ClassVar[int] = 500
    exit_status: ClassVar[int] = 70
    next_step: ClassVar[str] = "Report this with the log lines around it."
    transient: ClassVar[bool] = False
    counted: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        other = _REGISTRY.setdefault(cls.code, cls)
        if other is not cls and other.__qualname__ != cls.__qualname__ and "code" in vars(cls):
            raise TypeError(f"error code {cls.code!r} is used by {other!r} and {cls!r}")

    def __init__(
        self,
        message: str,
        *,
        subject: str | None = None,
        expected: object = None,
        found: object = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject
        self.expected = expected
        self.found = found
        self.advice = next_step or self.next_step

    def __str__(self) -> str:
        """One line: what happened, to what, expected and found. The advice is kept apart."""
        parts = [self.message]
        if self.subject is not None:
            parts.append(f"[{printable(self.subject)}]")
        facts = [
            f"{word} {value}"
            for word, value in (("expected", self.expected), ("found", self.found))
            if value is not None
        ]
        if facts:
            parts.append(", ".join(facts))
        return " ".join(parts)

    def as_dict(self) -> dict[str, object]:
        """The same facts as plain values, for `--json`, problem+json and ledger payloads."""
        facts: dict[str, object] = {"code": self.code, "message": self.message}
        if self.subject is not None:
            facts["subject"] = printable(self.subject)
        if self.expected is not None:
            facts["expected"] = str(self.expected)
        if self.found is not None:
            facts["found"] = str(self.found)
        facts["next_step"] = self.advice
        return facts


class SourceError(LadingError):
    """What arrived is wrong: a manifest, a file, a name. The upstream has to correct it."""

    code = "source_error"
    http_status = 422
    exit_status = 3
    next_step = "Ask the upstream to publish it again, then scan."


class StoreError(LadingError):
    """Where things are kept is wrong: a disk, a bucket, a database. Usually passes or is mended."""

    code = "store_error"
    http_status = 503
    exit_status = 4
    next_step = "Check that the store is reachable and has space; the work can be run again."
    transient = True


class RequestError(LadingError):
    """What was asked cannot be done as asked: a bad option, an unknown batch, a wrong state."""

    code = "request_error"
    http_status = 400
    exit_status = 2
    next_step = "Correct the request and try again."


class InternalError(LadingError):
    """We are wrong: an invariant of Lading itself does not hold. Nothing further is written."""

    code = "internal_error"


class MissingExtra(RequestError):
    """An optional part was asked for that is not installed."""

    code = "missing_extra"
    next_step = "Install the named extra, for example: pip install 'lading[postgres]'."


class IllegalTransition(InternalError):
    """A batch, item or job was asked to move between two states its table does not connect."""

    code = "illegal_transition"
    http_status = 409


def printable(text: str, *, length_max: int = 500) -> str:
    """`text` with control characters and undecodable bytes escaped, cut to `length_max`."""
    clean = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return clean if len(clean) <= length_max else clean[: length_max - 1] + "…"


def all_error_classes() -> list[type[LadingError]]:
    """Every error class defined so far, by code; the error page of the docs is made from it."""
    seen: dict[str, type[LadingError]] = {}
    stack: list[type[LadingError]] = [LadingError]
    while stack:
        for cls in stack.pop().__subclasses__():
            if cls.__module__.startswith("lading."):
                seen[cls.code] = cls
            stack.append(cls)
    return [seen[code] for code in sorted(seen)]
