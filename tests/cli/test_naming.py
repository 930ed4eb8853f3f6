"""What people are told to type for a batch is what finds it."""

from __future__ import annotations

import pytest

from lading.cli.naming import name_of


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("37e4b1c0-5d1f-4a53-9b0e-2f6f5d7a1c11", "37e4b1c0"),
        ("odd names/of a folder", "12"),
        ("2019", "12"),
        ("20190704-crete-and-all-the-other-islands", "12"),
        ("12345678-1234-1234-1234-123456789012", "12"),
        (".", "12"),
    ],
)
def test_a_random_key_is_named_by_its_beginning_and_a_path_by_its_number(
    key: str, name: str
) -> None:
    assert name_of(key, 12) == name
