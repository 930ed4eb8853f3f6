"""The pages of recordings say where each one stands, and ask for what shall be done with it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from lading.accounts.values import Role
from lading.catalog.catalog import Catalog
from lading.console.app import open_console
from lading.console.live.fragments import Fragment, Fragments, Notice, Visible
from lading.console.live.ticks import Tick
from lading.console.pages import recordings
from lading.console.readers.recordings_held import RecordingsSlow, ask
from lading.db.clock import now
from lading.jobs.states import JobState
from lading.jobs.tables import import_job
from lading.jobs.values import JobFilter
from lading.ledger.events import BatchFound
from lading.ledger.queries import find_batch, list_events
from lading.ledger.recording_events import (
    RecordingDownloaded,
    RecordingRegistered,
    RecordingVerified,
)
from lading.sources.recordings import jobs
from lading.sources.recordings.source import RecordingsSource
from lading.testing.console_imported import drain
from lading.testing.console_recordings import (
    CONFLICTING,
    HALVES,
    PLAIN,
    RIG,
    UNNAMED,
    VERIFIED,
    WAITING,
    hash_of,
    lay_down,
)
from tests.console.browser.serving import Served
from tests.console.visitor import Sight, Visitor, visiting, work_on

GetServed = Callable[[str], Served]


@pytest.fixture(scope="module")
def looked_at(served: GetServed) -> Served:
    return served("recordings")


@pytest.fixture(scope="module")
def visitor(looked_at: Served) -> Iterator[Visitor]:
    with visiting(looked_at) as one:
        yield one


@pytest.fixture
def own(serve_own: GetServed) -> Served:
    return serve_own("recordings")


def source_of(served: Served) -> RecordingsSource:
    return jobs.recordings_source(served.lading.ingest.parts, RIG)


def catalog_of(served: Served) -> Catalog:
    return source_of(served).repository.catalog


def page_of(served: Served, recording_id: str, tab: str = "") -> str:
    recording_hash = hash_of(source_of(served).options.path / recording_id)
    return f"/recordings/{recording_hash}" + (f"/{tab}" if tab else "")


def listed(sight: Sight) -> dict[str, dict[str, str]]:
    return {row["Recording"]: row for row in sight.rows("List of recordings")}


def asked_for(served: Served, kind: str) -> list[dict[str, object]]:
    """What the jobs of a kind that have not ended are to do."""
    found = served.lading.queue.list(JobFilter(kinds=[kind], states=[JobState.QUEUED])).jobs
    return [dict(job.params) for job in found]


def said(served: Served, kind: str) -> dict[str, object]:
    """The newest event of a kind."""
    with served.lading.db.read() as conn:
        return dict(list_events(conn, kinds=[kind])[-1].payload)


def test_without_a_source_the_page_says_how_to_configure_one(served: GetServed) -> None:
    with visiting(served("empty")) as without:
        assert "/recordings" not in without.get("/").links()
        assert "No recordings source is configured" in without.get("/recordings").text


def test_the_list_is_the_catalogs_with_what_the_ledger_knows(visitor: Visitor) -> None:
    rows = listed(visitor.get("/recordings"))
    assert list(rows) == [CONFLICTING, PLAIN, HALVES, VERIFIED]
    assert rows[VERIFIED]["State"].startswith("Verified every byte")
    assert rows[HALVES]["State"].startswith("Verify failed sizes")
    assert rows[PLAIN]["State"] == "Registered"
    assert rows[PLAIN]["Participants"] == "unknown"
    assert rows[HALVES]["Modalities"] == "camera_0, camera_1, eeg, mic, session"
    assert (rows[HALVES]["Bytes"], rows[HALVES]["Duration"]) == ("25.0 kB 6 files", "1:02")
    assert rows[HALVES]["Where"] == "On the rig Not all good Registered"
    assert rows[VERIFIED]["Where"] == "On the rig Stored Registered"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("q=0521_0815", [HALVES]),
        ("q=aria", [VERIFIED]),
        ("modality=mic", [PLAIN, HALVES]),
        ("modality=camera_1&participant=Bo%20Berg", [HALVES]),
        ("participant=Nobody", []),
        ("state=verified", [VERIFIED]),
        ("state=verify_failed", [HALVES]),
        ("state=local", [WAITING]),
        ("state=local&q=rec_2020", []),
        ("state=stored", [UNNAMED]),
        ("state=stored&q=beef", []),
    ],
)
def test_the_lists_are_narrowed_by_their_address(
    visitor: Visitor, query: str, found: list[str]
) -> None:
    sight = visitor.get(f"/recordings?{query}")
    assert list(listed(sight)) == found if found else "Nothing matches" in sight.text


def test_a_hash_that_is_typed_leads_to_its_recording(visitor: Visitor, looked_at: Served) -> None:
    recording_hash = page_of(looked_at, PLAIN).rpartition("/")[2]
    assert list(listed(visitor.get(f"/go?q={recording_hash}"))) == [PLAIN]


def test_a_catalog_that_is_away_is_said_and_breaks_no_page(own: Served) -> None:
    shutil.move(own.folder / "kept", own.folder / "gone")
    with visiting(own) as operator:
        sight = operator.get("/recordings")
        assert "It cannot be shown now" in sight.text
        assert "Next:" in sight.text
        assert list(listed(operator.get("/recordings?state=local"))) == [WAITING]
    assert not (own.folder / "kept").exists()


def test_a_store_that_does_not_answer_is_given_up_on(looked_at: Served) -> None:
    held = threading.Event()
    try:
        with pytest.raises(RecordingsSlow, match="did not answer within"):
            ask(source_of(looked_at), lambda _held: held.wait(60), within_s=0.05)
    finally:
        held.set()


def test_modalities_are_a_matrix_of_families_and_workers(
    visitor: Visitor, looked_at: Served
) -> None:
    rows = visitor.get(page_of(looked_at, HALVES)).rows("Modalities by worker")
    assert [row["Modality"] for row in rows] == ["camera", "eeg", "mic", "session"]
    assert rows[0]["worker 1"].startswith("camera_1 1 file")
    assert rows[0]["worker 4559"] == "-"
    assert rows[3]["no worker"].startswith("session 1 file")


def test_files_are_compared_by_size_and_the_page_says_so(
    visitor: Visitor, looked_at: Served
) -> None:
    sight = visitor.get(page_of(looked_at, HALVES, "files"))
    rows = {row["File"]: row["Stored"] for row in sight.rows("Files of the recording")}
    assert rows["camera_0/seg_0000.mp4"] == "same size"
    assert rows["camera_0/seg_0001.mp4"] == "9 B are stored"
    assert "1 file of 6 is missing, or of another size" in sight.text
    good = visitor.get(page_of(looked_at, VERIFIED, "files"))
    assert "Compared by size with what the store lists; no byte was read" in good.text


def test_history_tells_versions_manifests_and_events(visitor: Visitor, looked_at: Served) -> None:
    sight = visitor.get(page_of(looked_at, HALVES, "history"))
    now, first = sight.rows("List of versions")
    assert "Duration: 61.5 s 62 s" in now["What"]
    assert (first["What"], now["Version"]) == ("Registered first", "now")
    manifests = sight.rows("List of manifests")
    assert [row["Node"] for row in manifests] == ["left", "right"]
    assert manifests[0]["Stored, by size"] == "4 of 5"
    assert "1 of 2 parts is whole in the store" in sight.text
    assert len(sight.rows("List of events")) > 5


def test_the_last_verification_names_what_is_not_good(visitor: Visitor, looked_at: Served) -> None:
    sight = visitor.get(page_of(looked_at, HALVES, "verify"))
    (one,) = sight.rows("Verifications")
    assert one["Compared"] == "by size: the bytes were not read"
    assert one["Bytes transferred"] == "0 B"
    assert one["Bytes processed"] != "0 B"
    (bad,) = sight.rows("Files that are not good")
    assert (bad["File"], bad["Expected"], bad["Found"]) == ("camera_0/seg_0001.mp4", "5001", "9")


@pytest.mark.parametrize("tab", ["", "/files", "/participants", "/verify", "/history"])
def test_a_recording_that_is_not_there_is_not_found(visitor: Visitor, tab: str) -> None:
    assert "no such recording" in visitor.get(f"/recordings/{'0' * 64}{tab}", status=404).text


def test_who_nobody_named_is_said_to_be_unknown(visitor: Visitor, looked_at: Served) -> None:
    (row,) = visitor.get(page_of(looked_at, PLAIN, "participants")).rows("Participants")
    assert (row["Identifier"], row["Known"].split(":")[0]) == ("__unknown__", "unknown")


def test_the_way_that_fits_is_picked_by_what_is_there(visitor: Visitor) -> None:
    def plan(recording_id: str) -> tuple[str, dict[str, str]]:
        sight = visitor.get(f"/recordings/ingest?id={recording_id}")
        sentence = sight.main.one("p", class_="preview-sentence").text
        rows = sight.rows("Preconditions")
        return sentence, {row["Precondition"]: row["Met"] for row in rows}

    sentence, met = plan(WAITING)
    assert sentence == "Upload its files from the rig, then register it."
    assert met["The rig is not recording"] == "yes"
    sentence, met = plan(UNNAMED)
    assert sentence == "Reconstruct its manifest from the stored files, then register it."
    assert set(met.values()) == {"yes"}
    sentence, met = plan(CONFLICTING)
    assert sentence == "Register it: its files are stored already."
    assert met["The catalog can take it"] == "by choice"
    assert plan(HALVES)[1]["Every file that it lists is stored"] == "no"
    assert plan(VERIFIED)[0] == "It is registered exactly so; nothing is left to do."
    assert plan("rec_20200101_000000_none")[1] == {"It is on the rig, or stored": "no"}
    assert (
        "cannot identify a recording"
        in visitor.get("/recordings/ingest?id=../etc", status=400).text
    )


def test_a_conflict_is_told_field_by_field_with_what_each_policy_leaves(visitor: Visitor) -> None:
    sight = visitor.get(f"/recordings/ingest?id={CONFLICTING}")
    rows = {row["Field"]: row for row in sight.rows("Conflict")}
    assert set(rows) == {"Duration", "Participants"}
    duration, people = rows["Duration"], rows["Participants"]
    assert (duration["Held"], duration["Proposed"]) == ("61.5 s", "90 s")
    assert (duration["Error"], duration["Extend"], duration["Overwrite"]) == (
        "refused",
        "90 s",
        "90 s",
    )
    assert duration["Merge participants"] == "refused"
    assert people["Merge participants"] == "Cleo Ito, Eve Moss"
    assert (people["Extend"], people["Overwrite"]) == ("refused", "Eve Moss")
    radios = {i.attributes["value"]: i for i in sight.main.all("input", type="radio")}
    assert [name for name, one in radios.items() if "disabled" not in one.attributes] == [
        "error",
        "extend+merge_participants",
        "overwrite",
    ]


def test_a_viewer_sees_all_and_may_ask_for_nothing(looked_at: Served) -> None:
    with visiting(looked_at, Role.VIEWER) as viewer:
        for path in (page_of(looked_at, VERIFIED, "verify"), f"/recordings/ingest?id={WAITING}"):
            offered = {one for one in viewer.get(path).buttons() if not one.startswith("Copy")}
            assert not offered, path
        viewer.post(page_of(looked_at, VERIFIED, "verify"), {"level": "size"}, status=403)
        viewer.post(page_of(looked_at, VERIFIED, "download"), status=403)
        viewer.post("/recordings/ingest", {"id": WAITING}, status=403)
        answer = viewer.client.post("/recordings/ingest", data={"id": WAITING})
        assert answer.status_code == 403


def test_verifying_reads_every_byte_and_leaves_its_result(own: Served) -> None:
    with visiting(own) as operator:
        path = page_of(own, CONFLICTING, "verify")
        operator.post(path, {"level": "guess"}, status=400)
        sight = operator.press(operator.get(path), "Read and hash every byte")
        operator.press(sight, "Read and hash every byte")
        wanted = hash_of(source_of(own).options.path / CONFLICTING)
        assert [job["recording_hash"] for job in asked_for(own, jobs.VERIFY)].count(wanted) == 1
        work_on(own, jobs.VERIFY)
        facts = said(own, RecordingVerified.kind)
        assert (facts["checked"], facts["files_failed"]) == ("sha256", 0)
        assert facts["bytes_transferred"] == facts["bytes_processed"] == 22_012
        assert operator.get(path).rows("Verifications")[0]["Compared"].startswith("by hash")
        assert listed(operator.get("/recordings"))[CONFLICTING]["State"].startswith("Verified")


def test_a_download_brings_the_files_once_and_counts_both_kinds_of_bytes(own: Served) -> None:
    with visiting(own) as operator:
        path = page_of(own, VERIFIED, "verify")
        operator.press(operator.get(path), "Download")
        work_on(own, jobs.DOWNLOAD)
        first = said(own, RecordingDownloaded.kind)
        assert (first["files_downloaded"], first["bytes_transferred"]) == (5, 22_012)
        there = own.folder / "downloads" / VERIFIED / "camera_0/seg_0000.mp4"
        assert there.stat().st_size == 7_000
        operator.press(operator.get(path), "Download")
        work_on(own, jobs.DOWNLOAD)
        again = said(own, RecordingDownloaded.kind)
        assert (again["files_kept"], again["bytes_transferred"]) == (5, 0)
        assert again["bytes_processed"] == 22_012


def test_what_is_on_the_rig_is_queued_and_waits_while_the_rig_records(own: Served) -> None:
    marker = source_of(own).options.path / ".recording"
    with visiting(own) as operator:
        marker.touch()
        plan = operator.get(f"/recordings/ingest?id={WAITING}")
        met = {row["Precondition"]: row["Met"] for row in plan.rows("Preconditions")}
        assert met["The rig is not recording"] == "no"
        assert "Upload and register" not in plan.buttons()
        operator.post("/recordings/ingest", {"id": WAITING}, status=409)
        marker.unlink()
        done = operator.press(
            operator.get(f"/recordings/ingest?id={WAITING}"), "Upload and register"
        )
        assert done.path.startswith("/operations/")
        work_on(own, "operation")
        again = operator.get(f"/recordings/ingest?id={WAITING}").rows("Preconditions")
        assert {row["Precondition"]: row["Met"] for row in again}["No import has it in hand"] == (
            "no"
        )
        marker.touch()
        (row,) = listed(operator.get("/recordings?state=local")).values()
        assert row["State"].startswith("Paused: rig is recording")
        marker.unlink()
        drain(own.lading)
        assert WAITING in listed(operator.get("/recordings"))


def test_a_manifest_is_reconstructed_and_then_registered(own: Served) -> None:
    with visiting(own) as operator:
        plan = operator.get(f"/recordings/ingest?id={UNNAMED}")
        sight = operator.press(plan, "Reconstruct and register")
        assert [row["State"] for row in sight.rows("Jobs of recordings")] == ["Waiting", "Queued"]
        work_on(own, jobs.RECONSTRUCT, jobs.REGISTER)
        row = listed(operator.get("/recordings"))[UNNAMED]
        assert (row["State"], row["Participants"]) == ("Registered", "unknown")
        people = operator.get(
            next(
                link.attributes["href"]
                for link in operator.get(f"/recordings?q={UNNAMED}").main.all("a", class_="break")
            ).replace("?", "/participants?")
        )
        assert "the manifest was reconstructed" in people.rows("Participants")[0]["Known"]


def test_overwriting_is_typed_and_merging_is_not(own: Served) -> None:
    recording_hash = hash_of(source_of(own).options.path / CONFLICTING)
    form = {"id": CONFLICTING, "on_conflict": "overwrite"}
    with visiting(own) as operator:
        operator.post("/recordings/ingest", {**form, "on_conflict": "error"}, status=409)
        operator.post("/recordings/ingest", {**form, "on_conflict": "extend"}, status=409)
        operator.post("/recordings/ingest", {**form, "on_conflict": "guess"}, status=400)
        operator.post("/recordings/ingest", {**form, "mode": "guess"}, status=400)
        operator.post("/recordings/ingest", form, status=422)
        operator.post("/recordings/ingest", {**form, "typed": "rec"}, status=422)
        assert not asked_for(own, jobs.REGISTER)
        plan = operator.get(f"/recordings/ingest?id={CONFLICTING}")
        operator.press(plan, "Register", fill={"on_conflict": "extend+merge_participants"})
        work_on(own, jobs.REGISTER)
        row = catalog_of(own).get_recording(recording_hash)
        assert (row.duration_s, row.participant_ids) == (90.0, ("Cleo Ito", "Eve Moss"))
        (own.folder / "kept/raw").joinpath("recordings", CONFLICTING, "participant.txt").write_text(
            "Fay Oz"
        )
        operator.post("/recordings/ingest", {**form, "typed": CONFLICTING})
        work_on(own, jobs.REGISTER)
        assert catalog_of(own).get_recording(recording_hash).participant_ids == ("Fay Oz",)


def test_a_conflict_of_what_is_on_the_rig_is_uploaded_under_the_policy_chosen(own: Served) -> None:
    source = source_of(own)
    shutil.rmtree(source.options.path / WAITING)
    folder = lay_down(source.options.path, WAITING, participant="Dana Fox")
    with visiting(own) as operator:
        own.lading.ingest.scan(RIG, actor="test")
        operator.post("/recordings/ingest", {"id": WAITING})
        drain(own.lading)
        (folder / "participant.txt").write_text("Gil Hart")
        (folder / "extra_1").mkdir()
        operator.post(
            "/recordings/ingest",
            {"id": WAITING, "mode": "upload", "on_conflict": "merge_participants"},
        )
        work_on(own, jobs.REGISTER)
        row = catalog_of(own).get_recording(hash_of(folder))
        assert row.participant_ids == ("Dana Fox", "Gil Hart")


def test_rows_are_sent_anew_to_who_looks_at_them(own: Served) -> None:
    fragments = Fragments()
    recordings.live(fragments)
    caller = own.accounts.caller_of_session(own.session_of(Role.OPERATOR))
    assert caller is not None
    with own.lading.db.read() as conn:
        batch = find_batch(conn, WAITING)
    (job,) = own.lading.queue.list(JobFilter(kinds=[jobs.VERIFY], states=[JobState.QUEUED])).jobs
    visible = Visible(batches=frozenset({batch.id}), jobs=frozenset({job.id}), since=1)
    tick = Tick(
        since=1,
        seq=2,
        at=datetime(2026, 11, 21, tzinfo=UTC),
        kinds=frozenset({BatchFound.kind}),
        batch_ids=frozenset({batch.id}),
        job_ids=frozenset({job.id}),
    )
    made = fragments.render(open_console(own.lading), caller, ["recordings"], visible, tick)
    html = {one.target_id: one.html for one in made if isinstance(one, Fragment)}
    assert set(html) == {f"rec-{batch.id}", f"j-{job.id}"}
    assert all(f'id="{target}"' in text for target, text in html.items())
    assert "Local only" in html[f"rec-{batch.id}"]
    assert [one.facts for one in made if isinstance(one, Notice)] == [{"new": 5}]


def test_a_running_job_tells_processed_and_transferred_bytes_apart(own: Served) -> None:
    (job,) = own.lading.queue.list(JobFilter(kinds=[jobs.VERIFY], states=[JobState.QUEUED])).jobs
    with own.lading.db.write() as conn:
        conn.execute(
            update(import_job)
            .where(import_job.c.id == job.id)
            .values(
                status=JobState.RUNNING.value,
                worker="w",
                started_at=now(),
                heartbeat_at=now(),
                bytes_moved=1_000,
                bytes_skipped=2_000,
                bytes_total=4_000,
            )
        )
    with visiting(own) as operator:
        (row,) = operator.get("/recordings").rows("Jobs of recordings")
        assert row["State"] == "Running"
        assert "3.0 kB processed of 4.0 kB 1.0 kB transferred" in row["Bytes"]


def test_without_a_folder_for_downloads_the_page_says_how_to_fetch_it(own: Served) -> None:
    source = source_of(own)
    source.options = replace(source.options, download_dir=None)
    with visiting(own) as operator:
        path = page_of(own, VERIFIED)
        sight = operator.get(f"{path}/verify")
        assert "Download" not in sight.buttons()
        recording_hash = path.rpartition("/")[2]
        assert f"lading recordings --profile lab download {recording_hash} --to ." in sight.text
        refused = operator.post(f"{path}/download", status=409)
        assert "download_dir" in refused.html


def test_a_stored_file_that_was_damaged_is_brought_again_from_the_rig(own: Served) -> None:
    raw = own.folder / "kept/raw/recordings" / VERIFIED
    (raw / "camera_0/seg_0000.mp4").write_bytes(b"cut")
    with visiting(own) as operator:
        plan = operator.get(f"/recordings/ingest?id={VERIFIED}")
        operator.press(plan, "Upload and register")
        work_on(own, jobs.REGISTER)
        assert (raw / "camera_0/seg_0000.mp4").stat().st_size == 7_000
        facts = said(own, RecordingRegistered.kind)
        assert (facts["mode"], facts["files_uploaded"], facts["files_skipped"]) == ("upload", 1, 4)
