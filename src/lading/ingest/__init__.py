"""The one flow for every kind of arrival: scan, preflight, plan, queue, import, verify."""

from lading.ingest.flow import Ingest
from lading.ingest.parts import IngestParts

__all__ = ["Ingest", "IngestParts"]
