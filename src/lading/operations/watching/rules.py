"""Decides when a change is worth a scan, and what a system says about watching; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Self

SLACK_S: Final = 3.0
"""Workers hear of one change at moments that are nearer to each other than that."""

PATIENCE_S: Final = 60.0
"""While changes go on and on, a scan is asked for as often as that."""

_REMOTE: Final = frozenset(
    {"9p", "afs", "ceph", "cifs", "davfs", "glusterfs", "lustre", "ncpfs", "nfs", "nfs4"}
    | {"smb2", "smb3", "smbfs", "virtiofs", "vboxsf"}
)
_REMOTE_FUSE: Final = ("sshfs", "rclone", "s3fs", "davfs", "glusterfs", "cephfs", "smbnetfs")


@dataclass(frozen=True, slots=True)
class Changes:
    """Changes that no scan has seen: when the last was noted, and since when a scan is due.

    In seconds of one clock.
    """

    since_s: float
    last_s: float

    @classmethod
    def noted(cls, now_s: float, before: Self | None) -> Self:
        """What there is after a change now, beside what there was."""
        return cls(now_s if before is None else before.since_s, now_s)

    def asked(self, now_s: float) -> Changes:
        """What there is after a scan was asked for, which need not see all of it."""
        return Changes(now_s, self.last_s)


def ask_in_s(
    changes: Changes, now_s: float, stable_for_s: float, slack_s: float = SLACK_S
) -> float:
    """In how many seconds a scan is to be asked for: when nothing changes any more, or at last.

    A file counts once it was left alone for `stable_for_s`; a scan before that leaves it out.
    """
    settled_s = changes.last_s + stable_for_s + slack_s
    return min(settled_s, changes.since_s + max(PATIENCE_S, stable_for_s)) - now_s


def scan_sees(changes: Changes, now_s: float, stable_for_s: float, began_ago_s: float) -> bool:
    """Whether a scan that began so many seconds ago has seen all changes, and none too early."""
    return now_s - began_ago_s >= changes.last_s + stable_for_s


def is_remote(file_system: str) -> bool:
    """Whether a kind of file system is of another machine, whose changes nobody tells here."""
    kind, _, inner = file_system.lower().partition(".")
    return kind in _REMOTE or (kind == "fuse" and inner.startswith(_REMOTE_FUSE))


def is_limit(message: str) -> bool:
    """Whether a fault of watching is that the system's limits are reached.

    The watcher does not give the number of the error, only its words.
    """
    said = message.lower()
    return "limit reached" in said or "too many open files" in said or "no space left" in said
