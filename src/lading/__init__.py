"""Lading takes media in: found where it lands, checked, queued, stored, catalogued exactly once.

The Python API for recordings is imported from here; it is loaded when it is first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from lading.base.version import __version__

if TYPE_CHECKING:
    from lading.data_interface import (
        DataInterface,
        DownloadProgress,
        IngestResult,
        UploadInterrupted,
        UploadProgress,
        WritesNotEnabled,
        augment_manifest,
    )

__all__ = [
    "DataInterface",
    "DownloadProgress",
    "IngestResult",
    "UploadInterrupted",
    "UploadProgress",
    "WritesNotEnabled",
    "__version__",
    "augment_manifest",
]


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(import_module("lading.data_interface"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
