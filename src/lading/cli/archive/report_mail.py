"""Mails a run's report as the settings want: the text, and the rejections as a table (B9)."""

from __future__ import annotations

import io
from typing import Final

from lading.base.errors import LadingError, RequestError, printable
from lading.cli.archive.report_files import BYTE_ORDER_MARK, csv_lines, write_text
from lading.cli.archive.report_text import headline
from lading.cli.archive.runs import ArchiveRun
from lading.mail import Attachment, MailAccount, send_mail
from lading.settings.mail import MailSettings

CSV_BYTES_MAX: Final = 5_000_000
"""Many mail servers refuse messages of 10 MB, and an attachment travels a third longer."""


class MailNotConfigured(RequestError):
    """A mail was asked for, but nothing says through which server."""

    code = "mail_not_configured"
    next_step = "Give SMTP_HOST, SMTP_FROM and SMTP_TO, or [mail] in the settings."


def account_for(settings: MailSettings, *, wanted: bool | None) -> MailAccount | None:
    """Where this run's report may be mailed; None when not at all. Raises `MailNotConfigured`."""
    if wanted is False:
        return None
    if wanted and settings.account is None:
        raise MailNotConfigured("no mail server is configured")
    return settings.account


def is_due(settings: MailSettings, *, wanted: bool | None, problem: bool) -> bool:
    """Whether this run is mailed: when it was asked for, always, or for its problems."""
    return bool(wanted) or problem or settings.when == "always"


def mail_run(account: MailAccount, run: ArchiveRun) -> None:
    """Send the report of a run. Raises `MailError`; the run stands all the same."""
    body = io.StringIO()
    write_text(run, body)
    attachments = []
    if run.report.problems:
        table, lines, cut = _bounded_csv(run)
        name = f"rejections-{run.report.run}.csv"
        attachments.append(Attachment(name, "text/csv", table))
        if cut:
            body.write(
                f"\nThe attached table ends after {lines:,} of {run.report.problems:,} rejections;"
                " `lading archive report` has them all.\n"
            )
    send_mail(account, subject_of(run), body.getvalue(), attachments)


def mail_failure(account: MailAccount, source: str, error: LadingError) -> None:
    """Say that a run ended with an error before there was a report. Raises `MailError`."""
    subject = f"Lading archive {source}: the run failed ({error.code})"
    lines = (f"The run failed: {error}", "", f"Next step: {error.advice}", f"Code: {error.code}")
    send_mail(account, subject, "\n".join(map(printable, lines)) + "\n")


def subject_of(run: ArchiveRun) -> str:
    """The subject of the mail about a run."""
    return f"Lading archive {run.report.source}: {headline(run)}"


def _bounded_csv(run: ArchiveRun) -> tuple[bytes, int, bool]:
    """The table, cut after a whole line; how many rejections are in it, and whether it was cut."""
    table = bytearray(BYTE_ORDER_MARK.encode())
    lines = -1  # the heading is none
    for line in csv_lines(run.rejections):
        encoded = line.encode("utf-8", "backslashreplace")
        if len(table) + len(encoded) > CSV_BYTES_MAX:
            return bytes(table), lines, True
        table += encoded
        lines += 1
    return bytes(table), lines, False
