"""Tokens for scripts, saved views, and answers that are remembered."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update

from lading.accounts.accounts import Accounts
from lading.accounts.errors import (
    BadIdempotencyKey,
    BadSavedView,
    BadToken,
    IdempotencyKeyInUse,
    IdempotencyKeyReused,
    SavedViewMissing,
    TokenExists,
    TokenMissing,
)
from lading.accounts.tables import access_token, idempotency_key
from lading.accounts.values import Answer, Caller, NotPermitted, Permission, Role
from lading.db.clock import now
from lading.ledger.event_lists import EventFilter, list_event_page
from lading.ledger.events import TokenChanged
from tests.accounts.people import CHEAP, PASSWORD, at_once, settled, signed_in

READ, OPERATE = Permission.READ, Permission.OPERATE
DIGEST = "0" * 64


def caller(accounts: Accounts, name: str, role: Role = Role.OPERATOR) -> Caller:
    settled(accounts, name, role)
    found = accounts.caller_of_session(signed_in(accounts, name).secret)
    assert found is not None
    return found


def test_a_token_may_what_it_was_given_while_its_owner_may(accounts: Accounts) -> None:
    ana = settled(accounts, "ana", Role.OPERATOR)
    made = accounts.create_token(
        ana.id, "nightly", {READ, OPERATE}, expires_in_s=3_600, actor="user:ana"
    )
    assert made.secret.startswith("lad_")
    assert len(made.secret) == 47
    assert made.secret not in repr(made)
    found = accounts.caller_of_token(made.secret)
    assert found is not None
    assert found.actor == "token:ana/nightly"
    assert found.permissions == {READ, OPERATE}
    assert found.csrf is None
    accounts.set_role("ana", Role.VIEWER, actor="test")
    found = accounts.caller_of_token(made.secret)
    assert found is not None
    assert found.permissions == {READ}
    assert accounts.list_tokens(ana.id).tokens[0].last_used_at is not None


def test_a_token_expires_and_can_be_revoked(accounts: Accounts) -> None:
    ana = settled(accounts, "ana")
    bo = settled(accounts, "bo")
    made = [
        accounts.create_token(ana.id, name, {READ}, expires_in_s=60, actor="user:ana")
        for name in ("one", "two")
    ]
    with accounts.db.write() as conn:
        conn.execute(
            update(access_token)
            .where(access_token.c.id == made[0].token.id)
            .values(expires_at=now(-1))
        )
    assert accounts.caller_of_token(made[0].secret) is None
    with pytest.raises(TokenMissing):
        accounts.revoke_token(made[1].token.id, account_id=bo.id, actor="user:bo")
    assert accounts.caller_of_token(made[1].secret) is not None
    for _ in range(2):
        assert accounts.revoke_token(made[1].token.id, actor="test").revoked_at is not None
    assert accounts.caller_of_token(made[1].secret) is None
    first = accounts.list_tokens(limit=1)
    rest = accounts.list_tokens(cursor=first.next_cursor, limit=1)
    assert [t.name for t in (*first.tokens, *rest.tokens)] == ["two", "one"]


def test_a_reset_revokes_the_tokens_and_a_password_of_ones_own_choice_keeps_them(
    accounts: Accounts,
) -> None:
    ana, bo = settled(accounts, "ana"), settled(accounts, "bo")
    old, nightly, others = (
        accounts.create_token(owner.id, name, {READ}, expires_in_s=60, actor="test")
        for owner, name in ((ana, "old"), (ana, "nightly"), (bo, "nightly"))
    )
    accounts.revoke_token(old.token.id, actor="test")
    accounts.change_password(ana.id, PASSWORD, "another for tests", actor="user:ana")
    assert accounts.caller_of_token(nightly.secret) is not None
    assert accounts.count_tokens(ana.id) == 1
    reset = accounts.reset_password("ana", actor="user:ada")
    assert (reset.tokens_revoked, accounts.count_tokens(ana.id)) == (1, 0)
    assert accounts.caller_of_token(nightly.secret) is None
    assert accounts.caller_of_token(others.secret) is not None
    of_ada = EventFilter(actor="user:ada", kinds=[TokenChanged.kind])
    with accounts.db.read() as conn:
        told = [e.payload["token"] for e in list_event_page(conn, of_ada).events]
    assert told == ["nightly"]
    assert accounts.reset_password("ana", actor="user:ada").tokens_revoked == 0


def test_a_token_that_is_too_much_is_refused(few: Accounts) -> None:
    ana = settled(few, "ana", Role.VIEWER)
    for name, permissions, expires_in_s in (
        ("nightly", {READ, OPERATE}, 60),
        ("nightly", set(), 60),
        ("nightly", {READ}, 0),
        ("nightly", {READ}, 400 * 86_400),
        ("ana/nightly", {READ}, 60),
        ("", {READ}, 60),
    ):
        with pytest.raises(BadToken):
            few.create_token(ana.id, name, permissions, expires_in_s=expires_in_s, actor="test")
    few.create_token(ana.id, "nightly", {READ}, expires_in_s=60, actor="test")
    with pytest.raises(TokenExists):
        few.create_token(ana.id, "nightly", {READ}, expires_in_s=60, actor="test")
    few.revoke_token(few.list_tokens().tokens[0].id, actor="test")
    few.create_token(ana.id, "nightly", {READ}, expires_in_s=60, actor="test")


def test_a_view_is_ones_own_or_shared_by_all(accounts: Accounts) -> None:
    ana, bo = caller(accounts, "ana"), caller(accounts, "bo", Role.VIEWER)
    accounts.create_view(ana, "import", "Mine", "?status=pending")
    shared = accounts.create_view(ana, "import", "Ours", "status=failed", shared=True)
    accounts.create_view(ana, "import", "Mine", "status=failed&type=asset")
    assert [(v.name, v.query, v.shared) for v in accounts.list_views(ana, "import")] == [
        ("Mine", "status=failed&type=asset", False),
        ("Ours", "status=failed", True),
    ]
    assert [v.name for v in accounts.list_views(bo)] == ["Ours"]
    with pytest.raises(NotPermitted):
        accounts.delete_view(bo, shared.id)
    with pytest.raises(NotPermitted):
        accounts.create_view(bo, "import", "Ours too", "", shared=True)
    own = accounts.list_views(ana, "import")[0]
    with pytest.raises(SavedViewMissing):
        accounts.delete_view(bo, own.id)
    accounts.delete_view(ana, own.id)
    accounts.delete_view(ana, shared.id)
    assert accounts.list_views(ana) == []


def test_a_view_that_cannot_be_is_refused(few: Accounts) -> None:
    few = Accounts(few.db, limits=replace(CHEAP, views_per_page=1))
    ana = caller(few, "ana")
    for page, name, query in (("../x", "a", ""), ("import", " ", ""), ("import", "a", "é\n")):
        with pytest.raises(BadSavedView):
            few.create_view(ana, page, name, query)
    few.create_view(ana, "import", "a", "")
    few.create_view(ana, "import", "a", "q=1")
    with pytest.raises(BadSavedView, match="too many"):
        few.create_view(ana, "import", "b", "")


def test_a_repeated_request_is_answered_as_before(accounts: Accounts) -> None:
    ana, bo = settled(accounts, "ana"), settled(accounts, "bo")
    asked = {"method": "POST", "path": "/api/v1/operations", "request_sha256": DIGEST}
    assert accounts.recall(ana.id, "k1", **asked) is None
    answer = Answer(status=202, headers={"Location": "/operations/7"}, body=b'{"id": 7}\x00\xff')
    assert accounts.remember(ana.id, "k1", answer)
    assert accounts.recall(ana.id, "k1", **asked) == answer
    with pytest.raises(IdempotencyKeyReused):
        accounts.recall(ana.id, "k1", **{**asked, "request_sha256": "1" * 64})
    assert accounts.recall(bo.id, "k1", **asked) is None
    with accounts.db.write() as conn:
        old = now(-accounts.limits.answer_kept_s - 1)
        conn.execute(update(idempotency_key).values(created_at=old))
    assert accounts.recall(ana.id, "k1", **asked) is None


def test_of_many_equal_requests_at_once_one_goes_ahead(accounts: Accounts) -> None:
    ana = settled(accounts, "ana")
    asked = {"method": "POST", "path": "/x", "request_sha256": DIGEST}
    found = at_once(6, lambda _: accounts.recall(ana.id, "k", **asked))
    assert found.count(None) == 1, found
    assert sum(isinstance(result, IdempotencyKeyInUse) for result in found) == 5, found


def test_a_key_is_free_again_when_nothing_was_done_or_nobody_lived_to_answer(
    accounts: Accounts,
) -> None:
    ana = settled(accounts, "ana")
    asked = {"method": "POST", "path": "/x", "request_sha256": DIGEST}
    assert accounts.recall(ana.id, "k", **asked) is None
    accounts.forget(ana.id, "k")
    assert accounts.recall(ana.id, "k", **asked) is None
    with accounts.db.write() as conn:
        late = now(-accounts.limits.answer_awaited_s - 1)
        conn.execute(update(idempotency_key).values(created_at=late))
    assert accounts.recall(ana.id, "k", **asked) is None
    with pytest.raises(IdempotencyKeyInUse):
        accounts.recall(ana.id, "k", **asked)
    for key in ("", "x" * 191, "a b", "é"):
        with pytest.raises(BadIdempotencyKey):
            accounts.recall(ana.id, key, **asked)
    large = Answer(status=200, headers={}, body=b"x" * (accounts.limits.answer_bytes_max + 1))
    assert not accounts.remember(ana.id, "k", large)
    assert accounts.recall(ana.id, "k", **asked) is None
