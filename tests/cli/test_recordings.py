"""`lading recordings` on folders: what it says, what it changes, and how it ends."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from tests.cli.program import Program
from tests.recordings.making import REC_ID, make_recording, manifest_of

ESCAPES = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
SECOND = "rec_20260521_081502_77c0"
SMALL = {"camera_0/a.mp4": 900, "eeg_a/a.edf": 80, "eeg_b/b.edf": 70}


@pytest.fixture
def rig(bare: Program) -> Path:
    """A folder with two recordings, of which the second has no hashes and nobody's name."""
    folder = bare.folder / "rig"
    make_recording(folder, REC_ID)
    make_recording(folder, SECOND, SMALL, augmented=False, participant=None)
    return folder


@pytest.fixture
def kept(bare: Program, rig: Path) -> Program:
    """The program with both recordings taken in, by the profile `local`."""
    bare.run("recordings", "ingest", "rig", "--augment")
    return bare


def store(program: Program) -> Path:
    """Where the profile `local` keeps everything."""
    return program.folder / "home/.local/share/lading/recordings"


def everything_in(folder: Path) -> dict[str, bytes]:
    """The content of every file below a folder."""
    return {str(each): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_one_recording_that_fails_keeps_no_other_back_and_is_told_at_the_end(
    bare: Program, rig: Path
) -> None:
    shown = bare.run("recordings", "ingest", "rig", status=1).stdout
    assert "2 recordings: 1 uploaded, 1 failed" in shown
    told = shown[shown.index("1 recording failed:") :]
    assert f"rig/{SECOND}: The manifest was not augmented" in told
    assert "code:      recording_manifest_incomplete" in told
    assert "next step: Run augment_manifest" in told

    document = bare.json("recordings", "ingest", "rig", "rig/nowhere", status=1)
    assert document["outcomes"] == {"already_registered": 1, "failed": 2}
    codes = [failure["code"] for failure in document["failures"]]
    assert codes == ["recording_manifest_incomplete", "root_missing"]
    assert document["paused"] is False

    assert bare.json("recordings", "augment", "rig")["recordings"][1]["outcome"] == "augmented"
    again = bare.json("recordings", "ingest", "rig")
    assert again["outcomes"] == {"already_registered": 1, "uploaded": 1}
    (taken_in,) = again["recordings"]
    assert taken_in["recording_hash"] == manifest_of(rig / SECOND)["recording_hash"]
    assert (taken_in["files_uploaded"], taken_in["bytes_uploaded"]) == (3, 1050)


def test_a_marker_pauses_and_nothing_is_registered_until_it_is_gone(
    bare: Program, rig: Path
) -> None:
    marker = bare.folder / "recording.lock"
    marker.touch()
    ended = bare.run("recordings", "ingest", f"rig/{REC_ID}", "--while-absent", marker, status=1)
    assert "1 recording: 1 paused" in ended.stdout
    assert "it goes on where it was" in ended.stderr
    assert bare.json("recordings", "list")["recordings"] == []
    marker.unlink()
    bare.run("recordings", "ingest", f"rig/{REC_ID}", "--while-absent", marker)
    assert len(bare.json("recordings", "list")["recordings"]) == 1


def test_ctrl_c_pauses_and_the_same_command_sends_only_what_is_left(bare: Program) -> None:
    files = {f"camera_0/{number:02}.mp4": 0 for number in range(30)}
    folder = make_recording(bare.folder / "rig", files=files, augmented=False)
    for number, name in enumerate(files):
        with (folder / name).open("wb") as file:
            file.write(bytes([number]))
            file.truncate(4 << 20)
    bare.run("recordings", "augment", folder)
    bare.run("recordings", "catalog", "create", "--prefix", "catalog-1")
    first = store(bare) / "raw/recordings" / REC_ID / "camera_0/00.mp4"
    ended = threading.Event()

    def interrupt_after_the_first_file() -> None:
        while not ended.is_set():
            if first.exists():
                os.kill(os.getpid(), signal.SIGINT)
                return

    watcher = threading.Thread(target=interrupt_after_the_first_file)
    watcher.start()
    one_at_a_time = ("recordings", "ingest", folder, "--files-at-once", "1")
    try:
        paused = bare.run(*one_at_a_time, "--json", status=130)
    finally:
        ended.set()
        watcher.join()
    assert paused.json["paused"] is True
    assert "it goes on where it was" in paused.stderr
    assert bare.json("recordings", "list")["recordings"] == []
    done = bare.json(*one_at_a_time)
    assert done["files_skipped"] > 0
    assert done["files_uploaded"] == 30 - done["files_skipped"] > 0


def test_a_dry_run_of_any_command_changes_nothing(kept: Program, rig: Path) -> None:
    make_recording(rig, "rec_20260522_000000_00aa", SMALL, augmented=False)
    (kept.folder / "names.csv").write_text(f"recording,participant\n{SECOND},Bo Chen\n")
    before = everything_in(kept.folder)
    for arguments, said in (
        (["ingest", "rig", "--augment"], "2 already_registered, 1 wanted"),
        (["augment", "rig"], "wanted"),
        (["reconstruct", REC_ID, "--force"], "wanted"),
        (["download", REC_ID, "--to", "fetched"], "6 files"),
        (["participants", "backfill", "--from", "names.csv"], "nothing was written"),
        (["participants", "rename", "Aria Lin", "Aria"], "would be named Aria"),
        (["rebuild", "--prefix", "catalog-2"], "2 stored recordings would be read"),
        (["catalog", "restore", "recordings", "--to", "1", "--expected", "2"], "would be"),
        (["catalog", "compact"], "Nothing was joined or deleted."),
    ):
        assert (
            said.replace("1 already", "2 already")
            in kept.run("recordings", *arguments, "--dry-run").stdout
        ), arguments
        assert kept.json("recordings", *arguments, "--dry-run").get("dry_run", True) is True
    for arguments, code in (
        (["flip", "--prefix", "catalog-2"], "comparison_not_accepted"),
        (["flip", "--back"], "nothing_to_flip_back"),
        (["catalog", "create", "--prefix", "other"], "catalog_moved"),
        (["participants", "rename", "Nobody", "Aria"], "participant_missing"),
        (["catalog", "restore", "recordings", "--to", "1", "--expected", "9"], "catalog_moved"),
        (["register", REC_ID], "local_profile"),
    ):
        ended = kept.run("recordings", *arguments, "--dry-run", "--json", status=2)
        assert ended.error["code"] == code, arguments
    assert everything_in(kept.folder) == before


def test_what_only_reads_prints_one_document_and_plain_text(kept: Program) -> None:
    for arguments in (
        ["list"],
        ["show", REC_ID],
        ["query"],
        ["verify", "--all"],
        ["participants", "list"],
        ["catalog", "check"],
        ["catalog", "versions", "modalities"],
        ["catalog", "pointer"],
    ):
        text = kept.run("recordings", *arguments)
        assert text.stdout
        assert ESCAPES.search(text.stdout) is None
        document = kept.run("recordings", *arguments, "--json")
        assert len(document.stdout.splitlines()) == 1
        json.loads(document.stdout)
        assert text.stderr == document.stderr == ""


def test_a_recording_is_named_by_identifier_hash_or_a_unique_beginning(kept: Program) -> None:
    listed = kept.json("recordings", "list", "--oldest-first")["recordings"]
    assert [row["recording_id"] for row in listed] == [REC_ID, SECOND]
    first = listed[0]["recording_hash"]
    for name in (REC_ID, first, first[:6], first[:9].upper()):
        assert kept.json("recordings", "show", name)["recording_id"] == REC_ID
    for name in (first[:5], "ffffffffffff", REC_ID[:-1], "rec_20260520%"):
        ended = kept.run("recordings", "show", name, "--json", status=2)
        assert ended.error["code"] == "recording_missing", name

    # An identifier that looks like the beginning of another's hash is that identifier.
    make_recording(kept.folder / "more", first[:8], SMALL)
    kept.run("recordings", "ingest", f"more/{first[:8]}")
    assert kept.json("recordings", "show", first[:8])["recording_id"] == first[:8]
    by_hash = kept.json("recordings", "query", "--hash", first[:8])["recordings"]
    assert [row["recording_id"] for row in by_hash] == [REC_ID]
    by_id = kept.json("recordings", "query", "--rec-id", first[:8])["recordings"]
    assert [row["recording_id"] for row in by_id] == [first[:8]]
    error = kept.run("recordings", "query", "--rec-id", first, "--json", status=2).error
    assert error["code"] == "recording_missing"


def test_two_hashes_with_the_same_beginning_have_to_be_told_apart(
    kept: Program, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(kept.folder / "home"))
    from lading import DataInterface  # noqa: PLC0415 - with the home of this test

    data = DataInterface()
    data.enable_writes()
    for end in ("0", "1"):
        data.register_recording(recording_hash="abcdef12345678" + end * 4)
    ended = kept.run("recordings", "show", "abcdef12", "--json", status=2)
    assert ended.error["code"] == "recording_ambiguous"
    assert "abcdef123456780" in ended.error["found"]
    shown = kept.json("recordings", "show", "abcdef123456781")
    assert shown["recording_hash"] == "abcdef123456781111"


def test_queries_narrow_by_modality_participant_status_and_columns(kept: Program) -> None:
    def found(*options: str) -> list[tuple[str, list[str]]]:
        rows = kept.json("recordings", "query", *options)["recordings"]
        return sorted((row["recording_id"], list(row["modalities"])) for row in rows)

    assert found("--modality", "eeg") == [(REC_ID, ["eeg"]), (SECOND, ["eeg_a", "eeg_b"])]
    assert found("--modality", "eeg_b", "--modality", "mic") == [
        (REC_ID, ["mic"]), (SECOND, ["eeg_b"]),
    ]  # fmt: skip
    assert [rec_id for rec_id, _ in found("--participant", "Aria Lin")] == [REC_ID]
    assert [rec_id for rec_id, _ in found("--where", "started_at=2026-05-20T19:56:28Z")] == [REC_ID]
    assert len(found("--where", "duration_s=61.5", "--where", "status=raw")) == 2
    assert len(found("--where", "ended_at=", "--limit", "1")) == 1
    assert found("--status", "derived") == []
    assert len(found("--status", "any")) == 2
    for wrong in ("duration_s=long", "started_at=soon", "colour=red", "status"):
        ended = kept.run("recordings", "query", "--where", wrong, "--json", status=2)
        assert ended.error["code"] == "catalog_filter_refused", wrong


def test_damage_is_found_by_verify_and_never_downloaded(kept: Program) -> None:
    damaged = store(kept) / "raw/recordings" / REC_ID / "eeg_4559/eeg.edf"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"!")
    assert "all is well" in kept.run("recordings", "verify", REC_ID).stdout
    shown = kept.run("recordings", "verify", "--all", "--level", "sha256", status=1).stdout
    assert "1 PROBLEM\n" in shown
    assert "eeg_4559/eeg.edf: expected" in shown

    ended = kept.run("recordings", "download", "--all", "--to", "here", "--json", status=4)
    assert ended.error["code"] == "download_incomplete"
    assert "eeg_4559/eeg.edf" in ended.stderr
    assert (kept.folder / "here" / REC_ID / "mic_1/audio.wav").stat().st_size == 30_000
    assert not (kept.folder / "here" / REC_ID / "eeg_4559/eeg.edf").exists()

    damaged.unlink()
    document = kept.json("recordings", "verify", REC_ID, status=1)
    assert [problem["name"] for problem in document["problems"]] == ["eeg_4559/eeg.edf"]
    assert "MISSING" in kept.run("recordings", "verify", REC_ID, status=1).stdout
    # Nothing less than everything is meant by saying nothing.
    for command in (["verify"], ["download", "--to", "x"], ["verify", "--all", REC_ID]):
        assert kept.run("recordings", *command, "--json", status=2).error["code"] == "usage"


def test_names_are_brought_by_a_table_and_replaced_only_when_told(kept: Program) -> None:
    table = kept.folder / "names.csv"

    def backfill(lines: str, *options: str, status: int = 0) -> list[str]:
        table.write_text(lines)
        command = ("recordings", "participants", "backfill", "--from", str(table))
        ended = kept.run(*command, *options, "--json", status=status)
        if status == 2:
            return [str(ended.error["code"])]
        done = [row["outcome"] for row in ended.json["recordings"]]
        return done + [failure["code"] for failure in ended.json["failures"]]

    head = "recording,participant\n"
    wrong = ["id,name\nx,y\n", "", f"{head}{SECOND}\n", f'{head}"x', f"{head}x,a\nx,b\n"]
    for lines in wrong:
        assert backfill(lines, status=2) == ["participants_file_invalid"], lines
    assert backfill(f"{head}{SECOND},Bo Chen\nrec_gone,Bo\n", status=1) == [
        "named", "recording_missing",
    ]  # fmt: skip
    assert (store(kept) / "raw/recordings" / SECOND / "participant.txt").read_text() == "Bo Chen\n"
    assert backfill(f"\ufeff{head}{SECOND},Cleo\n", status=1) == ["participant_held"]
    assert backfill(f"{head}{SECOND},Cleo\n", "--overwrite") == ["replaced"]
    kept.run("recordings", "participants", "rename", "Cleo", "Cleo Park")
    listed = kept.run("recordings", "participants", "list").stdout
    assert re.search(r"^Cleo +Cleo Park +1$", listed, re.MULTILINE)


def test_what_others_wrote_cannot_steer_a_terminal(bare: Program) -> None:
    hostile = "Eve\x1b[2J\x07"
    folder = make_recording(bare.folder / "rig", participant=hostile)
    bare.run("recordings", "ingest", folder)
    for command in (["list"], ["show", REC_ID], ["participants", "list"], ["query"]):
        shown = bare.run("recordings", *command).stdout
        assert ESCAPES.search(shown) is None
        assert "Eve" in shown
    assert bare.json("recordings", "list")["recordings"][0]["participant_ids"] == [hostile]


def test_a_rebuilt_catalog_goes_live_only_for_differences_that_were_read(kept: Program) -> None:
    make = ("recordings", "rebuild", "--prefix", "catalog-2")
    assert kept.json(*make)["written"] == 2
    assert kept.json(*make)["unchanged"] == 2
    assert kept.json("recordings", "compare", "--prefix", "catalog-2")["clean"] is True

    (kept.folder / "names.csv").write_text(f"recording,participant\n{SECOND},Bo Chen\n")
    kept.run("recordings", "participants", "backfill", "--from", "names.csv")
    told = kept.json("recordings", "compare", "--prefix", "catalog-2", status=1)
    assert told["differences_total"] == 3  # the recording, and two participants
    assert told["participants_only_live"] == ["Bo Chen"]
    flip = ("recordings", "flip", "--prefix", "catalog-2")
    for options in ([], ["--accept", "3-0000000000000000"]):
        refused = kept.run(*flip, *options, "--json", status=2)
        assert refused.error["code"] == "comparison_not_accepted"
    assert told["accept_word"] in kept.run(*flip, status=2).stdout
    assert kept.json(*flip, "--accept", told["accept_word"])["live"] == "catalog-2"
    pointer = kept.json("recordings", "catalog", "pointer")
    assert (pointer["live"], pointer["previous"]) == ("catalog-2", "catalog")
    assert kept.json("recordings", "flip", "--back")["live"] == "catalog"
    for options in ([], ["--back", "--prefix", "x"], ["--back", "--accept", "x"]):
        assert kept.run("recordings", "flip", *options, "--json", status=2).error["code"] == "usage"
    error = kept.run("recordings", "rebuild", "--prefix", "catalog", "--json", status=2).error
    assert error["code"] == "catalog_prefix_in_use"


def test_a_table_is_restored_only_from_the_version_that_was_looked_at(kept: Program) -> None:
    def versions() -> list[int]:
        listed = kept.json("recordings", "catalog", "versions", "recordings")["versions"]
        return [version["number"] for version in listed]

    newest = versions()[0]
    restore = ("recordings", "catalog", "restore", "recordings", "--to", "1", "--expected")
    assert kept.run(*restore, str(newest - 1), "--json", status=2).error["code"] == "catalog_moved"
    assert kept.json(*restore, str(newest))["version"] == newest + 1 == versions()[0]
    assert len(kept.json("recordings", "list")["recordings"]) == 1
    checked = kept.json("recordings", "catalog", "check")
    assert (checked["recordings"], checked["modalities_orphaned"], checked["well"]) == (1, 3, True)
    compacted = kept.json("recordings", "catalog", "compact")["tables"]["recordings"]
    assert compacted["files_deleted"] == 0  # what a week ago was needed is kept


def test_a_profile_that_is_not_there_or_keeps_nothing_says_what_to_do(
    bare: Program, rig: Path
) -> None:
    rehearsed = bare.json("recordings", "ingest", f"rig/{REC_ID}", "--dry-run")
    assert rehearsed["outcomes"] == {"wanted": 1}
    assert not store(bare).exists()
    empty = bare.run("recordings", "list", "--json", status=2).error
    assert empty["code"] == "recordings_profile_empty"
    assert "lading recordings ingest" in empty["next_step"]
    missing = bare.run("recordings", "--profile", "r2", "list", "--json", status=2).error
    assert missing["code"] == "recordings_profile_missing"
    file = bare.folder / "places.toml"
    file.write_text('[assets]\nfolder = "kept/assets"\n[raw]\nfolder = "kept/raw"\n')
    at = ("recordings", "--config-path", file)
    away = bare.run(*at, "ingest", f"rig/{REC_ID}", "--json", status=2).error
    assert away["code"] == "recordings_profile_empty"  # it may be a disk that is not mounted
    assert "catalog create" in away["next_step"]
    assert not (bare.folder / "kept").exists()
    assert bare.run(*at, "catalog", "create", "--prefix", "lab/catalog-1").stdout
    assert bare.run(*at, "ingest", f"rig/{REC_ID}").stdout
    assert (bare.folder / "kept/raw/recordings" / REC_ID / "manifest.json").is_file()
    assert not store(bare).exists()


def test_reading_every_byte_is_asked_for_on_a_terminal_and_refused_in_a_pipe(
    kept: Program,
) -> None:
    (store(kept) / "raw/recordings" / SECOND / "manifest.json").unlink()
    for options in ([], ["--all", REC_ID]):
        assert "--all" in kept.run("recordings", "reconstruct", *options, status=2).stderr
    ended = kept.run("recordings", "reconstruct", SECOND, "--json", status=2)
    assert "--yes" in ended.error["message"]
    status, shown = on_a_terminal(kept, "n\n", "recordings", "reconstruct", SECOND)
    assert status == 130
    assert "Read and hash every file of 1 recording" in shown
    status, shown = on_a_terminal(kept, "y\n", "recordings", "reconstruct", SECOND)
    assert status == 0
    assert "Reconstructing" in shown
    again = kept.json("recordings", "reconstruct", "--all", "--yes")
    assert [row["outcome"] for row in again["recordings"]] == ["valid", "valid"]


def test_progress_is_shown_on_a_terminal(bare: Program, rig: Path) -> None:
    status, shown = on_a_terminal(bare, "", "recordings", "ingest", "rig", "--augment")
    assert status == 0
    assert "Taking recordings in" in shown
    assert "items" in shown


def on_a_terminal(program: Program, typed: str, *arguments: str) -> tuple[int, str]:
    """Run it with a terminal for input and errors; its status, and what was shown there."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        program.command(*arguments),
        cwd=program.folder,
        env={**program.environment(), "TERM": "xterm"},
        stdin=slave,
        stdout=subprocess.PIPE,
        stderr=slave,
    )
    os.close(slave)
    os.write(master, typed.encode())
    shown = b""
    try:
        while chunk := os.read(master, 4096):
            shown += chunk
    except OSError:
        pass  # how Linux says that the other side of a terminal is gone
    os.close(master)
    process.communicate()
    return process.returncode, shown.decode(errors="replace")
