"""Runs of archives that people ask for, and keys that they want judged; a worker does the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from lading.accounts.values import Caller, Permission
from lading.base.errors import RequestError, printable
from lading.console.archive_words import Marked, mark
from lading.console.parts import Console
from lading.library.known import find_assets
from lading.sources.archive.decide import identity_of
from lading.sources.archive.reports import reason_of
from lading.sources.archive.rules import judge_key, split_name
from lading.sources.archive.run_jobs import enqueue_run
from lading.sources.archive.runs import archive_source

PREFIX_LENGTH_MAX: Final = 500
KEYS_MAX: Final = 1_000


class BadPrefix(RequestError):
    """What a run is narrowed to cannot begin any key."""

    code = "bad_archive_prefix"
    next_step = "Give the beginning of a key, such as BRD/ or BRD/VO-BRD-14387."


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the rules say of one key. `left_out` is no rejection: the settings keep it out.

    `held` says whether the library has its code.
    """

    key: str
    stage: str
    accepted: bool
    left_out: bool
    code: str | None
    kind: str | None
    held: bool
    rule: str | None = None
    sentence: str | None = None
    expected: str | None = None
    found: str | None = None
    next_step: str | None = None
    marked: Marked | None = None


def request_run(
    console: Console,
    caller: Caller,
    source: str | None,
    *,
    dry_run: bool,
    safe_run: bool,
    prefix: str = "",
    again: bool = False,
) -> int:
    """Have an archive run; the number of the job. `source` None is the only one.

    Raises `UnknownSource`, `NotAnArchive` and `BadPrefix`.
    """
    caller.require(Permission.OPERATE)
    if len(prefix) > PREFIX_LENGTH_MAX or not prefix.isprintable():
        raise BadPrefix(
            "no key can begin so",
            subject="prefix",
            expected=f"at most {PREFIX_LENGTH_MAX} plain characters",
            found=printable(prefix, length_max=100),
        )
    job = enqueue_run(
        console.lading.ingest.parts,
        source or None,
        actor=caller.actor,
        dry_run=dry_run,
        safe_run=safe_run,
        prefix=prefix,
        again=again,
    )
    console.engine.forget()
    return job


def validate_keys(
    console: Console, caller: Caller, source: str | None, keys: Sequence[str]
) -> list[Judged]:
    """What the rules of an archive say of these keys; nothing is fetched or written.

    Raises `UnknownSource` and `NotAnArchive`.
    """
    caller.require(Permission.OPERATE)
    rules = archive_source(console.lading.ingest.parts, source or None).options.key_rules
    verdicts = [(key, judge_key(key, rules)) for key in keys]
    wanted = {identity_of(verdict.code) for _, verdict in verdicts if verdict.code}
    with console.lading.db.read() as conn:
        held = set(find_assets(conn, sorted(wanted)))
    judged = []
    for key, verdict in verdicts:
        fault = verdict.fault
        reason = reason_of(fault.code) if fault else None
        stem, _ = split_name(key.rpartition("/")[2])
        judged.append(
            Judged(
                key=key,
                stage=verdict.stage.value,
                accepted=fault is None and not verdict.left_out,
                left_out=verdict.left_out,
                code=verdict.code,
                kind=verdict.kind.value if verdict.kind else None,
                held=bool(verdict.code) and identity_of(verdict.code or "") in held,
                rule=fault.code if fault else None,
                sentence=reason.sentence if reason else None,
                expected=fault.expected if fault else None,
                found=fault.found if fault else None,
                next_step=reason.next_step if reason else None,
                marked=mark(stem) if fault and fault.code == "code_malformed" else None,
            )
        )
    return judged
