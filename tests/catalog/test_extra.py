"""The package deltalake is optional, found when used, and needs no pyarrow."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lading.base.errors import MissingExtra
from lading.catalog.catalog import Catalog
from tests.catalog.rows import a_recording

PROGRAM = """
import sys
import lading.catalog.catalog as it
assert not {"deltalake", "arro3", "pyarrow"} & set(sys.modules), "imported before it was used"
it.Catalog.create(sys.argv[1], prefix="c").check()
assert "deltalake" in sys.modules
assert "pyarrow" not in sys.modules
"""


def test_the_package_is_imported_only_when_a_catalog_is_used(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path)], check=True)


def test_without_the_package_the_error_names_the_extra(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "deltalake", None)
    for use in (catalog.check, lambda: catalog.register(a_recording())):
        with pytest.raises(MissingExtra) as missing:
            use()
        assert "pip install 'lading[catalog]'" in missing.value.advice
