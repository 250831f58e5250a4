"""The first page of a thread does not walk what hangs under its roots, however much that is."""

import pytest

from service.store import pages
from service.store.database import Database

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    """SQLite chooses by rules; PostgreSQL's choice is measured in rows by the plans' contract."""
    return "sqlite"


@pytest.mark.parametrize("sort", ["oldest", "newest", "replies", "likes"])
@pytest.mark.parametrize("continued", [False, True])
async def test_roots_are_found_by_an_index_of_roots(database: Database, sort: str, continued: bool) -> None:
    """Each order walks an index that holds roots only: one of whole trees would read every reply between two roots."""
    statement = pages._roots_query(sort, continued).compile(dialect=database._reader.sync_engine.dialect)
    async with database.reading() as connection:
        values = tuple("0" for _ in statement.positiontup or ())
        rows = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        walked = [row.detail for row in rows if "comments" in row.detail and "INDEX" in row.detail]
    assert walked
    assert all("ix_comments_roots_" in detail for detail in walked), walked
