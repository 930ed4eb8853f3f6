"""Pausing and resuming intake, by a page or the API."""

from __future__ import annotations

from typing import Final

from lading.accounts.values import Caller, Permission
from lading.console.parts import Console

WHY_MAX: Final = 190


def pause_intake(console: Console, caller: Caller, why: str) -> None:
    """Let workers claim nothing more; what runs goes on."""
    caller.require(Permission.OPERATE)
    console.lading.queue.pause_intake(actor=caller.actor, why=why.strip()[:WHY_MAX])
    console.engine.forget()


def resume_intake(console: Console, caller: Caller) -> None:
    """Let workers claim again."""
    caller.require(Permission.OPERATE)
    console.lading.queue.resume_intake(actor=caller.actor)
    console.engine.forget()
