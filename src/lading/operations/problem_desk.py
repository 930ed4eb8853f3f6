"""What people do about problems: look at them, take note of a whole group, and retry it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection

from lading.ledger.chain import append_all
from lading.operations import problems
from lading.operations.acknowledging import SOURCE, acknowledge, unacknowledge
from lading.operations.params import checked_params
from lading.operations.problems import (
    COUNT_CAP,
    ProblemCount,
    ProblemGroup,
    ProblemKind,
    ProblemPage,
    ProblemSurvey,
)
from lading.operations.values import Operation, Preview, Resource, Selection, Targets, Verb
from lading.operations.wording import Wording

if TYPE_CHECKING:
    from lading.operations.operations import Operations


@dataclass(frozen=True, slots=True)
class Attempt:
    """What a retry began: an operation on batches or jobs, or the job that scans a source."""

    operation: Operation | None = None
    job_id: int | None = None


class Problems:
    """The open problems of one installation. Safe to share between threads."""

    def __init__(self, operations: Operations) -> None:
        parts = operations.ingest.parts
        self.wording = Wording({name: source.kind for name, source in parts.sources.items()})
        self._operations = operations
        self._db = parts.db

    def groups(
        self,
        *,
        kinds: Collection[ProblemKind] = tuple(ProblemKind),
        source: str | None = None,
        with_acknowledged: bool = False,
    ) -> list[ProblemGroup]:
        """All groups with something to show, the latest first."""
        with self._db.read() as conn:
            return problems.list_problem_groups(
                conn,
                self.wording,
                kinds=kinds,
                source=source,
                with_acknowledged=with_acknowledged,
            )

    def survey(self, *, with_acknowledged: bool = False) -> ProblemSurvey:
        """The groups, and how much is acknowledged, read once for both."""
        with self._db.read() as conn:
            return problems.survey_problems(conn, self.wording, with_acknowledged=with_acknowledged)

    def count(self, *, cap: int = COUNT_CAP) -> ProblemCount:
        """What a badge shows; as many groups as the list has."""
        with self._db.read() as conn:
            return problems.count_problems(conn, self.wording, cap=cap)

    def get(self, fingerprint: str) -> ProblemGroup:
        """One group, acknowledged or not. Raises `UnknownProblem`."""
        with self._db.read() as conn:
            return problems.get_problem_group(conn, self.wording, fingerprint)

    def targets(
        self,
        fingerprint: str,
        *,
        with_acknowledged: bool = False,
        cursor: str | None = None,
        limit: int = 50,
    ) -> ProblemPage:
        """A page of the problems of one group. Raises `UnknownProblem`, `BadCursor`."""
        with self._db.read() as conn:
            return problems.list_problem_targets(
                conn,
                self.wording,
                fingerprint,
                with_acknowledged=with_acknowledged,
                cursor=cursor,
                limit=limit,
            )

    def select(self, fingerprint: str, *, actor: str, with_acknowledged: bool = False) -> Selection:
        """The batches or jobs of a group as they are now. Raises `UnknownProblem`."""
        kind, _, _ = problems.parse_fingerprint(fingerprint)
        resource = Resource.JOBS if kind is ProblemKind.JOB else Resource.BATCHES
        wanted = problems.problem_ids(fingerprint, with_acknowledged=with_acknowledged)
        return self._operations.select_query(resource, wanted, actor=actor)

    def preview(
        self, fingerprint: str, verb: Verb, params: Mapping[str, Any] | None = None
    ) -> Preview | None:
        """What an operation on a whole group would do now; None for a source, which has none.

        Raises `UnknownProblem` and `BadOperation`.
        """
        checked = checked_params(verb, params or {})
        group = self.get(fingerprint)
        if group.kind is ProblemKind.SOURCE:
            return None
        hidden_too = verb is Verb.UNACKNOWLEDGE
        wanted = problems.problem_ids(fingerprint, with_acknowledged=hidden_too)
        resource = Resource.JOBS if group.kind is ProblemKind.JOB else Resource.BATCHES
        if verb is Verb.RETRY and resource is Resource.BATCHES:
            verb = Verb.QUEUE
        return self._operations.preview_query(verb, resource, wanted, checked)

    def acknowledge(
        self,
        fingerprint: str,
        *,
        actor: str,
        note: str | None = None,
        snooze_s: float | None = None,
    ) -> Operation | None:
        """Take note of a whole group; None for a source, of which no operation is made.

        Raises `UnknownProblem` and `BadOperation`.
        """
        params = {"note": note, "snooze_s": snooze_s}
        checked = checked_params(Verb.ACKNOWLEDGE, params)
        group = self.get(fingerprint)
        if group.kind is not ProblemKind.SOURCE:
            chosen = self.select(fingerprint, actor=actor)
            targets = Targets(selection=chosen.key)
            return self._operations.start(Verb.ACKNOWLEDGE, targets, checked, actor=actor)

        def write(conn: Connection) -> None:
            named = {(0, group.source): group.source}
            append_all(conn, acknowledge(conn, SOURCE, named, actor=actor, **checked))

        self._db.run(write)
        return None

    def unacknowledge(self, fingerprint: str, *, actor: str) -> Operation | None:
        """Show a group again, the other way round. Raises `UnknownProblem`."""
        group = self.get(fingerprint)
        if group.kind is not ProblemKind.SOURCE:
            chosen = self.select(fingerprint, actor=actor, with_acknowledged=True)
            targets = Targets(selection=chosen.key)
            return self._operations.start(Verb.UNACKNOWLEDGE, targets, actor=actor)

        def write(conn: Connection) -> None:
            named = {(0, group.source): group.source}
            append_all(conn, unacknowledge(conn, SOURCE, named, actor=actor))

        self._db.run(write)
        return None

    def retry(self, fingerprint: str, *, actor: str) -> Attempt:
        """Queue the batches, run the jobs, or scan the source of a group again.

        Batches are decided about anew; what of them is imported already stays as it is. Raises
        `UnknownProblem`.
        """
        group = self.get(fingerprint)
        if group.kind is ProblemKind.SOURCE:
            job_id = self._operations.request_scan(group.source, actor=actor)
            return Attempt(job_id=job_id)
        chosen = self.select(fingerprint, actor=actor)
        verb = Verb.RETRY if group.kind is ProblemKind.JOB else Verb.QUEUE
        targets = Targets(selection=chosen.key)
        return Attempt(operation=self._operations.start(verb, targets, actor=actor))
