"""The audit chain on both databases: writers never fork it, and no row is changed without being found."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from service.flow import verify_audit
from service.flow.audit import Act, audit, audit_all, list_events
from service.flow.audit_chain import START, canonical
from service.flow.context import Context
from service.flow.identify import find_site
from service.flow.verify_audit import Noted, Walked, verify
from service.store import audit as store
from service.store import tables as t
from service.store.types import Row
from tests.seeding import seed_site

pytestmark = pytest.mark.anyio

EVENTS = 6
#: Numbers, nesting and letters that each database may write in its own way.
STRANGE: dict[str, Any] = {
    "rate": 1.0,
    "large": 1e16,
    "small": 1.5e-7,
    "ё": ["ü", None, True],
    "b": {"z": 1, "a": "\\u2028"},
}


async def made_site(context: Context) -> Row:
    """A site without any event."""
    await seed_site(context.database, "test")
    return await find_site(context, "test")


@pytest.fixture
async def site(context: Context) -> Row:
    """A site whose chain has six events."""
    site = await made_site(context)
    for number in range(EVENTS):
        async with context.database.writing() as connection:
            await audit(connection, context, site.id, "ada", "site.changed", f"subject {number}", n=number, **STRANGE)
    return site


async def walked(context: Context, site: Row | None = None, noted: Noted | None = None) -> list[Walked]:
    """What a verification says."""
    return [one async for one in verify(context, site, noted)]


async def of_site(context: Context, site: Row, noted: Noted | None = None) -> Walked:
    """What it says of the site's chain."""
    (found,) = await walked(context, site, noted)
    return found


async def test_an_untouched_chain_holds_and_names_its_end(context: Context, site: Row) -> None:
    """Events written as ever verify, whatever numbers and letters are in their data."""
    found = await of_site(context, site)
    async with context.database.reading() as connection:
        last = (await store.page_of_chain(connection, site.id, after=EVENTS - 1, limit=9))[0]
    assert (found.fault, found.sequence, found.hash) == (None, EVENTS, last.hash)
    assert [one.name for one in await walked(context)] == [site.slug, "installation"]


async def test_every_chain_is_its_own(context: Context, site: Row) -> None:
    """What happens to the installation or to another site neither moves nor breaks a site's chain."""
    before = await of_site(context, site)
    async with context.database.writing() as connection:
        await audit(connection, context, None, "cli", "admin.created", "somebody")
    found = {one.name: one for one in await walked(context)}
    assert found[site.slug] == before
    assert (found["installation"].sequence, found["installation"].fault) == (1, None)


async def test_writers_at_once_never_fork_a_chain(context: Context, site: Row) -> None:
    """Thirty transactions at the same time leave one line of events without a gap."""

    async def act(number: int) -> None:
        async with context.database.writing() as connection:
            await audit(connection, context, site.id, "ada", "site.changed", str(number))

    async with asyncio.timeout(60):
        await asyncio.gather(*(act(number) for number in range(30)))
    found = await of_site(context, site)
    assert (found.fault, found.sequence) == (None, EVENTS + 30)


async def test_an_act_that_is_rolled_back_leaves_no_event(context: Context, site: Row) -> None:
    """The event is in the transaction of the act: where that fails the chain goes on as if nothing had been."""

    async def failing() -> None:
        async with context.database.writing() as connection:
            await audit(connection, context, site.id, "ada", "site.changed", None)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await failing()
    async with context.database.writing() as connection:
        await audit_all(connection, context, site.id, [Act(actor="a", action="b", subject=None)] * 3)
        await audit_all(connection, context, site.id, [])
    found = await of_site(context, site)
    assert (found.fault, found.sequence) == (None, EVENTS + 3)


E = t.audit_events
Harm = Callable[[AsyncConnection, Row], Awaitable[Any]]


def at(site: Row, sequence: int) -> Any:
    """One event of the site's chain."""
    return sa.and_(E.c.chain == site.id, E.c.sequence == sequence)


def changed(sequence: int, **values: Any) -> Harm:
    """One row of the chain is changed."""

    async def harm(connection: AsyncConnection, site: Row) -> None:
        await connection.execute(E.update().where(at(site, sequence)).values(**values))

    return harm


def removed(*sequences: int) -> Harm:
    """Rows of the chain are gone."""

    async def harm(connection: AsyncConnection, site: Row) -> None:
        await connection.execute(E.delete().where(E.c.chain == site.id, E.c.sequence.in_(sequences)))

    return harm


async def swapped(connection: AsyncConnection, site: Row) -> None:
    """Two rows change places."""
    for old, new in ((3, 99), (4, 3), (99, 4)):
        await connection.execute(E.update().where(at(site, old)).values(sequence=new))


def inserted(sequence: int | None, **more: Any) -> Harm:
    """A row is put in that was never written by the service."""

    async def harm(connection: AsyncConnection, site: Row) -> None:
        row = (await connection.execute(sa.select(E).where(at(site, 5)))).one()._asdict()
        # An id of the same time as the others, and after them.
        row |= {"id": row["id"][:-1] + ("f" if row["id"][-1] != "f" else "e"), "sequence": sequence, **more}
        await connection.execute(E.insert(), row)

    return harm


async def made_room(connection: AsyncConnection, site: Row) -> None:
    """A row is put in between, the ones behind it moved on."""
    for sequence in (6, 5, 4):
        await connection.execute(E.update().where(at(site, sequence)).values(sequence=sequence + 1))
    await inserted(4)(connection, site)


async def headless(connection: AsyncConnection, site: Row) -> None:
    """The chain's head is gone."""
    await connection.execute(t.audit_heads.delete().where(t.audit_heads.c.chain == site.id))


async def cut_with_head(connection: AsyncConnection, site: Row) -> None:
    """The last event is gone and the head moved back by one who knows how it works."""
    await removed(6)(connection, site)
    last = (await connection.execute(sa.select(E).where(at(site, 5)))).one()
    await connection.execute(
        t.audit_heads.update().where(t.audit_heads.c.chain == site.id).values(sequence=5, hash=last.hash)
    )


HARMS: dict[str, tuple[Harm, int, str]] = {
    "an actor is changed": (changed(3, actor="eve"), 3, "it was changed"),
    "an action is changed": (changed(1, action="site.created"), 1, "it was changed"),
    "a subject is changed": (changed(6, subject="another"), 6, "it was changed"),
    "a kind is changed": (changed(2, actor_kind="operator"), 2, "it was changed"),
    "a row leaves its site": (changed(2, site_id=None), 2, "it was changed"),
    "data is changed": (changed(2, data={"n": 7}), 2, "its data was changed"),
    "data and its hash are changed": (changed(2, data={}, data_hash="0" * 64), 2, "it was changed"),
    "data is emptied": (changed(4, data={}), 4, "its data was changed"),
    "data and salt are emptied": (changed(4, data={}, salt=None), 4, "without being marked as erased"),
    "a row is missing": (removed(3), 4, "1 event missing"),
    "several rows are missing": (removed(1, 2), 3, "2 events missing"),
    "the last row is missing": (removed(6), 5, "1 are missing at its end"),
    "every row is missing": (removed(*range(1, EVENTS + 1)), 0, "6 are missing at its end"),
    "two rows change places": (swapped, 3, "another order"),
    "a row is put in between": (made_room, 4, "it was changed"),
    "a row is put at the end": (inserted(EVENTS + 1), 7, "another one"),
    "a row is put outside of the chain": (inserted(None, chain=None), 6, "stands in no chain"),
    "a row is put before the first": (inserted(-1), 6, "stands in no chain"),
    "the head is gone": (headless, 6, "head does not name its last event"),
}


@pytest.mark.parametrize("name", HARMS)
async def test_a_touched_chain_is_found_where_it_was_touched(context: Context, site: Row, name: str) -> None:
    """Whatever is changed, taken out, put in or moved, the walk ends there and says what it met."""
    harm, where, words = HARMS[name]
    async with context.database.writing() as connection:
        await harm(connection, site)
    found = await of_site(context, site)
    assert found.fault is not None
    assert words in found.fault
    assert found.at == where


async def test_a_changed_time_is_found(context: Context, site: Row) -> None:
    """A microsecond is enough."""
    async with context.database.writing() as connection:
        moment = (await connection.execute(sa.select(E.c.created_at).where(at(site, 2)))).scalar_one()
        await changed(2, created_at=moment + timedelta(microseconds=1))(connection, site)
    assert (await of_site(context, site)).at == 2


async def test_a_noted_end_finds_what_the_database_alone_cannot(context: Context, site: Row) -> None:
    """Who can write the database can cut a chain and its head alike; a hash that was kept elsewhere shows it."""
    before = await of_site(context, site)
    noted = Noted(before.sequence, before.hash)
    assert (await of_site(context, site, noted)).fault is None
    async with context.database.writing() as connection:
        await cut_with_head(connection, site)
    assert (await of_site(context, site)).fault is None
    assert "1 are missing at its end" in str((await of_site(context, site, noted)).fault)
    async with context.database.writing() as connection:
        await audit(connection, context, site.id, "eve", "site.changed", None)
    assert "whose hash was noted" in str((await of_site(context, site, noted)).fault)


async def test_erased_data_leaves_the_chain_whole(context: Context, site: Row) -> None:
    """The data of an event can go, with the salt that would let it be guessed, and the chain still verifies."""
    async with context.database.writing() as connection:
        assert await store.erase_data(connection, site.id, ["subject 2"], at=context.now()) == 1
        assert await store.erase_data(connection, site.id, ["subject 2"], at=context.now()) == 0
    found = await of_site(context, site)
    assert (found.fault, found.sequence, found.erased) == (None, EVENTS, 1)
    (event,) = [one for one in (await list_events(context, site, after=None, limit=99)).events if one.erased_at]
    assert (event.subject, event.data) == ("subject 2", {})
    async with context.database.writing() as connection:
        await changed(3, data={"n": 2})(connection, site)
    assert "still has data" in str((await of_site(context, site)).fault)


async def test_events_from_before_the_chain_are_counted(context: Context) -> None:
    """An installation that had events before there were chains begins its chains behind them."""
    site = await made_site(context)
    old = {"id": context.new_id(), "site_id": site.id, "actor_kind": "admin", "action": "site.created", "data": {}}
    async with context.database.writing() as connection:
        await connection.execute(E.insert(), old | {"created_at": context.now()})
        await audit(connection, context, site.id, "ada", "site.changed", None)
    found = await of_site(context, site)
    assert (found.fault, found.sequence, found.unchained) == (None, 1, 1)


async def test_a_long_chain_is_walked_in_pages(context: Context, site: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    """A chain longer than a page verifies to its end, also where the page ends with it."""
    for page in (1, 2, 3, 4):
        monkeypatch.setattr(verify_audit, "_PAGE", page)
        assert (await of_site(context, site)).sequence == EVENTS


async def test_the_list_goes_on_where_a_page_ended(context: Context, site: Row) -> None:
    """Pages put together are all events, the newest first, none twice."""
    seen, after = [], None
    while True:
        page = await list_events(context, site, after=after, limit=4)
        seen += [event.sequence for event in page.events]
        after = page.next
        if after is None:
            break
    assert seen == [6, 5, 4, 3, 2, 1]


def test_the_canonical_form_does_not_depend_on_who_kept_it() -> None:
    """Key order, and whether a whole number was written as a float, make no difference; anything else does."""
    assert canonical({"b": 1.0, "a": [2]}) == canonical({"a": (2,), "b": 1}) == b'{"a":[2],"b":1}'
    assert canonical({"a": "1"}) != canonical({"a": 1})
    assert canonical(True) != canonical(1)
    assert START == "0" * 64
