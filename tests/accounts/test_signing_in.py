"""Who tries to sign in learns nothing but whether it was right, and cannot try for long."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sqlalchemy import select, update

from lading.accounts.accounts import Accounts
from lading.accounts.errors import SignInRefused, TooManyAttempts
from lading.accounts.tables import (
    access_token,
    account,
    account_session,
    idempotency_key,
    sign_in_attempt,
)
from lading.accounts.values import Permission, Role
from lading.db import Database
from lading.db.clock import now
from lading.ledger.queries import EventView, list_events
from tests.accounts.people import CHEAP, PASSWORD, at_once, settled, signed_in

TIGHT = replace(CHEAP, attempts_per_name=3, attempts_per_address=5)


def refusals(db: Database) -> list[EventView]:
    with db.read() as conn:
        return list(list_events(conn, kinds=["sign_in_refused"]))


def attempt(accounts: Accounts, name: str, address: str | None = "192.0.2.7") -> Exception | None:
    try:
        accounts.sign_in(name, "a wrong password", address=address, user_agent=None)
    except (SignInRefused, TooManyAttempts) as error:
        return error
    return None


def test_whatever_is_wrong_the_answer_is_the_same(accounts: Accounts) -> None:
    settled(accounts, "ana")
    settled(accounts, "bo")
    accounts.disable("bo", actor="test")
    accounts.sign_in_external(
        "https://id.example", "1", suggested_name="cy", display_name="", role=Role.VIEWER
    )
    tries = [
        ("ana", "a wrong password"),
        ("nobody", PASSWORD),
        ("bo", PASSWORD),
        ("cy", ""),
        ("ana", "x" * 5_000),
        ("a name\0 that none can have", PASSWORD),
        ("half a character \ud800", "\udfff"),
    ]
    answers = set()
    for name, password in tries:
        with pytest.raises(SignInRefused) as caught:
            accounts.sign_in(name, password, address=None, user_agent=None)
        answers.add(json.dumps(caught.value.as_dict()))
    assert len(answers) == 1


def test_a_name_that_nobody_has_costs_a_hash_too(few: Accounts) -> None:
    settled(few, "ana")
    hurried = Accounts(few.db, limits=replace(CHEAP, hashing_at_once=1, hashing_wait_s=0.01))
    hurried._passwords.verify("x", None)  # makes the hash that unknown names are held against
    with hurried._passwords._turn():
        for name in ("ana", "nobody"):
            with pytest.raises(TooManyAttempts, match="at this moment"):
                signed_in(hurried, name)
    assert signed_in(hurried, "ana").account.name == "ana"


def test_too_many_attempts_under_a_name_block_it_for_all_processes(accounts: Accounts) -> None:
    settled(accounts, "ana")
    settled(accounts, "bo")
    tight = Accounts(accounts.db, limits=TIGHT)
    assert [type(attempt(tight, "ana", None)) for _ in range(3)] == [SignInRefused] * 3
    restarted = Accounts(accounts.db, limits=TIGHT)
    with pytest.raises(TooManyAttempts) as caught:
        signed_in(restarted, "ana")
    assert 0 < caught.value.retry_after_s <= TIGHT.attempts_window_s
    assert signed_in(restarted, "bo").account.name == "bo"


def test_a_block_ends_with_its_time_or_with_a_new_password(few: Accounts) -> None:
    settled(few, "ana")
    tight = Accounts(few.db, limits=TIGHT)
    for _ in range(4):
        attempt(tight, "ana", None)
    with few.db.write() as conn:
        conn.execute(update(sign_in_attempt).values(begun_at=now(-TIGHT.attempts_window_s - 1)))
    assert signed_in(tight, "ana").account.name == "ana"
    for _ in range(4):
        attempt(tight, "ana", None)
    assert isinstance(attempt(tight, "ana", None), TooManyAttempts)
    password = tight.reset_password("ana", actor="test").password
    assert signed_in(tight, "ana", password).account.must_change_password


def test_too_many_attempts_from_an_address_block_it_for_all_names(accounts: Accounts) -> None:
    settled(accounts, "ana")
    tight = Accounts(accounts.db, limits=TIGHT)
    found = [type(attempt(tight, f"name-{number}")) for number in range(7)]
    assert found == [SignInRefused] * 5 + [TooManyAttempts] * 2
    with pytest.raises(TooManyAttempts):
        signed_in(tight, "ana")
    session = tight.sign_in("ana", PASSWORD, address="198.51.100.1", user_agent=None)
    assert session.session.address == "198.51.100.1"


def test_addresses_of_one_household_count_as_one(few: Accounts) -> None:
    tight = Accounts(few.db, limits=TIGHT)
    found = [type(attempt(tight, f"name-{n}", f"2001:db8:0:1::{n}")) for n in range(6)]
    assert found == [SignInRefused] * 5 + [TooManyAttempts]
    assert isinstance(attempt(tight, "name", "2001:db8:0:2::1"), SignInRefused)


def test_right_attempts_do_not_count(few: Accounts) -> None:
    settled(few, "ana")
    tight = Accounts(few.db, limits=TIGHT)
    for _ in range(8):
        assert signed_in(tight, "ana").account.name == "ana"


def test_many_attempts_at_once_find_no_gap(accounts: Accounts) -> None:
    settled(accounts, "ana")
    tight = Accounts(accounts.db, limits=TIGHT)
    found = [type(result) for result in at_once(8, lambda _: attempt(tight, "ana", None))]
    assert found.count(SignInRefused) == 3, found
    assert found.count(TooManyAttempts) == 5, found


def test_an_attack_leaves_few_events_and_no_name_that_is_not_one(few: Accounts) -> None:
    settled(few, "ana")
    tight = Accounts(few.db, limits=TIGHT)
    for _ in range(10):
        attempt(tight, "ana", None)
    told = refusals(few.db)
    assert [event.payload["attempts"] for event in told] == [1, 3]
    assert [event.payload.get("blocked_s") for event in told] == [None, TIGHT.attempts_window_s]
    assert {event.payload["name"] for event in told} == {"ana"}
    attempt(tight, "my-secret-passphrase")
    assert "passphrase" not in json.dumps([dict(event.payload) for event in refusals(few.db)])


def test_a_wrong_current_password_counts_as_an_attempt(few: Accounts) -> None:
    ana = settled(few, "ana")
    tight = Accounts(few.db, limits=TIGHT)
    for _ in range(3):
        with pytest.raises(SignInRefused):
            tight.change_password(ana.id, "a wrong one", "long enough", actor="user:ana")
    with pytest.raises(TooManyAttempts):
        tight.change_password(ana.id, PASSWORD, "long enough", actor="user:ana")


def test_a_session_ends_when_unused_when_old_and_when_ended(accounts: Accounts) -> None:
    ana = settled(accounts, "ana")
    limits = accounts.limits
    for column, value in (
        ("seen_at", now(-limits.session_idle_s - 1)),
        ("expires_at", now(-1)),
        ("revoked_at", now()),
    ):
        session = signed_in(accounts, "ana")
        assert accounts.caller_of_session(session.secret) is not None
        with accounts.db.write() as conn:
            conn.execute(
                update(account_session)
                .where(account_session.c.id == session.session.id)
                .values({column: value})
            )
        assert accounts.caller_of_session(session.secret) is None, column
    assert accounts.list_sessions(ana.id) == []
    for nonsense in ("", "x" * 43, "\0" * 43, "é" * 43):
        assert accounts.caller_of_session(nonsense) is None


def test_use_keeps_a_session_alive_and_is_noted_once_a_minute(accounts: Accounts) -> None:
    ana = settled(accounts, "ana")
    session = signed_in(accounts, "ana")
    moments = []
    for ago_s in (30, 90):
        with accounts.db.write() as conn:
            conn.execute(update(account_session).values(seen_at=now(-ago_s)))
            before = conn.scalars(select(account_session.c.seen_at)).one()
        accounts.caller_of_session(session.secret)
        moments.append(accounts.list_sessions(ana.id)[0].seen_at > before)
    assert moments == [False, True]


def test_an_account_has_so_many_sessions_and_the_oldest_ends(few: Accounts) -> None:
    ana = settled(few, "ana")
    few = Accounts(few.db, limits=replace(CHEAP, sessions_per_account=2))
    opened = [signed_in(few, "ana") for _ in range(3)]
    alive = [few.caller_of_session(session.secret) is not None for session in opened]
    assert alive == [False, True, True]
    assert few.revoke_all_sessions(ana.id, keep=opened[2].session.id, actor="test") == [
        opened[1].session.id
    ]


def test_forms_of_two_sessions_carry_different_proofs(few: Accounts) -> None:
    settled(few, "ana")
    sessions = [signed_in(few, "ana") for _ in range(2)]
    proofs = [few.caller_of_session(session.secret) for session in sessions]
    found = {caller.csrf for caller in proofs if caller is not None}
    assert len(found) == 2
    assert None not in found
    assert not found & {session.secret for session in sessions}


def test_neither_the_database_nor_the_ledger_has_a_secret_in_clear(few: Accounts) -> None:
    made = few.create("ana", role=Role.OPERATOR, actor="test")
    few.change_password(made.account.id, made.password, PASSWORD, actor="user:ana")
    session = signed_in(few, "ana")
    token = few.create_token(
        made.account.id, "nightly", {Permission.READ}, expires_in_s=60, actor="user:ana"
    )
    few.reset_password("ana", actor="test")
    tables = (account, account_session, access_token, sign_in_attempt, idempotency_key)
    with few.db.read() as conn:
        kept = "".join(str(conn.execute(select(table)).all()) for table in tables)
        hashes = list(conn.scalars(select(account.c.password_hash)))
        ledger = "".join(str(event) for event in list_events(conn))
    secrets = [made.password, PASSWORD, session.secret, token.secret]
    assert [secret for secret in secrets if secret in kept + ledger + repr(session)] == []
    assert [kept_hash for kept_hash in hashes if str(kept_hash) in ledger] == []
    assert "argon2" not in ledger
    assert "session_opened" in ledger
