"""Who asks: what they may do, how the console looks to them, and where they are signed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import JSONBody

from lading.accounts.values import Account, Caller, Permission, SessionRow, TokenRow
from lading.console.actions.accounts import end_session, end_sessions, set_preferences
from lading.console.answers import Many
from lading.console.api.conventions import (
    Done,
    DryRun,
    Name,
    Number,
    edits,
    reads,
    rehearsed,
    removes,
    whole,
)
from lading.console.parts import Console

TAG: Final = "me"
OWN: Final = Permission.READ


@dataclass(frozen=True, slots=True, kw_only=True)
class Me:
    """Who asks, and by what."""

    account: Account
    actor: str
    permissions: Sequence[Permission]
    token: TokenRow | None
    session: SessionRow | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How many sessions were ended."""

    sessions: int


def routes() -> list[HTTPRouteHandler]:
    """Oneself."""
    return [me, preferences, change_preferences, sessions, sign_out_everywhere, sign_out_one]


@reads("/me", "Who asks, and what they may do", tag=TAG)
def me(caller: NamedDependency[Caller]) -> Me:
    """Oneself."""
    return Me(
        account=caller.account,
        actor=caller.actor,
        permissions=sorted(caller.permissions),
        token=caller.token,
        session=caller.session,
    )


@reads("/me/preferences", "How the console looks to who asks", tag=TAG)
def preferences(caller: NamedDependency[Caller]) -> Mapping[str, str]:
    """What was chosen; what is not there is as usual."""
    return caller.account.preferences


@edits("/me/preferences", "Change some preferences", tag=TAG, permission=OWN)
def change_preferences(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    data: JSONBody[dict[Name, Name]],
    *,
    dry_run: DryRun = False,
) -> Done[Mapping[str, str]]:
    """Keep what was chosen."""
    with rehearsed(dry_run):
        after = set_preferences(console, caller, data)
    return Done(dry_run=dry_run, result=after.preferences)


@reads("/me/sessions", "Where who asks is signed in, the newest first", tag=TAG)
def sessions(
    console: NamedDependency[Console], caller: NamedDependency[Caller]
) -> Many[SessionRow]:
    """One's sessions."""
    return whole(console.accounts.list_sessions(caller.account.id))


@removes("/me/sessions", "End all sessions but the one in use", tag=TAG, permission=OWN)
def sign_out_everywhere(
    console: NamedDependency[Console], caller: NamedDependency[Caller], *, dry_run: DryRun = False
) -> Done[Ended]:
    """Sign out everywhere else."""
    with rehearsed(dry_run):
        ended = end_sessions(console, caller, caller.account)
    return Done(dry_run=dry_run, result=Ended(sessions=ended))


@removes("/me/sessions/{session_id:int}", "End one session", tag=TAG, permission=OWN)
def sign_out_one(
    console: NamedDependency[Console],
    caller: NamedDependency[Caller],
    session_id: Number,
    *,
    dry_run: DryRun = False,
) -> Done[Ended]:
    """Sign out somewhere."""
    with rehearsed(dry_run):
        end_session(console, caller, caller.account, session_id)
    return Done(dry_run=dry_run, result=Ended(sessions=1))
