"""The console is served to tests as it is to people, and copies of installations are copies."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import httpx

from lading.accounts.values import Role
from tests.console.browser.serving import Served, serving

OURS = ("console of", "heartbeat", "lading-console-stop")


def test_it_answers_while_the_block_lasts_and_leaves_no_thread(
    installation: Callable[[str], Path],
) -> None:
    others = set(threading.enumerate())  # of consoles that are served for a whole run
    with serving(installation("empty")) as served:
        assert httpx.get(f"{served.origin}/health").json()["status"] == "alive"
        new = set(threading.enumerate()) - others
        ours = [thread for thread in new if thread.name.startswith(OURS)]
        assert len(ours) == len(OURS)
    assert not any(thread.is_alive() for thread in ours)


def test_each_role_has_one_session_that_is_good(served: Callable[[str], Served]) -> None:
    console = served("empty")
    for role in Role:
        secret = console.session_of(role)
        assert console.session_of(role) == secret
        caller = console.accounts.caller_of_session(secret)
        assert caller is not None
        assert caller.account.role is role


def test_what_one_test_changes_another_does_not_see(
    serve_own: Callable[[str], Served], template: Callable[[str], Path]
) -> None:
    changed = serve_own("empty").folder
    (changed / "mark").touch()
    assert not (template("empty") / "mark").exists()
