"""Decides what differs between what the library holds and what an import says (A5, A15, A19).

Preflight and import both decide here, so they agree by construction. Nothing here reads or
writes; refusals are the last line of defence behind what sources check themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final

from lading.base.errors import InternalError, RequestError
from lading.base.identifiers import is_md5, is_sha256
from lading.ledger.states import Outcome
from lading.library.values import (
    AssetFacts,
    AssetProposal,
    ContainerFacts,
    FileFacts,
    FileRow,
    KnownAsset,
    KnownContainer,
    detail_text,
)

WITHHELD_VARIANTS: Final = frozenset({"frosted", "blurred", "vivid_blurred"})
"""Derivatives that are never stored (A16)."""

COVER_ROLE: Final = "cover"
ORIGINAL_ROLE: Final = "original"
CODE_LENGTH_MAX: Final = 64
NAME_LENGTH_MAX: Final = 190
DOCUMENT_BYTES_MAX: Final = 16 * 1024 * 1024 - 1
TEXT_BYTES_MAX: Final = 16 * 1024 * 1024 - 1
INTEGER_MAX: Final = 2**31 - 1
BIG_INTEGER_MAX: Final = 2**63 - 1
OFFSET_MIN_MAX: Final = 24 * 60


class FactsRefused(RequestError):
    """Something said about an asset or container cannot be kept as it is on every database."""

    code = "facts_refused"
    http_status = 422
    next_step = "Correct the named value at its source and import it again."


class WithheldDerivative(InternalError):
    """A derivative that must never be stored reached the library (A16)."""

    code = "withheld_derivative"
    next_step = "Nothing was stored; report which source did not leave the file out."


@dataclass(frozen=True, slots=True, kw_only=True)
class AssetDifferences:
    """What an import would change about one asset. With `created`, there is nothing yet."""

    created: bool = False
    restored: bool = False
    facts: tuple[str, ...] = ()
    files_added: tuple[FileFacts, ...] = ()
    files_changed: tuple[tuple[FileRow, FileFacts], ...] = ()
    files_retired: tuple[FileRow, ...] = ()
    source: bool = False
    ai_runs: tuple[str, ...] = ()
    cover: bool = False

    @property
    def any(self) -> bool:
        """Whether there is anything to write."""
        return any(getattr(self, f.name) for f in fields(self))

    @property
    def outcome(self) -> Outcome:
        """Created, updated or unchanged."""
        return _outcome(created=self.created, changed=self.any)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerDifferences:
    """What an import would change about one container; `positions` are those of its members."""

    created: bool = False
    restored: bool = False
    facts: tuple[str, ...] = ()
    positions: tuple[int, ...] = ()
    length_before: int = 0
    length_after: int = 0
    cover: bool = False

    @property
    def any(self) -> bool:
        """Whether there is anything to write."""
        members = bool(self.positions) or self.length_before != self.length_after
        return self.created or self.restored or bool(self.facts) or members or self.cover

    @property
    def outcome(self) -> Outcome:
        """Created, updated or unchanged."""
        return _outcome(created=self.created, changed=self.any)


def differences(known: KnownAsset | None, proposal: AssetProposal) -> AssetDifferences:
    """What differs between `known` (None when the library never had it) and `proposal`."""
    if known is None:
        return AssetDifferences(created=True)
    named = {file.path: file for file in proposal.files}
    return AssetDifferences(
        restored=known.row.deleted,
        facts=changed_facts(known.row.facts, proposal.facts),
        files_added=tuple(f for f in proposal.files if f.path not in known.files),
        files_changed=tuple(
            (known.files[path], file)
            for path, file in named.items()
            if path in known.files
            and (known.files[path].deleted or known.files[path].facts != file)
        ),
        files_retired=tuple(
            row for path, row in known.files.items() if path not in named and not row.deleted
        ),
        source=_is_news(proposal.source_sha256, known.sources),
        ai_runs=tuple(
            kind
            for kind, sha256 in sorted(proposal.ai_runs.items())
            if _is_news(sha256, known.ai_runs.get(kind, ()))
        ),
        cover=proposal.cover_hash is not None and proposal.cover_hash != known.cover_hash,
    )


def container_differences(
    known: KnownContainer | None, facts: ContainerFacts
) -> ContainerDifferences:
    """What differs between `known` (None when the library never had it) and `facts`."""
    if known is None:
        return ContainerDifferences(created=True)
    changed = []
    if known.row.title != facts.title:
        changed.append("title")
    if detail_text(known.row.detail) != detail_text(facts.detail):
        changed.append("detail")
    return ContainerDifferences(
        restored=known.row.deleted,
        facts=tuple(changed),
        positions=tuple(changed_positions(known.members, facts.members)),
        length_before=len(known.members),
        length_after=len(facts.members),
        cover=facts.cover_hash is not None and facts.cover_hash != known.cover_hash,
    )


def changed_facts(before: AssetFacts, after: AssetFacts) -> tuple[str, ...]:
    """The names of the fields that differ."""
    return tuple(
        f.name
        for f in fields(AssetFacts)
        if (
            detail_text(before.detail) != detail_text(after.detail)
            if f.name == "detail"
            else getattr(before, f.name) != getattr(after, f.name)
        )
    )


def changed_positions(before: Sequence[str], after: Sequence[str]) -> list[int]:
    """The positions of `after` whose member is not the one at that position `before`."""
    common = min(len(before), len(after))
    changed = [i for i in range(common) if before[i] != after[i]]
    return changed + list(range(common, len(after)))


def runs(positions: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending `positions` as `(first, last)` of each stretch without a gap."""
    found: list[tuple[int, int]] = []
    for position in positions:
        if found and found[-1][1] == position - 1:
            found[-1] = (found[-1][0], position)
        else:
            found.append((position, position))
    return found


def is_withheld(role: str, variant: str | None, path: str) -> bool:
    """Whether this derivative must never be stored (A16), however its variant is spelled.

    A derivative that names no variant is judged by its path: by its folders, and by its file name
    up to the first dot. What an asset was made as is no derivative, whatever it is called.
    """
    if role == ORIGINAL_ROLE:
        return False
    if variant is None and role == "derivative":
        *folders, name = path.split("/")
        return any(
            _spelled(part) in WITHHELD_VARIANTS for part in (*folders, name.partition(".")[0])
        )
    return variant is not None and _spelled(variant) in WITHHELD_VARIANTS


def choose_cover(
    *,
    owner_asset_id: int | None,
    covering_asset_id: int | None,
    files: Sequence[tuple[int, int]],
) -> tuple[int | None, int | None]:
    """The file and the asset (one of them None, or both) that a cover hash stands for.

    `files` are `(asset_id, file_id)` of live files of role `cover` with that hash. The owner's
    own file goes first, then the asset of that content, then the file that came first.
    """
    own = [file_id for asset_id, file_id in files if asset_id == owner_asset_id]
    if own:
        return min(own), None
    if covering_asset_id is not None:
        return None, covering_asset_id
    return (min(file_id for _, file_id in files) if files else None), None


def check_asset(proposal: AssetProposal) -> None:
    """Raise `WithheldDerivative` or `FactsRefused` for what the library will not keep."""
    facts = proposal.facts
    subject = facts.content_hash
    _check_digest(subject, "content_hash", facts.content_hash)
    _check_text(subject, "asset_type", facts.asset_type, CODE_LENGTH_MAX, empty=False)
    _check_text(subject, "asset_subtype", facts.asset_subtype, CODE_LENGTH_MAX)
    _check_text(subject, "title", facts.title)
    _check_detail(subject, facts.detail)
    for name in ("width", "height"):
        _check_range(subject, name, getattr(facts, name), 0, INTEGER_MAX)
    _check_range(
        subject, "captured_offset_min", facts.captured_offset_min, -OFFSET_MIN_MAX, OFFSET_MIN_MAX
    )
    if facts.duration_s is not None and not math.isfinite(facts.duration_s):
        raise _refused(subject, "duration_s", "a finite number of seconds", facts.duration_s)
    if facts.captured_at is not None and facts.captured_at.utcoffset() is None:
        raise _refused(subject, "captured_at", "a time with its zone", facts.captured_at)
    for name, digest in (
        ("source", proposal.source_sha256),
        ("cover_hash", proposal.cover_hash),
        *proposal.ai_runs.items(),
    ):
        if digest is not None:
            _check_digest(subject, name, digest)
    for kind in proposal.ai_runs:
        _check_text(subject, "analysis_kind", kind, NAME_LENGTH_MAX, empty=False)
    _check_files(proposal.files)


def check_container(facts: ContainerFacts) -> None:
    """Raise `FactsRefused` for what the library will not keep."""
    subject = str(facts.ref)
    _check_text(subject, "key", facts.key, NAME_LENGTH_MAX, empty=False)
    _check_text(subject, "title", facts.title)
    _check_detail(subject, facts.detail)
    if facts.cover_hash is not None:
        _check_digest(subject, "cover_hash", facts.cover_hash)
    for member in facts.members:
        _check_digest(subject, "members", member)


def _check_files(files: Iterable[FileFacts]) -> None:
    paths: set[str] = set()
    for file in files:
        if is_withheld(file.role, file.variant, file.path):
            raise WithheldDerivative(
                "a derivative that is never stored was about to be stored",
                subject=file.path,
                expected=f"none of {', '.join(sorted(WITHHELD_VARIANTS))}",
                found=file.variant or file.path,
            )
        if file.path in paths:
            raise _refused(file.path, "files", "each path once", "it twice")
        paths.add(file.path)
        _check_text(file.path, "path", file.path, empty=False)
        _check_text(file.path, "role", file.role, CODE_LENGTH_MAX, empty=False)
        _check_text(file.path, "variant", file.variant, CODE_LENGTH_MAX)
        _check_text(file.path, "media_type", file.media_type, NAME_LENGTH_MAX)
        _check_text(file.path, "store", file.store, NAME_LENGTH_MAX, empty=False)
        _check_text(file.path, "location", file.location, empty=False)
        if file.sha256 is not None:
            _check_digest(file.path, "sha256", file.sha256)
        elif file.md5 is None and file.etag is None:
            raise _refused(file.path, "files", "a digest or an ETag of each file", "none")
        if file.md5 is not None and not is_md5(file.md5):
            raise _refused(file.path, "md5", "an md5 in 32 lower-case hex digits", file.md5)
        _check_text(file.path, "etag", file.etag, NAME_LENGTH_MAX)
        _check_range(file.path, "size_bytes", file.size_bytes, 0, BIG_INTEGER_MAX)


def _check_digest(subject: str, name: str, digest: str) -> None:
    if not is_sha256(digest):
        raise _refused(subject, name, "a sha256 in 64 lower-case hex digits", digest)


def _check_text(
    subject: str,
    name: str,
    text: str | None,
    length_max: int | None = None,
    *,
    empty: bool = True,
) -> None:
    """SQLite takes any text; PostgreSQL refuses NUL, and all refuse lone surrogates."""
    if text is None:
        return
    if not text and not empty:
        raise _refused(subject, name, "a value", "none")
    if length_max is not None and len(text) > length_max:
        raise _refused(subject, name, f"at most {length_max} characters", f"{len(text)}")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise _refused(subject, name, "valid Unicode", "half of a surrogate pair") from None
    if size > TEXT_BYTES_MAX:
        raise _refused(subject, name, f"at most {TEXT_BYTES_MAX} bytes", size)
    if "\0" in text:
        raise _refused(subject, name, "text without NUL characters", "one")


def _check_detail(subject: str, detail: Mapping[str, Any]) -> None:
    try:
        text = detail_text(detail)
    except (TypeError, ValueError) as error:
        raise _refused(subject, "detail", "plain JSON values", error) from error
    _check_text(subject, "detail", text)


def _check_range(subject: str, name: str, value: int | None, low: int, high: int) -> None:
    if value is not None and not low <= value <= high:
        raise _refused(subject, name, f"{low} to {high}", value)


def _refused(subject: str, name: str, expected: object, found: object) -> FactsRefused:
    return FactsRefused(
        f"the library cannot keep this {name}", subject=subject, expected=expected, found=found
    )


def _is_news(sha256: str | None, history: Sequence[str]) -> bool:
    return sha256 is not None and (not history or history[-1] != sha256)


def _outcome(*, created: bool, changed: bool) -> Outcome:
    if created:
        return Outcome.CREATED
    return Outcome.UPDATED if changed else Outcome.UNCHANGED


def _spelled(variant: str) -> str:
    return variant.strip().lower().replace("-", "_").replace(" ", "_")
