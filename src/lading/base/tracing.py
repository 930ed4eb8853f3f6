"""Which request the running code works for, so that the ledger and the log can name it."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Final

request_id: Final[ContextVar[str | None]] = ContextVar("lading_request_id", default=None)
"""Set by the console for each request; threads started for the request see it too."""
