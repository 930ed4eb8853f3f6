"""Keys and files of an archive: what breaks each rule, and its neighbour that does not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lading.base.errors import printable
from lading.sources.archive.rules import (
    CODE_PATTERN,
    SEPARATORS,
    FileRules,
    KeyRules,
    KeyStage,
    code_kind,
    first_wrong_character,
    judge_files,
    judge_key,
    type_code,
)
from lading.sources.archive.values import ArchiveFile, CodeKind, Fault, FileKind

RULES = KeyRules()
FILES = FileRules()
CODE = "VO-BRD-14387"


def stage(key: str, rules: KeyRules = RULES) -> KeyStage:
    return judge_key(key, rules).stage


def fault(key: str, rules: KeyRules = RULES) -> Fault:
    found = judge_key(key, rules).fault
    assert found is not None, key
    assert found.key == key
    return found


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("VO-BRD-14387.mp4", FileKind.STREAMING),
        ("VO-BRD-14387.mp3", FileKind.STREAMING),
        ("VO-BRD-14387.json", FileKind.METADATA),
        ("VO-BRD-14387.md5", FileKind.CHECKSUM),
        ("VO-BRD-14387.pdf", FileKind.REPORT),
        ("VO-BRD-14387.MP4", FileKind.STREAMING),
        ("VO-BRD-14387.Json", FileKind.METADATA),
        ("VO-BRD-14387.mp4.md5", FileKind.CHECKSUM),
        ("VO-BRD-14387_mediainfo.json", FileKind.METADATA),
        ("VO-BRD-14387-report.pdf", FileKind.REPORT),
        ("VO-BRD-14387 (1).pdf", FileKind.REPORT),
    ],
)
def test_a_file_in_the_folder_of_its_type_is_accepted_with_its_code_and_kind(
    name: str, kind: FileKind
) -> None:
    verdict = judge_key(f"BRD/{name}", RULES)
    assert (verdict.stage, verdict.code, verdict.kind) == (KeyStage.ACCEPTED, CODE, kind)
    assert (verdict.fault, verdict.rule_value, verdict.left_out) == (None, None, False)


@pytest.mark.parametrize(
    ("key", "extension"),
    [
        ("BRD/VO-BRD-14387.mov", "mov"),
        ("BRD/VO-BRD-14387.WAV", "wav"),
        ("BRD/VO-BRD-14387.mp4.filepart", "filepart"),
        ("BRD/VO-BRD-14387.mp4\n", "mp4\\n"),
        ("BRD/VO-BRD-14387.mp4\0", "mp4\\x00"),
        ("BRD/VO-BRD-14387.mp\uff14", "mp\uff14"),
        ("BRD/VO-BRD-14387.j\u017fon", "j\u017fon"),
        ("BRD/VO-BRD-14387", ""),
        ("BRD/VO-BRD-14387.", ""),
        ("BRD.mp4/VO-BRD-14387", ""),
        ("BRD/Thumbs.db", "db"),
    ],
)
def test_another_extension_is_left_out_and_named(key: str, extension: str) -> None:
    verdict = judge_key(key, RULES)
    assert verdict.left_out
    assert (verdict.stage, verdict.rule_value) == (KeyStage.EXTENSION, extension)
    assert (verdict.code, verdict.kind) == (None, None)


@pytest.mark.parametrize("key", ["", "BRD/", "UMT/", "BRD/VO-BRD-14387.mp4/", "BRD//"])
def test_the_marker_of_a_folder_is_left_out(key: str) -> None:
    verdict = judge_key(key, RULES)
    assert verdict.left_out
    assert (verdict.stage, verdict.rule_value) == (KeyStage.EXTENSION, "/")


def test_an_extension_that_is_not_configured_is_left_out() -> None:
    without_pdf = KeyRules(extensions={"mp4": FileKind.STREAMING})
    assert stage("BRD/VO-BRD-14387.pdf", without_pdf) is KeyStage.EXTENSION
    assert stage("BRD/VO-BRD-14387.mp4", without_pdf) is KeyStage.ACCEPTED


def test_no_other_letter_passes_for_one_of_an_extension() -> None:
    rules = KeyRules(extensions={"mkv": FileKind.STREAMING})
    assert stage("BRD/VO-BRD-14387.MKV", rules) is KeyStage.ACCEPTED
    kelvin = "BRD/VO-BRD-14387.m\u212av"  # its lower case is k
    assert stage(kelvin, rules) is KeyStage.EXTENSION


def test_a_very_long_extension_is_cut() -> None:
    value = judge_key("BRD/a." + "x" * 1000, RULES).rule_value
    assert value is not None
    assert len(value) == 64


@pytest.mark.parametrize(
    ("key", "folder"),
    [
        ("UMT/VO-UMT-14387.mp4", "UMT/"),
        ("UMT/2021/VO-UMT-14387.mp4", "UMT/"),
        ("TEST-FOLDER-DEV/VO-BRD-14387.mp4", "TEST-FOLDER-DEV/"),
        ("DOCUMENTAZIONE_FOTOGRAFICA/any name.pdf", "DOCUMENTAZIONE_FOTOGRAFICA/"),
        ("UMT/not a code.mp4", "UMT/"),
    ],
)
def test_a_folder_that_is_left_out_wins_over_code_and_type(key: str, folder: str) -> None:
    verdict = judge_key(key, RULES)
    assert verdict.left_out
    assert (verdict.stage, verdict.rule_value) == (KeyStage.FOLDER_LEFT_OUT, folder)


def test_the_extension_wins_over_a_folder_that_is_left_out() -> None:
    assert stage("UMT/VO-UMT-14387.mov") is KeyStage.EXTENSION


@pytest.mark.parametrize(
    ("key", "ends_at", "code"),
    [
        ("UMT-2/VO-UMT-14387.mp4", KeyStage.TYPE, "folder_unknown"),
        ("UMTX/VO-UMT-14387.mp4", KeyStage.TYPE, "folder_unknown"),
        ("umt/VO-UMT-14387.mp4", KeyStage.TYPE, "folder_unknown"),
        ("/UMT/VO-UMT-14387.mp4", KeyStage.TYPE, "folder_unknown"),
        ("BRD/UMT/VO-UMT-14387.mp4", KeyStage.TYPE, "type_mismatch"),
        ("VO-UMT-14387.mp4", KeyStage.TYPE, "no_folder"),
        ("UMT.mp4", KeyStage.CODE, "code_malformed"),
    ],
)
def test_a_folder_is_left_out_by_its_whole_name_at_the_top_and_in_its_case(
    key: str, ends_at: KeyStage, code: str
) -> None:
    assert (stage(key), fault(key).code) == (ends_at, code)


def test_a_type_is_taken_in_once_its_folder_is_no_longer_left_out() -> None:
    assert stage("UMT/VO-UMT-14387.mp4", KeyRules(excluded=())) is KeyStage.ACCEPTED


def test_a_nested_folder_can_be_left_out_alone() -> None:
    rules = KeyRules(excluded=("BRD/old/",))
    assert judge_key("BRD/old/VO-BRD-14387.mp4", rules).rule_value == "BRD/old/"
    assert stage("BRD/older/VO-BRD-14387.mp4", rules) is KeyStage.ACCEPTED


MALFORMED = [
    ("vo-brd-14387", 0),
    ("Vo-BRD-14387", 1),
    ("XO-BRD-14387", 0),
    ("VX-BRD-14387", 1),
    ("\u0412O-BRD-14387", 0),  # Cyrillic
    (" VO-BRD-14387", 0),
    ("\nVO-BRD-14387", 0),
    ("VO_BRD-14387", 2),
    ("VO\u2010BRD-14387", 2),  # a hyphen, but not the one of ASCII
    ("VO\u2013BRD-14387", 2),
    ("VO-BrD-14387", 4),
    ("VO-BR-14387", 5),
    ("VO-BRDX-14387", 6),
    ("VO-B\u00c9D-14387", 4),
    ("VO-BRD_14387", 6),
    ("VO-BRD-1438A", 11),
    ("VO-BRD-1438O", 11),
    ("VO-BRD-1438", 11),
    ("VO-BRD-1438_2", 11),
    ("VO-BRD-143871", 12),
    ("VO-BRD-14387A", 12),
    ("VO-BRD-14387a", 12),
    ("VO-BRD-14387\u0661", 12),
    ("VO-BRD-1438\u0667", 11),  # Arabic-Indic
    ("VO-BRD-\u0661\u0664\u0663\u0668\u0667", 7),
    ("VO-BRD-1438\uff17", 11),  # full width
    ("VO-BRD-1438\u00b2", 11),  # superscript
    ("VO-BRD-14387\n", 12),
    ("VO-BRD-14387\r", 12),
    ("VO-BRD-14387\0", 12),
    ("VO-BRD-14387\u00a0", 12),
    ("VO-BRD-14387\\", 12),
    ("VO-BRD-14387\u0301", 12),  # a combining accent
    ("VO-BRD\0-14387", 6),
    ("\ud800", 0),
    ("VO", 2),
    ("", 0),
]


@pytest.mark.parametrize(("stem", "index"), MALFORMED)
def test_a_malformed_code_is_rejected_and_its_first_wrong_character_found(
    stem: str, index: int
) -> None:
    verdict = judge_key(f"BRD/{stem}.mp4", RULES)
    assert (verdict.stage, verdict.code, verdict.left_out) == (KeyStage.CODE, None, False)
    found = fault(f"BRD/{stem}.mp4")
    assert found.code == "code_malformed"
    assert found.found is not None
    assert found.found.isprintable()
    assert first_wrong_character(stem) == index
    assert first_wrong_character(found.found) == index


@pytest.mark.parametrize(
    "stem", ["VO-BRD-14387", "AC-000-00000", "AO-9ZZ-99999 take 2", "VC-A1B-1"]
)
def test_only_a_whole_code_has_no_wrong_character(stem: str) -> None:
    whole = len(stem) >= 12
    assert (first_wrong_character(stem) == -1) is whole


@pytest.mark.parametrize("separator", sorted(SEPARATORS))
def test_a_separator_may_follow_the_code(separator: str) -> None:
    assert judge_key(f"BRD/{CODE}{separator}2.mp4", RULES).code == CODE


def test_a_long_name_is_cut_where_it_is_shown_and_kept_as_key() -> None:
    found = fault("BRD/" + "x" * 900 + ".mp4")
    assert found.found is not None
    assert len(found.found) == 64


@pytest.mark.parametrize(
    ("key", "code", "folder"),
    [
        ("VO-BRD-14387.mp4", "no_folder", ""),
        ("BRDX/VO-BRD-14387.mp4", "folder_unknown", "BRDX/"),
        ("BR/VO-BRD-14387.mp4", "folder_unknown", "BR/"),
        ("brd/VO-BRD-14387.mp4", "folder_unknown", "brd/"),
        ("BRD /VO-BRD-14387.mp4", "folder_unknown", "BRD /"),
        ("/VO-BRD-14387.mp4", "folder_unknown", "/"),
        ("BR\u00c9/VO-BRD-14387.mp4", "folder_unknown", "BR\u00c9/"),
        ("BR\n/VO-BRD-14387.mp4", "folder_unknown", "BR\\n/"),
        ("DVD/VO-BRD-14387.mp4", "type_mismatch", "DVD/"),
        ("FILE/VO-BRD-14387.mp4", "type_mismatch", "FILE/"),
        ("DVD/BRD/VO-BRD-14387.mp4", "type_mismatch", "DVD/"),
        ("DVD/VO-UMT-14387.mp4", "type_mismatch", "DVD/"),
    ],
)
def test_a_folder_that_does_not_agree_with_the_code_is_rejected(
    key: str, code: str, folder: str
) -> None:
    verdict = judge_key(key, RULES)
    assert (verdict.stage, verdict.rule_value) == (KeyStage.TYPE, folder)
    assert verdict.code is not None
    assert fault(key).code == code


@pytest.mark.parametrize(
    "key",
    [
        "BRD/VO-BRD-14387.mp4",
        "BRD/2021/VO-BRD-14387.mp4",
        "DVD/VC-DVD-00001.mp4",
        "FILE/AO-FIL-00001.mp3",
        "FIL/AO-FIL-00001.mp3",
        "1IN/AC-1IN-00001.mp3",
    ],
)
def test_a_folder_that_agrees_with_the_code_is_accepted(key: str) -> None:
    assert stage(key) is KeyStage.ACCEPTED


def test_a_mapped_folder_no_longer_stands_for_itself() -> None:
    rules = KeyRules(folder_types={"DVD": "BRD", "Blu-ray": "BRD"})
    assert stage("DVD/VO-BRD-14387.mp4", rules) is KeyStage.ACCEPTED
    assert stage("Blu-ray/VO-BRD-14387.mp4", rules) is KeyStage.ACCEPTED
    assert fault("DVD/VO-DVD-14387.mp4", rules).expected == "BRD, as DVD/ says"
    assert fault("FILE/VO-FIL-14387.mp4", rules).code == "folder_unknown"


@pytest.mark.parametrize(
    "wrong",
    [
        {"excluded": ("UMT",)},
        {"excluded": ("/UMT/",)},
        {"extensions": {".mp4": FileKind.STREAMING}},
        {"extensions": {"MP4": FileKind.STREAMING}},
        {"extensions": {"": FileKind.STREAMING}},
        {"folder_types": {"FILE/": "FIL"}},
        {"folder_types": {"FILE": "fil"}},
        {"folder_types": {"FILE": "FILE"}},
    ],
)
def test_rules_that_could_never_match_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="expected"):
        KeyRules(**wrong)  # type: ignore[arg-type]


def test_the_default_rules_of_two_sources_are_not_shared() -> None:
    assert KeyRules() == KeyRules()
    assert KeyRules().folder_types is not KeyRules().folder_types


KEY_LETTERS = st.text(st.one_of(st.sampled_from("VAOC-BRD014387./_ \n\0"), st.characters()))


@given(st.one_of(st.text(), KEY_LETTERS))
def test_any_text_gets_a_verdict_that_is_fit_to_be_shown(key: str) -> None:
    verdict = judge_key(key, RULES)
    assert (verdict.stage is KeyStage.ACCEPTED) == (
        verdict.fault is None and verdict.rule_value is None
    )
    shown = [verdict.rule_value, verdict.fault.found if verdict.fault else None]
    assert all(text is None or (text.isprintable() and len(text) <= 121) for text in shown)


NEAR_CODES = st.builds(
    lambda code, at, new: code[:at] + new + code[at + 1 :],
    st.from_regex(CODE_PATTERN + r"[._ -]?", fullmatch=True),
    st.integers(0, 13),
    st.one_of(st.just(""), st.characters(), st.sampled_from("VO-A1a .\u0661\n")),
)


@given(st.one_of(st.text(max_size=14), NEAR_CODES))
def test_the_wrong_character_agrees_with_the_pattern_and_survives_being_shown(stem: str) -> None:
    whole = re.fullmatch(f"{CODE_PATTERN}(?:[._ -].*)?", stem, re.DOTALL) is not None
    index = first_wrong_character(stem)
    assert (index == -1) is whole
    assert first_wrong_character(printable(stem, length_max=64)) == index
    if index != -1:
        before = first_wrong_character(stem[:index])
        assert before == (-1 if index == 12 else index)


def test_the_first_letter_says_film_or_sound_and_the_middle_the_type() -> None:
    assert code_kind("VC-DVD-00001") is CodeKind.VIDEO
    assert code_kind("AO-1IN-00001") is CodeKind.AUDIO
    assert type_code("AO-1IN-00001") == "1IN"


def file(name: str, size_bytes: int = 1000, folder: str = "BRD/") -> ArchiveFile:
    kind = RULES.extensions[name.rpartition(".")[2].lower()]
    return ArchiveFile(folder + name, kind, size_bytes)


def whole(*changed: ArchiveFile, without: str = "-", code: str = CODE) -> list[ArchiveFile]:
    """All files of a code; `changed` take the place of those of their name."""
    streaming = "mp4" if code[0] == "V" else "mp3"
    files = {f"{code}.{ending}": 0 for ending in (streaming, "json", "md5", "pdf")}
    by_name = {name: file(name) for name in files} | {one.name: one for one in changed}
    return [one for one in by_name.values() if not one.name.endswith(without)]


def test_a_film_and_a_sound_with_all_their_files_are_complete() -> None:
    assert judge_files(CODE, whole(), FILES) is None
    assert judge_files("AO-1IN-00001", whole(code="AO-1IN-00001"), FILES) is None


def test_an_upper_case_extension_and_a_second_sidecar_are_no_fault() -> None:
    upper = whole(file("VO-BRD-14387.MP4"), file("VO-BRD-14387_2.json"), without=".mp4")
    assert judge_files(CODE, upper, FILES) is None


def judged(files: list[ArchiveFile], code: str = CODE, rules: FileRules = FILES) -> Fault:
    found = judge_files(code, files, rules)
    assert found is not None
    return found


def test_a_missing_streaming_copy_is_named() -> None:
    found = judged(whole(without=".mp4"))
    assert (found.code, found.expected) == ("streaming_missing", "VO-BRD-14387.mp4")


def test_two_streaming_copies_are_named() -> None:
    found = judged(whole(file("VO-BRD-14387_2.mp4")))
    assert (found.code, found.key) == ("streaming_several", "BRD/VO-BRD-14387.mp4")
    assert found.found == "2: BRD/VO-BRD-14387.mp4, BRD/VO-BRD-14387_2.mp4"


def test_of_many_streaming_copies_three_are_named() -> None:
    found = judged(whole(*(file(f"VO-BRD-14387_{number}.mp4") for number in range(5))))
    assert found.found is not None
    assert found.found.startswith("6: ")
    assert found.found.endswith("_1.mp4 and 3 more")


@pytest.mark.parametrize(
    ("code", "name"), [(CODE, "VO-BRD-14387.mp3"), ("AO-BRD-14387", "AO-BRD-14387.mp4")]
)
def test_a_streaming_copy_of_the_other_kind_is_rejected(code: str, name: str) -> None:
    sidecars = [file(f"{code}.{ending}") for ending in ("json", "md5", "pdf")]
    found = judged([file(name), *sidecars], code)
    assert (found.code, found.key) == ("streaming_kind_mismatch", f"BRD/{name}")


def test_all_missing_sidecars_are_named_at_once() -> None:
    found = judged([file("VO-BRD-14387.mp4"), file("VO-BRD-14387.json")])
    assert found.code == "sidecar_missing"
    assert found.found == "no checksum (.md5) and no report (.pdf)"
    assert found.expected is not None
    assert "metadata (.json)" in found.expected


def test_a_sidecar_that_is_not_required_may_be_missing() -> None:
    rules = FileRules(required=frozenset({FileKind.METADATA, FileKind.STREAMING}))
    assert judge_files(CODE, whole(without=".pdf"), rules) is None
    assert judged(whole(without=".json"), rules=rules).code == "sidecar_missing"


@pytest.mark.parametrize("ending", ["mp4", "json", "md5", "pdf"])
def test_an_empty_file_is_rejected_and_one_byte_is_not(ending: str) -> None:
    name = f"{CODE}.{ending}"
    found = judged(whole(file(name, 0)))
    assert (found.code, found.key) == ("file_empty", f"BRD/{name}")
    assert judge_files(CODE, whole(file(name, 1)), FILES) is None


@pytest.mark.parametrize(
    ("ending", "size_max"), [("json", 16 << 20), ("md5", 64 << 10), ("pdf", 256 << 20)]
)
def test_a_sidecar_may_be_as_large_as_its_limit_and_no_larger(ending: str, size_max: int) -> None:
    name = f"{CODE}.{ending}"
    assert judge_files(CODE, whole(file(name, size_max)), FILES) is None
    found = judged(whole(file(name, size_max + 1)))
    assert (found.code, found.key) == ("sidecar_too_large", f"BRD/{name}")
    assert found.found == f"{size_max + 1} bytes"


def test_a_streaming_copy_has_no_limit() -> None:
    assert judge_files(CODE, whole(file(f"{CODE}.mp4", 10**12)), FILES) is None
