"""The rules of the hand-over source, one row of a table for each case."""

from __future__ import annotations

from typing import Any

import pytest

from lading.ledger.states import Decision
from lading.sources.handover.items import AssetItem, ContainerItem, FileEntry, parse_item
from lading.sources.handover.reasons import REASONS
from lading.sources.handover.rules import (
    Header,
    LibraryState,
    analysis_kind,
    decide_asset,
    decide_container,
    is_kept,
    judge_asset,
    judge_header,
    judge_sentinel,
)

KEY = "00000000-0000-4000-8000-00000000000a"
SHA = "a" * 64
OTHER = "b" * 64
ABSENT = LibraryState()
SAME = LibraryState(known=True, same=True)
DIFFERENT = LibraryState(known=True)
IN_TRASH = LibraryState(known=True, same=True, deleted=True)


def header(**changes: Any) -> Header:
    fields = {
        "schema_version": 1,
        "sync_id": KEY,
        "type": "asset",
        "action": "import",
        "status": "completed",
        "verification": {"passed": True, "items": 2, "bytes": 30},
    }
    return Header(fields={**fields, **changes}, items=2, bytes=30)


def asset(**changes: Any) -> AssetItem:
    file = {"path": "original/a.jpg", "role": "original", "bytes": 5, "sha256": SHA}
    fields = {
        "item_id": "p",
        "kind": "asset",
        "asset_type": "photo",
        "content_hash": f"sha256:{SHA}",
        "path": "a",
        "files": [file],
    }
    item = parse_item(0, {k: v for k, v in {**fields, **changes}.items() if v != "left out"})
    assert isinstance(item, AssetItem), item
    return item


def container(**changes: Any) -> ContainerItem:
    fields = {
        "item_id": "c",
        "kind": "container",
        "container_type": "gallery",
        "container_key": "spring",
        "members": [SHA],
    }
    item = parse_item(0, {k: v for k, v in {**fields, **changes}.items() if v != "left out"})
    assert isinstance(item, ContainerItem), item
    return item


def file(name: str, role: str, sha256: str = OTHER, **more: Any) -> dict[str, Any]:
    return {"path": name, "role": role, "bytes": 1, "sha256": sha256, **more}


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({}, None),
        ({"verification": {"passed": True}}, None),
        ({"later": {"field": 1}}, None),
        ({"schema_version": "1"}, "unsupported_schema"),
        ({"schema_version": 1.0}, "unsupported_schema"),
        ({"schema_version": True}, "unsupported_schema"),
        ({"schema_version": 0}, "unsupported_schema"),
        ({"sync_id": KEY.upper()}, "sync_id_mismatch"),
        ({"sync_id": None}, "sync_id_mismatch"),
        ({"type": "Asset"}, "unsupported_type"),
        ({"type": ["asset"]}, "unsupported_type"),
        ({"action": "delete"}, "unsupported_action"),
        ({"action": {}}, "unsupported_action"),
        ({"status": "complete"}, "not_completed"),
        ({"status": ["completed"]}, "not_completed"),
        ({"verification": None}, "verification_failed"),
        ({"verification": True}, "verification_failed"),
        ({"verification": {"passed": 1}}, "verification_failed"),
        ({"verification": {"passed": "true"}}, "verification_failed"),
        ({"verification": {"passed": True, "items": 3}}, "totals_mismatch"),
        ({"verification": {"passed": True, "items": 2.0}}, "totals_mismatch"),
        ({"verification": {"passed": True, "bytes": 31}}, "totals_mismatch"),
        ({"verification": {"passed": True, "bytes": "30"}}, "totals_mismatch"),
    ],
)
def test_a_header_is_consumable_only_in_full(changes: dict[str, Any], code: str | None) -> None:
    fault = judge_header(KEY, header(**changes), SHA, b"")
    assert (fault.code if fault else None) == code


@pytest.mark.parametrize(
    ("sentinel", "good"),
    [
        (b"", True),
        (b"\n", True),
        (SHA.encode(), True),
        (SHA.upper().encode() + b"\r\n", True),
        (f"sha256:{SHA}\n".encode(), True),
        (OTHER.encode(), False),
        (SHA.encode()[:-1], False),
        (b"ready", False),
        (bytes(range(256)), False),
        (b"\0" * 64, False),
    ],
)
def test_a_sentinel_is_empty_or_holds_the_manifests_hash(sentinel: bytes, good: bool) -> None:
    fault = judge_sentinel(sentinel, SHA)
    assert (fault is None) == good
    if fault is not None:
        assert fault.code == "sentinel_hash_mismatch"


@pytest.mark.parametrize(
    ("role", "variant", "kept"),
    [
        ("derivative", "large", True),
        ("derivative", "frosted", False),
        ("derivative", "blurred", False),
        ("derivative", "vivid_blurred", False),
        ("derivative", "vivid-blurred", False),
        ("derivative", "Vivid Blurred", False),
        ("derivative", "unblurred", True),
        ("library_cover", "frosted", False),
        ("original", "blurred", True),
        ("original", None, True),
        ("source_data", None, True),
    ],
)
def test_some_derivatives_are_never_kept(role: str, variant: str | None, kept: bool) -> None:
    entry = FileEntry("a/x.webp", "x.webp", role, variant, 1, SHA, None)
    assert is_kept(entry) == kept


@pytest.mark.parametrize(
    ("role", "name", "kept"),
    [
        ("derivative", "derivatives/Frosted.webp", False),
        ("derivative", "derivatives/vivid_blurred.large.webp", False),
        ("derivative", "derivatives/frosted/large.webp", False),
        ("derivative", "derivatives/large.webp", True),
        ("original", "blurred/blurred.jpg", True),
        ("hls", "hls/frosted/0.ts", True),
    ],
)
def test_a_derivative_without_a_variant_is_judged_by_its_path(
    role: str, name: str, kept: bool
) -> None:
    assert is_kept(FileEntry(f"a/{name}", name, role, None, 1, SHA, None)) == kept


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("source/data/photo.manifest.json", "photo_manifest"),
        ("source/data/photo.analysis.json", "photo_analysis"),
        ("source/data/photo.meaning.json", "photo_meaning"),
        ("source/data/photo.family.json", "photo_family"),
        ("source/data/photo.mood.json", "source_data:photo.mood.json"),
        ("source/data/Photo.Family.json", "source_data:Photo.Family.json"),
        ("source/data/sub/photo.family.json", "source_data:sub/photo.family.json"),
    ],
)
def test_each_source_document_has_its_kind(name: str, kind: str) -> None:
    assert analysis_kind(FileEntry(f"a/{name}", name, "source_data", None, 1, SHA, None)) == kind


@pytest.mark.parametrize(
    ("action", "changes", "code"),
    [
        ("import", {}, None),
        ("import", {"asset_type": "left out"}, "unsupported_type"),
        ("update", {"asset_type": "left out"}, None),
        ("update", {"asset_type": None}, "unsupported_type"),
        ("import", {"asset_type": "audio"}, "unsupported_type"),
        ("import", {"asset_subtype": "video_simple"}, "unsupported_type"),
        ("import", {"asset_subtype": "panorama"}, None),
        ("import", {"content_hash": OTHER}, "manifest_shape"),
        ("import", {"files": [file("a", "original"), file("b", "original", SHA)]}, None),
        ("import", {"asset_type": "video", "asset_subtype": "video_simple"}, "manifest_shape"),
        (
            "import",
            {"asset_type": "video", "asset_subtype": "video_simple", "duration_s": 2},
            None,
        ),
        (
            "import",
            {"files": [file("x", "original", SHA), file("s", "source", bytes=9 * 2**20)]},
            "document_too_large",
        ),
        (
            "import",
            {"files": [file("x", "original", SHA), file("s", "source"), file("t", "source")]},
            "manifest_shape",
        ),
        (
            "import",
            {"files": [file("x", "original", SHA), file("n" * 190, "source_data")]},
            "path_too_long",
        ),
    ],
)
def test_an_asset_is_judged_by_what_it_says_of_itself(
    action: str, changes: dict[str, Any], code: str | None
) -> None:
    fault = judge_asset(action, asset(**changes))
    assert (fault.code if fault else None) == code


DELIVERABLE_ONLY: dict[str, Any] = {"files": [file("t.vtt", "transcript")]}


@pytest.mark.parametrize(
    ("action", "changes", "state", "decision", "code"),
    [
        ("import", {}, ABSENT, Decision.CREATE, None),
        ("import", {}, SAME, Decision.UNCHANGED, None),
        ("import", {}, DIFFERENT, Decision.UPDATE, None),
        ("import", {}, IN_TRASH, Decision.UPDATE, None),
        ("import", DELIVERABLE_ONLY, ABSENT, Decision.REJECT, "manifest_shape"),
        ("update", {}, ABSENT, Decision.CREATE, None),
        ("update", {}, SAME, Decision.UNCHANGED, None),
        ("update", {}, DIFFERENT, Decision.UPDATE, None),
        ("update", DELIVERABLE_ONLY, ABSENT, Decision.REJECT, "unknown_target"),
        ("update", DELIVERABLE_ONLY, DIFFERENT, Decision.UPDATE, None),
        ("update", {"asset_type": "left out"}, ABSENT, Decision.REJECT, "unknown_target"),
        ("remove", {}, ABSENT, Decision.REJECT, "unknown_target"),
        ("remove", {}, SAME, Decision.REMOVE, None),
        ("remove", {}, IN_TRASH, Decision.UNCHANGED, None),
    ],
)
def test_what_becomes_of_an_asset(
    action: str, changes: dict[str, Any], state: LibraryState, decision: Decision, code: str | None
) -> None:
    verdict = decide_asset(action, asset(**changes), state)
    assert verdict.decision is decision
    assert (verdict.fault.code if verdict.fault else None) == code


@pytest.mark.parametrize(
    ("action", "changes", "state", "unknown", "decision", "code"),
    [
        ("import", {}, ABSENT, [], Decision.CREATE, None),
        ("import", {}, SAME, [], Decision.UNCHANGED, None),
        ("import", {}, IN_TRASH, [], Decision.UPDATE, None),
        ("import", {}, ABSENT, [SHA], Decision.REJECT, "unknown_member"),
        ("import", {"members": "left out"}, ABSENT, [], Decision.REJECT, "manifest_shape"),
        ("update", {"members": "left out"}, ABSENT, [], Decision.REJECT, "unknown_target"),
        ("update", {"members": "left out"}, DIFFERENT, [], Decision.UPDATE, None),
        ("update", {}, ABSENT, [], Decision.CREATE, None),
        ("remove", {"members": "left out"}, ABSENT, [], Decision.REJECT, "unknown_target"),
        ("remove", {"members": "left out"}, DIFFERENT, [], Decision.REMOVE, None),
        ("remove", {"members": "left out"}, IN_TRASH, [], Decision.UNCHANGED, None),
    ],
)
def test_what_becomes_of_a_container(
    action: str,
    changes: dict[str, Any],
    state: LibraryState,
    unknown: list[str],
    decision: Decision,
    code: str | None,
) -> None:
    verdict = decide_container(action, container(**changes), state, unknown)
    assert verdict.decision is decision
    assert (verdict.fault.code if verdict.fault else None) == code


def test_unknown_members_are_counted_and_the_first_are_named() -> None:
    members = [f"{number:064x}" for number in range(10)]
    verdict = decide_container("import", container(members=members), ABSENT, members)
    assert verdict.fault is not None
    assert verdict.fault.found is not None
    assert verdict.fault.found.startswith("10 unknown: sha256:000000000000…, ")
    assert verdict.fault.found.endswith("and 7 more")


def test_every_reason_has_a_sentence_and_a_next_step() -> None:
    for code, reason in REASONS.items():
        assert reason.code == code
        assert reason.sentence[0].islower()
        assert reason.next_step.endswith(".")
