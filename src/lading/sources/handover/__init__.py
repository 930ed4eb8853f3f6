"""The hand-over source: bundles that an upstream publishes into a read-only tree (A1-A6, A11-A17).

A bundle is a manifest and a sentinel below `sync/`, and the payload that the manifest names.
"""

from lading.ingest.source import SourceDefinition
from lading.sources.handover.reasons import REASONS
from lading.sources.handover.source import KIND, HandoverSource, build

__all__ = ["HandoverSource", "build", "definition"]

definition = SourceDefinition(
    kind=KIND,
    build=build,
    reasons=REASONS,
    summary="Bundles of assets and containers that an upstream publishes, each with a sentinel.",
)
