"""Whatever the library can hold has words on its pages: none is shown as code has it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pytest

from lading.console.pages.library_asset import RENDITION_WORDS, TABS
from lading.console.readers.assets import ROLE_WORDS
from lading.console.readers.library import (
    BADGE_WORDS,
    COMPANION_WORDS,
    CONTAINER_SECTIONS,
    CONTAINER_WORDS,
    AssetBadge,
)
from lading.console.readers.photo_facts import FROM_WORDS, REFUSAL_WORDS
from lading.library.photo_values import FROM_SIDECAR
from lading.library.tables import ContainerKind, FileRole
from lading.media.facts import TimeOrigin, TimeRefusal
from lading.media.rules import SIDECARS, Companion


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (ROLE_WORDS, FileRole),
        (RENDITION_WORDS, FileRole),
        (BADGE_WORDS, AssetBadge),
        (CONTAINER_WORDS, ContainerKind),
        (CONTAINER_SECTIONS, ContainerKind),
        (FROM_WORDS, [*TimeOrigin, FROM_SIDECAR]),
        (REFUSAL_WORDS, TimeRefusal),
        (COMPANION_WORDS, set(Companion) - set(SIDECARS.values())),
    ],
    ids=["files", "renditions", "badges", "containers", "sections", "times", "refusals", "beside"],
)
def test_every_value_has_a_word_and_no_word_is_for_nothing(
    words: Mapping[str, object], values: Iterable[str]
) -> None:
    assert {str(value) for value in values} == {str(key) for key in words}
    assert all(words.values())


def test_no_two_roles_of_files_look_the_same() -> None:
    assert len(set(ROLE_WORDS.values())) == len(ROLE_WORDS)
    assert len({label for label, _ in RENDITION_WORDS.values()}) == len(RENDITION_WORDS)
    assert all(meaning.endswith(".") for _, meaning in RENDITION_WORDS.values())
    assert len(set(TABS.values())) == len(TABS)
