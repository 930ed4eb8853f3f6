"""A worker that ends itself at the n-th result of an operation: `python -m … <config.json>`."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from sqlalchemy import event

from lading.db import open_database
from lading.ingest.registry import build_source
from lading.operations import carrying_out
from lading.storage.folder import FolderStore
from lading.testing.installation import Installation


def main(config_path: str) -> None:
    config: dict[str, Any] = json.loads(Path(config_path).read_text())
    carrying_out.CHUNK_TARGETS = config["chunk"]  # type: ignore[misc]
    db = open_database(config["database_url"])
    source = build_source("handover", "nas", {"root": config["root"]})
    installation = Installation(db, FolderStore(config["store"], name="library"), [source])
    left = config["results"]
    armed: int | None = None  # the thread that wrote the last result

    def on_statement(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        nonlocal left, armed
        if "INSERT INTO operation_result" in statement:
            left -= 1
            if left == 0:
                if config["when"] == "before_commit":
                    os.kill(os.getpid(), signal.SIGKILL)
                armed = threading.get_ident()

    def on_next(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        # Its first statement of the next transaction: what it wrote is committed by now.
        if armed == threading.get_ident() and "COMMIT" not in statement:
            os.kill(os.getpid(), signal.SIGKILL)

    def on_commit(_conn: Any) -> None:
        if armed == threading.get_ident():
            event.listen(db.engine, "before_cursor_execute", on_next)

    event.listen(db.engine, "after_cursor_execute", on_statement)
    event.listen(db.engine, "commit", on_commit)
    installation.drain()
    db.close()


if __name__ == "__main__":
    main(sys.argv[1])
