"""How long sessions and tokens last, how often sign-in may be tried, and how much is kept."""

from __future__ import annotations

from dataclasses import dataclass

DAY_S = 86_400


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """The limits of one installation; times in seconds, passwords in characters."""

    session_idle_s: int = 12 * 3_600
    session_max_s: int = 7 * DAY_S
    sessions_per_account: int = 50
    seen_every_s: int = 60
    token_max_s: int = 366 * DAY_S
    tokens_per_account: int = 100
    password_min: int = 8
    password_max: int = 1_024
    hashing_at_once: int = 2
    hash_memory_kib: int = 65_536  # of each at once
    hash_passes: int = 3
    hashing_wait_s: float = 10.0
    attempts_per_name: int = 10
    attempts_per_address: int = 50
    attempts_window_s: int = 900
    views_per_page: int = 100
    answer_kept_s: int = DAY_S
    answer_awaited_s: int = 300  # then whoever was to answer is taken for dead
    answer_bytes_max: int = 1_000_000
