"""Every reason of the pure rules is given for something, and every fault has a reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from lading.sources.archive.checksums import (
    Described,
    compare,
    judge_described,
    parse_checksums,
)
from lading.sources.archive.documents import check_pdf, parse_metadata
from lading.sources.archive.master_reasons import MASTER_REASONS
from lading.sources.archive.reasons import (
    CONTENT_REASONS,
    FILE_REASONS,
    KEY_REASONS,
    OBJECT_REASONS,
    REASONS,
)
from lading.sources.archive.rules import FileRules, KeyRules, judge_files, judge_key
from lading.sources.archive.values import ArchiveFile, Fault, Faulty, FileKind

CODE = "VO-BRD-14387"
MP4 = ArchiveFile(f"BRD/{CODE}.mp4", FileKind.STREAMING, 10)
MP3 = ArchiveFile(f"BRD/{CODE}.mp3", FileKind.STREAMING, 10)
EMPTY = ArchiveFile(f"BRD/{CODE}.json", FileKind.METADATA, 0)
HUGE = ArchiveFile(f"BRD/{CODE}.json", FileKind.METADATA, 1 << 30)


def of_key(key: str) -> Fault | None:
    return judge_key(key, KeyRules()).fault


def of_files(*files: ArchiveFile, required: Sequence[FileKind] = ()) -> Fault | None:
    return judge_files(CODE, files, FileRules(required=frozenset(required)))


def raised(reading: Callable[[], object]) -> Fault | None:
    with pytest.raises(Faulty) as caught:
        reading()
    return caught.value.fault


GIVEN: dict[str, Callable[[], Fault | None]] = {
    "code_malformed": lambda: of_key("BRD/vo-brd-14387.mp4"),
    "no_folder": lambda: of_key("VO-BRD-14387.mp4"),
    "folder_unknown": lambda: of_key("BRDX/VO-BRD-14387.mp4"),
    "type_mismatch": lambda: of_key("DVD/VO-BRD-14387.mp4"),
    "streaming_missing": of_files,
    "streaming_several": lambda: of_files(MP4, MP3),
    "streaming_kind_mismatch": lambda: of_files(MP3),
    "sidecar_missing": lambda: of_files(MP4, required=[FileKind.REPORT]),
    "file_empty": lambda: of_files(MP4, EMPTY),
    "sidecar_too_large": lambda: of_files(MP4, HUGE),
    "md5_unreadable": lambda: raised(lambda: parse_checksums(b"", "a.md5")),
    "md5_names_other_file": lambda: judge_described([Described(other="a")], CODE, "a.md5"),
    "md5_mismatch": lambda: compare("a" * 32, "b" * 32, "a.mp4"),
    "json_unreadable": lambda: raised(lambda: parse_metadata(b"", "a.json", bytes_max=9)),
    "pdf_unreadable": lambda: check_pdf(b"", b"", 0, "a.pdf"),
}


@pytest.mark.parametrize("code", sorted({**KEY_REASONS, **FILE_REASONS, **CONTENT_REASONS}))
def test_each_reason_of_the_pure_rules_is_given_for_something(code: str) -> None:
    fault = GIVEN[code]()
    assert fault is not None
    assert fault.code == code
    assert fault.expected is not None
    assert fault.found is not None


def test_every_fault_of_the_pure_rules_has_a_reason() -> None:
    assert set(GIVEN) <= set(REASONS)


def test_every_reason_belongs_to_a_key_its_files_their_content_an_object_or_the_master() -> None:
    groups = [KEY_REASONS, FILE_REASONS, CONTENT_REASONS, OBJECT_REASONS, MASTER_REASONS]
    assert sorted(REASONS) == sorted(code for group in groups for code in group)


def test_what_happens_to_an_object_has_a_reason() -> None:
    assert {
        "object_changed",
        "object_missing",
        "object_truncated",
        "held_by_other_source",
    } <= set(OBJECT_REASONS)


@pytest.mark.parametrize("code", sorted(REASONS))
def test_each_reason_says_what_is_wrong_and_what_to_do(code: str) -> None:
    reason = REASONS[code]
    assert reason.code == code
    assert reason.sentence[0].islower()
    assert not reason.sentence.endswith(".")
    assert reason.next_step[0].isupper()
    assert reason.next_step.endswith(".")
