"""`lading archive check` and `lading archive keys`: every key with its verdict."""

from __future__ import annotations

import json
import subprocess

import pytest

from lading.testing.archive_bucket import ArchiveBucket
from tests.cli.program import WAIT_S, Program


def test_a_wrong_character_is_marked_under_the_code(bare: Program) -> None:
    told = bare.run("archive", "check", "BRD/VO-BRD-14O87.mp4", status=1).stdout
    assert told.splitlines() == [
        "rejected: BRD/VO-BRD-14O87.mp4",
        "  rule:       code_malformed: the file's name does not begin with an inventory code",
        "  expected:   [VA][OC]-[A-Z0-9]{3}-[0-9]{5}, such as VO-BRD-14387",
        "  found:      VO-BRD-14O87",
        "                       ^ character 10 is wrong",
        "  next step:  Ask the archive to rename the object, then scan.",
    ]


@pytest.mark.parametrize(
    ("key", "verdict", "rule", "wrong_at"),
    [
        ("BRD/VO-BRD-14387.mp4", "accepted", None, None),
        ("FILE/AO-FIL-00001.MP3", "accepted", None, None),
        ("BRD/VO-BRD-14387_2.json", "accepted", None, None),
        ("BRD/VO-BRD-1438.mp4", "rejected", "code_malformed", 11),
        ("BRD/VO-BRD-143879.mp4", "rejected", "code_malformed", 12),
        ("BRD/vo-BRD-14387.mp4", "rejected", "code_malformed", 0),
        ("BRD/VO-BRD-1438\u0667.mp4", "rejected", "code_malformed", 11),
        ("DVD/VO-BRD-14387.mp4", "rejected", "type_mismatch", None),
        ("VO-BRD-14387.mp4", "rejected", "no_folder", None),
        ("odd/VO-BRD-14387.mp4", "rejected", "folder_unknown", None),
        ("BRD//VO-BRD-14387.mp4", "rejected", "key_unreadable", None),
        ("BRD/VO-BRD-14387.mov", "left_out", "extension", None),
        ("UMT/VO-UMT-14387.mp4", "left_out", "folder_left_out", None),
        ("BRD/", "left_out", "extension", None),
    ],
)
def test_keys_are_judged_without_database_and_bucket(
    bare: Program, key: str, verdict: str, rule: str | None, wrong_at: int | None
) -> None:
    status = 0 if verdict == "accepted" else 1
    told = bare.json("archive", "check", key, status=status)
    (one,) = told["keys"]
    assert (one["key"], one["verdict"], one["rule"]) == (key, verdict, rule)
    assert one["wrong_at"] == wrong_at
    assert told["accepted"] is (status == 0)
    assert [path.name for path in bare.folder.iterdir()] == []


def test_keys_are_read_from_standard_input_with_their_blanks(bare: Program) -> None:
    done = subprocess.run(
        bare.command("archive", "check", "-", "--json"),
        cwd=bare.folder,
        env=bare.environment(),
        input=b"BRD/VO-BRD-14387.mp4\nBRD/VO-BRD-14387.mp4 \r\n\n",
        capture_output=True,
        timeout=WAIT_S,
        check=False,
    )
    assert done.returncode == 1
    keys = [(one["key"], one["verdict"]) for one in json.loads(done.stdout)["keys"]]
    assert keys == [("BRD/VO-BRD-14387.mp4", "accepted"), ("BRD/VO-BRD-14387.mp4 ", "left_out")]


def test_the_rules_are_those_of_the_settings(bare: Program, bucket: ArchiveBucket) -> None:
    own = bucket.source_table("films", excluded=["OLD/"], extensions=["mp4"])
    (bare.folder / "lading.toml").write_text(
        own + "[sources.films.folder_types]\nBETA = 'BRD'\n" + bucket.source_table("tapes")
    )
    keys = ["BETA/VO-BRD-14387.mp4", "UMT/VO-UMT-14387.mp4", "OLD/VO-OLD-14387.mp4"]
    films = bare.json("archive", "check", *keys, "--source", "films", status=1)
    assert [one["verdict"] for one in films["keys"]] == ["accepted", "accepted", "left_out"]
    tapes = bare.json("archive", "check", *keys, "--source", "tapes", status=1)
    assert [one["verdict"] for one in tapes["keys"]] == ["rejected", "left_out", "accepted"]
    error = bare.run("archive", "check", *keys, "--json", status=2).error
    assert (error["code"], error["found"]) == ("not_an_archive", "films, tapes")


def test_every_key_of_the_bucket_is_listed_with_its_verdict(
    archive: Program, bucket: ArchiveBucket
) -> None:
    bucket.put_code("VO-BRD-00001")
    bucket.put("BRD/VO-BRD-1.mp4")
    bucket.put("BRD/a\nb.mov")
    bucket.put("UMT/VO-UMT-00001.mp4")
    lines = archive.run("archive", "keys").stdout.splitlines()
    assert sorted(lines) == [
        "accepted  -                         BRD/VO-BRD-00001.json",
        "accepted  -                         BRD/VO-BRD-00001.md5",
        "accepted  -                         BRD/VO-BRD-00001.mp4",
        "accepted  -                         BRD/VO-BRD-00001.pdf",
        "left_out  extension mov             BRD/a\\nb.mov",
        "left_out  folder_left_out UMT/      UMT/VO-UMT-00001.mp4",
        "rejected  code_malformed            BRD/VO-BRD-1.mp4",
    ]
    left_out = archive.run("archive", "keys", "--rule", "left_out", "--json").stdout
    found = {one["key"]: one for one in map(json.loads, left_out.splitlines())}
    assert set(found) == {"BRD/a\nb.mov", "UMT/VO-UMT-00001.mp4"}
    assert found["BRD/a\nb.mov"]["bytes"] == 1
    chosen = archive.run("archive", "keys", "--rule", "code_malformed", "--prefix", "BRD/")
    assert chosen.stdout.split() == ["rejected", "code_malformed", "BRD/VO-BRD-1.mp4"]
    assert not (archive.folder / "lading-data").exists()
