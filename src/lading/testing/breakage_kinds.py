"""The ways in which a published bundle can be wrong, by name, and what is expected of each."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from lading.testing.bundles import Bundle, BundlePublisher, Published

NEIGHBOURS = 2
"""How many sound items stand beside a broken one."""


class Scope(StrEnum):
    """What a breakage spoils."""

    BATCH = "batch"
    ITEM = "item"


class Stage(StrEnum):
    """Where a breakage is found first. What preflight could find by hashing is found at import."""

    SCAN = "scan"
    PREFLIGHT = "preflight"
    ENGINE = "engine"  # the engine's part of preflight, not the source's
    IMPORT = "import"


class Breakage(StrEnum):
    """The ways, by name."""

    SENTINEL_MISSING = "sentinel_missing"
    MANIFEST_MISSING = "manifest_missing"
    MANIFEST_EMPTY = "manifest_empty"
    MANIFEST_TRUNCATED = "manifest_truncated"
    MANIFEST_TRAILING = "manifest_trailing"
    MANIFEST_NOT_UTF8 = "manifest_not_utf8"
    MANIFEST_BOM = "manifest_bom"
    MANIFEST_NOT_AN_OBJECT = "manifest_not_an_object"
    MANIFEST_NESTED_ENDLESSLY = "manifest_nested_endlessly"
    MANIFEST_DUPLICATE_KEY = "manifest_duplicate_key"
    MANIFEST_NAN = "manifest_nan"
    MANIFEST_ENDLESS_NUMBER = "manifest_endless_number"
    MANIFEST_RAW_CONTROL = "manifest_raw_control"
    MANIFEST_HUGE = "manifest_huge"
    MANIFEST_PIPE = "manifest_pipe"
    MANIFEST_FOLDER = "manifest_folder"
    MANIFEST_SYMLINK = "manifest_symlink"
    SENTINEL_PIPE = "sentinel_pipe"
    ITEMS_MISSING = "items_missing"
    ITEMS_NOT_A_LIST = "items_not_a_list"
    NAME_UPPER_CASE = "name_upper_case"
    SYNC_ID_OF_ANOTHER = "sync_id_of_another"
    SYNC_ID_NUMBER = "sync_id_number"
    SENTINEL_OF_ANOTHER = "sentinel_of_another"
    SENTINEL_GARBAGE = "sentinel_garbage"
    SCHEMA_UNKNOWN = "schema_unknown"
    SCHEMA_TRUE = "schema_true"
    TYPE_UNKNOWN = "type_unknown"
    ACTION_UNKNOWN = "action_unknown"
    ACTION_A_LIST = "action_a_list"
    NOT_COMPLETED = "not_completed"
    VERIFICATION_FAILED = "verification_failed"
    VERIFICATION_ONLY_TRUTHY = "verification_only_truthy"
    VERIFICATION_MISSING = "verification_missing"
    ITEM_TOTAL_WRONG = "item_total_wrong"
    BYTE_TOTAL_WRONG = "byte_total_wrong"
    TOTAL_NOT_A_NUMBER = "total_not_a_number"

    ITEM_NOT_AN_OBJECT = "item_not_an_object"
    ITEM_WITHOUT_ID = "item_without_id"
    ITEM_ID_TOO_LONG = "item_id_too_long"
    ITEM_ID_NUL = "item_id_nul"
    ITEM_ID_NEWLINE = "item_id_newline"
    ITEM_NESTED_DEEPLY = "item_nested_deeply"
    ITEM_WRONG_TYPES = "item_wrong_types"
    KIND_UNKNOWN = "kind_unknown"
    KIND_MISSING = "kind_missing"
    ASSET_TYPE_UNKNOWN = "asset_type_unknown"
    CONTAINER_TYPE_UNKNOWN = "container_type_unknown"
    CONTENT_HASH_MISSING = "content_hash_missing"
    CONTENT_HASH_OF_NO_FILE = "content_hash_of_no_file"
    TITLE_NUL = "title_nul"
    TITLE_LONE_SURROGATE = "title_lone_surrogate"
    UNKNOWN_FIELD_NUL = "unknown_field_nul"
    CAPTURED_AT_NONSENSE = "captured_at_nonsense"
    WIDTH_HUGE = "width_huge"
    DURATION_INFINITE = "duration_infinite"
    SIZE_NEGATIVE = "size_negative"
    SIZE_FRACTION = "size_fraction"
    ROLE_UNKNOWN = "role_unknown"
    FILES_NOT_A_LIST = "files_not_a_list"
    FILE_TWICE = "file_twice"
    MEMBERS_NOT_HASHES = "members_not_hashes"
    PATH_ABSOLUTE = "path_absolute"
    PATH_PARENT = "path_parent"
    PATH_PARENT_IN_FILE = "path_parent_in_file"
    PATH_NUL = "path_nul"
    PATH_NEWLINE = "path_newline"
    PATH_TOO_LONG = "path_too_long"
    FILE_SYMLINK = "file_symlink"
    FOLDER_SYMLINK = "folder_symlink"
    FILE_PIPE = "file_pipe"
    FILE_FOLDER = "file_folder"
    FILE_MISSING = "file_missing"
    FILE_TOO_SHORT = "file_too_short"
    FILE_UNREADABLE = "file_unreadable"
    DOCUMENT_TOO_LARGE = "document_too_large"
    DUPLICATE_ITEM = "duplicate_item"
    DUPLICATE_CONTENT = "duplicate_content"
    UNKNOWN_MEMBER = "unknown_member"
    UNKNOWN_TARGET_OF_UPDATE = "unknown_target_of_update"
    UNKNOWN_TARGET_OF_REMOVE = "unknown_target_of_remove"
    FILE_OTHER_BYTES = "file_other_bytes"
    DOCUMENT_OTHER_BYTES = "document_other_bytes"
    FILE_SHRINKS = "file_shrinks"

    @property
    def scope(self) -> Scope:
        """Whether the whole batch is spoiled or one item."""
        return WAYS[self].scope

    @property
    def stage(self) -> Stage:
        """Where it is found first."""
        return WAYS[self].stage

    @property
    def expected_reason(self) -> str:
        """The reason code that Lading gives."""
        return WAYS[self].reason


@dataclass(frozen=True, slots=True)
class Broken:
    """A published breakage: the bundle, the spoiled item's key, and its sound neighbours' hashes.

    `item_key` and `path` (of the spoiled file, below the root) are None where there is none.
    """

    kind: Breakage
    sync_id: str
    published: Published
    item_key: str | None
    neighbours: tuple[str, ...]
    path: str | None = None

    @property
    def expected_reason(self) -> str:
        """The reason code that Lading gives."""
        return self.kind.expected_reason


@dataclass(frozen=True, slots=True)
class Spoiled:
    """What a way hands back: the published bundle, and which item or file it spoiled."""

    published: Published
    item_key: str | None = None
    path: str | None = None


Spoil = Callable[[BundlePublisher, Bundle], Spoiled]


@dataclass(frozen=True, slots=True)
class Way:
    """How a breakage is published, and what is expected of it."""

    scope: Scope
    stage: Stage
    reason: str
    spoil: Spoil
    action: str = "import"


WAYS: dict[Breakage, Way] = {}


def breaks_batch(kind: Breakage, reason: str) -> Callable[[Spoil], Spoil]:
    """Register how a whole batch is broken in this way."""

    def register(spoil: Spoil) -> Spoil:
        WAYS[kind] = Way(Scope.BATCH, Stage.SCAN, reason, spoil)
        return spoil

    return register


def breaks_item(
    kind: Breakage, reason: str, stage: Stage = Stage.PREFLIGHT, *, action: str = "import"
) -> Callable[[Spoil], Spoil]:
    """Register how one item is broken in this way."""

    def register(spoil: Spoil) -> Spoil:
        WAYS[kind] = Way(Scope.ITEM, stage, reason, spoil, action)
        return spoil

    return register


def manifest_bytes(bundle: Bundle) -> bytes:
    """The manifest of a bundle as it would be published."""
    return json.dumps(bundle.manifest()).encode()
