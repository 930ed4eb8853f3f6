"""Every state has a look: a word, an icon and a family; failed looks like nothing else."""

from __future__ import annotations

import re
from importlib.resources import files

from lading.console.rules import EngineState
from lading.console.vocabulary import FAILED_BY_ANOTHER, Family, Icon, legend, look_of
from lading.jobs.states import JobState
from lading.ledger.states import BatchState, Decision, Outcome
from lading.media.faces.rules import ChangeKind, Verdict

KINDS = {
    "batch": BatchState,
    "job": JobState,
    "outcome": Outcome,
    "decision": Decision,
    "engine": EngineState,
    "verdict": Verdict,
    "change": ChangeKind,
}


def test_every_state_of_every_kind_has_a_look_with_a_word_and_a_meaning() -> None:
    for kind, states in KINDS.items():
        for state in states:
            look = look_of(kind, state.value)
            assert look.word
            assert look.meaning.endswith(".")
    assert len(list(legend())) == sum(len(states) for states in KINDS.values())


def test_within_a_kind_no_two_states_have_the_same_word() -> None:
    words: dict[str, list[str]] = {}
    for kind, _, look in legend():
        words.setdefault(kind, []).append(look.word)
    assert {kind: len(found) - len(set(found)) for kind, found in words.items()} == dict.fromkeys(
        words, 0
    )


def test_what_is_failed_looks_like_nothing_else() -> None:
    failed = {look.icon for _, _, look in legend() if look.family is Family.FAILED}
    others = {look.icon for _, _, look in legend() if look.family is not Family.FAILED}
    assert not failed & others
    assert FAILED_BY_ANOTHER.icon is Icon.CHAIN


def test_every_icon_and_every_family_is_drawn() -> None:
    folder = files("lading.console")
    macros = (folder / "templates/parts/macros.html").read_text()
    style = (folder / "static/console.css").read_text()
    assert {icon.value for icon in Icon} <= set(re.findall(r'<symbol id="i-([\w-]+)"', macros))
    for family in Family:
        for part in ("text", "tint", "solid"):
            assert style.count(f"--{family.value}-{part}:") == 3  # light, dark by system, by choice
