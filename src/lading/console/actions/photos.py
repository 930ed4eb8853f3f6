"""What is decided about photos that look alike; the trash takes what is not wanted, files stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection

from lading.accounts.values import Caller, Permission
from lading.base.errors import RequestError
from lading.base.identifiers import parse_content_hash
from lading.console.actions.operations import start_operation
from lading.console.parts import Console
from lading.ledger.chain import append
from lading.ledger.likeness_events import AlikeDecided, PhotosUnstacked
from lading.library.known import UnknownAsset, asset_hashes, find_assets
from lading.library.photo_stacks import stack_photos, stacked_with, unstack_photos
from lading.library.values import AssetRow
from lading.operations.values import Resource, Targets, Verb

STACK: Final = "stack"
KEEP_ALL: Final = "keep_all"
TRASH_OTHERS: Final = "trash_others"
DECISIONS: Final = (KEEP_ALL, STACK, TRASH_OTHERS)
MEMBERS_MAX: Final = 1_000


class BadDecision(RequestError):
    """What was decided about a group of photos makes no sense."""

    code = "bad_decision"
    next_step = "Load the page of duplicates again and decide there."


class NotStacked(RequestError):
    """A photo is in no stack that could be taken apart."""

    code = "not_stacked"
    http_status = 409
    next_step = "Load the page again; somebody may have taken the stack apart."


@dataclass(frozen=True, slots=True, kw_only=True)
class Unstacked:
    """The photos of a stack that was taken apart."""

    content_hashes: Sequence[str]


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
    """Remember a decision about two photos or more.

    With `trash_others` all but `keep` go to the trash, with `stack` they are folded under it.
    With `dry_run` everything is checked and nothing done. No file is touched. Raises
    `BadDecision`, `UnknownAsset`.
    """
    caller.require(Permission.OPERATE)
    wanted = _checked(hashes, decision, keep)
    with console.lading.db.read() as conn:
        found = find_assets(conn, wanted)
    _require_here(wanted, found)
    kept = None if decision == KEEP_ALL else keep
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
    top = found[keep].id if decision == STACK and keep is not None else None

    def remember(conn: Connection) -> None:
        if top is not None:
            stack_photos(conn, top, [row.id for row in found.values()])
        append(conn, event, actor=caller.actor)

    console.lading.db.run(remember)
    return Decided(decision=decision, content_hashes=wanted, kept=kept, operation=operation)


def unstack(
    console: Console, caller: Caller, content_hash: str, *, dry_run: bool = False
) -> Unstacked:
    """Take apart the stack that a photo is in; each of its photos is shown again.

    With `dry_run` nothing is done. Raises `UnknownAsset`, `NotStacked`.
    """
    caller.require(Permission.OPERATE)
    digest = parse_content_hash(content_hash) or content_hash

    def work(conn: Connection) -> list[str]:
        found = find_assets(conn, [digest]).get(digest)
        if found is None:
            raise UnknownAsset("the library has no such asset", subject=digest[:100])
        freed = stacked_with(conn, found.id) if dry_run else unstack_photos(conn, [found.id])
        if not freed:
            raise NotStacked("it is in no stack", subject=digest)
        hashes = sorted(asset_hashes(conn, freed))
        if not dry_run:
            append(conn, PhotosUnstacked(content_hashes=hashes), actor=caller.actor)
        return hashes

    return Unstacked(content_hashes=console.lading.db.run(work))


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
    if decision != KEEP_ALL and keep not in wanted:
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
