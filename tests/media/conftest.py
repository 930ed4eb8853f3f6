"""What the tests of media compare with: programs of others."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ALL_REQUIRED


@pytest.fixture(scope="session")
def exiftool() -> Callable[..., dict[str, Any]]:
    """What exiftool says of a file, as numbers; skips without it, unless everything is required."""
    if shutil.which("exiftool") is None:
        if ALL_REQUIRED:
            pytest.fail("exiftool is required and not installed", pytrace=False)
        pytest.skip("exiftool is not installed")

    def ask(path: Path) -> dict[str, Any]:
        command = ["exiftool", "-json", "-n", "-G0:1", str(path)]
        said = subprocess.run(command, capture_output=True, check=True).stdout
        answer: dict[str, Any] = json.loads(said)[0]
        return answer

    return ask
