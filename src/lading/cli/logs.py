"""Logs of long-running commands: to standard error, text on a terminal, JSON lines elsewhere.

A file gets them too if the settings name one (B10), always as JSON lines.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping, Sequence
from logging.handlers import WatchedFileHandler
from typing import Any, Final

import structlog
from structlog.types import Processor

from lading.base.errors import RequestError
from lading.settings import LogSettings

_AS_JSON: Final[Sequence[Processor]] = (
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(sort_keys=False),
)


class LogNotWritten(RequestError):
    """The file that the settings name for logs cannot be written."""

    code = "log_not_written"
    next_step = "Correct `file` under [log], or let this account write there."


def configure_logs(settings: LogSettings, *, debug: bool = False) -> None:
    """Send everything that is logged, ours and that of libraries, to standard error.

    Raises `LogNotWritten` when the settings name a file that cannot be written.
    """
    level = logging.DEBUG if debug else logging.getLevelNamesMapping()[settings.level.upper()]
    as_text = settings.format == "text" or (settings.format == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(shared, [_as_text()] if as_text else _AS_JSON))
    handlers: list[logging.Handler] = [handler]
    if settings.file is not None:
        to_file = _open(settings.file)
        to_file.setFormatter(_formatter(shared, _AS_JSON))
        handlers.append(to_file)
    root = logging.getLogger()
    root.handlers = handlers
    root.setLevel(level)
    # Their own words at this level are about sockets, not about media.
    for noisy in ("uvicorn", "uvicorn.error", "asyncio", "alembic"):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def keep_logs_out_of_output() -> None:
    """For commands that answer and end: warnings and worse, to standard error, and nothing else."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.KeyValueRenderer(key_order=["event"]),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _open(file: str) -> logging.Handler:
    """The file is opened anew when it was moved away: several processes may share it."""
    try:
        return WatchedFileHandler(file, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise LogNotWritten(error.strerror or str(error), subject=file) from error


def _as_text() -> Processor:
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        # The default shows local variables too: passwords as typed, cookies, tokens.
        exception_formatter=structlog.dev.plain_traceback,
    )


def _formatter(shared: Sequence[Processor], last: Sequence[Processor]) -> logging.Formatter:
    meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared, processors=[meta, _named, *last]
    )


def _named(
    _logger: object, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Put the time first: logs are read by eye too."""
    return {"at": event.pop("at", None), **event}
