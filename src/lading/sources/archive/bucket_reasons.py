"""Why an object cannot be read, and why a run cannot go on as it was planned."""

from __future__ import annotations

from typing import Final

from lading.base.reasons import Reason, reason_table

LISTING_CHANGED: Final = Reason(
    "listing_changed",
    "the bucket is no longer as it was when this run was found",
    "Scan again, or start `lading archive run`: the new run has what this one had, and more.",
)
SAFE_RUN_NOTED: Final = Reason(
    "safe_run_noted",
    "something about it is odd, which a safe run does not let pass",
    "Look at what was found; import it by a run that is not safe, or ask the archive.",
)
BUCKET_REASONS: Final = reason_table(
    [
        Reason(
            "key_unreadable",
            "the object's key is no plain path, so that it cannot be asked for",
            "Ask the archive to rename the object, then scan.",
        ),
        Reason(
            "object_denied",
            "the bucket is readable, and this object is not",
            "Ask the archive to let you read the object, then run it again.",
        ),
        Reason(
            "object_unreadable",
            "the store failed on this object again and again, and on others it does not",
            "Run it again later; if it stays, ask the archive to upload the file again.",
        ),
        LISTING_CHANGED,
        SAFE_RUN_NOTED,
    ]
)
