"""The words of all reasons at once, also where a package that brings some is broken."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lading.console.security.errors import CsrfRefused
from lading.ingest.rules import ENGINE_REASONS, GUARD_REASONS
from lading.operations.wording import Wording
from lading.sources.handover.reasons import BATCH_REASONS, ITEM_REASONS


def test_every_reason_of_engine_guard_and_source_is_known_and_so_is_every_error() -> None:
    known = Wording({"nas": "handover"}).known()
    assert known.keys() >= {
        *ENGINE_REASONS,
        *GUARD_REASONS,
        *BATCH_REASONS,
        *ITEM_REASONS,
        CsrfRefused.code,
    }
    assert known["root_empty"] is GUARD_REASONS["root_empty"]
    assert known[CsrfRefused.code].sentence.startswith("A request that changes something")
    assert not [r.code for r in known.values() if re.search(r"\([A-G]\d", r.sentence)]


def test_a_broken_package_hides_no_words_but_those_of_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "broken-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1\n")
    (package / "entry_points.txt").write_text("[lading.sources]\nbroken = nowhere:SOURCE\n")
    monkeypatch.syspath_prepend(tmp_path)
    wording = Wording({"nas": "handover"})
    assert wording.sources == []
    assert "root_empty" in wording.known()
