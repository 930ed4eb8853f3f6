"""A run's report as text for people: the funnel, what was left out, what was rejected and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from lading.base.errors import printable
from lading.base.units import format_bytes, format_count
from lading.cli import output
from lading.cli.archive.runs import ArchiveRun, Ending
from lading.sources.archive.reports import Rejection, RunReport, reason_of
from lading.sources.archive.rules import FOLDER_MARKER, KeyStage

SHOWN_OF_A_RULE: Final = 3
IN_PHASE_3: Final = 3
LEFT_OUT_SHOWN: Final = 20
_LABEL_WIDTH: Final = 26


def report_lines(run: ArchiveRun) -> Iterator[str]:
    """The whole report, line by line; names of objects are escaped."""
    report = run.report
    number = "" if report.batch_id is None else f" (number {report.batch_id})"
    yield f"Archive {output.cell(report.source)}, {report.run}{number}"
    yield headline(run)
    yield ""
    yield from _funnel(report)
    yield from _left_out(report)
    yield from _rejections(run)
    yield ""
    yield f"Next step: {next_step(run)}"


def headline(run: ArchiveRun) -> str:
    """What came of the run, in one or two sentences."""
    report, did = run.report, _did(run.report)
    said = {
        Ending.REHEARSED: f"Dry run: would {_would(report)}, wrote nothing.{_foreseen(report)}",
        Ending.NOTHING_NEW: (
            "Nothing new: the bucket is as this run found it, which ended"
            f" {output.moment(report.finished_at)}."
        ),
        Ending.SAFE_STOP: (
            f"Safe run: stopped at the first warning, inserted nothing: {_first_warning(run)}"
        ),
        Ending.FAILED: f"The run failed ({run.error_code}), {did}: {_why(run)}",
        Ending.UNDER_WAY: f"Not ended yet ({report.state}): {did}.",
        Ending.HELD: f"The run is held: {did}.",
        Ending.STOPPED: f"Stopped before its end: {did}.",
        Ending.DONE: f"{did[:1].upper()}{did[1:]}.",
    }[run.ending]
    return f"Another process had begun this run. {said}" if run.followed else said


def next_step(run: ArchiveRun) -> str:
    """What a person does next, in one sentence."""
    report = run.report
    go_on = "Start `lading archive run` again; it goes on where this one is."
    by_ending = {
        Ending.HELD: (
            f"`lading resume {report.job_id}` if the job is paused, `lading intake resume` if all"
            f" intake is; `lading job {report.job_id}` says which."
        ),
        Ending.STOPPED: go_on,
        Ending.UNDER_WAY: go_on,
        Ending.FAILED: "Mend what is named, then start `lading archive run` again; it goes on.",
        Ending.SAFE_STOP: "Mend what is named, or run it with --no-safe-run.",
    }
    if run.ending in by_ending:
        return by_ending[run.ending]
    reason = reason_of(report.error or "")
    if report.problems:
        return "Correct what is rejected in the bucket; the next run takes it in."
    if reason is not None:
        return reason.next_step
    if report.dry_run and report.created + report.updated:
        return "Run it with --no-dry-run."
    return "None."


def _would(report: RunReport) -> str:
    parts = [f"insert {report.created:,}"]
    if report.updated:
        parts.append(f"update {report.updated:,}")
    if report.problems:
        parts.append(f"reject {report.problems:,}")
    return ", ".join(parts)


def _foreseen(report: RunReport) -> str:
    if not report.safe_run or not report.refused:
        return ""
    return " A safe run would stop at the first warning of phase 3 and insert nothing."


def _did(report: RunReport) -> str:
    parts = [f"inserted {report.created:,}"]
    if report.updated:
        parts.append(f"updated {report.updated:,}")
    if report.problems:
        parts.append(f"rejected {report.problems:,}")
    if report.pending:
        parts.append(f"{report.pending:,} pending")
    return ", ".join(parts)


def _first_warning(run: ArchiveRun) -> str:
    """What a safe run stopped at; only of that the ledger has a rejection in phase 3."""
    if run.ending is not Ending.SAFE_STOP:
        return ""
    warning = next((one for one in run.rejections if one.phase == IN_PHASE_3), None)
    if warning is None:
        return _why(run)
    return f"{warning.rule} at {output.cell(warning.subject)}{_facts(warning)}"


def _why(run: ArchiveRun) -> str:
    return printable(run.error or "see the rejections", length_max=1_000)


def _funnel(report: RunReport) -> Iterator[str]:
    counts = report.phase1
    yield f"Phase 1, list and judge keys{_took(report, 'list')}"
    if counts:
        pages = format_count(counts.get("pages", 0), "page")
        yield _row("listed", format_count(counts.get("listed", 0), "key") + f" in {pages}")
        yield _row("of a known extension", f"{counts.get('extension', 0):,}")
        yield _row("in no folder left out", f"{counts.get('folder', 0):,}")
        yield _row("with an inventory code", f"{counts.get('code', 0):,}")
        codes = format_count(counts.get("codes", 0), "code")
        size = format_bytes(counts.get("bytes", 0))
        yield _row("in the folder of its type", f"{counts.get('accepted', 0):,} ({codes}, {size})")
        yield _row("keys rejected", f"{counts.get('rejected', 0):,}")
    yield f"Phase 2, compare with the library{_took(report, 'compare')}"
    yield _row("held already", f"{report.held:,}")
    yield _row("new or changed", f"{report.new:,}")
    codes_rejected = max(0, report.rejected - counts.get("rejected", 0))
    yield _row("codes rejected", f"{codes_rejected:,}")
    would = "would be " if report.dry_run else ""
    yield f"Phase 3, read sidecars and {'compare' if would else 'insert'}{_took(report, 'import')}"
    yield _row(f"{would}inserted", f"{report.created:,}")
    yield _row(f"{would}updated", f"{report.updated:,}")
    yield _row("codes rejected", f"{report.refused:,}")
    if report.unchanged:
        yield _row("unchanged by now", f"{report.unchanged:,}")
    if report.pending:
        yield _row("pending", f"{report.pending:,}")
    if "all" in report.seconds:
        yield f"All phases{_took(report, 'all')}"


def _row(label: str, value: str) -> str:
    return f"  {label + ':':<{_LABEL_WIDTH}} {value}"


def _took(report: RunReport, phase: str) -> str:
    seconds = report.seconds.get(phase)
    return "" if seconds is None else f"  ({seconds:,.1f} s)"


def _left_out(report: RunReport) -> Iterator[str]:
    if not report.left_out:
        return
    yield ""
    yield "Left out by configuration; nothing is wrong with these"
    for one in report.left_out[:LEFT_OUT_SHOWN]:
        count = format_count(int(one["keys"]), "key")
        example = next(iter(one.get("examples", ())), None)
        such = "" if example is None else f", such as {output.cell(example)}"
        yield f"  {_left_out_name(one)}: {count}{such}"
    more = len(report.left_out) - LEFT_OUT_SHOWN
    if more > 0:
        yield f"  and {more:,} more; `lading archive keys` lists every key"


def _left_out_name(one: Mapping[str, Any]) -> str:
    value = printable(str(one["value"]))
    if one["stage"] == KeyStage.FOLDER_LEFT_OUT:
        return f"folder {value}"
    if value == FOLDER_MARKER:
        return "markers of folders"
    return f"extension .{value}" if value else "no extension"


@dataclass(slots=True)
class _OfRule:
    """The rejections of one rule: how many, and the first few."""

    count: int = 0
    first: list[Rejection] = field(default_factory=list)


def _rejections(run: ArchiveRun) -> Iterator[str]:
    for rule, found in _by_rule(run.rejections).items():
        shown = found.first[0]
        yield ""
        yield f"Rejected by {rule}: {found.count:,}. {_sentence(shown.sentence)}"
        for rejection in found.first:
            yield f"  {output.cell(rejection.subject)}{_facts(rejection)}"
        if found.count > len(found.first):
            yield f"  and {found.count - len(found.first):,} more{_where_more(run.report)}"
        if shown.next_step:
            yield f"  next step: {shown.next_step}"


def _by_rule(rejections: Iterable[Rejection]) -> dict[str, _OfRule]:
    """The most frequent rule first; there are only as many as there are rules."""
    rules: dict[str, _OfRule] = {}
    for rejection in rejections:
        found = rules.setdefault(rejection.rule, _OfRule())
        found.count += 1
        if len(found.first) < SHOWN_OF_A_RULE:
            found.first.append(rejection)
    return dict(sorted(rules.items(), key=lambda one: -one[1].count))


def _sentence(text: str) -> str:
    clean = printable(text)
    return clean[:1].upper() + clean[1:] + ("" if clean.endswith(".") else ".")


def _facts(rejection: Rejection) -> str:
    facts = [
        f"{word} {output.cell(value)}"
        for word, value in (("expected", rejection.expected), ("found", rejection.found))
        if value is not None
    ]
    return f": {', '.join(facts)}" if facts else ""


def _where_more(report: RunReport) -> str:
    if report.batch_id is None:
        return "; --csv FILE writes them all"
    return f"; `lading archive report {report.batch_id} --format csv` has them all"
