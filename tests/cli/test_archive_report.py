"""Reports of a run: text, JSON, the table for the digitiser, files and mail."""

from __future__ import annotations

import csv
import io
import json
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lading.cli.archive import report_mail
from lading.cli.archive.report_files import cell_of, write_csv, write_file, write_json, write_text
from lading.cli.archive.runs import ArchiveRun, Ending, RejectionSpool
from lading.sources.archive.reports import Rejection, RunReport
from lading.testing.archive_bucket import ArchiveBucket
from tests.cli.program import Program
from tests.mail.conftest import MailServer, Postbox, running

COLUMNS = ["item", "key", "rule", "meaning", "expected", "found", "what_to_do"]


@pytest.fixture
def postbox() -> Iterator[MailServer]:
    with running(Postbox()) as server:
        yield server


def mailing(program: Program, server: MailServer, *, when: str) -> None:
    program.env |= {
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(server.port),
        "SMTP_FROM": "lading@example.org",
        "SMTP_TO": "digitiser@example.org",
        "LADING_MAIL__SECURITY": "none",
        "LADING_MAIL__WHEN": when,
    }


def table_of(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))


def attached_to(message: Any) -> tuple[str, str]:
    """Name and text of the one file that came with a message."""
    (attached,) = message.iter_attachments()
    return attached.get_filename(), attached.get_payload(decode=True).decode()


def rejection(number: int, **values: Any) -> Rejection:
    given: dict[str, Any] = {
        "item": f"BRD/{number}.mp4",
        "kind": "object",
        "phase": 1,
        "rule": "code_malformed",
        "sentence": "the file's name does not begin with an inventory code",
        "next_step": "Ask the archive to rename the object, then scan.",
        "subject": f"BRD/{number}.mp4",
        **values,
    }
    return Rejection(**given)


def run_of(
    rejections: Any, ending: Ending = Ending.DONE, code: str | None = None, **values: Any
) -> ArchiveRun:
    given: dict[str, Any] = {
        "source": "archive",
        "run": "run-0123456789abcdef",
        "batch_id": 7,
        "dry_run": False,
        "safe_run": False,
        "state": "partial",
        "started_at": None,
        "finished_at": None,
        "phase1": {},
        "left_out": (),
        "held": 0,
        "new": 0,
        "created": 0,
        "updated": 0,
        "unchanged": 0,
        "rejected": 0,
        "refused": 0,
        "pending": 0,
        "rules": {},
        **values,
    }
    return ArchiveRun(
        ending=ending,
        report=RunReport(**given),
        rejections=rejections,
        error="it broke" if code else None,
        error_code=code,
    )


def test_the_table_has_a_line_for_each_rejection_and_no_formula(
    archive: Program, bucket: ArchiveBucket, tmp_path: Path
) -> None:
    bucket.put_codes(1)
    bucket.put("BRD/VO-BRD-1438.mp4")
    bucket.put("=HYPERLINK(1)/VO-BRD-00002.mp4")
    bucket.put("+39/VO-BRD-00003.mp4")
    bucket.put('BRD/a "quoted", name; ü.mp4')
    file = tmp_path / "rejected.csv"
    archive.run("archive", "run", "--csv", file, status=1)
    head, *lines = table_of(file.read_bytes().decode("utf-8"))
    assert head == COLUMNS
    by_key = {line[1]: line for line in lines}
    assert set(by_key) == {
        "BRD/VO-BRD-1438.mp4",
        "'=HYPERLINK(1)/VO-BRD-00002.mp4",
        "'+39/VO-BRD-00003.mp4",
        'BRD/a "quoted", name; ü.mp4',
    }
    short = by_key["BRD/VO-BRD-1438.mp4"]
    assert short[2:] == [
        "code_malformed",
        "the file's name does not begin with an inventory code",
        "[VA][OC]-[A-Z0-9]{3}-[0-9]{5}, such as VO-BRD-14387",
        "VO-BRD-1438",
        "Ask the archive to rename the object, then scan.",
    ]
    assert not any(cell[:1] in {"=", "+", "-", "@"} for line in lines for cell in line)


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        ("=1+1", "'=1+1"),
        ("+39", "'+39"),
        ("-1", "'-1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        (" =1", "' =1"),
        ("VO-BRD-14387", "VO-BRD-14387"),
        ("a\nb\t\x00", "a\\nb\\t\\x00"),
        ("\t=1", "\\t=1"),
        (None, ""),
        ("", ""),
        (" ", " "),
        ("x" * 40_000, "x" * 31_999 + "…"),
    ],
)
def test_a_cell_is_text_and_nothing_else(value: str | None, cell: str) -> None:
    assert cell_of(value) == cell


def test_the_files_say_what_standard_output_says(
    archive: Program, bucket: ArchiveBucket, tmp_path: Path
) -> None:
    bucket.put_codes(2)
    bucket.put("BRD/VO-BRD-1438.mp4")
    bucket.put("BRD/VO-BRD-00001.mov")
    bucket.put("UMT/VO-UMT-00001.mp4")
    files = [tmp_path / name for name in ("report.txt", "report.json", "report.csv")]
    options: list[str | Path] = ["--text", files[0], "--json-file", files[1], "--csv", files[2]]
    ran = archive.run("archive", "run", *options, status=1)
    assert files[0].read_text() == ran.stdout
    whole = json.loads(files[1].read_text())
    assert (whole["exit_status"], whole["report"]["created"], len(whole["rejections"])) == (1, 2, 1)
    assert archive.run("archive", "report", "last").stdout == ran.stdout
    assert archive.json("archive", "report", "1") == whole
    key = whole["report"]["run"]
    assert archive.json("archive", "report", key[:8]) == whole
    assert json.loads(archive.run("archive", "report", key, "--format", "json").stdout) == whole
    table = archive.run("archive", "report", "last", "--format", "csv").stdout
    assert table_of(table) == table_of(files[2].read_bytes().decode())
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *("here", "report.csv", "report.json", "report.txt"),
    ]


def test_the_text_is_a_funnel_with_every_count(archive: Program, bucket: ArchiveBucket) -> None:
    bucket.put_codes(2)
    for number in range(5):
        bucket.put(f"BRD/VO-BRD-{number}.mp4")
    bucket.put("BRD/VO-BRD-00001.mov")
    bucket.put("UMT/VO-UMT-00001.mp4")
    lines = archive.run("archive", "run", status=1).stdout.splitlines()
    assert lines[1] == "Inserted 2, rejected 5."
    for line in (
        "  of a known extension:      14",
        "  in no folder left out:     13",
        "  with an inventory code:    8",
        "  keys rejected:             5",
        "  new or changed:            2",
        "  inserted:                  2",
        "  extension .mov: 1 key, such as BRD/VO-BRD-00001.mov",
        "  folder UMT/: 1 key, such as UMT/VO-UMT-00001.mp4",
        "  and 2 more; `lading archive report 1 --format csv` has them all",
        "Next step: Correct what is rejected in the bucket; the next run takes it in.",
    ):
        assert line in lines
    assert any(line.startswith("Phase 2, compare with the library  (") for line in lines)


def test_a_file_that_could_not_be_written_stops_the_run_before_it_begins(
    archive: Program, bucket: ArchiveBucket, tmp_path: Path
) -> None:
    bucket.put_codes(1)
    missing = tmp_path / "no" / "such" / "report.csv"
    error = archive.run("archive", "run", "--csv", missing, "--json", status=2).error
    assert error["code"] == "report_not_written"
    assert not (archive.folder / "lading-data").exists()


def test_a_report_that_breaks_off_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "report.csv"
    file.write_text("the report of yesterday")

    def breaking() -> Iterator[Rejection]:
        yield rejection(1)
        raise RuntimeError("the database went away")

    with pytest.raises(RuntimeError):
        write_file(file, run_of(breaking()), write_csv)
    assert [path.name for path in tmp_path.iterdir()] == ["report.csv"]
    assert file.read_text() == "the report of yesterday"


@pytest.mark.parametrize("writer", [write_text, write_json, write_csv])
def test_memory_does_not_follow_the_number_of_rejections(tmp_path: Path, writer: Any) -> None:
    class Many:
        def __iter__(self) -> Iterator[Rejection]:
            return map(rejection, range(10_000))

    run = run_of(Many(), rejected=10_000)
    tracemalloc.start()
    try:
        write_file(tmp_path / "report", run, writer)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000


@pytest.mark.parametrize(
    ("ending", "facts", "status"),
    [
        (Ending.DONE, {"created": 3}, 0),
        (Ending.DONE, {"created": 3, "refused": 1}, 1),
        (Ending.DONE, {"created": 3, "pending": 1}, 1),
        (Ending.REHEARSED, {"created": 3, "dry_run": True}, 0),
        (Ending.REHEARSED, {"rejected": 1, "dry_run": True}, 1),
        (Ending.NOTHING_NEW, {"rejected": 1}, 0),
        (Ending.SAFE_STOP, {"code": "import_aborted"}, 1),
        (Ending.FAILED, {"code": "source_missing"}, 3),
        (Ending.FAILED, {"code": "database_unavailable"}, 4),
        (Ending.FAILED, {"code": "never_heard_of"}, 1),
        (Ending.UNDER_WAY, {}, 1),
        (Ending.HELD, {"job_id": 4}, 1),
        (Ending.STOPPED, {"pending": 2}, 1),
    ],
)
def test_each_ending_has_its_status_and_can_be_told(
    ending: Ending, facts: dict[str, Any], status: int
) -> None:
    run = run_of([], ending, **facts)
    assert run.exit_status == status
    text, document = io.StringIO(), io.StringIO()
    write_text(run, text)
    write_json(run, document)
    told = json.loads(document.getvalue())
    assert (told["ending"], told["exit_status"]) == (ending, status)
    lines = text.getvalue().splitlines()
    assert lines[1] == told["headline"]
    assert lines[-1] == f"Next step: {told['next_step']}"


def test_rejections_of_a_dry_run_come_back_as_they_were() -> None:
    spool = RejectionSpool()
    kept = [rejection(1, found="\ud800 \u2028 ü"), rejection(2, expected="=1")]
    for one in kept:
        spool.add(one)
    assert list(spool) == kept == list(spool)
    spool.close()


def test_names_of_objects_steer_no_terminal() -> None:
    stream = io.StringIO()
    write_text(run_of([rejection(1, subject="BRD/\x1b[2J.mp4", found="\x1b[31m")]), stream)
    assert "\x1b" not in stream.getvalue()


def test_a_run_with_problems_is_mailed_with_its_table(
    archive: Program, bucket: ArchiveBucket, postbox: MailServer
) -> None:
    mailing(archive, postbox, when="problems")
    bucket.put_codes(1)
    archive.run("archive", "run")
    assert postbox.postbox.messages == []
    bucket.put("BRD/VO-BRD-1438.mp4")
    ran = archive.run("archive", "run", status=1)
    (message,) = postbox.postbox.messages
    assert message["Subject"] == "Lading archive archive: Inserted 0, rejected 1."
    assert message["To"] == "digitiser@example.org"
    body = message.get_body()
    assert body is not None
    assert body.get_content().splitlines() == ran.stdout.splitlines()
    name, table = attached_to(message)
    assert name.endswith(".csv")
    assert [line[2] for line in table_of(table)] == ["rule", "code_malformed"]


def test_mail_can_be_asked_for_or_refused_whatever_the_settings_say(
    archive: Program, bucket: ArchiveBucket, postbox: MailServer
) -> None:
    bucket.put_codes(1)
    refused = archive.run("archive", "run", "--mail", "--json", status=2)
    assert refused.error["code"] == "mail_not_configured"
    mailing(archive, postbox, when="problems")
    archive.run("archive", "run", "--mail")
    mailing(archive, postbox, when="always")
    archive.run("archive", "run", "--no-mail")
    assert [m["Subject"] for m in postbox.postbox.messages] == [
        "Lading archive archive: Inserted 1."
    ]
    archive.run("archive", "run")
    assert "Nothing new" in postbox.postbox.messages[-1]["Subject"]


def test_a_mail_that_cannot_be_sent_is_an_error_and_the_run_stands(
    archive: Program, bucket: ArchiveBucket, postbox: MailServer
) -> None:
    mailing(archive, postbox, when="always")
    postbox.postbox.answer = "554 no"
    bucket.put_codes(1)
    ended = archive.run("archive", "run", "--json", status=4)
    assert ended.error["code"] == "mail_refused"
    assert ended.json["report"]["created"] == 1
    assert archive.json("archive", "report", "last")["report"]["state"] == "imported"


def test_a_run_that_fails_is_mailed_too(archive: Program, postbox: MailServer) -> None:
    mailing(archive, postbox, when="problems")
    archive.env["BUCKET_NAME"] = "no-such-bucket"
    archive.run("archive", "run", status=3)
    (message,) = postbox.postbox.messages
    assert message["Subject"] == "Lading archive archive: the run failed (source_missing)"
    body = message.get_body()
    assert body is not None
    assert "no-such-bucket" in body.get_content()


def test_a_table_too_large_to_mail_is_cut_after_a_line_and_says_so(
    postbox: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report_mail, "CSV_BYTES_MAX", 500)
    run = run_of([rejection(number) for number in range(20)], rejected=20)
    report_mail.mail_run(postbox.account(security="none", user=None, password=None), run)
    (message,) = postbox.postbox.messages
    body = message.get_body()
    assert body is not None
    assert "The attached table ends after 3 of 20 rejections" in body.get_content()
    _, table = attached_to(message)
    assert len(table_of(table)) == 4
    assert table.endswith("\r\n")


def test_a_batch_of_another_source_has_no_such_report(program: Program, publish: Any) -> None:
    key = publish(1).sync_id
    assert "no archive was run yet" in program.run("archive", "report", "last", status=2).stderr
    program.run("scan")
    error = program.run("archive", "report", key, "--json", status=2).error
    assert error["message"] == "this batch is no run of an archive"
