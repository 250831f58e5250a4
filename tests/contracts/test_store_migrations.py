"""The migrations make the tables that the code names, once, however many start at the same time."""

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from service.store.migrate import alembic_config, upgrade_async
from service.store.tables import metadata
from tests.database_fixture import PostgreSql

pytestmark = pytest.mark.anyio

#: Foreign keys without an index that begins with them: nothing looks rows up by them, and nothing that they point at
#: is ever deleted or changes its id, so that no check of a deletion walks the table either.
UNINDEXED = {
    ("comments", "parent_id"): "a tree is walked by path; comments are never deleted",
    ("revisions", "site_id"): "every query names a comment, an id or a hash too",
    ("scores", "site_id"): "every query names a revision too",
    ("decisions", "revision_id"): "decisions are listed by comment; revisions are never deleted",
    ("appeals", "revision_id"): "appeals are found by comment; revisions are never deleted",
    ("reactions", "site_id"): "likes are found by comment or commenter",
    ("mail_addresses", "site_id"): "addresses are found by commenter, token or id",
    ("mails", "site_id"): "mails are found by commenter, address or time",
    ("suggested_scores", "token_id"): "labels are found by site; keys are never deleted",
    ("review_skips", "site_id"): "skips are found by their item",
    ("commenter_notes", "site_id"): "notes are found by their commenter",
    ("reports", "revision_id"): "reports are found by comment; revisions are never deleted",
    ("webhook_secrets", "site_id"): "secrets are found by their endpoint",
    ("webhook_attempts", "site_id"): "attempts are found by their delivery",
    ("idempotency_keys", "comment_id"): "keys are found by key; comments are never deleted",
    ("api_tokens", "member_id"): "tokens are found by hash or site; members are disabled, not deleted",
}


@pytest.fixture
async def empty_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a database without any table."""
    if database_kind == "sqlite":
        yield f"sqlite+aiosqlite:///{tmp_path / 'empty.db'}"
        return
    cluster: PostgreSql = request.getfixturevalue("postgresql")
    name = f"empty_{tmp_path.name.lower().replace('-', '_')[-40:]}"
    await cluster.execute(f"CREATE DATABASE {name}")
    yield cluster.url(name)
    await cluster.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def engine(empty_url: str) -> AsyncIterator[AsyncEngine]:
    """A connection to that database, without anything of the store."""
    opened = create_async_engine(empty_url)
    yield opened
    await opened.dispose()


async def _inspected(engine: AsyncEngine, look: Any) -> Any:
    async with engine.connect() as connection:
        return await connection.run_sync(look)


def _is_ours(name: str | None, _kind: str, _parents: Any) -> bool:
    """Leave out what only the one or the other database has, FTS5's tables and GIN: the tests of the search hold it."""
    return not (name or "").startswith("search_")


def _differences(connection: sa.Connection) -> list[Any]:
    opts = {"compare_type": True, "compare_server_default": True, "include_name": _is_ours}
    context = MigrationContext.configure(connection, opts=opts)
    return list(compare_metadata(context, metadata))


def _schema(connection: sa.Connection) -> list[tuple[str, ...]]:
    """Every table with its indexes and their conditions, as the database itself writes them down."""
    if connection.dialect.name == "sqlite":
        query = "SELECT name, coalesce(sql, '') FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY name"
    else:
        query = "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY indexname"
    return [tuple(row) for row in connection.exec_driver_sql(query)]


def _constraints(connection: sa.Connection) -> dict[str, list[str]]:
    """Every table with the names of its checks and its keys."""
    inspector = sa.inspect(connection)
    found = {}
    for table in metadata.tables:
        named: list[Any] = [inspector.get_pk_constraint(table), *inspector.get_check_constraints(table)]
        named += inspector.get_unique_constraints(table)
        # SQLite does not tell the name of a key that came with its column.
        named += inspector.get_foreign_keys(table) if connection.dialect.name != "sqlite" else []
        found[table] = sorted(one["name"] or "" for one in named if one)
    return found


async def test_the_migrated_schema_is_the_one_the_code_names(empty_url: str, engine: AsyncEngine) -> None:
    """Tables, columns, types, defaults, keys and indexes of the migrations equal the metadata, with no exception."""
    await upgrade_async(empty_url)
    assert await _inspected(engine, _differences) == []


async def test_partial_indexes_have_the_conditions_that_the_code_names(empty_url: str, engine: AsyncEngine) -> None:
    """What Alembic does not compare is equal too: the columns, order and condition of every index."""
    await upgrade_async(empty_url)
    migrated = {name: text for name, text in await _inspected(engine, _schema) if name.startswith(("ix_", "uq_"))}
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    created = {name: text for name, text in await _inspected(engine, _schema) if name.startswith(("ix_", "uq_"))}
    assert migrated == created
    assert "ix_comments_tree" in migrated


async def test_constraints_have_the_names_that_the_code_names(empty_url: str, engine: AsyncEngine) -> None:
    """Alembic compares no names of checks and keys; a later migration that drops one by its name must find it."""
    await upgrade_async(empty_url)
    migrated = await _inspected(engine, _constraints)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.drop_all)
        await connection.run_sync(metadata.create_all)
    assert migrated == await _inspected(engine, _constraints)
    assert "ck_suggested_scores_value" in migrated["suggested_scores"]


async def test_upgrading_twice_is_harmless(empty_url: str, engine: AsyncEngine) -> None:
    """A second upgrade changes nothing and answers the same revision."""
    first = await upgrade_async(empty_url)
    before = await _inspected(engine, _schema)
    assert await upgrade_async(empty_url) == first != ""
    assert await _inspected(engine, _schema) == before


@pytest.mark.slow
async def test_processes_that_upgrade_at_once_all_succeed(empty_url: str, engine: AsyncEngine) -> None:
    """Three processes start on an empty database together; each finds it migrated when it goes on."""
    script = "import sys; from service.store.migrate import upgrade; print(upgrade(sys.argv[1]))"
    pipe = asyncio.subprocess.PIPE
    started = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", script, empty_url, stdout=pipe, stderr=pipe)
        for _ in range(3)
    ]
    answers = [await process.communicate() for process in started]
    assert [process.returncode for process in started] == [0, 0, 0], answers
    assert len({answer for answer, _ in answers}) == 1
    assert await _inspected(engine, _differences) == []


async def test_downgrading_leaves_nothing(empty_url: str, engine: AsyncEngine) -> None:
    """The migrations undo themselves down to the empty database, and can be run again after that."""
    await upgrade_async(empty_url)
    async with engine.begin() as connection:
        await connection.run_sync(_downgrade, empty_url)
    tables = await _inspected(engine, lambda connection: sa.inspect(connection).get_table_names())
    assert tables == ["alembic_version"]
    await upgrade_async(empty_url)
    assert await _inspected(engine, _differences) == []


def _downgrade(connection: sa.Connection, url: str) -> None:
    config = alembic_config(url)
    config.attributes["connection"] = connection
    command.downgrade(config, "base")


def _upgrade_to(connection: sa.Connection, url: str, revision: str) -> None:
    config = alembic_config(url)
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


_ID = "00000000-0000-7000-8000-00000000000"
_ROWS_OF_0001 = (
    "INSERT INTO sites (id, slug, name, allowed_origins, prompt, guests_allowed, body_min_characters,"
    " body_max_characters, max_depth, edit_window_seconds, duplicate_window_seconds, policy_version, created_at)"
    f" VALUES ('{_ID}1', 'old', 'Old', '[]', '', true, 1, 9, 6, 1, 1, 'sha256:0', '2026-01-01 00:00:00')",
    "INSERT INTO threads (id, site_id, page, state, created_at)"
    f" VALUES ('{_ID}2', '{_ID}1', 'p', 'open', '2026-01-01 00:00:00')",
    "INSERT INTO commenters (id, site_id, kind, first_seen_at)"
    f" VALUES ('{_ID}3', '{_ID}1', 'guest', '2026-01-01 00:00:00')",
    "INSERT INTO comments (id, site_id, thread_id, commenter_id, path, author_kind, status, latest_revision,"
    f" created_at) VALUES ('{_ID}4', '{_ID}1', '{_ID}2', '{_ID}3', 'x', 'guest', 'held', 1, '2026-01-01 00:00:00')",
    "INSERT INTO revisions (id, site_id, comment_id, number, body, status, created_at)"
    f" VALUES ('{_ID}5', '{_ID}1', '{_ID}4', 1, 'old text', 'held', '2026-01-01 00:00:00')",
    "INSERT INTO scores (id, site_id, revision_id, model_id, calibrated, attributes, scored_at)"
    f" VALUES ('{_ID}6', '{_ID}1', '{_ID}5', 'm', true, '{{\"toxicity\": 0.5}}', '2026-01-01 00:00:00')",
    "INSERT INTO review_items (id, site_id, thread_id, comment_id, revision_id, kind, state, causes, order_key,"
    f" opened_at) VALUES ('{_ID}7', '{_ID}1', '{_ID}2', '{_ID}4', '{_ID}5', 'held', 'open', '[]', 1,"
    " '2026-01-01 00:00:00')",
    "INSERT INTO outbox (id, site_id, type, data, created_at)"
    f" VALUES ('{_ID}9', '{_ID}1', 'comment.held', '{{}}', '2026-01-01 00:00:01')",
    "INSERT INTO outbox (id, site_id, type, data, created_at)"
    f" VALUES ('{_ID}8', '{_ID}1', 'comment.submitted', '{{}}', '2026-01-01 00:00:00')",
)


async def test_a_database_with_rows_keeps_them_through_an_upgrade(empty_url: str, engine: AsyncEngine) -> None:
    """Scores, items and events of the first version are there after it: new columns empty, events in their order."""
    async with engine.begin() as connection:
        await connection.run_sync(_upgrade_to, empty_url, "0001")
        for statement in _ROWS_OF_0001:
            # Not as a template: a colon in the JSON would be read as a parameter.
            await connection.exec_driver_sql(statement)
    await upgrade_async(empty_url)
    async with engine.connect() as connection:
        score = (await connection.execute(sa.select(metadata.tables["scores"]))).one()
        item = (await connection.execute(sa.select(metadata.tables["review_items"]))).one()
        kept = await connection.execute(sa.select(metadata.tables["calibrations"]))
        assert kept.all() == []
        outbox = metadata.tables["outbox"]
        events = (await connection.execute(sa.select(outbox.c.type, outbox.c.position).order_by(outbox.c.seq))).all()
        head = (await connection.execute(sa.select(metadata.tables["outbox_heads"].c.position))).scalar_one()
    assert (events, head) == ([("comment.submitted", 1), ("comment.held", 2)], 2)
    assert (score.attributes, score.raw, score.calibration, score.window) == ({"toxicity": 0.5}, None, None, None)
    assert (item.state, item.spans) == ("open", None)
    assert await _inspected(engine, _differences) == []


def test_every_foreign_key_has_an_index_or_a_reason() -> None:
    """A foreign key begins an index that covers every row where it is set, or it is named with the reason why not."""
    without = set()
    for table in metadata.tables.values():
        begun = {next(iter(table.primary_key.columns)).name} if table.primary_key.columns else set()
        begun |= {next(iter(index.columns)).name for index in table.indexes}
        begun |= {
            next(iter(constraint.columns)).name
            for constraint in table.constraints
            if isinstance(constraint, sa.UniqueConstraint)
        }
        without |= {(table.name, key.parent.name) for key in table.foreign_keys if key.parent.name not in begun}
    assert without == set(UNINDEXED)
