"""`lading archive run`: one call from the listing to the last row, as cron makes it."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import make_url, text

from lading.db import Database
from lading.db.revisions import current_revision
from lading.testing.archive_bucket import ArchiveBucket
from lading.testing.servers_db import Server, fresh_database, url_of
from lading.testing.servers_s3 import S3Facts
from tests.cli.program import WAIT_S, Program


def files_of(program: Program) -> dict[str, bytes]:
    """Everything the installation keeps, byte by byte."""
    return {
        str(path.relative_to(program.folder)): path.read_bytes()
        for path in program.folder.rglob("*")
        if path.is_file()
    }


def rows_of(program: Program) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table of an installation on SQLite."""
    conn = sqlite3.connect(program.folder / "lading-data" / "lading.sqlite")
    try:
        names = conn.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        return {name: conn.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in names}
    finally:
        conn.close()


def titles_of(program: Program) -> list[str]:
    conn = sqlite3.connect(program.folder / "lading-data" / "lading.sqlite")
    try:
        return [title for (title,) in conn.execute("SELECT title FROM asset ORDER BY title")]
    finally:
        conn.close()


def test_one_call_sets_up_takes_everything_in_and_ends_with_nothing_to_do(
    archive: Program, bucket: ArchiveBucket
) -> None:
    bucket.put_codes(3)
    bucket.put_code("AO-DAT-00007")
    first = archive.run("archive", "run")
    assert "Inserted 4." in first.stdout
    assert first.stdout.endswith("Next step: None.\n")
    assert titles_of(archive) == ["AO-DAT-00007", "VO-BRD-00001", "VO-BRD-00002", "VO-BRD-00003"]
    phases = [json.loads(line).get("phase") for line in first.stderr.splitlines()]
    assert [phase for phase in phases if phase] == [1, 2, 3]


def test_a_second_run_writes_nothing_but_that_somebody_looked(
    archive: Program, bucket: ArchiveBucket
) -> None:
    bucket.put_codes(2)
    bucket.put("BRD/VO-BRD-1438.mp4")
    archive.run("archive", "run", status=1)
    before = rows_of(archive)
    again = archive.json("archive", "run")
    after = rows_of(archive)
    assert (again["ending"], again["exit_status"]) == ("nothing_new", 0)
    assert [one["rule"] for one in again["rejections"]] == ["code_malformed"]
    changed = {table for table in after if after[table] != before[table]}
    assert changed == {"ingest_event", "ledger_head"}
    (event,) = after["ingest_event"][len(before["ingest_event"]) :]
    assert "scan_finished" in event


def test_again_decides_anew_about_what_was_rejected(
    archive: Program, bucket: ArchiveBucket
) -> None:
    bucket.put_code("VO-BRD-00001", without=("pdf",))
    assert archive.json("archive", "run", status=1)["report"]["rejected"] == 1
    assert archive.json("archive", "run")["ending"] == "nothing_new"
    assert archive.json("archive", "run", "--again", status=1)["report"]["rejected"] == 1
    archive.env["LADING_SOURCES__ARCHIVE__REQUIRED"] = '["json", "md5"]'
    taken = archive.json("archive", "run", "--again")
    assert (taken["headline"], taken["report"]["created"]) == ("Inserted 1.", 1)


def test_a_dry_run_says_what_it_would_insert_and_writes_no_byte(
    archive: Program, bucket: ArchiveBucket
) -> None:
    bucket.put_codes(2)
    bucket.put_code("VO-BRD-00009", md5_of=b"other bytes")
    archive.run("db", "upgrade")
    before = files_of(archive)
    archive.env["ACH_DRY_RUN"] = "true"
    told = archive.run("archive", "run", status=1)
    assert "Dry run: would insert 2, reject 1, wrote nothing." in told.stdout
    assert "Rejected by md5_mismatch: 1." in told.stdout
    assert files_of(archive) == before
    archive.run("archive", "run", "--no-dry-run", status=1)
    assert titles_of(archive) == ["VO-BRD-00001", "VO-BRD-00002"]
    assert "would insert 0, reject 1" in archive.run("archive", "run", status=1).stdout


def test_a_dry_run_comes_before_anything_was_set_up_and_leaves_nothing(
    archive: Program, bucket: ArchiveBucket
) -> None:
    bucket.put_codes(2)
    assert "would insert 2, wrote nothing" in archive.run("archive", "run", "--dry-run").stdout
    assert files_of(archive) == {}


def test_a_safe_run_that_meets_a_warning_writes_no_row_of_the_library(
    archive: Program, bucket: ArchiveBucket
) -> None:
    bucket.put_codes(3)
    bucket.put_code("VO-BRD-00009", md5_of=b"other bytes")
    archive.env["ACH_SAFE_RUN"] = "true"
    stopped = archive.run("archive", "run", status=1)
    warning = "Safe run: stopped at the first warning, inserted nothing: md5_mismatch at BRD/VO-BRD"
    assert warning in stopped.stdout
    assert "run it with --no-safe-run" in stopped.stdout
    rows = rows_of(archive)
    assert rows["asset"] == rows["asset_file"] == []
    bucket.put_code("VO-BRD-00009")
    assert archive.json("archive", "run")["report"]["safe_run"] is True
    assert len(titles_of(archive)) == 4


def test_without_the_safe_run_the_others_are_taken_in(
    archive: Program, bucket: ArchiveBucket
) -> None:
    bucket.put_codes(2)
    bucket.put_code("VO-BRD-00009", md5_of=b"other bytes")
    archive.env["ACH_SAFE_RUN"] = "true"
    assert archive.json("archive", "run", status=1)["ending"] == "safe_stop"
    after = archive.json("archive", "run", "--no-safe-run", status=1)
    assert (after["ending"], after["report"]["created"], after["report"]["refused"]) == (
        "done",
        2,
        1,
    )


def test_a_prefix_narrows_the_run(archive: Program, bucket: ArchiveBucket) -> None:
    bucket.put_code("VO-BRD-00001")
    bucket.put_code("VO-DVD-00001")
    archive.run("archive", "run", "--prefix", "DVD/")
    assert titles_of(archive) == ["VO-DVD-00001"]
    assert archive.json("archive", "run")["report"]["held"] == 1
    assert titles_of(archive) == ["VO-BRD-00001", "VO-DVD-00001"]


def test_the_documented_names_alone_run_an_archive_into_postgresql(
    archive: Program, bucket: ArchiveBucket, server_of: Callable[[str], Server]
) -> None:
    bucket.put_codes(2)
    with fresh_database(server_of("postgresql"), migrated=False) as db:
        url = make_url(url_of(db))
        archive.env |= {
            "DB_HOST": str(url.host),
            "DB_PORT": str(url.port or 5432),
            "DB_NAME": str(url.database),
            "DB_USER": str(url.username),
            "DB_PASSWORD": str(url.password or "none"),
        }
        dry = archive.run("archive", "run", "--dry-run", "--json", status=4)
        assert dry.error["code"] == "database_not_migrated"
        assert current_revision(db) is None
        assert archive.json("archive", "run")["report"]["created"] == 2
        before = _everything(db)
        bucket.put_codes(1, first=5)
        dry_run = archive.json("archive", "run", "--dry-run")
        assert (dry_run["ending"], dry_run["report"]["created"]) == ("rehearsed", 1)
        assert _everything(db) == before
        assert archive.json("archive", "run")["report"]["created"] == 1
    assert not (archive.folder / "lading.toml").exists()
    assert not list(archive.folder.rglob("*.sqlite"))


def _everything(db: Database) -> dict[str, list[str]]:
    with db.read() as conn:
        names = conn.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'"))
        return {
            name: sorted(map(repr, conn.execute(text(f'SELECT * FROM "{name}"'))))
            for name in names.all()
        }


def test_two_at_once_make_one_run_of_it(archive: Program, bucket: ArchiveBucket) -> None:
    bucket.put_codes(12)
    archive.run("db", "upgrade")
    with (
        archive.started("archive", "run", "--json") as one,
        archive.started("archive", "run", "--json") as other,
    ):
        assert one.process.wait(WAIT_S) == 0
        assert other.process.wait(WAIT_S) == 0
    assert len(titles_of(archive)) == 12
    rows = rows_of(archive)
    assert len(rows["ingest_batch"]) == 1
    assert archive.json("ledger", "verify")["whole"] is True


def test_a_run_that_is_held_is_followed_by_the_next_call(
    archive: Program, bucket: ArchiveBucket
) -> None:
    bucket.put_codes(1)
    archive.run("db", "upgrade")
    archive.run("intake", "pause")
    held = archive.json("archive", "run", status=1)
    assert (held["ending"], held["followed"]) == ("held", False)
    assert "`lading intake resume`" in held["next_step"]
    assert archive.json("archive", "run", status=1)["followed"] is True
    archive.run("intake", "resume")
    done = archive.run("archive", "run")
    assert "Another process had begun this run. Inserted 1." in done.stdout
    assert len(rows_of(archive)["import_job"]) == 1


def test_other_kinds_of_jobs_are_left_in_line(archive: Program, bucket: ArchiveBucket) -> None:
    bucket.put_codes(1)
    archive.run("archive", "run")
    conn = sqlite3.connect(archive.folder / "lading-data" / "lading.sqlite")
    with conn:
        columns = [row[1] for row in conn.execute("PRAGMA table_info(import_job)")]
        others = ", ".join(c for c in columns if c not in {"id", "kind", "status", "finished_at"})
        conn.execute(
            f"INSERT INTO import_job (kind, status, {others})"
            f" SELECT 'other', 'queued', {others} FROM import_job"
        )
    conn.close()
    bucket.put_codes(1, first=2)
    archive.run("archive", "run")
    kind_and_state = sorted((j["kind"], j["state"]) for j in archive.json("jobs")["jobs"])
    assert kind_and_state == [
        ("import_batch", "done"),
        ("import_batch", "done"),
        ("other", "queued"),
    ]


@pytest.mark.parametrize("step", ["item_fetched", "item_written", "item_committed"])
def test_a_run_that_was_killed_is_gone_on_with(
    archive: Program, bucket: ArchiveBucket, step: str
) -> None:
    bucket.put_codes(4)
    archive.env |= {
        "LADING_WORKER__STALE_AFTER_S": "1",
        "LADING_WORKER__HEARTBEAT_S": "0.2",
        "LADING_WORKER__RESCUE_EVERY_S": "0.2",
    }
    archive.run("db", "upgrade")
    script = (
        "from lading.testing.faults import Fault, install\n"
        "from lading.cli.main import main\n"
        f"install(Fault.parse('{step}:1:KILL'))\n"
        "main(['archive', 'run'])\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", script],
        cwd=archive.folder,
        env=archive.environment(),
        capture_output=True,
        timeout=WAIT_S,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed
    done = archive.json("archive", "run")
    assert (done["followed"], done["report"]["created"]) == (True, 4)
    assert len(titles_of(archive)) == 4
    assert archive.json("ledger", "verify")["whole"] is True


def test_sigterm_ends_it_in_order_and_the_next_call_goes_on(
    archive: Program, bucket: ArchiveBucket
) -> None:
    bucket.put_codes(2)
    archive.run("db", "upgrade")
    script = (
        "import os, signal, threading\n"
        "from lading.base import steps, stopping\n"
        "from lading.cli.main import main\n"
        "told, both, request = set(), threading.Event(), stopping.StopSignal.request\n"
        "def requested(stop, reason):\n"
        "    request(stop, reason)\n"
        "    told.add(id(stop))\n"
        "    if len(told) == 2: both.set()  # the worker's, and that of its job\n"
        "stopping.StopSignal.request = requested\n"
        "def end(step):\n"
        "    if step == 'batch_importing':\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "        both.wait()\n"
        "steps.observe(end)\n"
        "main(['archive', 'run', '--json'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=archive.folder,
        env=archive.environment(),
        capture_output=True,
        timeout=WAIT_S,
        check=False,
        text=True,
    )
    assert ended.returncode == 1, ended
    assert json.loads(ended.stdout)["ending"] == "stopped"
    states = [job["state"] for job in archive.json("jobs")["jobs"]]
    assert states == ["queued"]
    assert archive.json("archive", "run")["report"]["created"] == 2


def test_a_bucket_that_is_not_there_is_the_sources_fault(archive: Program) -> None:
    archive.env["BUCKET_NAME"] = "no-such-bucket"
    for command in (["run"], ["keys"]):
        error = archive.run("archive", *command, "--json", status=3).error
        assert (error["code"], error["subject"]) == ("source_missing", "no-such-bucket")
        assert "Create the bucket" in error["next_step"]


def test_a_wrong_secret_is_told_without_any_secret(
    bare: Program, s3_server_of: Callable[[str], S3Facts]
) -> None:
    bucket = ArchiveBucket(s3_server_of("radosgw"))
    wrong = "wrong-secret-of-no-worth"
    bare.env |= {**bucket.environment, "AWS_SECRET_ACCESS_KEY": wrong}
    ended = bare.run("archive", "run", status=3)
    assert "SignatureDoesNotMatch" in ended.stderr
    assert "Check the credentials" in ended.stderr
    told = ended.stdout + ended.stderr
    assert wrong not in told
    assert bucket.facts.secret_key not in told


def test_without_an_archive_it_says_what_to_set(bare: Program) -> None:
    error = bare.run("archive", "run", "--json", status=2).error
    assert error["code"] == "not_an_archive"
    assert "BUCKET_NAME" in error["next_step"]


def test_the_whole_story_on_a_real_store(
    bare: Program, s3_server_of: Callable[[str], S3Facts]
) -> None:
    bucket = ArchiveBucket(s3_server_of("radosgw"))
    bare.env.update(bucket.environment)
    bucket.put_codes(4)
    bucket.put_code("AO-DAT-00001", bare_md5=True)
    bucket.put_code("VO-BRD-00101", md5_of=b"other bytes")
    bucket.put_code("VO-BRD-00102", without=("json",))
    for key in (
        "BRD/VO-BRD-1438.mp4",
        "BRD//VO-BRD-00001.mp4",
        "UMT/VO-UMT-00001.mp4",
        "BRD/x.mov",
    ):
        bucket.put(key)
    bare.run("db", "upgrade")
    foreseen = bare.json("archive", "run", "--dry-run", status=1)
    assert bare.json("archive", "run", "--safe-run", status=1)["ending"] == "safe_stop"
    came = bare.json("archive", "run", status=1)
    assert came["report"]["rules"] == foreseen["report"]["rules"]
    assert came["report"]["rules"] == {
        "code_malformed": 1,
        "key_unreadable": 1,
        "md5_mismatch": 1,
        "sidecar_missing": 1,
    }
    assert came["report"]["created"] == foreseen["report"]["created"] == 5
    bucket.put_code("VO-BRD-00101")
    assert bare.json("archive", "run", status=1)["report"]["created"] == 1
    assert bare.json("verify", status=0)["reports"][0]["problems_total"] == 0
