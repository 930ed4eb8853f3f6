"""What is decided about photos that look alike; the trash takes what is not wanted, files stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lading.accounts.values import Caller, Permission
from lading.base.errors import RequestError
from lading.base.identifiers import parse_content_hash
from lading.console.actions.operations import start_operation
from lading.console.parts import Console
from lading.ledger.chain import append
from lading.ledger.likeness_events import AlikeDecided
from lading.library.known import UnknownAsset, find_assets
from lading.library.values import AssetRow
from lading.operations.values import Resource, Targets, Verb

KEEP_ALL: Final = "keep_all"
TRASH_OTHERS: Final = "trash_others"
DECISIONS: Final = (KEEP_ALL, TRASH_OTHERS)
MEMBERS_MAX: Final = 1_000


class BadDecision(RequestError):
    """What was decided about a group of photos makes no sense."""

    code = "bad_decision"
    next_step = "Load the page of duplicates again and decide there."


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided; `operation` put the others in the trash, and can be undone."""

    decision: str
    content_hashes: Sequence[str]
    kept: str | None
    operation: str | None


def decide_alike(
    console: Console,
    caller: Caller,
    hashes: Sequence[str],
    *,
    decision: str,
    keep: str | None = None,
    dry_run: bool = False,
) -> Decided:
    """Remember a decision about two photos or more, and with `trash_others` trash all but `keep`.

    With `dry_run` everything is checked and nothing done. No file is touched. Raises
    `BadDecision`, `UnknownAsset`.
    """
    caller.require(Permission.OPERATE)
    wanted = _checked(hashes, decision, keep)
    with console.lading.db.read() as conn:
        found = find_assets(conn, wanted)
    _require_here(wanted, found)
    kept = keep if decision == TRASH_OTHERS else None
    if dry_run:
        return Decided(decision=decision, content_hashes=wanted, kept=kept, operation=None)
    operation = None
    if decision == TRASH_OTHERS:
        others = [found[digest].id for digest in wanted if digest != keep]
        targets = Targets(resource=Resource.ASSETS, ids=others)
        operation = start_operation(console, caller, Verb.DELETE, targets).key
    # After the operation: cut off between them, the group is gone with those in the trash.
    event = AlikeDecided(
        content_hashes=list(wanted), decision=decision, kept=kept, operation=operation
    )
    console.lading.db.run(lambda conn: append(conn, event, actor=caller.actor))
    return Decided(decision=decision, content_hashes=wanted, kept=kept, operation=operation)


def _checked(hashes: Sequence[str], decision: str, keep: str | None) -> list[str]:
    """The content hashes, each once. Raises `BadDecision`."""
    if decision not in DECISIONS:
        raise BadDecision(
            "there is no such decision", subject=decision[:50], expected=" or ".join(DECISIONS)
        )
    wanted = []
    for text in dict.fromkeys(hashes):
        digest = parse_content_hash(text)
        if digest is None:
            raise BadDecision("this is no content hash", subject=text[:100])
        wanted.append(digest)
    if not 2 <= len(wanted) <= MEMBERS_MAX:
        raise BadDecision(
            "a group has two photos at least",
            subject="content_hashes",
            expected=f"2 to {MEMBERS_MAX}",
            found=len(wanted),
        )
    if decision == TRASH_OTHERS and keep not in wanted:
        raise BadDecision(
            "the one to be kept is not among them", subject="keep", found=(keep or "nothing")[:100]
        )
    return sorted(wanted)


def _require_here(wanted: Sequence[str], found: dict[str, AssetRow]) -> None:
    for digest in wanted:
        if digest not in found:
            raise UnknownAsset("the library has no such asset", subject=digest)
        if found[digest].deleted_at is not None:
            raise BadDecision(
                "one of them is in the trash since",
                subject=digest,
                next_step="Load the page again; the group may be settled.",
            )
