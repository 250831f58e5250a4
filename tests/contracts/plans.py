"""What a database really does for a query of the store: its plan, and how many rows it touches."""

import json
import re
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

Ask = Callable[[AsyncConnection], Awaitable[Any]]


class Statement(NamedTuple):
    """One statement as the driver was given it."""

    text: str
    values: tuple[Any, ...]


async def sent_by(connection: AsyncConnection, ask: Ask) -> list[Statement]:
    """Answer the statements that a function of the store sends."""
    sent: list[Statement] = []

    def note(_connection: Any, _cursor: Any, text: str, values: Any, _context: Any, _many: bool) -> None:
        sent.append(Statement(text, tuple(values)))

    assert connection.sync_connection is not None
    sa.event.listen(connection.sync_connection, "before_cursor_execute", note)
    await ask(connection)
    sa.event.remove(connection.sync_connection, "before_cursor_execute", note)
    return sent


class Node(NamedTuple):
    """One step of a plan of PostgreSQL."""

    kind: str
    table: str | None
    index_name: str | None
    rows: int


async def plan_of(connection: AsyncConnection, statement: Statement, *, generic: bool) -> list[Node]:
    """Run a statement on PostgreSQL and answer its steps with the rows that each touched.

    With `generic` the plan is the one that PostgreSQL may settle on once a prepared statement is used often.
    """
    mode = "force_generic_plan" if generic else "force_custom_plan"
    await connection.exec_driver_sql(f"SET LOCAL plan_cache_mode = {mode}")
    await connection.exec_driver_sql(f"PREPARE asked AS {statement.text}")
    values = f"({', '.join(_literal(value) for value in statement.values)})" if statement.values else ""
    found = await connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE asked{values}")
    answer = found.scalar_one()
    await connection.exec_driver_sql("DEALLOCATE asked")
    return list(_nodes((json.loads(answer) if isinstance(answer, str) else answer)[0]["Plan"]))


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int | float):
        return str(value)
    text = value.isoformat() if isinstance(value, datetime) else str(value)
    return "'" + text.replace("'", "''") + "'"


def _nodes(plan: dict[str, Any]) -> Iterator[Node]:
    removed = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
    rows = (plan["Actual Rows"] + removed) * plan["Actual Loops"]
    yield Node(plan["Node Type"], plan.get("Relation Name"), plan.get("Index Name"), round(rows))
    for below in plan.get("Plans", []):
        yield from _nodes(below)


def touched(nodes: list[Node]) -> int:
    """The rows that the scans of a plan read."""
    return sum(node.rows for node in nodes if "Scan" in node.kind and node.kind != "Bitmap Index Scan")


def sqlite_plan(path: str, statement: Statement) -> list[str]:
    """Answer the steps that SQLite plans for a statement."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {statement.text}", statement.values).fetchall()
    connection.close()
    return [row[3] for row in rows]


def sqlite_steps(path: str, statement: Statement) -> int:
    """Run a statement and answer how many tens of steps SQLite's machine took: its rows, without a clock."""
    steps = 0

    def count() -> int:
        nonlocal steps
        steps += 1
        return 0

    with sqlite3.connect(path) as connection:
        connection.set_progress_handler(count, 10)
        connection.execute(statement.text, statement.values).fetchall()
    connection.close()
    return steps


def scans(plan: list[str]) -> list[str]:
    """The steps that read a table or an index from its beginning, other than results that are bounded already."""
    return [step for step in plan if re.match(r"SCAN (?!found|walk_\d+|\(subquery|CONSTANT)", step)]


def sorts(plan: list[str]) -> list[str]:
    """The steps that sort."""
    return [step for step in plan if "TEMP B-TREE" in step]
