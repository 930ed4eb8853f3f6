"""Accounts and tokens from the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from lading.accounts.accounts import Accounts
from lading.db import open_database
from tests.accounts.people import PASSWORD
from tests.cli.program import Program


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """An installation on SQLite without a source."""
    made = Program(tmp_path)
    made.run("init")
    made.config = tmp_path / "lading.toml"
    return made


def opened(program: Program) -> Accounts:
    return Accounts(open_database(f"sqlite:///{program.folder}/lading-data/lading.sqlite"))


def test_an_account_is_made_and_its_password_shown_once(program: Program) -> None:
    told = program.run("users", "add", "Ana", "--role", "admin", "--display-name", "Ana Lima")
    password = told.stdout.splitlines()[1].removeprefix("One-time password: ")
    accounts = opened(program)
    ana = accounts.get("ana")
    accounts.change_password(ana.id, password, PASSWORD, actor="user:ana")
    session = accounts.sign_in("ana", PASSWORD, address="192.0.2.7", user_agent="a \x1b[31mtest")
    listed = program.json("users", "list")["accounts"]
    assert [(a["name"], a["role"], a["display_name"]) for a in listed] == [
        ("ana", "admin", "Ana Lima")
    ]
    assert password not in program.run("users", "list", "--json").stdout
    assert "ana" in program.run("users", "list").stdout
    sessions = program.run("users", "sessions", "ana")
    assert "192.0.2.7" in sessions.stdout
    assert "\x1b" not in sessions.stdout
    ended = program.json("users", "end-sessions", "ana", "--session", str(session.session.id))
    assert ended["ended"] == [session.session.id]
    assert accounts.caller_of_session(session.secret) is None
    accounts.db.close()


def test_a_dry_run_changes_nothing_and_shows_no_secret(program: Program) -> None:
    told = program.json("users", "add", "ana", "--role", "admin", "--dry-run")
    assert told["account"]["name"] == "ana"
    assert told["password"] is None
    assert program.json("users", "list")["accounts"] == []
    program.run("users", "add", "ana", "--role", "admin")
    program.run("users", "add", "bo", "--role", "admin")
    before = program.run("events", "--json").stdout
    for arguments in (
        ("users", "role", "bo", "viewer"),
        ("users", "disable", "bo"),
        ("users", "reset-password", "bo"),
        ("users", "end-sessions", "bo"),
        ("tokens", "create", "bo", "nightly"),
    ):
        assert "would be" in program.run(*arguments, "--dry-run").stdout
        assert program.json(*arguments, "--dry-run")["dry_run"] is True
    assert program.json("tokens", "create", "bo", "nightly", "--dry-run")["secret"] is None
    assert program.run("events", "--json").stdout == before


def test_roles_and_doors_are_changed_and_the_last_admin_stays(program: Program) -> None:
    program.run("users", "add", "ana", "--role", "admin")
    refused = program.run("users", "disable", "ana", "--json", status=2)
    assert refused.error["code"] == "last_admin"
    program.run("users", "add", "bo")
    assert program.json("users", "role", "bo", "admin")["account"]["role"] == "admin"
    assert program.run("users", "disable", "ana").stdout == "ana disabled\n"
    assert program.run("users", "enable", "ana").stdout == "ana enabled\n"
    reset = program.json("users", "reset-password", "ana")
    accounts = opened(program)
    session = accounts.sign_in("ana", reset["password"], address=None, user_agent=None)
    assert session.account.must_change_password
    accounts.db.close()
    kinds = [line.split()[3] for line in program.run("events").stdout.splitlines()]
    assert kinds == [*["account_changed"] * 6, "session_opened"]


def test_a_token_is_made_listed_and_revoked(program: Program) -> None:
    program.run("users", "add", "robot", "--role", "operator")
    made = program.json(
        *("tokens", "create", "robot", "nightly", "--permission", "read"),
        *("--permission", "operate", "--days", "30"),
    )
    accounts = opened(program)
    caller = accounts.caller_of_token(made["secret"])
    assert caller is not None
    assert caller.actor == "token:robot/nightly"
    assert "read operate" not in made["token"]["permissions"]
    assert made["token"]["permissions"] == ["operate", "read"]
    listed = program.run("tokens", "list", "--of", "robot").stdout
    assert "nightly" in listed
    assert made["secret"] not in listed
    program.run("tokens", "revoke", str(made["token"]["id"]))
    assert accounts.caller_of_token(made["secret"]) is None
    assert program.json("tokens", "list")["tokens"][0]["revoked_at"]
    accounts.db.close()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["users", "role", "nobody", "admin"], "account_missing"),
        (["users", "add", "A B"], "bad_account"),
        (["users", "add", "ana"], "account_exists"),
        (["users", "end-sessions", "ana", "--session", "7"], "session_missing"),
        (["tokens", "create", "ana", "x", "--permission", "administer"], "bad_token"),
        (["tokens", "revoke", "7"], "token_missing"),
        (["users", "list", "--cursor", "nonsense"], "bad_cursor"),
    ],
)
def test_a_wrong_request_says_what_is_wrong(
    program: Program, arguments: list[str], code: str
) -> None:
    program.run("users", "add", "ana")
    assert program.run(*arguments, "--json", status=2).error["code"] == code
