"""Writes the pages of the documentation that are made from code, or checks that they are current.

`python tools/generate_docs.py` writes them; with `--check` it writes nothing and fails when one
would change. The pages: states, errors, reasons, events.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import fields
from enum import StrEnum
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final, TypeVar

import lading
from lading.base.errors import (
    InternalError,
    LadingError,
    RequestError,
    SourceError,
    StoreError,
    all_error_classes,
)
from lading.cli.reference import cli_page, settings_page
from lading.ingest.source import SourceDefinition
from lading.jobs.states import FINAL_JOB_STATES, JOB_TRANSITIONS, JobState
from lading.ledger.events import event_kinds
from lading.ledger.states import (
    BATCH_TRANSITIONS,
    FINAL_BATCH_STATES,
    ITEM_TRANSITIONS,
    BatchState,
    Outcome,
)
from lading.mail import MailError
from lading.operations.states import (
    FINAL_OPERATION_STATES,
    OPERATION_TRANSITIONS,
    OperationState,
)

DOCS: Final = Path(__file__).resolve().parent.parent / "docs"
NOTE: Final = "<!-- Written by tools/generate_docs.py (`make docs`); do not edit. -->\n"
# Needs a running command of Alembic, and what only tests need.
NOT_IMPORTED: Final = ("lading.db.migrations", "lading.testing", "lading.cli.__main__")
FAULTS: Final[Sequence[tuple[type[LadingError], str]]] = (
    (SourceError, "the source's"),
    (StoreError, "the store's"),
    (RequestError, "the request's"),
    (MailError, "the mail server's"),
    (InternalError, "ours"),
)
State = TypeVar("State", bound=StrEnum)


def import_everything() -> None:
    """Import every module of Lading, so that every error class and event is known."""
    for module in pkgutil.walk_packages(lading.__path__, "lading.", onerror=_fail):
        if not module.name.startswith(NOT_IMPORTED):
            importlib.import_module(module.name)


def _fail(name: str) -> None:
    raise ImportError(name)


def states_page() -> str:
    """`states.md`."""
    parts = [
        "# States\n",
        (
            "What a batch, an item, a job and an operation may become. A move that is not here is"
            " refused as `illegal_transition`. A final state is left only by hand or by a new"
            " manifest.\n"
        ),
        "## Batch\n",
        (
            "A state that leads to itself may be written again: a second scan or preflight, or a"
            " job taken over by another worker.\n"
        ),
        *_transitions(BatchState, BATCH_TRANSITIONS, FINAL_BATCH_STATES),
        "## Item\n",
        (
            "An item's outcome belongs to one revision of its batch; a retry puts it back to"
            " `pending`.\n"
        ),
        *_transitions(Outcome, ITEM_TRANSITIONS, frozenset(Outcome) - {Outcome.PENDING}),
        "## Job\n",
        *_transitions(JobState, JOB_TRANSITIONS, FINAL_JOB_STATES),
        "## Operation\n",
        (
            "An operation that a job carries out stands where its job does; only `running` and"
            " `done` are written.\n"
        ),
        *_transitions(OperationState, OPERATION_TRANSITIONS, FINAL_OPERATION_STATES),
    ]
    return _page(parts)


def _transitions(
    states: type[State], table: Mapping[State, AbstractSet[State]], final: AbstractSet[State]
) -> Iterator[str]:
    order = list(states)
    rows = (
        (
            f"`{state}`",
            ", ".join(f"`{after}`" for after in order if after in table[state]) or "nothing",
            "yes" if state in final else "",
        )
        for state in order
    )
    yield _table(("state", "may become", "final"), rows)
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {order[0]}"]
    lines += [f"    {s} --> {a}" for s in order for a in order if a in table[s] and a != s]
    lines += [f"    {state} --> [*]" for state in order if state in final]
    yield "\n".join([*lines, "```\n"])


def errors_page() -> str:
    """`errors.md`."""
    rows = [
        (
            f"`{cls.code}`",
            _first_sentence(cls),
            next((fault for root, fault in FAULTS if issubclass(cls, root)), "ours"),
            str(cls.http_status),
            str(cls.exit_status),
            "yes" if cls.transient else "",
            cls.next_step,
        )
        for cls in all_error_classes()
        if not cls.__module__.startswith("lading.testing")
    ]
    heads = ("code", "what it is", "fault", "HTTP", "exit", "retried", "what to do")
    parts = [
        "# Errors\n",
        (
            "Every error has a stable code, says what happened and to what, and what to do next. A"
            " job that meets a retried one is tried again with growing pauses.\n"
        ),
        _table(heads, rows),
    ]
    return _page(parts)


def reasons_page() -> str:
    """`reasons.md`."""
    parts = [
        "# Reasons\n",
        (
            "Why a source does not take in a batch or an item. A reason is a result, not a fault:"
            " the rest goes on, and the item is accounted for.\n"
        ),
    ]
    for definition in sorted(source_definitions(), key=lambda source: source.kind):
        parts += [f"## {definition.kind}\n", f"{definition.summary}\n"]
        reasons = sorted(definition.reasons.values(), key=lambda reason: reason.code)
        rows = [(f"`{r.code}`", r.sentence, r.next_step) for r in reasons]
        parts.append(_table(("code", "what it says", "what to do"), rows))
    return _page(parts)


def source_definitions() -> Iterator[SourceDefinition]:
    """The sources that Lading itself brings; plug-ins have documentation of their own."""
    for point in entry_points(group="lading.sources"):
        if point.module.startswith("lading."):
            definition = point.load()
            if not isinstance(definition, SourceDefinition):
                raise TypeError(f"the entry point {point.name} names no SourceDefinition")
            yield definition


def events_page() -> str:
    """`events.md`."""
    rows = [
        (
            f"`{kind}`",
            _first_sentence(cls),
            ", ".join(f"`{field.name}`: {field.type}".replace("|", "or") for field in fields(cls)),
        )
        for kind, cls in event_kinds().items()
    ]
    parts = [
        "# Events\n",
        (
            "What the ledger records. Events are numbered without gaps, never changed, and chained"
            " by their hashes. A value that is absent is left out of the payload.\n"
        ),
        _table(("kind", "what happened", "payload"), rows),
    ]
    return _page(parts)


def _page(parts: Sequence[str]) -> str:
    return "\n".join([parts[0], NOTE, *parts[1:]])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_cell(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _first_sentence(cls: type) -> str:
    paragraph = (cls.__doc__ or "").strip().split("\n\n")[0]
    return " ".join(paragraph.split())


PAGES: Final[Mapping[str, Callable[[], str]]] = {
    "states.md": states_page,
    "errors.md": errors_page,
    "reasons.md": reasons_page,
    "events.md": events_page,
    "cli.md": cli_page,
    "settings.md": settings_page,
}


def outdated(docs: Path = DOCS) -> list[str]:
    """The pages that differ from what would be written now."""
    import_everything()
    return [
        name
        for name, render in PAGES.items()
        if not (docs / name).exists() or (docs / name).read_text() != render()
    ]


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or check them; the exit status is 1 when one is outdated."""
    pages = outdated()
    if "--check" in arguments:
        for name in pages:
            print(f"docs/{name} is not current; run `make docs`")
        return 1 if pages else 0
    for name in pages:
        (DOCS / name).write_text(PAGES[name]())
        print(f"docs/{name} written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
