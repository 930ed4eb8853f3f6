"""Hashes and verifies passwords, a few at a time: each takes much memory, on purpose."""

from __future__ import annotations

import secrets
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from lading.accounts.errors import TooManyAttempts
from lading.accounts.limits import AccountLimits


class Passwords:
    """Safe to share between threads."""

    def __init__(self, limits: AccountLimits) -> None:
        self._limits = limits
        self._hasher = PasswordHash(
            (Argon2Hasher(time_cost=limits.hash_passes, memory_cost=limits.hash_memory_kib),)
        )
        self._turns = threading.BoundedSemaphore(limits.hashing_at_once)
        self._lock = threading.Lock()
        self._nobodys: str | None = None

    def hash(self, password: str) -> str:
        """What is kept of a password."""
        with self._turn():
            return self._hasher.hash(_normal(password))

    def verify(self, password: str, kept: str | None) -> tuple[bool, str | None]:
        """Whether `password` is the one `kept` was made of, and a stronger hash if due.

        Without `kept` it takes as long and is never right, so that the time tells nothing.
        """
        if len(password) > self._limits.password_max:
            return False, None
        against = kept or self._nobodys_hash()
        with self._turn():
            right, stronger = self._hasher.verify_and_update(_normal(password), against)
        return (right, stronger) if kept is not None else (False, None)

    def _nobodys_hash(self) -> str:
        with self._lock:
            if self._nobodys is None:
                self._nobodys = self.hash(secrets.token_urlsafe(32))
            return self._nobodys

    @contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._turns.acquire(timeout=self._limits.hashing_wait_s):
            raise TooManyAttempts(
                "too many people sign in at this moment",
                retry_after_s=self._limits.hashing_wait_s,
            )
        try:
            yield
        finally:
            self._turns.release()


def _normal(password: str) -> bytes:
    """Keyboards make the same letter in different ways."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
