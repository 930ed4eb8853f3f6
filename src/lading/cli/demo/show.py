"""The showing: sets up an installation, takes the made tree in, and tells what happened.

Everything is done as an operator would do it, by the same calls, and the import by a worker
process. A second showing finds everything as it was and has nothing to do.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from lading.base.errors import InternalError
from lading.bootstrap import Lading, open_lading
from lading.cli import output
from lading.cli.accounts import Account, read_account
from lading.cli.commands.init import initialise, settings_text
from lading.cli.demo.bundles import sync_id_of
from lading.cli.demo.maker import make_demo_tree
from lading.cli.demo.sites import give_sites
from lading.cli.reasons import Reasons
from lading.cli.session import Session
from lading.cli.setting_up import set_up
from lading.cli.supervisor import worker_command
from lading.cli.trouble import TROUBLED_OUTCOMES, trouble_lines
from lading.ingest.queueing import QueueResult
from lading.ingest.ready import ready
from lading.ingest.scan import ScanReport
from lading.ingest.verifying import VerifyLevel, VerifyReport
from lading.ledger.batch_lists import BatchFilter, list_batches
from lading.ledger.batches import Batch
from lading.ledger.queries import ItemView, list_items
from lading.ledger.states import Outcome
from lading.settings import load_settings

SOURCE: Final = "upstream"
BATCHES_MAX: Final = 50
LEFT_FOR_HAND: Final = frozenset(map(sync_id_of, ("a day at the lake", "up-in-the-hills")))
"""Bundles of the tree that wait in the console for who wants to import them there."""

_WORKED: Final = frozenset({0, 1})


class ShowingFailed(InternalError):
    """The worker of the showing ended with an error; it said itself which."""

    code = "showing_failed"
    next_step = "Read what the worker said above."


@dataclass(frozen=True, slots=True)
class DemoFolders:
    """Where the showing lives."""

    base: str
    tree: str
    settings_file: str

    @classmethod
    def below(cls, base: str) -> DemoFolders:
        """The folders of a showing in `base`."""
        return cls(base, os.path.join(base, SOURCE), os.path.join(base, "lading.toml"))


@dataclass(frozen=True, slots=True)
class BatchStory:
    """What became of one batch, and of its items that need a person."""

    batch: Batch
    account: Account
    trouble: Sequence[ItemView]


@dataclass(frozen=True, slots=True)
class Showing:
    """What a showing did and found."""

    folders: DemoFolders
    tree_made: bool
    scan: ScanReport
    queued: Sequence[QueueResult]
    worker: Mapping[str, Any] | None
    stories: Sequence[BatchStory]
    verified: VerifyReport
    left: int

    @property
    def needs_a_person(self) -> bool:
        """Whether something is not as the showing means it: the damaged photo is meant."""
        return bool(self.verified.problems_total)


def demonstrate(session: Session, folders: DemoFolders, *, by_hand: bool = False) -> Showing:
    """Make what is missing, import what is new, and tell it. Raises `MissingExtra`.

    With `by_hand` the last bundles are left to be imported in the console.
    """
    if not session.as_json and not os.path.exists(folders.tree):
        output.note(f"Making photos and a film in {folders.tree} …")
    made = make_demo_tree(Path(folders.tree))
    if not os.path.exists(folders.settings_file):
        initialise(folders.settings_file, settings_text({SOURCE: folders.tree}))
    settings = load_settings(folders.settings_file)
    set_up(settings)
    with open_lading(settings) as lading:
        scan = lading.ingest.scan(SOURCE, actor=session.actor)
        waiting = ready(lading.db, source=SOURCE)
        kept = {b.id for b in waiting if by_hand and (b.batch_key in LEFT_FOR_HAND or not made)}
        numbers = [batch.id for batch in waiting if batch.id not in kept]
        queued = lading.ingest.queue(numbers, actor=session.actor)
        worker = _drain(folders.settings_file) if queued else None
        give_sites(lading.db, actor=session.actor)
        stories = _stories(lading)
        verified = lading.ingest.verify(None, actor=session.actor, level=VerifyLevel.SHA256)
    showing = Showing(folders, made, scan, queued, worker, stories, verified, len(kept))
    if session.as_json:
        output.emit(_document(showing))
    else:
        _tell(showing, Reasons(settings))
    return showing


def _drain(settings_file: str) -> Mapping[str, Any]:
    """Let a worker process import everything that is queued."""
    done = subprocess.run(  # noqa: S603 - our own program
        worker_command(settings_file, "--drain", "--json"),
        stdout=subprocess.PIPE,
        env={**os.environ, "LADING_LOG__LEVEL": "error"},
        check=False,
    )
    if done.returncode not in _WORKED:
        raise ShowingFailed("the worker ended with an error", found=f"status {done.returncode}")
    report: Mapping[str, Any] = json.loads(done.stdout)
    return report


def _stories(lading: Lading) -> list[BatchStory]:
    stories = []
    with lading.db.read() as conn:
        for batch in list_batches(conn, BatchFilter(source=SOURCE), limit=BATCHES_MAX).batches:
            items, _ = list_items(conn, batch, outcomes=TROUBLED_OUTCOMES)
            stories.append(BatchStory(batch, read_account(conn, batch), items))
    return sorted(stories, key=lambda story: story.batch.id)


def _document(showing: Showing) -> dict[str, object]:
    return {
        "folder": showing.folders.base,
        "settings_file": showing.folders.settings_file,
        "tree_made": showing.tree_made,
        "scan": {
            "found": showing.scan.found,
            **showing.scan.counts,
            "unchanged": showing.scan.unchanged,
        },
        "queued": showing.queued,
        "worker": showing.worker,
        "batches": [
            {
                "batch_key": story.batch.batch_key,
                "type": story.batch.type,
                "state": story.batch.state,
                "reason": story.batch.reason,
                "outcomes": story.account.outcomes,
                "adds_up": story.account.adds_up,
                "trouble": story.trouble,
            }
            for story in showing.stories
        ],
        "verified": showing.verified,
        "left": showing.left,
    }


def _tell(showing: Showing, reasons: Reasons) -> None:
    output.say()
    what = "made now" if showing.tree_made else "made before, left as it is"
    output.say(f"1. The upstream: {showing.folders.tree} ({what})")
    counted = output.counts({**showing.scan.counts, "unchanged": showing.scan.unchanged})
    output.say(f"2. Scan: {showing.scan.found} bundles found: {counted}")
    if showing.queued:
        jobs = ", ".join(str(result.job_id) for result in showing.queued)
        output.say(f"3. Queue: {len(showing.queued)} batches, preflighted first; jobs {jobs}")
        output.say("4. Import, by a worker process:")
    else:
        output.say("3. Queue: nothing to do; everything is as it was")
        output.say("4. What is there:")
    output.say()
    output.table(
        ("batch", "type", "action", "state", "bytes", "what became of the items"),
        (
            (
                story.batch.batch_key[:8],
                story.batch.type,
                story.batch.action,
                story.batch.state,
                output.size(story.batch.bytes_total),
                output.counts(story.account.outcomes, nothing="not decided"),
            )
            for story in showing.stories
        ),
    )
    for story in showing.stories:
        _tell_trouble(story, reasons)
    _tell_end(showing)


def _tell_trouble(story: BatchStory, reasons: Reasons) -> None:
    batch = story.batch
    reason = reasons.find(batch.source, batch.reason)
    if reason is not None and not story.trouble:
        output.say()
        output.say(f"   Bundle {batch.batch_key[:8]}: {batch.state}")
        output.say(f"     {'why:':<11}{reason.code}: {reason.sentence}")
        output.say(f"     {'next step:':<11}{reason.next_step}")
    for item in story.trouble:
        output.say()
        for line in trouble_lines(item, reasons.find(batch.source, item.reason)):
            output.say(f"   {line}")


def _tell_end(showing: Showing) -> None:
    found = sum(story.account.found for story in showing.stories)
    outcomes = {
        outcome: sum(story.account.outcomes[outcome] for story in showing.stories)
        for outcome in Outcome
    }
    undecided = found - sum(outcomes.values())
    ready_or_left = "imported yet" if showing.left else "ready"
    done = showing.verified
    output.say()
    output.say(
        f"5. Accounts: {found} items found = {output.counts(outcomes)}"
        + (f", {undecided} in bundles that are not {ready_or_left}" if undecided else "")
    )
    verdict = f"{done.problems_total} PROBLEMS" if done.problems_total else "all is well"
    output.say(
        f"6. Verify: {done.files} stored files read and hashed again"
        f" ({output.size(done.bytes)}): {verdict}"
    )
    program = f"{_this_program()} -c {os.path.relpath(showing.folders.settings_file)}"
    example = next(
        (s for s in showing.stories if s.trouble), showing.stories[0] if showing.stories else None
    )
    output.say()
    if showing.left:
        output.say(f"{showing.left} bundles are left for you: open the console, Import media,")
        output.say("tick them and press Queue.")
        output.say()
    output.say("Look further:")
    output.say(f"   {program} batches")
    if example is not None:
        output.say(f"   {program} batch {example.batch.batch_key[:8]}")
    output.say(f"   {program} events")
    output.say(f"   {program} ledger verify")
    output.say()


def _this_program() -> str:
    """How to call this program again: by its name where a shell finds it, else by its path."""
    called = os.path.realpath(sys.argv[0])
    found = shutil.which("lading")
    if found is not None and os.path.realpath(found) == called:
        return "lading"
    return os.path.relpath(called) if os.path.basename(called) == "lading" else "lading"
