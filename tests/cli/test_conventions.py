"""What all commands have in common: documents, errors, statuses, quiet pipes, help."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from lading.cli.failures import EXIT_STATUSES
from lading.cli.main import COMMANDS, lading
from lading.cli.reference import cli_page, settings_page
from lading.testing.bundles import Published
from tests.cli.program import PROGRAM, Program

Publish = Callable[..., Published]
STAYING = {"worker", "serve", "up"}
ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def leaves(command: click.Command, path: str) -> list[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        return [
            leaf
            for name, inner in command.commands.items()
            for leaf in leaves(inner, f"{path} {name}")
        ]
    return [(path, command)]


def all_commands() -> list[tuple[str, click.Command]]:
    context = click.Context(lading)
    return [
        leaf
        for name in COMMANDS
        for command in [lading.get_command(context, name)]
        if command is not None
        for leaf in leaves(command, name)
    ]


def test_every_command_has_json_and_help_that_begins_as_the_list_says() -> None:
    context = click.Context(lading)
    for name, entry in COMMANDS.items():
        command = lading.get_command(context, name)
        assert command is not None
        assert (command.help or "").splitlines()[0] == entry.summary, name
    commands = all_commands()
    assert len(commands) > 25
    for path, command in commands:
        options = {name for option in command.params for name in option.opts}
        assert "--json" in options, path
        assert all(option.help for option in command.params if isinstance(option, click.Option)), (
            path
        )


def test_every_command_that_changes_something_has_a_dry_run() -> None:
    reading = {
        *("config check", "batches", "batch", "jobs", "job", "events", "verify"),
        *("ledger verify", "intake show", "preflight", "plan", *STAYING),
        *("users list", "users sessions", "tokens list"),
        *("sites list", "sites show", "packages list", "packages show", "visibility"),
        *("archive report", "archive check", "archive keys"),
        *(f"recordings {name}" for name in ("list", "show", "query", "verify", "compare")),
        *(f"recordings catalog {name}" for name in ("check", "versions", "pointer")),
        "recordings participants list",
        *("photos runs", "people settings"),
        *(f"people {name}" for name in ("list", "show", "unidentified", "try", "judge")),
    }
    for path, command in all_commands():
        options = {name for option in command.params for name in option.opts}
        assert ("--dry-run" in options) == (path not in reading), path


def test_the_list_of_commands_loads_nothing_that_takes_long() -> None:
    heavy = ["sqlalchemy", "pydantic", "rich", "structlog", "litestar", "obstore", "alembic"]
    script = (
        "import sys\nfrom lading.cli.main import run\n"
        "assert run(['--help']) == 0\n"
        f"print(sorted(set({heavy}) & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_reading_command_prints_one_document_and_plain_text_in_a_pipe(
    program: Program, publish: Publish
) -> None:
    key = publish(2).sync_id
    program.run("scan")
    program.run("queue", key)
    program.run("worker", "--drain")
    for arguments in (
        ["scan"],
        ["config", "check"],
        ["db", "upgrade", "--dry-run"],
        ["batches"],
        ["batch", key],
        ["jobs"],
        ["job", "1"],
        ["intake", "show"],
        ["preflight", key],
        ["plan", key],
        ["queue", key, "--dry-run"],
        ["verify"],
        ["ledger", "verify"],
        ["events"],
        ["trash", "--batch", key, "--dry-run"],
        ["restore", "--batch", key, "--dry-run"],
        ["demo", "nowhere", "--dry-run"],
    ):
        text = program.run(*arguments)
        assert text.stdout
        assert ESCAPES.search(text.stdout) is None, arguments
        assert text.stderr == "", arguments
        document = program.run(*arguments, "--json")
        lines = document.stdout.splitlines()
        for line in lines:
            json.loads(line)
        assert len(lines) == 1 or arguments == ["events"]
        assert document.stderr == "", arguments


def test_a_table_in_a_pipe_is_never_cut(program: Program, publish: Publish) -> None:
    key = publish(1).sync_id
    program.run("scan")
    program.env["COLUMNS"] = "20"
    line = next(x for x in program.run_apart("batches").stdout.splitlines() if key in x)
    assert "pending" in line


def test_progress_is_shown_on_a_terminal(program: Program, publish: Publish) -> None:
    publish(1)
    program.run("scan")
    program.run("queue", "--all-ready")
    program.run("worker", "--drain")
    master, slave = pty.openpty()
    process = subprocess.Popen(
        program.command("verify", "--level", "sha256"),
        cwd=program.folder,
        env={**program.environment(), "TERM": "xterm"},
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    shown = b""
    try:
        while chunk := os.read(master, 4096):
            shown += chunk
    except OSError:
        pass  # how Linux says that the other side of a terminal is gone
    os.close(master)
    out, _ = process.communicate()
    assert process.returncode == 0
    assert b"Verifying the library" in shown
    assert b"items" in shown
    assert b"\x1b" not in out


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["batch", "ffffffff"], 2, "batch_missing"),
        (["job", "77"], 2, "job_missing"),
        (["batches", "--cursor", "u.nonsense"], 2, "bad_cursor"),
        (["batches", "--cursor", "nonsense"], 2, "bad_cursor"),
        (["batches", "--state", "nonsense"], 2, "usage"),
        (["nonsense"], 2, "usage"),
        (["queue"], 2, "usage"),
        (["queue", "--plan", "missing.json"], 2, "bad_plan"),
        (["scan", "elsewhere"], 2, "unknown_source"),
        (["trash", "00" * 32], 2, "unknown_asset"),
        (["trash", "xyz"], 2, "usage"),
        (["plan", "ffffffff", "-o", "no/such/folder"], 2, "batch_missing"),
        (["ledger", "verify", "--checkpoint", "x"], 2, "usage"),
        (["serve", "--host", "192.0.2.1"], 2, "address_taken"),
        (["up", "--host", "192.0.2.1"], 2, "address_taken"),
        (["up", "--once"], 2, "usage"),
        (["init"], 2, "already_initialised"),
        (["batch", "caf\udce9"], 2, "usage"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(
    program: Program, arguments: list[str], status: int, code: str
) -> None:
    ended = program.run(*arguments, "--json", status=status)
    assert ended.stdout == ""
    assert ended.error["code"] == code
    assert ended.error["next_step"]
    told = program.run(*arguments, status=status)
    assert told.stdout == ""
    assert "next step:" in told.stderr
    assert f"code:      {code}" in told.stderr


def test_a_source_that_is_gone_is_status_3_and_changes_nothing(
    program: Program, publish: Publish
) -> None:
    publish(1)
    program.run("scan")
    (program.folder.parent / "nas").rename(program.folder.parent / "unmounted")
    assert program.run("scan", "--json", status=3).error["code"] == "source_missing"
    assert program.json("batches")["batches"][0]["state"] == "pending"


def test_one_source_that_is_gone_does_not_keep_the_others_from_being_scanned(
    program: Program, publish: Publish
) -> None:
    publish(1)
    assert program.config is not None
    with program.config.open("a") as stream:
        stream.write('\n[sources.away]\nkind = "handover"\nroot = "/nonexistent/nas"\n')
    document = program.run("scan", "--json", status=3).json
    assert [scan["source"] for scan in document["scans"]] == ["nas"]
    assert [error["source"] for error in document["errors"]] == ["away"]


def test_a_store_and_a_database_that_are_gone_are_status_4(
    program: Program, publish: Publish
) -> None:
    publish(1)
    data = program.folder / "lading-data"
    (data / "store").rename(data / "elsewhere")
    ended = program.run("scan", "--json", status=4)
    assert ended.error["code"].startswith("store_")
    # What only reads the ledger does not need the store.
    assert program.json("batches")["batches"] == []
    (data / "lading.sqlite").write_bytes(b"this is no database" * 100)
    assert program.run("batches", "--json", status=4).error["code"] == "database_unusable"


def test_an_empty_database_is_refused_until_it_is_upgraded(program: Program) -> None:
    for file in (program.folder / "lading-data").glob("lading.sqlite*"):
        file.unlink()
    # A command that only reads makes no file, here or in a wrong folder.
    assert program.run("batches", "--json", status=2).error["code"] == "database_not_made"
    assert list((program.folder / "lading-data").glob("lading.sqlite*")) == []
    (program.folder / "lading-data/lading.sqlite").touch()
    assert program.run("batches", "--json", status=4).error["code"] == "database_not_migrated"
    assert program.json("db", "upgrade", "--dry-run")["changed"] is False
    assert program.json("db", "upgrade")["changed"] is True
    assert program.json("db", "upgrade")["changed"] is False
    assert program.json("batches")["batches"] == []


def test_a_fault_of_ours_is_status_70_with_a_traceback_only_on_request(
    program: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object, **_options: object) -> None:
        raise ZeroDivisionError("a bug")

    monkeypatch.setattr("lading.cli.commands.batches.list_batches", broken)
    ended = program.run("batches", status=70)
    assert "ZeroDivisionError: a bug" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert program.run("batches", "--json", status=70).error["code"] == "internal_error"
    assert "Traceback" in program.run("--debug", "batches", status=70).stderr


def test_a_reader_that_goes_away_ends_the_program_quietly(
    program: Program, publish: Publish
) -> None:
    for _ in range(3):
        publish(1)
    program.run("scan")
    process = subprocess.Popen(
        program.command("events", "--follow", "--json"),
        cwd=program.folder,
        env=program.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert json.loads(process.stdout.readline())["seq"] == 1
    process.stdout.close()
    publish(1)
    program.run("scan")  # the next event finds nobody to read it
    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_the_generated_pages_speak_of_every_command_status_and_setting() -> None:
    page = cli_page()
    for path, command in all_commands():
        assert f"lading {path}\n" in page
        for option in command.params:
            if isinstance(option, click.Option):
                assert all(f"`{name}`" in page for name in option.opts), (path, option.opts)
    for status, meaning in EXIT_STATUSES.items():
        assert f"| {status} | {meaning} |" in page
    assert "`stale_after_s`" in settings_page()
    docs = Path(__file__).resolve().parents[2] / "docs"
    assert (docs / "cli.md").read_text() == page
    assert (docs / "settings.md").read_text() == settings_page()


def test_the_program_is_installed_under_its_name() -> None:
    done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert re.fullmatch(r"lading, version \d+\.\d+\.\d+\S*\n", done.stdout)
