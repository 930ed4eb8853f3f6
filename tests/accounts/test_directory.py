"""Accounts are made, changed and disabled, and somebody can always administer."""

from __future__ import annotations

import pytest

from lading.accounts.accounts import Accounts
from lading.accounts.errors import (
    AccountExists,
    AccountMissing,
    BadAccount,
    BadPassword,
    BadPreference,
    LastAdmin,
    NoPassword,
    SignInRefused,
)
from lading.accounts.values import Account, Permission, Role
from lading.db import Database, rehearsal
from lading.ledger.queries import list_events
from tests.accounts.people import PASSWORD, at_once, settled, signed_in


def changes(db: Database) -> list[tuple[str, str]]:
    with db.read() as conn:
        events = list_events(conn, kinds=["account_changed"])
    return [(str(e.payload["name"]), str(e.payload["change"])) for e in events]


def test_the_first_admin_is_made_once_however_many_ask(accounts: Accounts) -> None:
    made = [found for found in at_once(4, lambda _: accounts.first_admin()) if found is not None]
    assert len(made) == 1, made
    first = made[0]
    assert not isinstance(first, Exception)
    assert (first.account.name, first.account.role) == ("admin", Role.ADMIN)
    assert first.account.must_change_password
    assert accounts.first_admin() is None
    assert changes(accounts.db) == [("admin", "created")]


def test_a_one_time_password_is_good_for_changing_it_and_nothing_else(accounts: Accounts) -> None:
    made = accounts.create("Ana", role=Role.ADMIN, display_name="Ana Lima", actor="cli:test")
    assert made.password not in repr(made)
    session = signed_in(accounts, "ANA ", made.password)
    caller = accounts.caller_of_session(session.secret)
    assert caller is not None
    assert caller.permissions == frozenset()
    after = accounts.change_password(
        made.account.id,
        made.password,
        PASSWORD,
        keep_session=session.session.id,
        actor=caller.actor,
    )
    assert not after.must_change_password
    caller = accounts.caller_of_session(session.secret)
    assert caller is not None
    assert caller.permissions == frozenset(Permission)
    with pytest.raises(SignInRefused):
        signed_in(accounts, "ana", made.password)


def test_a_new_password_ends_all_sessions_but_the_one_it_was_given_in(few: Accounts) -> None:
    ana = settled(few, "ana")
    kept, other = signed_in(few, "ana"), signed_in(few, "ana")
    few.change_password(
        ana.id, PASSWORD, "quite another one", keep_session=kept.session.id, actor="user:ana"
    )
    assert few.caller_of_session(kept.secret) is not None
    assert few.caller_of_session(other.secret) is None


@pytest.mark.parametrize(
    ("new", "why"), [("short", "length"), ("x" * 1_025, "length"), (PASSWORD, "old one")]
)
def test_a_password_that_will_not_do_is_refused(few: Accounts, new: str, why: str) -> None:
    ana = settled(few, "ana")
    with pytest.raises(BadPassword, match=why):
        few.change_password(ana.id, PASSWORD, new, actor="user:ana")
    assert signed_in(few, "ana").account.id == ana.id


def test_a_password_is_the_same_however_a_keyboard_makes_its_letters(few: Accounts) -> None:
    ana = settled(few, "ana")
    few.change_password(ana.id, PASSWORD, "Zu\u0308rich im Regen", actor="user:ana")
    assert signed_in(few, "ana", "Z\u00fcrich im Regen").account.id == ana.id


def test_names_are_unique_lower_case_and_plain(accounts: Accounts) -> None:
    settled(accounts, "ana")
    with pytest.raises(AccountExists):
        accounts.create("ANA", role=Role.VIEWER, actor="test")
    for name in ("", "-ana", "a b", "ána", "a" * 65, "a\0b"):
        with pytest.raises(BadAccount):
            accounts.create(name, role=Role.VIEWER, actor="test")
        with pytest.raises(AccountMissing):
            accounts.get(name)
    assert accounts.rename("ana", "Bea", actor="test").name == "bea"
    assert accounts.set_display_name("bea", " Bea B. ", actor="test").display_name == "Bea B."
    with pytest.raises(BadAccount):
        accounts.set_display_name("bea", "two\nlines", actor="test")
    assert changes(accounts.db)[-2:] == [("ana", "name"), ("bea", "display_name")]


def test_accounts_are_listed_by_name_a_page_at_a_time(accounts: Accounts) -> None:
    for name in ("cy", "ana", "bo"):
        accounts.create(name, role=Role.VIEWER, actor="test")
    first = accounts.list(limit=2)
    assert [account.name for account in first.accounts] == ["ana", "bo"]
    rest = accounts.list(cursor=first.next_cursor, limit=2)
    assert [account.name for account in rest.accounts] == ["cy"]
    assert rest.next_cursor is None


def test_the_last_admin_can_be_neither_disabled_nor_demoted(accounts: Accounts) -> None:
    settled(accounts, "ana", Role.ADMIN)
    with pytest.raises(LastAdmin):
        accounts.disable("ana", actor="test")
    with pytest.raises(LastAdmin):
        accounts.set_role("ana", Role.VIEWER, actor="test")
    settled(accounts, "bo", Role.ADMIN)
    accounts.disable("bo", actor="test")
    with pytest.raises(LastAdmin):  # a disabled one does not count
        accounts.set_role("ana", Role.OPERATOR, actor="test")


def test_two_admins_who_demote_each_other_at_once_leave_one(accounts: Accounts) -> None:
    names = ["ana", "bo"]
    for name in names:
        settled(accounts, name, Role.ADMIN)
    found = at_once(2, lambda number: accounts.set_role(names[number], Role.VIEWER, actor="test"))
    assert {type(result) for result in found} == {Account, LastAdmin}, found
    roles = sorted(account.role for account in accounts.list().accounts)
    assert roles == [Role.ADMIN, Role.VIEWER]


def test_a_disabled_account_is_out_at_once_and_in_again_when_enabled(accounts: Accounts) -> None:
    ana = settled(accounts, "ana")
    session = signed_in(accounts, "ana")
    token = accounts.create_token(
        ana.id, "nightly", {Permission.READ}, expires_in_s=60, actor="test"
    )
    by_session = accounts.caller_of_session(session.secret)
    by_token = accounts.caller_of_token(token.secret)
    assert by_session is not None
    assert by_token is not None
    assert accounts.still_valid(by_session)
    assert accounts.still_valid(by_token)
    accounts.disable("ana", actor="test")
    assert not accounts.still_valid(by_session)
    assert not accounts.still_valid(by_token)
    assert accounts.caller_of_session(session.secret) is None
    assert accounts.caller_of_token(token.secret) is None
    with pytest.raises(SignInRefused):
        signed_in(accounts, "ana")
    accounts.enable("ana", actor="test")
    assert accounts.caller_of_session(session.secret) is None
    assert accounts.caller_of_token(token.secret) is not None
    assert signed_in(accounts, "ana").account.id == ana.id


def test_a_role_counts_from_the_next_request_on(accounts: Accounts) -> None:
    settled(accounts, "ana", Role.OPERATOR)
    session = signed_in(accounts, "ana")
    accounts.set_role("ana", Role.VIEWER, actor="test")
    caller = accounts.caller_of_session(session.secret)
    assert caller is not None
    assert caller.permissions == {Permission.READ}


def test_doing_what_is_done_already_is_no_event(few: Accounts) -> None:
    settled(few, "ana", Role.VIEWER)
    before = changes(few.db)
    few.set_role("ana", Role.VIEWER, actor="test")
    few.enable("ana", actor="test")
    few.rename("ana", "ana", actor="test")
    few.set_preferences(few.get("ana").id, {}, actor="test")
    assert changes(few.db) == before


def test_a_rehearsal_refuses_what_would_be_refused_and_changes_nothing(few: Accounts) -> None:
    settled(few, "ana", Role.ADMIN)
    before = changes(few.db)
    with rehearsal():
        assert few.create("bo", role=Role.VIEWER, actor="test").account.name == "bo"
        with pytest.raises(LastAdmin):
            few.disable("ana", actor="test")
    assert [account.name for account in few.list().accounts] == ["ana"]
    assert changes(few.db) == before


def test_preferences_take_known_values_only(accounts: Accounts) -> None:
    ana = settled(accounts, "ana")
    accounts.set_preferences(ana.id, {"theme": "dark", "zone": "Asia/Kathmandu"}, actor="user:ana")
    after = accounts.set_preferences(ana.id, {"page_size": "200"}, actor="user:ana")
    assert after.preferences == {"theme": "dark", "zone": "Asia/Kathmandu", "page_size": "200"}
    for wrong in ({"theme": "pink"}, {"zone": "../etc/passwd"}, {"zone": "Mars"}, {"colour": "x"}):
        with pytest.raises(BadPreference):
            accounts.set_preferences(ana.id, wrong, actor="user:ana")
    assert accounts.get("ana").preferences == after.preferences


def test_a_provider_never_gets_an_account_that_is_not_its_own(accounts: Accounts) -> None:
    local = settled(accounts, "ana", Role.ADMIN)
    session = accounts.sign_in_external(
        "https://id.example",
        "subject-1",
        suggested_name="Ana",
        display_name="Ana Lima",
        role=Role.VIEWER,
    )
    assert session.account.id != local.id
    assert (session.account.name, session.account.role) == ("ana-2", Role.VIEWER)
    assert not session.account.has_password
    with pytest.raises(NoPassword):
        accounts.reset_password("ana-2", actor="test")
    again = accounts.sign_in_external(
        "https://id.example",
        "subject-1",
        suggested_name="elsewhere",
        display_name="Ana L.",
        role=Role.OPERATOR,
    )
    assert again.account.id == session.account.id
    assert again.account.role is Role.OPERATOR
    assert again.account.display_name == "Ana L."
    accounts.disable("ana-2", actor="test")
    with pytest.raises(SignInRefused):
        accounts.sign_in_external(
            "https://id.example",
            "subject-1",
            suggested_name="ana",
            display_name="",
            role=Role.ADMIN,
        )
    assert accounts.get("ana-2").role is Role.OPERATOR


def test_a_provider_cannot_take_the_last_admin_away(few: Accounts) -> None:
    def arrive(role: Role) -> Account:
        return few.sign_in_external(
            "https://id.example", "1", suggested_name="Бо", display_name="Bo", role=role
        ).account

    assert arrive(Role.ADMIN).role is Role.ADMIN
    assert arrive(Role.VIEWER).role is Role.ADMIN
    settled(few, "ana", Role.ADMIN)
    assert arrive(Role.VIEWER).role is Role.VIEWER
