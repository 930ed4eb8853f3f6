"""Tells what a source raises beside its protocol as a fault of that source, by its name."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from lading.base.errors import InternalError, LadingError
from lading.base.stopping import Interrupted


class SourceFault(InternalError):
    """The program of a source failed in a way that its protocol does not know."""

    code = "source_fault"
    next_step = "Report it to whoever makes this kind of source, with what `lading --debug` prints."


@contextmanager
def source_faults(name: str) -> Iterator[None]:
    """Raise `SourceFault` for whatever calls of the source `name` raise unforeseen.

    Errors for people, stops, and what the database says pass as they are.
    """
    try:
        yield
    except (LadingError, Interrupted, SQLAlchemyError):
        raise
    except Exception as error:
        raise SourceFault(f"{type(error).__name__}: {error}", subject=name) from error
