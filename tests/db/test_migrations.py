"""The migrated schema is the models' schema, and upgrading is safe to repeat and to race."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, insert, inspect, select, text, update
from sqlalchemy.exc import IntegrityError

import lading.accounts.tables
import lading.jobs.tables
import lading.ledger.tables
import lading.library.people_tables
import lading.operations.tables
import lading.sorting.tables  # noqa: F401 - declares its tables on the metadata
from lading.db import Database, migrate, revisions
from lading.db.clock import now
from lading.db.migrate import upgrade
from lading.db.revisions import (
    DatabaseNotMigrated,
    DatabaseTooNew,
    current_revision,
    head_revision,
    require_current,
)
from lading.db.schema import metadata
from lading.ledger.chain import GENESIS_HASH
from lading.library.tables import asset, asset_cover, asset_file, site
from lading.testing.servers_db import url_of

MakeDatabase = Callable[..., Database]


def facts_of_schema(database: Database) -> dict[str, Any]:
    """Everything the database itself says about its tables, in no order."""
    facts: dict[str, Any] = {}
    with database.read() as conn:
        inspector = inspect(conn)
        for table in inspector.get_table_names():
            if table == "alembic_version":
                continue
            columns = inspector.get_columns(table)
            facts[table] = {
                "columns": _by_name(columns),
                "primary key": inspector.get_pk_constraint(table),
                "uniques": _by_name(inspector.get_unique_constraints(table)),
                "foreign keys": _by_name(inspector.get_foreign_keys(table)),
                "indexes": _by_name(inspector.get_indexes(table)),
                "checks": _by_name(inspector.get_check_constraints(table)),
                "options": inspector.get_table_options(table),
            }
        facts["details"] = sorted(map(str, conn.exec_driver_sql(_DETAILS[database.dialect])))
    return facts


def _by_name(items: list[Any]) -> dict[str, Any]:
    return {str(item["name"]): _plain(item) for item in items}


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return str(value)


# What reflection leaves out: conditions of indexes, storage options, collations, AUTOINCREMENT.
_DETAILS = {
    "sqlite": "SELECT name, sql LIKE '%AUTOINCREMENT%',"
    " CASE WHEN type = 'index' THEN sql END FROM sqlite_master"
    " WHERE name NOT LIKE '%alembic%' AND name NOT LIKE 'sqlite_%'",
    "postgresql": "SELECT c.relname, c.reloptions, pg_get_indexdef(c.oid) FROM pg_class c"
    " LEFT JOIN pg_index i ON i.indexrelid = c.oid"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relname NOT LIKE 'alembic%%'"
    " AND c.relkind IN ('r', 'i')",
    "mariadb": "SELECT table_name, column_name, column_type, collation_name, column_default,"
    " extra FROM information_schema.columns WHERE table_schema = DATABASE()"
    " AND table_name <> 'alembic_version'",
}


def test_the_migrated_schema_is_the_one_the_models_create(make_database: MakeDatabase) -> None:
    migrated = facts_of_schema(make_database())
    created = make_database(migrated=False)
    with created.write() as conn:
        metadata.create_all(conn)
    modelled = facts_of_schema(created)
    assert migrated.keys() == modelled.keys()
    for table, facts in modelled.items():
        assert migrated[table] == facts, table


def test_alembic_sees_no_difference_between_models_and_migrations(
    make_database: MakeDatabase,
) -> None:
    created = make_database(migrated=False)
    with created.write() as conn:
        metadata.create_all(conn)
    with created.read() as conn:
        # Alembic does not ask an index whether it is meant for this database.
        meant = {
            str(index["name"])
            for table in metadata.tables
            for index in inspect(conn).get_indexes(table)
        }
    with make_database().read() as conn:
        context = MigrationContext.configure(conn, opts={"compare_server_default": True})
        differences = [
            difference
            for difference in compare_metadata(context, metadata)
            if not (difference[0] == "add_index" and difference[1].name not in meant)
        ]
    assert differences == []


def test_the_schema_brings_the_head_of_the_ledger_and_the_pause_switch(database: Database) -> None:
    with database.read() as conn:
        assert conn.execute(text("SELECT id, seq, hash FROM ledger_head")).all() == [
            (1, 0, GENESIS_HASH)
        ]
        lanes = conn.execute(text("SELECT lane, paused FROM queue_control")).all()
    assert [(lane, bool(paused)) for lane, paused in lanes] == [("default", False)]


def test_keys_that_differ_in_case_or_trailing_spaces_are_two_keys(database: Database) -> None:
    keys = ["a", "A", "a ", "a\u0301", "\u00e1"]
    with database.write() as conn:
        for key in keys:
            conn.execute(insert(site).values(key=key, name="x", created_at=now()))
    with database.read() as conn:
        assert set(conn.scalars(select(site.c.key))) == set(keys)


def test_upgrading_twice_changes_nothing_the_second_time(make_database: MakeDatabase) -> None:
    database = make_database(migrated=False)
    assert current_revision(database) is None
    assert upgrade(database) is True
    before = facts_of_schema(database)
    assert upgrade(database) is False
    assert facts_of_schema(database) == before
    assert current_revision(database) == head_revision()
    require_current(database)


def test_a_database_without_schema_is_refused_with_the_command_that_helps(
    make_database: MakeDatabase,
) -> None:
    with pytest.raises(DatabaseNotMigrated) as caught:
        require_current(make_database(migrated=False))
    assert "lading db upgrade" in caught.value.advice
    assert caught.value.found == "no schema"


def test_a_database_of_a_newer_program_is_neither_used_nor_upgraded(database: Database) -> None:
    with database.write() as conn:
        conn.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for attempt in (require_current, upgrade):
        with pytest.raises(DatabaseTooNew, match="found schema 9999"):
            attempt(database)
    assert current_revision(database) == "9999"


def test_two_processes_that_upgrade_at_once_do_it_once(make_database: MakeDatabase) -> None:
    database = make_database(migrated=False)
    # Both wait for a line before they start, so that they start together.
    program = (
        "import sys; from lading.db import open_database; from lading.db.migrate import upgrade\n"
        "db = open_database(sys.argv[1]); print('ready', flush=True); sys.stdin.readline()\n"
        "print(upgrade(db)); db.close()"
    )
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, url_of(database)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60) for process in processes]
    assert sorted(out for out, _ in answers) == ["False\n", "True\n"], answers
    require_current(database)


@pytest.mark.parametrize("backend", ["mariadb"])
def test_an_upgrade_cut_off_on_mariadb_goes_on_when_run_again(
    backend: str, make_database: MakeDatabase
) -> None:
    database = make_database(migrated=False)
    upgrade(database)
    complete = facts_of_schema(database)
    # What a process leaves that was killed between two statements, near the end of its work.
    with database.write() as conn:
        conn.execute(text("DELETE FROM alembic_version"))
        conn.execute(text("DROP TABLE site_access_package"))
        conn.execute(text("DROP INDEX ix_asset_type ON asset"))
        conn.execute(text("DELETE FROM queue_control"))
    assert upgrade(database) is True
    assert facts_of_schema(database) == complete
    with database.read() as conn:
        assert conn.scalar(text("SELECT count(*) FROM ledger_head")) == 1
        assert conn.scalar(text("SELECT count(*) FROM queue_control")) == 1


def upgrade_to(database: Database, revision: str) -> None:
    """As a program that knew no later one would have left it."""
    with database.write() as conn:
        command.upgrade(migrate.alembic_config(conn), revision)


def insert_asset_with_cover(database: Database) -> tuple[int, int]:
    """An asset, its original, and the file that is its cover; the ids of the two files."""
    stamps = {"created_at": now(), "updated_at": now()}
    with database.write() as conn:
        conn.execute(insert(asset).values(content_hash="a" * 64, asset_type="photo", **stamps))
        asset_id = conn.scalar(select(asset.c.id))
        for role, digest in (("original", "a" * 64), ("cover", "c" * 64)):
            conn.execute(
                insert(asset_file).values(
                    asset_id=asset_id,
                    role=role,
                    path=f"{role}.jpg",
                    path_sha256=digest,
                    sha256=digest,
                    size_bytes=7,
                    store="library",
                    location=f"sha256/{digest}",
                    **stamps,
                )
            )
        original, of_cover = conn.scalars(select(asset_file.c.id).order_by(asset_file.c.id))
        cover = {"owner_kind": "asset", "owner_id": asset_id, "cover_hash": "c" * 64}
        conn.execute(insert(asset_cover).values(**cover, file_id=of_cover, **stamps))
    return original, of_cover


def test_files_and_the_covers_that_refer_to_them_outlive_files_kept_in_place(
    make_database: MakeDatabase,
) -> None:
    database = make_database(migrated=False)
    upgrade_to(database, "0004")
    original, cover = insert_asset_with_cover(database)
    kept = ("id", "asset_id", "role", "path", "path_sha256", "sha256", "size_bytes", "location")
    query = select(*(asset_file.c[name] for name in kept)).order_by(asset_file.c.id)
    with database.read() as conn:
        before = conn.execute(query).all()
    assert upgrade(database) is True
    with database.read() as conn:
        assert conn.execute(query).all() == before
        assert [row.id for row in before] == [original, cover]
        assert conn.execute(select(asset_file.c.md5, asset_file.c.etag)).all() == [(None, None)] * 2
        found = conn.execute(
            select(asset_file.c.role, asset_file.c.sha256).join(
                asset_cover, asset_cover.c.file_id == asset_file.c.id
            )
        ).all()
    assert found == [("cover", "c" * 64)]
    # The cover still holds on to its file, and a file may be without a sha256 now.
    with pytest.raises(IntegrityError), database.write() as conn:
        conn.execute(delete(asset_file).where(asset_file.c.id == cover))
    with database.write() as conn:
        conn.execute(update(asset_file).where(asset_file.c.id == original).values(sha256=None))
    fresh = make_database()
    assert facts_of_schema(database) == facts_of_schema(fresh)


def test_revisions_are_one_line_without_branches() -> None:
    scripts = ScriptDirectory.from_config(migrate.alembic_config(None))
    assert scripts.get_heads() == [head_revision()]
    assert len(scripts.get_bases()) == 1


def test_the_files_of_migrations_are_named_by_their_revisions() -> None:
    scripts = ScriptDirectory.from_config(migrate.alembic_config(None))
    walked = [script.revision for script in scripts.walk_revisions()]
    assert revisions._revisions() == walked
