"""Every reason the hand-over source can give, for a whole bundle or for one item."""

from __future__ import annotations

from typing import Final

from lading.base.reasons import Reason, reason_table

_REPUBLISH = "Ask the upstream to publish the bundle again, then scan."
_REPUBLISH_ITEM = "Ask the upstream to publish the item again; the others are not affected."

BATCH_REASONS: Final = reason_table(
    [
        Reason(
            "sentinel_missing",
            "the manifest has no sentinel beside it",
            "Wait until the upstream has finished publishing, then scan again.",
        ),
        Reason(
            "manifest_missing",
            "the sentinel has no manifest beside it",
            "Ask the upstream to publish the manifest or to withdraw the sentinel, then scan.",
        ),
        Reason("manifest_unreadable", "the manifest cannot be read as a bundle", _REPUBLISH),
        Reason(
            "manifest_too_large",
            "the manifest is larger than the source allows",
            "Split the bundle, or raise the source's `manifest_bytes_max`, then scan.",
        ),
        Reason(
            "sync_id_mismatch",
            "the manifest names another sync_id than its file name",
            _REPUBLISH,
        ),
        Reason(
            "sentinel_hash_mismatch",
            "the sentinel does not hold the sha256 of the manifest beside it",
            "Scan again in a moment; if it stays, ask the upstream to publish the bundle again.",
        ),
        Reason(
            "not_completed",
            "the upstream has not completed the bundle",
            "Wait until its status is `completed`, then scan again.",
        ),
        Reason(
            "verification_failed",
            "the upstream's own verification of the bundle has not passed",
            "Ask the upstream to verify the bundle and to publish it again.",
        ),
        Reason(
            "totals_mismatch",
            "the items do not add up to the totals that the upstream verified",
            _REPUBLISH,
        ),
        Reason(
            "unsupported_schema",
            "the manifest has a schema version that this Lading does not know",
            "Upgrade Lading, or ask the upstream for a version that it reads.",
        ),
        Reason(
            "unsupported_action",
            "the manifest asks for an action that Lading does not know",
            _REPUBLISH,
        ),
        Reason(
            "name_not_canonical",
            "the bundle's file name is not a sync_id in lower-case letters",
            "Ask the upstream to publish the bundle under a canonical UUID.",
        ),
    ]
)
"""Reasons that only a whole bundle can have."""

ITEM_REASONS: Final = reason_table(
    [
        Reason("manifest_shape", "the item is not as the format asks", _REPUBLISH_ITEM),
        Reason(
            "missing_file",
            "a file of the item is not there",
            "Ask the upstream for the file, then run preflight again.",
        ),
        Reason(
            "size_mismatch",
            "a file has another size than the manifest says",
            _REPUBLISH_ITEM,
        ),
        Reason(
            "hash_mismatch",
            "a file's bytes are not those that the manifest names",
            "Ask the upstream to check the file and to publish the item again.",
        ),
        Reason(
            "duplicate_item",
            "the bundle holds an item of this name or content already",
            "Nothing is lost: the first one counts. Tell the upstream if it repeats itself.",
        ),
        Reason(
            "unknown_member",
            "the container names members that no bundle in line brings and the library lacks",
            "Queue the bundle that brings the missing assets, then queue this one again.",
        ),
        Reason(
            "unknown_target",
            "the library does not have what is to be changed or removed",
            "Import it first; if it was never taken in, nothing needs to be done.",
        ),
        Reason(
            "file_changed",
            "a file changed while it was read",
            "Wait until the upstream has finished writing, then retry the item.",
        ),
        Reason(
            "path_too_long",
            "a path is longer than a file system or the library can name",
            "Ask the upstream to shorten the name.",
        ),
        Reason(
            "document_too_large",
            "a source document is larger than the library keeps",
            "Ask the upstream to shorten the document or to send it as a deliverable.",
        ),
    ]
)
"""Reasons that only an item can have."""

SHARED_REASONS: Final = reason_table(
    [
        Reason(
            "unsupported_type",
            "the type is none that Lading takes in",
            "Ask the upstream what it is; it may need a newer Lading.",
        ),
        Reason(
            "path_escapes_root",
            "a path leaves the source's root or passes through a symbolic link",
            "Ask the upstream to publish plain files below its root. Nothing was read.",
        ),
        Reason(
            "not_a_regular_file",
            "something else than a regular file stands in its place",
            "Ask the upstream to publish a regular file there. Nothing was read.",
        ),
        Reason(
            "unreadable",
            "the file is there but cannot be read",
            "Give Lading's user read access, check the mount, then scan or retry.",
        ),
    ]
)
"""Reasons that both a bundle and an item can have."""

REASONS: Final = reason_table(
    [*BATCH_REASONS.values(), *ITEM_REASONS.values(), *SHARED_REASONS.values()]
)
"""All of them by code."""
