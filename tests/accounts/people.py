"""People for tests: accounts that have chosen a password of their own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from lading.accounts.accounts import Accounts
from lading.accounts.limits import AccountLimits
from lading.accounts.values import Account, NewSession, Role

PASSWORD = "a password for tests"
CHEAP = AccountLimits(hash_memory_kib=64, hash_passes=1)
"""Limits with which a password is hashed in no time."""

T = TypeVar("T")


def settled(accounts: Accounts, name: str, role: Role = Role.OPERATOR) -> Account:
    """An account whose password is `PASSWORD`, and which need not change it."""
    made = accounts.create(name, role=role, actor="test")
    return accounts.change_password(
        made.account.id, made.password, PASSWORD, actor=f"user:{made.account.name}"
    )


def signed_in(accounts: Accounts, name: str, password: str = PASSWORD) -> NewSession:
    """A session of theirs."""
    return accounts.sign_in(name, password, address="192.0.2.7", user_agent="a test")


def at_once(times: int, work: Callable[[int], T]) -> list[T | Exception]:
    """What `work` returned or raised in each of several threads."""

    def attempt(number: int) -> T | Exception:
        try:
            return work(number)
        except Exception as error:  # noqa: BLE001 - whatever it was is the result
            return error

    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(attempt, range(times)))
