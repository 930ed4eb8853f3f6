"""What is asked of the faces of some photos, or of a folder, reads no table through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, event, insert, text

from lading.db import Database
from lading.db.counting import Count
from lading.library.browsing import AssetSort, asset_facets, browse_assets, count_browsed
from lading.library.filters import AssetFilter
from lading.library.people_queries import faces_to_match, files_to_scan, with_unidentified_face
from lading.library.people_tables import face, face_person, face_scan, person
from lading.library.photo_values import FilePlace
from lading.library.statements import moment
from lading.library.tables import asset, asset_file, photo_file
from tests.people.library import SOURCE, digest_of

PHOTOS, IN_A_FOLDER, BERTS = 4_000, 20, 30
TABLES = (asset, asset_file, photo_file, person, face_scan, face, face_person)


def fill(db: Database) -> None:
    """Photos in folders, with a face each, of which nobody is unidentified but the last.

    All are Anna's but some of Bert and of Bertie, who is the same.
    """
    ids = range(1, PHOTOS + 1)
    places = {i: FilePlace(SOURCE, f"f{i // IN_A_FOLDER}", f"{i}.jpg") for i in ids}
    with db.write() as conn:
        at = moment(conn)
        now = {"created_at": at, "updated_at": at}
        scan = {"key": "k", "engine": "toy", "engine_version": "1", "settings_digest": "d"}
        box = dict.fromkeys(("box_left", "box_top", "box_width", "box_height"), 0.1)
        measures = {"score": 1.0, "sharpness": 0.5, "roll_degrees": 0.0, "turn": 0.0}
        said = {"state": "confirmed", "decided_by": "me", "decided_at": at}
        rows: dict[Any, Callable[[int], dict[str, Any]]] = {
            asset: lambda i: {"content_hash": f"{i:064x}", "asset_type": "image", **now},
            asset_file: lambda i: {
                "asset_id": i,
                "role": "original",
                "path": places[i].path,
                "path_sha256": places[i].path_sha256,
                "sha256": f"{i:064x}",
                "size_bytes": 1,
                "store": f"source:{SOURCE}",
                "location": places[i].location,
                **now,
            },
            face_scan: lambda i: {
                "asset_id": i,
                "current": 1,
                "settings": "{}",
                "left_out": 0,
                "scanned_at": at,
                **scan,
            },
            face: lambda i: {
                "scan_id": i,
                "side_px": 90,
                "embedding_kind": "toy",
                "embedding": bytes(512),
                **box,
                **measures,
            },
        }
        conn.execute(insert(person), [{"id": 1, "name": "Anna", **now}])
        conn.execute(insert(person), [{"id": 2, "name": "Bert", **now}])
        conn.execute(insert(person), [{"id": 3, "name": "Bertie", "merged_into": 2, **now}])
        for table, row in rows.items():
            conn.execute(insert(table), [{"id": i, **row(i)} for i in ids])
        conn.execute(
            insert(photo_file),
            [
                {
                    "file_id": i,
                    "source": SOURCE,
                    "folder_sha256": place.folder_sha256,
                    "path_sha256": place.path_sha256,
                    "mtime_ns": 1,
                    "inode": 1,
                }
                for i, place in places.items()
            ],
        )
        whose = {i: 1 if i > BERTS else 2 + i % 2 for i in ids if i < PHOTOS}
        conn.execute(
            insert(face_person), [{"face_id": i, "person_id": n, **said} for i, n in whose.items()]
        )
    with db.autocommit() as conn:
        verb = "ANALYZE TABLE" if db.dialect == "mariadb" else "ANALYZE"
        for each in TABLES:
            conn.execute(text(f"{verb} {each.name}")).close()


def plans(db: Database, ask: Callable[[Connection], object]) -> list[str]:
    """How the database goes about each statement; a line of its plan each."""
    statements: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, values: Any, *___: Any) -> None:
        statements.append((statement, values))

    verb = "EXPLAIN QUERY PLAN" if db.dialect == "sqlite" else "EXPLAIN"
    with db.read() as conn:
        event.listen(db.engine, "before_cursor_execute", note)
        try:
            ask(conn)
        finally:
            event.remove(db.engine, "before_cursor_execute", note)
        if db.dialect == "postgresql":
            # For a small table it would read all of it though it has the index.
            conn.execute(text("SET LOCAL enable_seqscan = off"))
        return [
            " ".join(map(str, row))
            for statement, values in statements
            for row in conn.exec_driver_sql(f"{verb} {statement}", values)
        ]


OF_BERT = AssetFilter(person=2)
QUESTIONS: dict[str, Callable[[Connection], object]] = {
    "which of a page of photos": lambda conn: with_unidentified_face(conn, range(1, 51)),
    "faces of a folder": lambda conn: faces_to_match(conn, SOURCE, digest_of("f7"), "held"),
    "those never told": lambda conn: faces_to_match(
        conn, SOURCE, digest_of("f7"), "held", again=False
    ),
    "files of a folder": lambda conn: list(files_to_scan(conn, SOURCE, digest_of("f7"), "other")),
}
PHOTOS_OF_BERT: dict[str, Callable[[Connection], object]] = {
    "newest first": lambda conn: browse_assets(conn, OF_BERT),
    "by their dates": lambda conn: browse_assets(conn, OF_BERT, sort=AssetSort.CAPTURED_LAST),
    "how many": lambda conn: count_browsed(conn, OF_BERT),
    "how many of each kind": lambda conn: asset_facets(conn, OF_BERT),
}


def read_through(db: Database, ask: Callable[[Connection], object]) -> list[str]:
    """The lines of its plans that read a table, or an index of it, from end to end."""
    lines = plans(db, ask)
    assert lines
    if db.dialect == "mariadb":
        # The fourth column says how a table is read: `ALL` all rows, `index` a whole index.
        return [line for line in lines if {"ALL", "index"} & set(line.split()[:5])]
    mark = "SCAN " if db.dialect == "sqlite" else "Seq Scan"
    return [line for line in lines if mark in line]


def test_what_is_unidentified_in_some_photos_is_found_by_indexes(database: Database) -> None:
    fill(database)
    with database.read() as conn:
        assert with_unidentified_face(conn, range(PHOTOS - 30, PHOTOS + 1)) == {PHOTOS}
        assert count_browsed(conn, OF_BERT) == Count(BERTS)
    for name, ask in QUESTIONS.items():
        assert read_through(database, ask) == [], name
    for name, ask in PHOTOS_OF_BERT.items():
        assert "ix_face_person_person" in " ".join(plans(database, ask)), name
        assert [line for line in read_through(database, ask) if "face" in line] == [], name
    blurred = text("SELECT id FROM face WHERE sharpness < 0.1")
    assert read_through(database, lambda conn: conn.execute(blurred).all()), "it is noticed"
