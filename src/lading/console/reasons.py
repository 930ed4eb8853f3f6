"""All reasons and errors by code, with their sentences: what "Why?" answers with everywhere."""

from __future__ import annotations

from collections.abc import Mapping

from lading.base.reasons import Reason
from lading.bootstrap import Lading
from lading.operations.wording import Wording


def known_reasons(lading: Lading) -> Mapping[str, Reason]:
    """Every error there is, the engine's reasons, and those of each kind of source in use."""
    # Made anew: the installation's own wording is older than the errors of the console.
    return Wording({name: chosen.kind for name, chosen in lading.settings.sources.items()}).known()
