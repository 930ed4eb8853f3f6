"""Every reason that lies in what the metadata sidecars say of a master (B5)."""

from __future__ import annotations

from typing import Final

from lading.base.reasons import Reason, reason_table

_DESCRIBE_AGAIN: Final = "Ask the digitiser to describe the master itself again, then scan."

MASTER_REASONS: Final = reason_table(
    [
        Reason(
            "master_undescribed",
            "no metadata sidecar speaks of the master",
            "Ask the digitiser for what mediainfo or ffprobe says of the master, then scan.",
        ),
        Reason(
            "metadata_dialect_unknown",
            "the metadata sidecar is neither mediainfo's nor ffprobe's",
            "Ask for the output of `mediainfo --Output=JSON`, or of "
            "`ffprobe -print_format json -show_format -show_streams`, then scan.",
        ),
        Reason(
            "metadata_contradictory",
            "what the metadata says of the master cannot all be true of one file",
            _DESCRIBE_AGAIN,
        ),
        Reason(
            "metadata_of_streaming_copy",
            "the metadata describes the streaming copy, not the master",
            "Ask the digitiser to describe the master. If masters are kept in this container, "
            "allow it in the source's options. Then scan.",
        ),
        Reason(
            "metadata_of_another_master",
            "the metadata describes a file of another inventory code",
            "Ask the digitiser which of the two is meant, and for the right metadata; then scan.",
        ),
        Reason(
            "master_container_unknown",
            "the metadata does not tell which container the master is in",
            _DESCRIBE_AGAIN,
        ),
        Reason(
            "master_container_not_allowed",
            "the master is in a container that a master of its kind may not have",
            "Ask the digitiser for a master in one of those expected, "
            "or allow this one in the source's options; then scan.",
        ),
        Reason(
            "master_streams_missing",
            "the master lacks the stream that its inventory code promises",
            "Ask the digitiser to check the master and its inventory code; it may be cut short.",
        ),
    ]
)
"""All of them by code."""
