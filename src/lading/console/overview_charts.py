"""The charts of the overview: what came in, what stood in line, what failed; each bar is a link."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from lading.accounts.values import Caller
from lading.base.units import format_bytes, format_count, format_duration
from lading.console.charts import BarChart, Column, bar_chart
from lading.console.formats import format_number, format_utc, zone_of
from lading.console.parts import Console
from lading.console.readers.metrics import SPANS, Bucket, Span


@dataclass(frozen=True, slots=True)
class Charts:
    """The charts of one span; not `whole` when there was more than was looked at."""

    came_in: BarChart
    items: BarChart
    backlog: BarChart
    failures: BarChart
    whole: bool


def charts_of(console: Console, span: str, caller: Caller) -> Charts:
    """The charts of one span, in the viewer's zone."""
    chosen = SPANS[span]
    zone = zone_of(caller.account.preferences.get("zone"))
    series = console.series.read(span)
    came, failed, backlog = series.came, series.failed, series.backlog

    def label(at: datetime) -> str:
        return at.astimezone(zone).strftime("%Y-%m-%d" if chosen.step_s >= 86_400 else "%H:%M")

    totals = [sum(column) for column in zip(*failed.by_reason.values(), strict=True)] or [0] * len(
        failed.steps
    )

    def came_in(bucket: Bucket, value: int, words: str) -> Column:
        return Column(label(bucket.at), value, words, _imported_url(bucket.at, chosen))

    return Charts(
        came_in=bar_chart([came_in(b, b.bytes, format_bytes(b.bytes)) for b in came.buckets]),
        items=bar_chart([came_in(b, b.items, format_number(b.items)) for b in came.buckets]),
        backlog=bar_chart(
            [
                Column(
                    label(step.at),
                    step.jobs,
                    _depth_words(step.jobs, step.oldest_s),
                    _since("/jobs?view=all", step.at),
                    format_count(step.jobs, "job"),
                )
                for step in backlog.steps
            ]
        ),
        failures=bar_chart(
            [
                Column(
                    label(at),
                    count,
                    _failure_words(count, failed.by_reason, place),
                    _since("/jobs?view=failed", at),
                    format_number(count),
                )
                for place, (at, count) in enumerate(zip(failed.steps, totals, strict=True))
            ]
        ),
        whole=came.whole and failed.whole and backlog.whole,
    )


def _imported_url(at: datetime, span: Span) -> str:
    until = at + timedelta(seconds=span.step_s)
    found = {
        "status": "imported,partial",
        "updated_after": format_utc(at),
        "updated_before": format_utc(until),
    }
    return f"/import?{urlencode(found, safe=',:')}"


def _since(path: str, at: datetime) -> str:
    return f"{path}&{urlencode({'since': format_utc(at)}, safe=':')}"


def _depth_words(jobs: int, oldest_s: float | None) -> str:
    waited = f", the first for {format_duration(oldest_s)}" if oldest_s is not None else ""
    return f"{format_count(jobs, 'job')}{waited}"


def _failure_words(count: int, by_reason: Mapping[str, Sequence[int]], place: int) -> str:
    named = [f"{counts[place]:,} {code}" for code, counts in by_reason.items() if counts[place]]
    return f"{count:,} ({', '.join(named)})" if named else "0"
