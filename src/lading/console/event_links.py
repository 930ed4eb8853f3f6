"""Where one event of the ledger is shown: in its job's log, else in the audit of its second."""

from __future__ import annotations

from datetime import timedelta
from urllib.parse import urlencode

from lading.console.formats import format_utc
from lading.ledger.queries import EventView


def event_url(event: EventView) -> str:
    """The address of one event, with its line as the fragment."""
    if event.job_id is not None:
        return f"/jobs/{event.job_id}/log?from={event.seq}#e{event.seq}"
    second = event.at.replace(microsecond=0)
    within = {"since": format_utc(second), "until": format_utc(second + timedelta(seconds=1))}
    return f"/audit?{urlencode(within, safe=':')}#e{event.seq}"
