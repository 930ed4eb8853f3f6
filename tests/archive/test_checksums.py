"""MD5 sidecars as tools write them, and what each of their lines is about."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lading.sources.archive.checksums import (
    LINES_MAX,
    ChecksumLine,
    Described,
    compare,
    described,
    etag_md5,
    is_master_name,
    judge_described,
    parse_checksums,
)
from lading.sources.archive.values import ArchiveFile, Fault, Faulty, FileKind

CODE = "VO-BRD-14387"
KEY = "BRD/VO-BRD-14387.md5"
MP4 = "VO-BRD-14387.mp4"
MD5 = "9e107d9d372bb6826bd81d3542a419d6"
OTHER = "d41d8cd98f00b204e9800998ecf8427e"


def refused(body: bytes) -> Fault:
    with pytest.raises(Faulty) as caught:
        parse_checksums(body, KEY)
    fault = caught.value.fault
    assert (fault.code, fault.key) == ("md5_unreadable", KEY)
    assert fault.expected is not None
    assert fault.found is not None
    assert fault.found.isprintable()
    return fault


@pytest.mark.parametrize(
    ("spelled", "name"),
    [
        ("{md5}", None),
        ("{md5}\n", None),
        ("  {md5}  \r\n", None),
        ("{md5}  -\n", None),
        ("{md5}  VO-BRD-14387.mp4\n", MP4),
        ("{md5} *VO-BRD-14387.mp4\n", MP4),
        ("{md5} VO-BRD-14387.mp4\n", MP4),
        ("{md5}\tVO-BRD-14387.mp4\n", MP4),
        ("{md5}  VO-BRD-14387.mp4   \n\n\n", MP4),
        ("{md5} *Film di Natale (2).mp4", "Film di Natale (2).mp4"),
        ("{md5}  **odd*.mp4", "**odd*.mp4"),
        ("{md5}  ./out/VO-BRD-14387.mp4\n", "./out/VO-BRD-14387.mp4"),
        ("{md5} *D:\\nuovi\\VO-BRD-14387.mp4\r\n", "D:\\nuovi\\VO-BRD-14387.mp4"),
        ("\\{md5}  D:\\\\nuovi\\\\a\\nb\\r.mp4\n", "D:\\nuovi\\a\nb\r.mp4"),
        ("MD5 (VO-BRD-14387.mp4) = {md5}\n", MP4),
        ("MD5 (a (1) = b.mp4) = {md5}\n", "a (1) = b.mp4"),
        ("\\MD5 (a\\\\b.mp4) = {md5}\n", "a\\b.mp4"),
        ("MD5(VO-BRD-14387.mp4)= {md5}\n", MP4),
        ("MD5(stdin)= {md5}\n", None),
        ("(stdin)= {md5}\n", None),
        ("md5 (VO-BRD-14387.mp4) = {md5}", MP4),
        ("; FastSum 1.6\n# made by hand\n\n{md5} *VO-BRD-14387.mp4\n", MP4),
        ("{md5}\x1a", None),
    ],
)
def test_a_checksum_is_read_in_the_spelling_of_many_tools(spelled: str, name: str | None) -> None:
    for digest in (MD5, MD5.upper()):
        body = spelled.format(md5=digest).encode()
        assert parse_checksums(body, KEY) == (ChecksumLine(MD5, name),)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_several_lines_are_read_with_any_line_end_and_mark(end: str, encoding: str) -> None:
    lines = [f"{MD5} *Perch\u00e9.mp4", "# the master", f"{OTHER} *Perch\u00e9.mov", ""]
    assert parse_checksums(end.join(lines).encode(encoding), KEY) == (
        ChecksumLine(MD5, "Perch\u00e9.mp4"),
        ChecksumLine(OTHER, "Perch\u00e9.mov"),
    )


def test_a_name_may_hold_what_only_some_take_for_a_line_end() -> None:
    (line,) = parse_checksums(f"{MD5}  a\u2028b\x0bc.mp4".encode(), KEY)
    assert line.name == "a\u2028b\x0bc.mp4"


def test_utf_16_may_be_big_endian() -> None:
    body = b"\xfe\xff" + f"{MD5}  {MP4}".encode("utf-16-be")
    assert parse_checksums(body, KEY) == (ChecksumLine(MD5, MP4),)


def test_a_name_in_the_code_page_of_windows_is_read() -> None:
    body = f"{MD5} *Perch\u00e9.mp4".encode("cp1252")
    assert parse_checksums(body, KEY) == (ChecksumLine(MD5, "Perch\u00e9.mp4"),)


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"", "an empty file"),
        (b"\xef\xbb\xbf", "no checksum"),
        (b"\r\n\r\n", "no checksum"),
        (b"# nothing yet\n; nor here", "no checksum"),
        (b"\x00\x01\x02\x03", "binary data"),
        (MD5.encode("utf-16-le"), "binary data"),
        (b"\xff\xfe" + MD5.encode("utf-32-le"), "binary data"),
        (b"\xff\xfe\x00", "broken UTF-16"),
        (b"\xff\xfe\x00\xd8", "broken UTF-16"),
        (b"\x89PNG", "line 1: \u2030PNG"),
        (b"<html>404</html>", "line 1: <html>404</html>"),
        (b"VO-BRD-14387.mp4", "line 1: VO-BRD-14387.mp4"),
        (f"{MP4}  {MD5}".encode(), f"line 1: {MP4}  {MD5}"),
        (MD5[:31].encode(), "line 1: 31 hexadecimal digits"),
        (MD5.encode() + b"0", "line 1: 33 hexadecimal digits"),
        (MD5[:31].encode() + b"g", f"line 1: {MD5[:31]}g"),
        (MD5[:31].encode() + "\u0661".encode(), f"line 1: {MD5[:31]}\u0661"),
        (b"a" * 40 + b"  x.mp4", "line 1: 40 hexadecimal digits, as a SHA-1 has"),
        (b"\n" + b"a" * 64 + b"  x.mp4", "line 2: 64 hexadecimal digits, as a SHA-256 has"),
        (f"MD5 (x) = {'a' * 40}".encode(), "line 1: 40 hexadecimal digits, as a SHA-1 has"),
        (f"SHA256 (x) = {'a' * 64}".encode(), "line 1: a checksum by SHA256"),
        (f"SHA2-256(x)= {'a' * 64}".encode(), "line 1: a checksum by SHA2-256"),
        (f"(x)= {MD5}".encode(), "line 1: a checksum by no named method"),
        (f"MD5 () = {MD5}".encode(), "line 1: a checksum of a file without a name"),
        (f"\\{MD5}  a\\tb".encode(), "line 1: the escape \\t in a name"),
        (f"\\{MD5}  a\\".encode(), "line 1: the escape \\ in a name"),
        (f"{MD5}  {MP4}\nand so on".encode(), "line 2: and so on"),
    ],
)
def test_what_is_no_md5_is_rejected_with_what_it_is(body: bytes, found: str) -> None:
    assert refused(body).found == found


def test_a_thousand_checksums_are_read_and_one_more_is_not() -> None:
    line = f"{MD5}  {MP4}\n".encode()
    assert len(parse_checksums(b"# head\n" + line * LINES_MAX + b"\n# tail\n", KEY)) == LINES_MAX
    assert refused(line * (LINES_MAX + 1)).expected == "at most 1000 checksums"


JUNK = st.one_of(
    st.binary(),
    st.text().map(str.encode),
    st.lists(
        st.sampled_from([MD5, "MD5", " ", "*", "(", ")", "=", "\\", "\n", "\r", "\t", "\0", "a"])
    ).map(lambda parts: "".join(parts).encode()),
    st.binary().map(lambda body: b"\xff\xfe" + body),
)


@given(JUNK)
@example(b"\xef\xbb\xbf\xff\xfe")
@example(b"MD5 (" + b")=a" * 5000)
def test_any_bytes_are_read_or_rejected(body: bytes) -> None:
    result = read(body)
    if isinstance(result, Fault):
        assert result.code == "md5_unreadable"
        assert (result.found or "").isprintable()
    else:
        assert 0 < len(result) <= LINES_MAX
        assert all(len(line.digest) == 32 and line.name != "" for line in result)


def read(body: bytes) -> tuple[ChecksumLine, ...] | Fault:
    try:
        return parse_checksums(body, KEY)
    except Faulty as faulty:
        return faulty.fault


def spelled_text(digest: str, name: str) -> str:
    return f"{digest}  {name}"


def spelled_binary(digest: str, name: str) -> str:
    return f"{digest} *{name}"


def spelled_tag(digest: str, name: str) -> str:
    return f"MD5 ({name}) = {digest}"


def spelled_openssl(digest: str, name: str) -> str:
    return f"MD5({name})= {digest.upper()}"


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1).filter(
    lambda name: name.strip(" \t\f\v\x1a") == name and name not in {"-", "stdin"}
)


@given(
    st.lists(st.tuples(st.binary().map(lambda data: hashlib.md5(data).hexdigest()), NAMES)),
    st.sampled_from([spelled_text, spelled_binary, spelled_tag, spelled_openssl]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_what_is_spelled_is_read_again(lines, spelled, encoding, end) -> None:  # type: ignore[no-untyped-def]
    written = ["# sums"]
    for digest, name in lines:
        plain = name.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")
        needs_escape = "\n" in name or "\r" in name
        written.append("\\" + spelled(digest, plain) if needs_escape else spelled(digest, name))
    body = (end.join(written) + end).encode(encoding)
    if not lines:
        assert refused(body).found == "no checksum"
        return
    assert parse_checksums(body, KEY) == tuple(ChecksumLine(*line) for line in lines)


@pytest.mark.parametrize("name", [MP4, "a b.mp4", "due\nrighe.mp4", "back\\slash.mp4", "a\rb.mp4"])
@pytest.mark.parametrize("options", [(), ("-b",), ("-t",), ("--tag",)])
def test_what_md5sum_writes_is_read(tmp_path: Path, name: str, options: tuple[str, ...]) -> None:
    (tmp_path / name).write_bytes(name.encode())
    written = subprocess.run(
        ["md5sum", *options, "--", name], cwd=tmp_path, capture_output=True, check=True
    )
    digest = hashlib.md5(name.encode()).hexdigest()
    assert parse_checksums(written.stdout, KEY) == (ChecksumLine(digest, name),)


def test_what_md5sum_writes_of_its_input_has_no_name() -> None:
    written = subprocess.run(["md5sum"], input=b"", capture_output=True, check=True)
    assert parse_checksums(written.stdout, KEY) == (ChecksumLine(OTHER),)


def file(key: str) -> ArchiveFile:
    kinds = {
        "json": FileKind.METADATA,
        "md5": FileKind.CHECKSUM,
        "pdf": FileKind.REPORT,
    }
    kind = kinds.get(key.rpartition(".")[2].lower(), FileKind.STREAMING)
    return ArchiveFile(key, kind, 10)


def about(name: str | None, *keys: str, sidecar: str = KEY) -> Described:
    files = [file(key) for key in (*keys, sidecar)]
    return described(ChecksumLine(MD5, name), sidecar, files)


FOUR = ("BRD/VO-BRD-14387.mp4", "BRD/VO-BRD-14387.json", "BRD/VO-BRD-14387.pdf")


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("VO-BRD-14387.mp4", "BRD/VO-BRD-14387.mp4"),
        ("VO-BRD-14387.json", "BRD/VO-BRD-14387.json"),
        ("vo-brd-14387.PDF", "BRD/VO-BRD-14387.pdf"),
        ("/mnt/out/VO-BRD-14387.mp4", "BRD/VO-BRD-14387.mp4"),
        ("D:\\out\\VO-BRD-14387.mp4", "BRD/VO-BRD-14387.mp4"),
        ("\\\\nas\\out/VO-BRD-14387.mp4", "BRD/VO-BRD-14387.mp4"),
        (" VO-BRD-14387.mp4", "BRD/VO-BRD-14387.mp4"),
    ],
)
def test_a_named_line_is_about_the_file_of_that_name(name: str, key: str) -> None:
    assert about(name, *FOUR) == Described(key)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("VO-BRD-14387.mov", "VO-BRD-14387.mov"),
        ("/Volumes/RAID/VO-BRD-14387.mov", "VO-BRD-14387.mov"),
        ("E:\\VO-BRD-14387.mov", "VO-BRD-14387.mov"),
        ("VO-BRD-14388.mp4", "VO-BRD-14388.mp4"),
        ("folder/", "folder/"),
        ("VO-BRD-14387.md5", "VO-BRD-14387.md5"),  # no checksum is about itself
    ],
)
def test_a_name_that_is_not_among_the_files_is_told(name: str, other: str) -> None:
    assert about(name, *FOUR) == Described(other=other)


def test_a_name_is_rather_taken_exactly_and_from_the_folder_of_its_sidecar() -> None:
    cases = ("BRD/VO-BRD-14387.MP4", "BRD/VO-BRD-14387.mp4")
    assert about("VO-BRD-14387.mp4", *cases).key == "BRD/VO-BRD-14387.mp4"
    assert about("VO-BRD-14387.MP4", *cases).key == "BRD/VO-BRD-14387.MP4"
    folders = ("BRD/a/VO-BRD-14387.pdf", "BRD/b/VO-BRD-14387.pdf")
    sidecar = "BRD/b/VO-BRD-14387.md5"
    assert about("VO-BRD-14387.pdf", *folders, sidecar=sidecar).key == "BRD/b/VO-BRD-14387.pdf"


def test_a_key_may_hold_a_backslash() -> None:
    assert about("VO-BRD-14387 a\\b.mp4", "BRD/VO-BRD-14387 a\\b.mp4").key is not None


@pytest.mark.parametrize(
    ("sidecar", "described_as"),
    [
        ("BRD/VO-BRD-14387.mp4.md5", Described("BRD/VO-BRD-14387.mp4")),
        ("BRD/VO-BRD-14387.MP4.MD5", Described("BRD/VO-BRD-14387.mp4")),
        ("BRD/VO-BRD-14387.pdf.md5", Described("BRD/VO-BRD-14387.pdf")),
        ("BRD/VO-BRD-14387.md5", Described("BRD/VO-BRD-14387.mp4")),
        ("BRD/VO-BRD-14387_checksum.md5", Described("BRD/VO-BRD-14387.mp4")),
        ("BRD/VO-BRD-14387.v2.md5", Described("BRD/VO-BRD-14387.mp4")),
        ("BRD/VO-BRD-14387_2.mp4.md5", Described("BRD/VO-BRD-14387.mp4")),
        ("BRD/VO-BRD-14387.mov.md5", Described(other="VO-BRD-14387.mov")),
        ("BRD/VO-BRD-14387.mp3.md5", Described(other="VO-BRD-14387.mp3")),
    ],
)
def test_a_bare_line_is_about_what_its_sidecar_is_named_for(
    sidecar: str, described_as: Described
) -> None:
    assert about(None, *FOUR, sidecar=sidecar) == described_as


def test_a_bare_line_named_for_the_report_is_about_the_report() -> None:
    files = ("BRD/VO-BRD-14387.mp4", "BRD/VO-BRD-14387_qc.pdf")
    assert about(None, *files, sidecar="BRD/VO-BRD-14387_qc.md5").key == files[1]


def test_a_bare_line_is_not_about_another_checksum() -> None:
    files = ("BRD/VO-BRD-14387.mp4", "BRD/old/VO-BRD-14387_qc.md5")
    assert about(None, *files, sidecar="BRD/VO-BRD-14387_qc.md5").key == files[0]


def test_a_bare_line_named_by_the_code_alone_is_not_about_another_sidecar() -> None:
    files = ("BRD/VO-BRD-14387_web.mp4", "BRD/VO-BRD-14387.json")
    assert about(None, *files).key == "BRD/VO-BRD-14387_web.mp4"


def test_a_bare_line_among_two_streaming_copies_or_none_is_about_nothing() -> None:
    assert about(None, "BRD/VO-BRD-14387_1.mp4", "BRD/VO-BRD-14387_2.mp4") == Described()
    assert about(None) == Described()


def test_a_sidecar_with_one_line_about_an_object_is_accepted() -> None:
    found = [Described(other="VO-BRD-14387.mov"), Described("BRD/VO-BRD-14387.mp4")]
    assert judge_described(found, CODE, KEY) is None


@pytest.mark.parametrize("name", ["VO-BRD-14387.mov", "vo-brd-14387_P1.WAV", "VO-BRD-14387.mxf"])
def test_a_sidecar_that_only_describes_the_master_is_accepted(name: str) -> None:
    assert is_master_name(name, CODE)
    assert judge_described([Described(other=name)], CODE, KEY) is None


@pytest.mark.parametrize(
    ("found", "named"),
    [
        ([Described(other="VO-BRD-14388.mov")], "VO-BRD-14388.mov"),
        ([Described(other="VO-BRD-14387.mp3")], "VO-BRD-14387.mp3"),
        ([Described(other="capture.mov")], "capture.mov"),
        ([Described(other="a\nb.mov")], "a\\nb.mov"),
        ([Described()], "no file to compare"),
        ([Described(other=f"{n}.mov") for n in range(5)], "0.mov, 1.mov, 2.mov and 2 more"),
    ],
)
def test_a_sidecar_of_other_files_is_rejected(found: list[Described], named: str) -> None:
    fault = judge_described(found, CODE, KEY)
    assert fault is not None
    assert (fault.code, fault.found, fault.key) == ("md5_names_other_file", named, KEY)


@given(st.text(), st.text(), st.lists(st.text(), max_size=4))
def test_what_a_line_is_about_is_always_a_file_a_name_or_nothing(
    name: str, sidecar: str, keys: list[str]
) -> None:
    for line in (ChecksumLine(MD5), ChecksumLine(MD5, name or "x")):
        found = described(line, sidecar, [file(key) for key in keys])
        assert found.key is None or (found.key in keys and found.other is None)
        assert found.other != ""


def test_a_mismatch_shows_both_digests_and_the_case_does_not_matter() -> None:
    assert compare(MD5.upper(), MD5, "BRD/a.mp4") is None
    assert compare(MD5, OTHER, "BRD/a.mp4") == Fault("md5_mismatch", MD5, OTHER, "BRD/a.mp4")


@pytest.mark.parametrize(
    ("etag", "digest"),
    [
        (MD5, MD5),
        (MD5.upper(), MD5),
        (f'"{MD5}"', MD5),
        (None, None),
        ("", None),
        (f"{MD5}-12", None),
        (f"W/{MD5}", None),
        (MD5 + "0", None),
        (MD5[:-1], None),
        (MD5 + "\n", None),
        ("0x8D4BCC2E4835CD0", None),
        (MD5[:-1] + "\u0661", None),
        ("a" * 64, None),
    ],
)
def test_an_etag_is_an_md5_only_if_it_is_spelled_as_one(
    etag: str | None, digest: str | None
) -> None:
    assert etag_md5(etag) == digest


def test_a_bare_checksum_may_be_said_to_be_the_masters() -> None:
    copy = ArchiveFile("BRD/VO-BRD-14387.mp4", FileKind.STREAMING, 9)
    (bare,) = parse_checksums(b"d41d8cd98f00b204e9800998ecf8427e\n", "BRD/VO-BRD-14387.md5")
    assert described(bare, "BRD/VO-BRD-14387.md5", [copy]).key == copy.key
    about = described(bare, "BRD/VO-BRD-14387.md5", [copy], bare_is_master=True)
    assert about.key is None
    assert judge_described([about], "VO-BRD-14387", "BRD/VO-BRD-14387.md5") is None
    # A sidecar that names its file in its own name leaves nothing to be said.
    named = described(bare, "BRD/VO-BRD-14387.mp4.md5", [copy], bare_is_master=True)
    assert named.key == copy.key
