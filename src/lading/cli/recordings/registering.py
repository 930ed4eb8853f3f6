"""`lading recordings register`: registers what is stored already, without moving a byte."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click

from lading.base.errors import LadingError
from lading.catalog.values import Policy
from lading.cli import output
from lading.cli.failures import NEEDS_A_PERSON
from lading.cli.recordings.opening import DRY_RUN, WRITES_BOTH, WRITES_CATALOG, open_data, stopping
from lading.cli.recordings.taking_in import ON_CONFLICT, UNCOLLAPSED
from lading.cli.recordings.telling import counted, emit_outcomes, tell_failures
from lading.cli.session import Session, with_session
from lading.data_interface import DataInterface, LocalProfile
from lading.sources.recordings.errors import ManifestIncomplete, ManifestMissing
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.ingesting import augment_stored, propose_stored, register_stored


@dataclass(frozen=True, slots=True)
class _Registered:
    recording_id: str
    outcome: str
    recording_hash: str | None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What was asked for of each recording."""

    participant: str | None
    from_metadata: bool
    collapse: bool
    on_conflict: Policy

    def register(self, data: DataInterface, rec_id: str) -> _Registered:
        """Register one recording."""
        if self.from_metadata:
            augment_stored(data.repository, rec_id)
        done = register_stored(
            data.repository,
            rec_id,
            participant=self.participant,
            collapse_modalities=self.collapse,
            on_conflict=self.on_conflict,
        )
        digest = done.recording.recording_hash if done.recording else None
        return _Registered(rec_id, "registered", digest)

    def rehearse(self, data: DataInterface, rec_id: str) -> _Registered:
        """Say what would become of one."""
        try:
            proposal = propose_stored(
                data.repository,
                rec_id,
                participant=self.participant,
                collapse_modalities=self.collapse,
                on_conflict=self.on_conflict,
            )
        except (ManifestIncomplete, ManifestMissing):
            if self.from_metadata:
                return _Registered(rec_id, "wanted_with_manifest", None)
            raise
        outcome = "already_registered" if proposal.settled else "wanted"
        return _Registered(rec_id, outcome, proposal.recording.recording_hash)


@click.command("register")
@click.argument("rec_ids", nargs=-1, required=True, metavar="REC_ID...")
@click.option("--participant", metavar="NAME", help="Who it is, whatever participant.txt says.")
@click.option(
    "--from-metadata",
    is_flag=True,
    help="Complete a stored manifest by the sha256 that each object carries.",
)
@UNCOLLAPSED
@ON_CONFLICT
@DRY_RUN
@with_session
def register_command(
    session: Session,
    *,
    rec_ids: Sequence[str],
    participant: str | None,
    from_metadata: bool,
    uncollapsed: bool,
    on_conflict: str,
    dry_run: bool,
) -> int:
    """Register recordings whose files are in the bucket already.

    The stored manifest is read, or those of the nodes are merged, and every file that is listed has
    to be there. Each recording is on its own. Ends with status 1 when one failed.
    """
    roles = WRITES_BOTH if from_metadata else WRITES_CATALOG
    data = open_data(roles, dry_run=dry_run)
    if data.profile.is_local:
        raise LocalProfile("This profile keeps recordings in a folder", subject=data.profile.name)
    wanted = _Wanted(participant, from_metadata, not uncollapsed, Policy(on_conflict))
    act = wanted.rehearse if dry_run else wanted.register
    done, failures = [], []
    with stopping() as stop:
        for rec_id in rec_ids:
            stop.check()
            try:
                done.append(act(data, rec_id))
            except LadingError as error:
                failures.append(Failure(rec_id, error))
    if session.as_json:
        emit_outcomes(done, failures, dry_run=dry_run)
    else:
        rows = ((each.recording_id, each.outcome, each.recording_hash) for each in done)
        output.table(("recording", "outcome", "hash"), rows)
        output.say()
        output.say(counted([*(e.outcome for e in done), *("failed" for _ in failures)]))
        tell_failures(failures)
    return NEEDS_A_PERSON if failures else 0
