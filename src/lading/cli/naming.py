"""Says what to type for a batch, so that a command that is shown can be copied as it stands."""

from __future__ import annotations

import re
from typing import Final

_BEGINNING: Final = 8
# Keys of hand-overs: eight of their digits tell them apart. Digits alone would be a number.
_RANDOM: Final = re.compile(r"(?=[0-9a-f]{0,7}[a-f])[0-9a-f]{8}-[0-9a-f-]{20,}", re.IGNORECASE)


def name_of(batch_key: str, number: int) -> str:
    """The beginning of a key that is random, else the number of the batch.

    The keys of folders are paths: many begin alike, and some need quotes.
    """
    return batch_key[:_BEGINNING] if _RANDOM.fullmatch(batch_key) else str(number)
