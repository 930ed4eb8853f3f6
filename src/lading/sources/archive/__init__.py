"""The archive source: streaming copies and sidecars of an archive in a bucket (B1-B11)."""

from __future__ import annotations

from lading.ingest.source import SourceDefinition
from lading.sources.archive.source import ALL_REASONS, KIND, ArchiveSource, build

__all__ = ["ArchiveSource", "build", "definition"]

definition = SourceDefinition(
    kind=KIND,
    build=build,
    reasons=ALL_REASONS,
    summary="Streaming copies and sidecars of an archive's masters, in an S3-compatible bucket",
)
