"""Fifty-seven batches of a real import queue as plain data, in the order the page shows them.

Eighteen unfinished ones, then thirty-nine imported, each newest change first; a dozen share one
second. Where items end and bytes begin was not marked where they come from: it is our reading.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection

from lading.db.bulk import bulk_insert
from lading.ledger.batches import batch_ids
from lading.ledger.states import FINAL_BATCH_STATES, BatchState
from lading.ledger.tables import ingest_batch

SOURCE: Final = "node2"

_TABLE: Final = """
d4a43b44-3a88-4ef4-a714-68625cf133cd asset import preflight_passed 138 2050000000 2026-06-29 18:30:04
49f867b0-59c6-48a5-adec-c0bbd52a4f56 asset import preflight_passed 312 30780000000 2026-06-29 18:26:46
4929b08d-0b05-48ac-a3f5-09c880ae8d76 asset update pending 25 777900 2026-06-27 19:38:11
6df12fb8-3d5b-42ca-bcec-3999624acc82 asset update preflight_passed 4 172800000 2026-06-27 11:50:03
30e9ba08-1310-4fca-87ca-0dad1311c910 gallery import pending 27 228300000 2026-06-27 11:50:02
443ae22a-2ed3-4e21-95e4-b3d89d95a9b9 collection import pending 55 490000000 2026-06-27 11:50:02
72d5953b-8489-4eeb-acd3-166fdafa3c49 collection update pending 37 4810000000 2026-06-27 11:50:02
82198374-b74d-445f-90f7-7cd4002f3856 asset import pending 2 274200000 2026-06-27 11:50:02
a4125a5f-05cf-4587-bcaa-746885cfdc3b gallery import pending 25 1500000000 2026-06-27 11:50:02
a45298ec-f243-4035-825f-7bd847194dc8 asset import pending 2 463500000 2026-06-27 11:50:02
e870431d-f55c-4c8e-9133-1335a823cf65 gallery update pending 33 255400000 2026-06-27 11:50:02
ea26e6fe-f86f-402c-be5b-de5c1f509143 event update pending 63 2200000000 2026-06-27 11:50:02
19b3d9af-0874-4dea-89e1-fc9316095327 collection import pending 2 244400 2026-06-27 11:50:01
de2d07be-eea7-4282-84aa-f57bca0b4e68 gallery import pending 47 281800000 2026-06-27 11:50:01
9c43d4e6-3e75-4b45-9ed3-3b55d2903882 asset update pending 2 364300000 2026-06-27 11:50:00
c290cc8f-049a-4f7d-8b54-c93ee3de9fc4 collection import pending 2 244400 2026-06-27 11:50:00
c726a848-3a65-4294-9f46-838dbe7a57da asset import pending 58 6180000000 2026-06-27 11:49:59
ec7b72ca-aabd-42c4-a930-1b9759f4baab asset update pending 58 0 2026-06-27 11:49:59
835a87a0-8b44-4927-93f6-c7848ebaebdb asset import imported 225 4930000000 2026-06-29 18:36:57
a92edcab-f7cc-4c35-bf06-a8ec08ae7d52 asset import imported 128 13910000000 2026-06-29 17:57:43
6e406104-1e60-48ed-8e4c-024e1e0d8fd5 asset import imported 133 16450000000 2026-06-29 14:50:05
dec33f79-9605-4c87-839f-de9319913bcb asset import imported 144 15340000000 2026-06-29 14:26:59
1763ab02-e796-4ee2-b0be-1d0b1d642122 asset import imported 249 29220000000 2026-06-29 12:55:06
080c05dc-3bb4-4a0b-8e4c-90557e11e15b asset import imported 128 14420000000 2026-06-29 12:41:45
944dd06d-f2c5-48f3-8811-3e19505c7ec2 asset import imported 339 25810000000 2026-06-29 12:05:25
38c65844-5370-4490-9f5a-514ad385e1e8 asset import imported 282 17950000000 2026-06-29 11:11:46
8ba4adb9-98fe-4253-a65c-657b386dc90d asset import imported 264 19020000000 2026-06-29 09:50:30
4118da38-a52c-4993-8741-3cd5694db707 asset import imported 53 3470000000 2026-06-29 09:40:11
67e0bdf0-b755-4eed-80e5-857051d12e9d asset import imported 50 3270000000 2026-06-29 09:38:06
13ef0290-6f34-41cd-9bd2-138364b15906 asset import imported 269 19700000000 2026-06-29 09:36:09
d484a41c-a103-4c3f-927e-990cc285e046 asset import imported 308 58100000000 2026-06-29 09:20:24
50bb3659-15cb-4965-8068-21e5a19249d2 asset import imported 286 81610000000 2026-06-29 08:28:33
ee7e7daf-2d58-49f4-b74e-6313b6ef83d4 asset import imported 323 95230000000 2026-06-29 08:11:35
ff64b14e-067b-4bd2-abe5-c3b77da7ab6c asset import imported 296 53100000000 2026-06-29 07:43:59
21df4abb-4214-4a5e-87a0-4aab77b8301e asset import imported 296 82600000000 2026-06-29 07:26:17
b7de329b-db2d-4b65-96e0-d2e010d42ed0 asset import imported 308 52640000000 2026-06-29 06:20:08
7f4905d5-b2a7-41be-98f5-eda1e82320ea asset import imported 231 66370000000 2026-06-29 05:48:43
d69593c7-324c-48a2-900b-62248ff70426 asset import imported 43 2290000000 2026-06-28 22:50:26
b8d25112-fbbc-432c-997a-65db3d81de92 asset import imported 306 50780000000 2026-06-28 21:09:26
12bcbfc4-a6c7-4753-a765-178dd9461b63 asset import imported 285 48460000000 2026-06-28 20:28:16
f38cfadc-a9b0-4bde-8002-4d9105a26e8d asset import imported 313 52910000000 2026-06-28 18:58:45
9818659e-e60e-47b8-bf50-59971a081fb3 asset import imported 275 36070000000 2026-06-28 04:26:49
22c29852-da6e-4db6-8c79-701b57c69f06 asset import imported 257 43780000000 2026-06-27 22:10:43
ae137c35-14ed-479f-aafb-dec0444bd349 asset import imported 329 38680000000 2026-06-27 20:13:29
e0ba6d5b-e9e2-4564-8f3c-65f0f65237bc asset import imported 294 51010000000 2026-06-27 19:52:16
8fccb37c-0689-4caa-857e-1e8f284fe2f6 asset import imported 25 3330000000 2026-06-27 18:01:13
7506599b-9559-4d52-bc1c-24a74631e598 asset import imported 2 12900000 2026-06-27 11:50:02
a09117d8-8013-4a85-8c57-b2ccdb3d36f6 event update imported 2 0 2026-06-27 11:50:02
bc02ed61-9d39-4538-952a-ed4ced680e96 asset update imported 4 583400000 2026-06-27 11:50:02
e1586fc0-d5ed-479f-b38f-82abd2e6d88c asset update imported 2 7600000 2026-06-27 11:50:02
18b666e8-d48d-4dc8-8aeb-6002c8444595 gallery import imported 89 14580000000 2026-06-27 11:50:01
37e428d2-a4f6-4a31-bacf-0c835fb24084 gallery import imported 132 7240000000 2026-06-27 11:50:01
10583d2e-7737-44e5-a0fa-fd9a71931deb asset update imported 1 364300000 2026-06-27 11:50:00
b8d72455-cab7-42f2-854f-1a9e54f04353 asset update imported 1 582000000 2026-06-27 11:50:00
ecfe987d-65f6-41d7-b4f8-8d97e7518f41 asset import imported 280 53290000000 2026-06-27 11:50:00
f6d2ef02-c0a5-44d1-ab3d-db40bba8335c asset import imported 1 582000000 2026-05-31 21:20:17
27ccdfc4-6321-4a5c-adcb-ea691e751d08 asset import imported 1 885000000 2026-05-30 18:48:25
"""  # noqa: E501 - a table


@dataclass(frozen=True, slots=True)
class SeedBatch:
    """One row of the page."""

    sync_id: str
    type: str
    action: str
    state: BatchState
    items: int
    bytes: int
    updated_at: datetime


def _parse(line: str) -> SeedBatch:
    sync_id, kind, action, state, items, size, day, time = line.split()
    at = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=UTC)
    return SeedBatch(sync_id, kind, action, BatchState(state), int(items), int(size), at)


SEED_57: Final = tuple(_parse(line) for line in _TABLE.strip().splitlines())


def insert_seed_57(conn: Connection, *, source: str = SOURCE) -> list[int]:
    """Record the fifty-seven, the last one first; returns their ids in the order of `SEED_57`.

    Batches only: there are no items, jobs or events behind them.
    """
    bulk_insert(conn, ingest_batch, (_columns(row, source) for row in reversed(SEED_57)))
    ids = batch_ids(conn, source, [row.sync_id for row in SEED_57])
    return [ids[row.sync_id] for row in SEED_57]


def _columns(row: SeedBatch, source: str) -> dict[str, object]:
    manifest = hashlib.sha256(row.sync_id.encode()).hexdigest()
    finished = row.state in FINAL_BATCH_STATES
    preflighted = row.state is not BatchState.PENDING
    return {
        "source": source,
        "batch_key": row.sync_id,
        "revision": int(preflighted),
        "queued_revision": 1 if finished else None,
        "type": row.type,
        "action": row.action,
        "state": row.state.value,
        "fingerprint": manifest,
        "manifest_sha256": manifest,
        "preflight_sha256": manifest if preflighted else None,
        "items_total": row.items,
        "bytes_total": row.bytes,
        "found_at": row.updated_at,
        "updated_at": row.updated_at,
        "preflighted_at": row.updated_at if preflighted else None,
        "queued_at": row.updated_at if finished else None,
        "finished_at": row.updated_at if finished else None,
    }
