"""The Python API for recordings: `from lading import DataInterface` (D, E).

Its names and signatures are what notebooks use; they change only with a major version.
"""

from lading.data_interface.access import LocalProfile, WritesNotEnabled
from lading.data_interface.interface import DataInterface
from lading.data_interface.orchestrator import ingest, ingest_from_r2
from lading.sources.recordings.backlog import BacklogSummary
from lading.sources.recordings.errors import UploadInterrupted
from lading.sources.recordings.failures import Failure
from lading.sources.recordings.local import augment_manifest
from lading.sources.recordings.values import (
    DownloadProgress,
    IngestResult,
    QueryResult,
    UploadProgress,
)

__all__ = [
    "BacklogSummary",
    "DataInterface",
    "DownloadProgress",
    "Failure",
    "IngestResult",
    "LocalProfile",
    "QueryResult",
    "UploadInterrupted",
    "UploadProgress",
    "WritesNotEnabled",
    "augment_manifest",
    "ingest",
    "ingest_from_r2",
]
