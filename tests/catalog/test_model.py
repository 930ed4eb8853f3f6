"""Registrations in any order, one by one and many at once, against a plain model of the tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from lading.catalog.catalog import Catalog
from lading.catalog.errors import CatalogConflict
from lading.catalog.registering import Registration
from tests.catalog.conftest import PREFIX
from tests.catalog.rows import STARTED, a_hash, a_modality, a_participant, a_recording, no_wait


@dataclass(frozen=True)
class Session:
    """What one registration says, as far as the model goes."""

    name: str
    length_s: float | None
    people: frozenset[str]
    display_name: str
    worker: str
    size_bytes: int

    def registration(self) -> Registration:
        end = None if self.length_s is None else STARTED + timedelta(seconds=self.length_s)
        people = tuple(self.people)
        return Registration(
            a_recording(self.name, duration_s=self.length_s, ended_at=end, participant_ids=people),
            [a_modality(self.name, worker_id=self.worker, size_bytes=self.size_bytes)],
            [a_participant(each, display_name=self.display_name) for each in people],
        )


@dataclass
class Model:
    """What the tables hold: dicts, and the four policies in so many words."""

    recordings: dict[str, tuple[float | None, frozenset[str]]] = field(default_factory=dict)
    modalities: dict[tuple[str, str], int] = field(default_factory=dict)
    participants: dict[str, str] = field(default_factory=dict)

    def register(self, new: Session, policies: Collection[str]) -> str:
        """`written`, `unchanged` or `refused`: what becomes of the recording."""
        held = self.recordings.get(new.name)
        length_s, people = new.length_s, new.people
        if "overwrite" not in policies:
            if self.modalities.get((new.name, new.worker), new.size_bytes) != new.size_bytes:
                return "refused"
            names = {self.participants.get(each, new.display_name) for each in new.people}
            if names - {new.display_name}:
                return "refused"
            if held is not None:
                if held[0] != length_s and "extend" not in policies:
                    return "refused"
                if held[1] != people and "merge_participants" not in policies:
                    return "refused"
                length_s = max(held[0], length_s, key=lambda each: each or 0.0)
                people = held[1] | people
        self.recordings[new.name] = (length_s, people)
        self.modalities[new.name, new.worker] = new.size_bytes
        self.participants.update(dict.fromkeys(new.people, new.display_name))
        return "unchanged" if held == (length_s, people) else "written"


SESSIONS = st.builds(
    Session,
    name=st.sampled_from("abc"),
    length_s=st.sampled_from([None, 1.0, 2.0]),
    people=st.frozensets(st.sampled_from(["P-1", "P-2", "P-3"]), max_size=2),
    display_name=st.sampled_from(["Aria", "Aria", "Aria", "Bo"]),
    worker=st.sampled_from("xy"),
    size_bytes=st.sampled_from([1, 1, 1, 2]),
)
POLICIES = st.sampled_from(
    [
        ["error"], ["overwrite"], ["extend"], ["merge_participants"],
        ["extend", "merge_participants"],
    ]
)  # fmt: skip


class Registering(RuleBasedStateMachine):
    """Real tables in a folder, which hold what the model holds after each step."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.catalog = Catalog.create(self.folder.name, prefix=PREFIX, wait=no_wait)
        self.model = Model()

    def teardown(self) -> None:
        """A catalog that is rebuilt from what this one shows is no different."""
        rebuilt = Catalog(self.catalog.location, "rebuilt", wait=no_wait)
        held = list(self.catalog.list_recordings())
        hashes = [row.recording_hash for row in held]
        modalities = self.catalog.modalities_of(hashes)
        people = self.catalog.participants_of(hashes)
        done = rebuilt.register_many(
            Registration(row, modalities[row.recording_hash], people[row.recording_hash])
            for row in held
        )
        assert (done.recordings_written, done.conflicts) == (len(held), ())
        assert list(self.catalog.compare(rebuilt)) == []
        self.folder.cleanup()

    @rule(session=SESSIONS, policies=POLICIES)
    def register(self, session: Session, policies: Sequence[str]) -> None:
        wanted = self.model.register(session, policies)
        given = session.registration()
        parts = (given.recording, given.modalities, given.participants)
        if wanted == "refused":
            with pytest.raises(CatalogConflict):
                self.catalog.register(*parts, on_conflict=policies)
        else:
            done = self.catalog.register(*parts, on_conflict=policies)
            assert done.recordings_written == (wanted == "written")
            assert done.recording == self.catalog.get_recording(given.recording_hash)
        self.require_same()

    @rule(sessions=st.lists(SESSIONS, min_size=2, max_size=5), policies=POLICIES)
    def register_many(self, sessions: Sequence[Session], policies: Sequence[str]) -> None:
        wanted = [self.model.register(each, policies) for each in sessions]
        done = self.catalog.register_many(
            (each.registration() for each in sessions), on_conflict=policies
        )
        assert done.recordings_written == wanted.count("written")
        assert done.unchanged == wanted.count("unchanged")
        assert [recording_hash for recording_hash, _ in done.conflicts] == [
            a_hash(each.name)
            for each, became in zip(sessions, wanted, strict=True)
            if became == "refused"
        ]
        self.require_same()

    def require_same(self) -> None:
        recordings = {
            row.recording_hash: (row.duration_s, frozenset(row.participant_ids))
            for row in self.catalog.list_recordings()
        }
        model = self.model
        assert recordings == {a_hash(name): row for name, row in model.recordings.items()}
        modalities = [
            ((row.recording_hash, row.worker_id), row.size_bytes)
            for row in self.catalog.list_modalities()
        ]
        assert modalities == sorted(
            ((a_hash(name), worker), size) for (name, worker), size in model.modalities.items()
        )
        named = set().union(*(people for _, people in model.recordings.values()))
        assert [
            (row.participant_id, row.display_name) for row in self.catalog.list_participants()
        ] == sorted(each for each in model.participants.items() if each[0] in named)


TestRegistering = Registering.TestCase
TestRegistering.settings = settings(
    max_examples=8,
    stateful_step_count=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
