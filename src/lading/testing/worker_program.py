"""A worker as a process of its own, for tests that end it: `python -m … <config.json>`.

The configuration names the database, the store, the sources and, if wanted, the fault that
ends or freezes this process. It drains the queue and exits; with `scan`, it first scans and queues
everything.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lading.db import open_database
from lading.ingest.registry import build_source
from lading.storage.folder import FolderStore
from lading.storage.s3 import S3Options, S3Store
from lading.testing.faults import Fault, install
from lading.testing.installation import Installation


def main(config_path: str) -> None:
    """Run the worker that the file describes."""
    config: dict[str, Any] = json.loads(Path(config_path).read_text())
    db = open_database(config["database_url"])
    sources = [
        build_source(options.pop("kind", "handover"), name, options)
        for name, options in config["sources"].items()
    ]
    where = config["store"]
    installation = Installation(
        db,
        # A folder by its path, a bucket by its options.
        FolderStore(where, name="library")
        if isinstance(where, str)
        else S3Store(S3Options(**where), name="library"),
        sources,
        fetch_threads=config.get("fetch_threads", 2),
    )
    if config.get("fault"):
        install(Fault.parse(config["fault"]))
    if config.get("scan"):
        for name in installation.sources:
            installation.take_in(name)
    else:
        installation.drain()
    db.close()


if __name__ == "__main__":
    main(sys.argv[1])
