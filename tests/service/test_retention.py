"""Things go when a site says so: a day's sweep lets go of what is past its time, and of nothing else."""

from typing import Any

import pytest
import sqlalchemy as sa

from service import schemas
from service.flow import manage_webhooks, retention, webhook_log
from service.flow.context import Context
from service.flow.identify import find_site
from service.flow.relay import relay_all
from service.store import tables as t
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

DAY = 86_400
PATH = "/v1/admin/sites/test/retention"


async def texts(context: Context) -> dict[str, str | None]:
    """The text of every comment's first revision, by the comment's status."""
    query = sa.select(t.comments.c.status, t.revisions.c.body).join(
        t.revisions, t.revisions.c.comment_id == t.comments.c.id
    )
    async with context.database.reading() as connection:
        return {row.status: row.body for row in await connection.execute(query)}


async def written(service: Service) -> None:
    """One comment in each status, each with a network."""
    await service.published("Stays.")
    await service.submit("A rude one is held.")
    await service.submit("A vile one is rejected.")
    await service.drain()
    gone = await service.published("Deleted.")
    path = f"/v1/sites/test/comments/{gone['comment']['id']}"
    await service.call("DELETE", path, as_=gone["author_token"], expect=204)
    async with service.context.database.writing() as connection:
        await connection.execute(t.revisions.update().values(network_hash="a" * 64))


async def put(service: Service, **wanted: Any) -> dict[str, Any]:
    """Put a retention in force."""
    found: dict[str, Any] = (await service.call("PUT", PATH, as_="admin", json=wanted, expect=200)).json()
    return found


async def networks(context: Context) -> int:
    """How many revisions still have a network."""
    query = sa.select(sa.func.count()).where(t.revisions.c.network_hash.is_not(None))
    async with context.database.reading() as connection:
        return int((await connection.execute(query)).scalar_one())


async def test_the_defaults_let_go_of_networks_and_deleted_texts(service: Service) -> None:
    """After 30 days networks and deleted texts are gone; what is shown, waits or was refused stays."""
    await written(service)
    service.clock.advance(30 * DAY - 60)
    await service.sweep()
    assert await networks(service.context) == 4
    service.clock.advance(DAY + 60)
    await service.sweep()
    assert await networks(service.context) == 0
    kept = await texts(service.context)
    assert kept["deleted"] is None
    assert all(kept[status] for status in ("published", "held", "rejected"))


async def test_a_site_chooses_what_it_keeps(service: Service) -> None:
    """Null keeps for ever, a number of days lets refused texts go, and a change counts with the next sweep."""
    await written(service)
    await service.sweep()
    wanted = {"network_hash_days": None, "deleted_text_days": None, "refused_text_days": 5}
    view = await put(service, **wanted)
    assert view["applied_at"] is None
    assert {name: view["retention"][name] for name in wanted} == wanted
    service.clock.advance(6 * DAY)
    await service.sweep()
    kept = await texts(service.context)
    assert kept["rejected"] is None
    assert all(kept[status] for status in ("published", "held", "deleted"))
    assert await networks(service.context) == 3
    assert (await service.call("GET", PATH, as_="admin")).json()["applied_at"] is not None


async def test_replaced_texts_go_and_the_shown_one_stays(service: Service) -> None:
    """The text before an edit is erased after its days, the one that readers see is not."""
    sent = await service.published("The first opinion about the trams of the town.")
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    edit = {"json": {"body": "The second opinion about the trams of the town."}, "as_": sent["author_token"]}
    await service.call("PATCH", path, **edit, expect=200)
    await service.drain()
    async with service.context.database.writing() as connection:
        await connection.execute(t.comments.update().values(shown_revision=2))
    await put(service, replaced_text_days=3)
    service.clock.advance(4 * DAY)
    await service.sweep()
    async with service.context.database.reading() as connection:
        bodies = (await connection.execute(sa.select(t.revisions.c.body).order_by(t.revisions.c.number))).scalars()
        assert list(bodies) == [None, "The second opinion about the trams of the town."]


async def test_the_outbox_is_kept_as_long_as_the_site_says(service: Service) -> None:
    """Events older than the site's days are forgotten, younger ones are not."""
    await service.published("One.")
    await put(service, outbox_days=7)
    await relay_all(service.context)
    service.clock.advance(8 * DAY)
    await service.published("Two.", page="two")
    await service.sweep()
    async with service.context.database.reading() as connection:
        ages = [service.clock() - row.created_at for row in await connection.execute(sa.select(t.outbox.c.created_at))]
    assert ages
    assert all(age.days < 7 for age in ages)


async def test_it_is_done_once_a_day_and_in_steps(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second sweep on the same day walks nothing; with steps of one revision the end is the same."""
    monkeypatch.setattr(retention, "STEP", 1)
    await written(service)
    service.clock.advance(31 * DAY)
    assert await retention.apply_retention(service.context) >= 5
    assert await networks(service.context) == 0
    async with service.context.database.writing() as connection:
        await connection.execute(t.revisions.update().values(network_hash="b" * 64))
    assert await retention.apply_retention(service.context) == 0
    service.clock.advance(DAY + 1)
    assert await retention.apply_retention(service.context) == 4


async def test_what_waits_for_a_person_keeps_its_text(service: Service) -> None:
    """A refused text that somebody is still asked about is not taken from under them."""
    await written(service)
    await put(service, refused_text_days=1)
    async with service.context.database.writing() as connection:
        rejected = sa.select(t.comments.c.id).where(t.comments.c.status == "rejected").scalar_subquery()
        item = t.review_items.c.state == "open"
        await connection.execute(t.review_items.update().where(item).values(comment_id=rejected))
    service.clock.advance(3 * DAY)
    await service.sweep()
    assert (await texts(service.context))["rejected"] is not None


@pytest.mark.parametrize("wanted", [{"network_hash_days": 0}, {"outbox_days": None}, {"days": 1}, {"erasure": "x"}])
async def test_a_wrong_retention_is_refused(service: Service, wanted: dict[str, Any]) -> None:
    """Days are 1 to 3650 or null, and nothing else is a setting."""
    await service.call("PUT", PATH, as_="admin", json=wanted, expect=400)
    assert (await service.call("GET", PATH, as_="admin")).json()["retention"]["network_hash_days"] == 30


def test_the_defaults_are_those_of_the_docs() -> None:
    """The defaults are a promise of docs/privacy.md."""
    assert schemas.Retention() == schemas.Retention(
        network_hash_days=30,
        deleted_text_days=30,
        refused_text_days=None,
        replaced_text_days=90,
        outbox_days=90,
        erasure="anonymise",
    )


async def test_deliveries_are_kept_as_long_as_the_site_says(service: Service) -> None:
    """What arrived goes after its days with its attempts; dead letters stay with their events, and go with them."""
    await put(service, delivery_days=7, outbox_days=30)
    site = await find_site(service.context, "test")
    wanted = schemas.WebhookInput(url="https://receiver.example/", events=["comment.*"])
    hook = (await manage_webhooks.create(service.context, site, "test", wanted)).id
    await service.published("One.")
    await relay_all(service.context)
    now = service.clock()
    async with service.context.database.writing() as connection:
        first, second = (await connection.execute(sa.select(t.webhook_deliveries.c.id))).scalars()
        for delivery_id, state in ((first, "delivered"), (second, "dead")):
            row = {"id": delivery_id, "site_id": site.id, "delivery_id": delivery_id, "number": 1}
            await connection.execute(t.webhook_attempts.insert().values(**row, started_at=now, milliseconds=1))
            change = t.webhook_deliveries.update().where(t.webhook_deliveries.c.id == delivery_id)
            await connection.execute(change.values(state=state, finished_at=now))

    async def left() -> list[str]:
        await service.sweep()
        async with service.context.database.reading() as connection:
            attempts = (await connection.execute(sa.select(t.webhook_attempts.c.delivery_id))).scalars().all()
            assert sorted(attempts) == sorted(
                (await connection.execute(sa.select(t.webhook_deliveries.c.id))).scalars().all()
            )
            query = sa.select(t.outbox.c.id).where(t.outbox.c.type == "comment.published")
            events = (await connection.execute(query)).scalars().all()
        return [*(delivery.state for delivery in await deliveries()), *("event" for _ in events)]

    async def deliveries() -> list[schemas.DeliveryView]:
        found = await webhook_log.list_deliveries(
            service.context, site, hook, before=None, limit=10, state=None, type_=None, comment_id=None
        )
        return found.deliveries

    assert sorted(await left()) == ["dead", "delivered", "event"]
    service.clock.advance(8 * DAY)
    assert await left() == ["dead", "event"]
    service.clock.advance(24 * DAY)
    assert await left() == []


async def test_an_edit_that_was_refused_is_let_go_of(service: Service) -> None:
    """The comment stays as it was, and what its author wanted of it goes as refused texts do, not before."""
    sent = await service.published("The first opinion about the trams of the town.")
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    edit = {"json": {"body": "A rude opinion about the trams of the town."}, "as_": sent["author_token"]}
    await service.call("PATCH", path, **edit, expect=200)
    await put(service, refused_text_days=3)
    service.clock.advance(4 * DAY)
    await service.sweep()
    assert [body is None for body in await _bodies(service)] == [False, False]
    async with service.context.database.writing() as connection:
        await connection.execute(t.review_items.update().values(state="decided"))
    await put(service, refused_text_days=3)
    await service.drain()
    async with service.context.database.writing() as connection:
        await connection.execute(t.review_items.update().values(state="decided"))
    await put(service, refused_text_days=4)
    service.clock.advance(DAY)
    await service.sweep()
    assert [body is None for body in await _bodies(service)] == [False, True]


async def _bodies(service: Service) -> list[str | None]:
    async with service.context.database.reading() as connection:
        query = sa.select(t.revisions.c.body).order_by(t.revisions.c.number)
        return list((await connection.execute(query)).scalars())
