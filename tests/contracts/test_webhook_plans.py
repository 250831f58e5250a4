"""What is shown of endpoints costs as much as is owed or dead, and nothing of what was delivered."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from service.flow.relay import relay_all
from service.flow.transition import event_row
from service.store import deliveries, endpoints, outbox
from service.store import tables as t
from service.store.types import Row
from tests.contracts.plans import Ask, plan_of, scans, sent_by, sqlite_plan, touched
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
DELIVERED, OPEN = 3_000, 20
LATER = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
async def endpoint(service: Service) -> Row:
    """An endpoint with a long log, of which little is owed or dead."""
    context = service.context
    async with context.database.writing() as connection:
        site_id = (await connection.execute(sa.select(t.sites.c.id))).scalars().first()
        now = service.clock()
        row = {
            "id": context.new_id(), "site_id": site_id, "url": "https://a.example/", "description": "", "events": ["*"],
            "header_names": [], "status": "active", "created_at": now, "changed_at": now,
        }  # fmt: skip
        await endpoints.insert(connection, row)
        events = [
            event_row(context, "comment.held", site_id=str(site_id), at=now, comment_id=f"{number % 50:036}")
            for number in range(DELIVERED + OPEN)
        ]
        await outbox.append(connection, events)
    await relay_all(context)
    async with context.database.writing() as connection:
        done = sa.select(t.webhook_deliveries.c.id).order_by(t.webhook_deliveries.c.seq).limit(DELIVERED)
        ids = list((await connection.execute(done)).scalars())
        of_them = t.webhook_deliveries.c.id.in_(ids)
        await connection.execute(t.webhook_deliveries.update().where(of_them).values(state="delivered"))
        dead = sa.select(t.webhook_deliveries.c.id).where(t.webhook_deliveries.c.state == "pending").limit(OPEN // 2)
        some = list((await connection.execute(dead)).scalars())
        update = t.webhook_deliveries.update().where(t.webhook_deliveries.c.id.in_(some))
        await connection.execute(update.values(state="dead"))
        await connection.execute(sa.text("ANALYZE"))
        found = await endpoints.by_id(connection, str(site_id), str(row["id"]))
    assert found is not None
    return found


async def _check(service: Service, ask: Ask, rows: int) -> None:
    database = service.context.database
    async with database.writing() as connection:
        for statement in await sent_by(connection, ask):
            if database.is_sqlite:
                plan = sqlite_plan(database.url.partition("///")[2], statement)
                assert scans(plan) == [], plan
                assert any("USING" in step for step in plan)
            else:
                for generic in (False, True):
                    nodes = await plan_of(connection, statement, generic=generic)
                    assert not [node for node in nodes if node.kind == "Seq Scan"], nodes
                    assert touched(nodes) <= rows, nodes


async def test_counting_reads_what_is_open_alone(service: Service, endpoint: Row) -> None:
    """By the partial index of what is pending or dead."""

    async def ask(connection: Any) -> Any:
        counts = await deliveries.counts(connection, endpoint.site_id)
        assert counts == {(endpoint.id, "pending"): OPEN // 2, (endpoint.id, "dead"): OPEN // 2}

    await _check(service, ask, 2 * OPEN)
    if service.context.database.is_sqlite:
        async with service.context.database.writing() as connection:
            [statement] = await sent_by(connection, ask)
        path = service.context.database.url.partition("///")[2]
        assert any("ix_webhook_deliveries_open" in step for step in sqlite_plan(path, statement))


async def test_what_waits_for_an_earlier_one_is_found_along_indexes(service: Service, endpoint: Row) -> None:
    """For one page of the log, and for what a worker takes next."""
    async with service.context.database.reading() as connection:
        rows = await deliveries.page(connection, endpoint.site_id, endpoint.id, cursor=None, limit=50)
    ids, now = [row.id for row in rows], LATER

    async def behind(connection: Any) -> Any:
        await deliveries.kept_back(connection, endpoint.id, ids, now=now)

    async def claim(connection: Any) -> Any:
        until = now + timedelta(seconds=25)
        await deliveries.claim(connection, endpoint.id, now=now, until=until, lease=ids[0], concurrency=10, least=1)

    await _check(service, behind, 400)
    async with service.context.database.writing() as connection:
        assert len(await sent_by(connection, claim)) == 3
