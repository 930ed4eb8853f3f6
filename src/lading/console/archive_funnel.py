"""The funnel of an archive's run: what passed each rule, what ended there, and where both are seen.

Pure: made of a report alone, for real runs and dry runs alike.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode

from lading.sources.archive.importer import ASSET_SUBTYPE
from lading.sources.archive.reasons import FILE_REASONS, KEY_REASONS
from lading.sources.archive.reports import RunReport

REJECTS: Final = "/archive/rejects"
OBJECTS: Final = "/archive/objects"
PHASES: Final = {
    1: "Keys of the listing",
    2: "Inventory codes",
    3: "What their files contain",
}
KEY_RULES: Final = frozenset({*KEY_REASONS, "key_unreadable"})
CODE_RULES: Final = frozenset({*FILE_REASONS, "held_by_other_source"})
_MALFORMED: Final = "code_malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How many came no further than a step, in a word why, and where they are listed."""

    count: int
    words: str
    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One number of the funnel: what passed it, of which `share` is in thousandths of all.

    `phase` is 1 to 3. `waiting` codes have not come so far yet.
    """

    phase: int
    name: str
    unit: str
    count: int
    url: str
    share: int
    ended: Ended | None = None
    waiting: int = 0


def funnel(run: str, url: str, batch_id: int | None, report: RunReport) -> list[Step]:
    """The steps of the run named `run`, whose page is at `url`; `batch_id` None is a dry run."""
    keys = [*_key_steps(run, url, report)]
    return [*keys, *_code_steps(run, url, batch_id, report)]


def rejects_url(run: str | None = None, rules: Collection[str] = ()) -> str:
    """The list of rejections, of one run and by some rules."""
    given = {"run": run or "", "rule": ",".join(sorted(rules))}
    query = urlencode({name: value for name, value in given.items() if value}, safe=",")
    return f"{REJECTS}?{query}" if query else REJECTS


def _key_steps(run: str, url: str, report: RunReport) -> list[Step]:
    one = report.phase1
    listed = one.get("listed", 0)
    of_folders = KEY_RULES - {_MALFORMED}
    after = [
        ("Allowed extension", "extension", "left out", f"{url}#left-extension"),
        ("Not excluded", "folder", "left out", f"{url}#left-folder_left_out"),
        ("Valid code", "code", "rejected", rejects_url(run, [_MALFORMED])),
        ("Prefix matches type", "accepted", "rejected", _rejected(run, report, of_folders)),
    ]
    keys = f"{url}#keys"
    steps = [Step(phase=1, name="Listed", unit="keys", count=listed, url=keys, share=1000)]
    for name, passed, words, ended_url in after:
        count = one.get(passed, 0)
        ended = Ended(count=steps[-1].count - count, words=words, url=ended_url)
        share = _share(count, listed)
        steps.append(
            Step(phase=1, name=name, unit="keys", count=count, url=keys, share=share, ended=ended)
        )
    return steps


def _code_steps(run: str, url: str, batch_id: int | None, report: RunReport) -> list[Step]:
    codes = report.phase1.get("codes", 0)
    not_held = codes - report.held
    valid = report.created + report.updated + report.unchanged
    in_phase_3 = frozenset(report.rules) - CODE_RULES - KEY_RULES
    items = f"/import/batches/{batch_id}" if batch_id else f"{url}#codes"

    def listed(query: str) -> str:
        return f"{items}?{query}" if batch_id else items

    library = f"/library/assets?batch={batch_id}&subtype={ASSET_SUBTYPE}&view=list"
    held = Ended(count=report.held, words="held", url=OBJECTS)
    lacking = Ended(
        count=max(0, not_held - report.new),
        words="rejected",
        url=_rejected(run, report, CODE_RULES),
    )
    refused = Ended(count=report.refused, words="rejected", url=_rejected(run, report, in_phase_3))
    would = "would be " if report.dry_run else ""
    updated = Ended(count=report.updated, words=f"{would}updated", url=listed("outcome=updated"))
    rows = [
        (2, "With a code", codes, items, None),
        (2, "Not already held", not_held, items, held),
        (2, "Files complete", report.new, listed("decision=create,update"), lacking),
        (3, "Sidecars valid", valid, listed("outcome=created,updated"), refused),
        (
            3,
            f"{would}inserted".capitalize(),
            report.created,
            library if batch_id else items,
            updated,
        ),
    ]
    return [
        Step(
            phase=phase,
            name=name,
            unit="codes",
            count=count,
            url=where,
            share=_share(count, codes),
            ended=ended,
            waiting=report.pending if name == "Sidecars valid" else 0,
        )
        for phase, name, count, where, ended in rows
    ]


def _rejected(run: str, report: RunReport, rules: Collection[str]) -> str:
    """The rejections of a run by those of `rules` that it has any of."""
    return rejects_url(run, set(report.rules) & set(rules))


def _share(part: int, whole: int) -> int:
    return round(part * 1000 / whole) if whole else 0
