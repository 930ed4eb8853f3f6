"""Names for people: ids are cut, paths keep what tells one from another."""

from __future__ import annotations

import pytest

from lading.base.naming import NAME_SHOWN, is_id, short_name, without_middle
from lading.cli import output

UUID = "37e428d2-1111-4222-8333-abcdefabcdef"


@pytest.mark.parametrize(
    ("whole", "short"),
    [
        (UUID, "37e428d2"),
        (UUID.upper(), "37E428D2"),
        ("ab" * 32, "abababab"),
        ("sha256:" + "cd" * 32, "cdcdcdcd"),
        ('"' + "ef" * 16 + '-12"', "efefefef"),
        ("2019/Summer in Rome", "2019/Summer in Rome"),
        (".", "."),
        (
            "phones/Pixel 7/DCIM/Camera/a folder/2019/Summer in Rome",
            "…/Camera/a folder/2019/Summer in Rome",
        ),
        ("backups/" + "x" * 60, "x" * 20 + "…" + "x" * 19),
        ("deadbeef deadbeef deadbeef", "deadbeef deadbeef deadbeef"),
    ],
)
def test_an_id_is_cut_and_a_path_keeps_its_last_folders(whole: str, short: str) -> None:
    assert short_name(whole) == short
    assert len(short) <= NAME_SHOWN
    assert is_id(whole) == (len(short) == 8)


def test_without_its_middle_a_name_is_as_long_as_it_may_be() -> None:
    assert without_middle("abcdefghij", 10) == "abcdefghij"
    assert without_middle("abcdefghijk", 10) == "abcde…hijk"
    assert [len(without_middle("x" * 50, length)) for length in (7, 8, 24)] == [7, 8, 24]


def test_a_table_keeps_long_names_whole_in_a_pipe_and_short_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    deep = "/".join(["a folder in a folder"] * 12)
    output.table(("batch", "items"), [(output.in_table(deep), 1)])
    assert f"{deep}  " in capsys.readouterr().out
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = output.in_table(deep)
    assert len(shown) == output.NAME_WIDTH_MAX
    assert deep.startswith(shown.split("…")[0])
    assert deep.endswith(shown.split("…")[1])
    assert output.in_table(UUID) == UUID
