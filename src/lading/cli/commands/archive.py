"""`lading archive`: takes an archive's bucket in with one call, and tells about it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import click

from lading.base.errors import LadingError
from lading.base.stopping import Interrupted, StopSignal
from lading.bootstrap import open_lading
from lading.cli import output, progress
from lading.cli.archive import report_mail, running
from lading.cli.archive.choosing import archive_options, bucket_faults, rules_of
from lading.cli.archive.judging import (
    ACCEPTED,
    CHOICES,
    JudgedKey,
    judged,
    key_line,
    key_lines,
)
from lading.cli.archive.report_files import (
    ReportNotWritten,
    Writer,
    require_writable,
    write_csv,
    write_file,
    write_json,
    write_text,
)
from lading.cli.archive.running import Asked
from lading.cli.archive.runs import (
    ArchiveRun,
    Ending,
    RejectionSpool,
    find_run,
    recorded_run,
)
from lading.cli.failures import NEEDS_A_PERSON, report
from lading.cli.logs import configure_logs
from lading.cli.session import Session, with_session
from lading.cli.setting_up import set_up
from lading.ingest.queueing import follow_job
from lading.jobs.queue import Queue
from lading.jobs.signals import install_signal_handlers
from lading.mail import MailAccount, MailError
from lading.settings import Settings
from lading.sources.archive.runs import archive_source
from lading.sources.archive.source import ArchiveSource

FILE: Final = click.Path(dir_okay=False, path_type=Path)
WRITERS: Final[dict[str, Writer]] = {"text": write_text, "json": write_json, "csv": write_csv}
FROM_STDIN: Final = "-"


@click.group("archive")
def command() -> None:
    """Take an archive's bucket in, and tell about it."""


@command.command("run")
@click.argument("source", required=False)
@click.option(
    "--dry-run/--no-dry-run",
    default=None,
    help="Everything but the writes; otherwise ACH_DRY_RUN or the source's setting.",
)
@click.option(
    "--safe-run/--no-safe-run",
    default=None,
    help="The first warning ends the run, with nothing inserted; otherwise ACH_SAFE_RUN.",
)
@click.option("--prefix", default="", help="Only keys below this prefix of the bucket.")
@click.option("--again", is_flag=True, help="Also repeat a run whose rejections stand.")
@click.option("--text", type=FILE, help="Write the report there too, as text.")
@click.option("--json-file", type=FILE, help="Write the whole report there, as JSON.")
@click.option("--csv", "csv_file", type=FILE, help="Write the rejections there, as a table.")
@click.option(
    "--mail/--no-mail",
    default=None,
    help="Mail the report, or do not; otherwise as [mail] says.",
)
@with_session
def run_command(
    session: Session,
    *,
    source: str | None,
    dry_run: bool | None,
    safe_run: bool | None,
    prefix: str,
    again: bool,
    text: Path | None,
    json_file: Path | None,
    csv_file: Path | None,
    mail: bool | None,
) -> int:
    """Take in what is new in an archive's bucket, and report it; made for cron.

    Lists the bucket, compares it with the library, and imports in this process until the run has
    ended. A run that another process has begun is followed; one that was cut off is gone on with.

    Ends with status 0 when everything was taken in or nothing is new, with 1 when something was
    rejected, a safe run stopped, or the run did not end (SIGTERM, paused jobs). Errors have the
    statuses of all commands: 2 settings, 3 the bucket, 4 the store, the database or the mail.
    """
    files: list[tuple[Path | None, Writer]] = [
        (text, write_text),
        (json_file, write_json),
        (csv_file, write_csv),
    ]
    wanted = [(path, writer) for path, writer in files if path is not None]
    for path, _ in wanted:
        require_writable(path)
    settings = session.load_settings()
    name, options = archive_options(settings, source)
    account = report_mail.account_for(settings.mail, wanted=mail)
    configure_logs(settings.log, debug=session.debug)
    dry = options.dry_run if dry_run is None else dry_run
    safe = options.safe_run if safe_run is None else safe_run
    asked = Asked(actor=session.actor, safe_run=safe, within=prefix, again=again)
    with _stopping() as stop:
        try:
            with _ended_run(session, settings, name, asked, stop, dry=dry) as run:
                due = report_mail.is_due(settings.mail, wanted=mail, problem=run.needs_a_look)
                errors = _tell(session, run, wanted, account if due else None)
                status = run.exit_status
        except Interrupted:
            if session.as_json:
                output.emit({"ending": Ending.STOPPED, "exit_status": NEEDS_A_PERSON})
            output.note("Stopped before there was anything to report; start it again.")
            return NEEDS_A_PERSON
        except LadingError as error:
            if account is not None:
                _mail_failure(session, account, name, error)
            raise
    for earlier in errors[:-1]:
        report(earlier, as_json=False, debug=session.debug)
    if errors:
        raise errors[-1]
    return status


@command.command("report")
@click.argument("run_name", metavar="RUN")
@click.option(
    "--format",
    "shape",
    type=click.Choice(list(WRITERS)),
    default="text",
    show_default=True,
    help="As text, as JSON with every rejection, or every rejection as a table.",
)
@with_session
def report_command(session: Session, run_name: str, shape: str) -> None:
    """Show the report of a run again, as it stands now.

    RUN is its key (run-...), a beginning of it of at least four characters that no other run
    shares, its number, or `last`.
    """
    with session.open_database() as db:
        batch = find_run(db, run_name)
        run = recorded_run(db, Queue(db, hook=follow_job), batch.id)
        WRITERS["json" if session.as_json else shape](run, sys.stdout)


@command.command("check")
@click.argument("keys", nargs=-1, required=True, metavar="KEY...")
@click.option("--source", help="By the rules of this archive; otherwise of the only one.")
@with_session
def check_command(session: Session, keys: Sequence[str], source: str | None) -> int:
    """Judge keys by their names alone, as the first phase of a run does.

    KEY is relative to the source's prefix; `-` reads keys from standard input, one to a line.
    Needs neither bucket nor database; where no archive is configured the usual rules count. Ends
    with status 1 when a key is not accepted.
    """
    rules = rules_of(session.load_settings(), source)
    given = _lines_of_stdin() if tuple(keys) == (FROM_STDIN,) else iter(keys)
    found: list[JudgedKey] = []
    accepted = True
    for key in given:
        one = judged(key, rules)
        accepted = accepted and one.verdict == ACCEPTED
        if session.as_json:
            found.append(one)
        else:
            for line in key_lines(one):
                output.say(line)
    if session.as_json:
        output.emit({"keys": [one.document() for one in found], "accepted": accepted})
    return 0 if accepted else NEEDS_A_PERSON


@command.command("keys")
@click.argument("source", required=False)
@click.option("--prefix", default="", help="Only keys below this prefix of the bucket.")
@click.option(
    "--rule",
    type=click.Choice(CHOICES),
    help="Only keys of this verdict, or that this rule left out or rejected.",
)
@with_session
def keys_command(session: Session, source: str | None, prefix: str, rule: str | None) -> None:
    """List the bucket, each key with its verdict; keys that are left out too.

    Keys come as the bucket gives them, in no promised order, and none is kept in memory. With
    --json each key is a line of its own. Needs no database.
    """
    name, options = archive_options(session.load_settings(), source)
    archive = ArchiveSource(name, options)
    with bucket_faults(archive):
        for page in archive.bucket.pages(prefix.lstrip("/"), threads=options.list_threads):
            for listed in page:
                one = judged(listed.key, options.key_rules)
                if rule is not None and not one.matches(rule):
                    continue
                if session.as_json:
                    facts = {"bytes": listed.size_bytes, "etag": listed.etag}
                    output.emit_line({**one.document(), **facts})
                else:
                    output.say(key_line(one))


@contextmanager
def _stopping() -> Iterator[StopSignal]:
    """A stop that the first SIGTERM or SIGINT asks for; the second ends the process."""
    stop = StopSignal()
    restore = install_signal_handlers(stop)
    try:
        yield stop
    finally:
        restore()


@contextmanager
def _ended_run(
    session: Session, settings: Settings, name: str, asked: Asked, stop: StopSignal, *, dry: bool
) -> Iterator[ArchiveRun]:
    """Run it; what is given can be reported until the block is left."""
    label = f"Archive {name}"
    if not dry:
        set_up(settings)
        with open_lading(settings) as lading:
            source = archive_source(lading.ingest.parts, name)
            with progress.shown(label, quiet=session.as_json) as on_progress:
                run = running.run(lading, source, asked, stop=stop, on_progress=on_progress)
            yield run
        return
    with closing(RejectionSpool()) as spool:
        with running.opened_for_a_dry_run(settings) as lading:
            source = archive_source(lading.ingest.parts, name)
            with progress.shown(label, quiet=session.as_json) as on_progress:
                run = running.dry_run(
                    lading, source, asked, spool, stop=stop, on_progress=on_progress
                )
        yield run


def _tell(
    session: Session,
    run: ArchiveRun,
    files: Sequence[tuple[Path, Writer]],
    account: MailAccount | None,
) -> list[LadingError]:
    """Report everywhere it is wanted; one place that fails keeps no other from it."""
    WRITERS["json" if session.as_json else "text"](run, sys.stdout)
    sys.stdout.flush()
    errors: list[LadingError] = []
    for path, writer in files:
        try:
            write_file(path, run, writer)
        except ReportNotWritten as error:
            errors.append(error)
    if account is not None:
        try:
            report_mail.mail_run(account, run)
        except MailError as error:
            errors.append(error)
    return errors


def _mail_failure(session: Session, account: MailAccount, name: str, error: LadingError) -> None:
    try:
        report_mail.mail_failure(account, name, error)
    except MailError as unsent:
        report(unsent, as_json=False, debug=session.debug)


def _lines_of_stdin() -> Iterator[str]:
    """Keys as they are: blanks at the end of a line are a part of the key."""
    for line in sys.stdin.buffer:
        try:
            key = line.decode("utf-8").removesuffix("\n").removesuffix("\r")
        except UnicodeDecodeError:
            raise click.UsageError(f"a key is not text in UTF-8: {line!r}") from None
        if key:
            yield key
