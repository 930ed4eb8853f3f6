"""All reasons and errors by code, with their sentences: what "Why?" answers with everywhere."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from lading.base.errors import all_error_classes
from lading.base.reasons import Reason
from lading.bootstrap import Lading
from lading.ingest.registry import source_kinds
from lading.ingest.rules import ENGINE_REASONS

_REFERENCE: Final = re.compile(r" \([A-G]\d+(, [A-G]\d+)*\)")
"""What a docstring says to those who know the requirements, and to nobody else."""


def known_reasons(lading: Lading) -> Mapping[str, Reason]:
    """Every error there is, the engine's reasons, and those of each kind of source in use."""
    found: dict[str, Reason] = {}
    for cls in all_error_classes():
        sentence = _REFERENCE.sub("", " ".join((cls.__doc__ or "").split("\n\n")[0].split()))
        found[cls.code] = Reason(cls.code, sentence, cls.next_step)
    definitions = source_kinds()
    for chosen in lading.settings.sources.values():
        if chosen.kind in definitions:
            found.update(definitions[chosen.kind].reasons)
    return found | dict(ENGINE_REASONS)
