"""The store of calibrations on both databases: one in force, nothing lost, and decisions as they were last taken."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from service.store import calibrations, records, scoring
from service.store import tables as t
from service.store.database import Database
from tests.seeding import START, Seeded, id_at, seed_site, seed_thread

pytestmark = pytest.mark.anyio
MODEL = "model@1"
_chance, _seconds = Random(17), count()


def new_id() -> str:
    """Answer an id that stands after those made before it in order of time."""
    return id_at(START + timedelta(seconds=next(_seconds)), _chance)


def values(site_id: str | None, *, model_id: str = MODEL, version: str = "sha256:1", **more: Any) -> dict[str, Any]:
    """Answer the columns of a calibration."""
    return {
        "id": new_id(), "site_id": site_id, "model_id": model_id, "version": version, "document": {"a": 1},
        "report": {}, "source": "labels", "rows": 100, "created_at": START, "created_by": None,
    } | more  # fmt: skip


async def test_one_is_in_force_and_the_former_stays(database: Database) -> None:
    """A second one retires the first, of its own site and model alone, and the first can still be read."""
    mine, theirs = await seed_site(database, "mine"), await seed_site(database, "theirs")
    async with database.writing() as connection:
        for site_id in (mine, theirs, None):
            await calibrations.replace(connection, values(site_id))
        await calibrations.replace(connection, values(mine, model_id="model@2"))
        await calibrations.replace(connection, values(mine, version="sha256:2"))
    async with database.reading() as connection:
        rows = await calibrations.in_force(connection, [mine], [MODEL])
        assert {(row.site_id, row.version) for row in rows} == {(mine, "sha256:2"), (None, "sha256:1")}
        current = await calibrations.current(connection, mine, MODEL)
        assert current is not None
        assert (current.version, current.document) == ("sha256:2", {"a": 1})
        assert await calibrations.documents(connection, [current.id]) == {current.id: {"a": 1}}
        listed = await calibrations.every(connection)
    assert [(row.slug, row.retired_at is None) for row in listed] == [
        ("mine", False), ("theirs", True), (None, True), ("mine", True), ("mine", True)
    ]  # fmt: skip


@pytest.mark.parametrize("of_site", [True, False])
async def test_the_schema_allows_no_second_in_force(database: Database, of_site: bool) -> None:
    """Whoever writes past the flow is refused by the database itself, for a site and for the installation."""
    site_id = await seed_site(database, "mine") if of_site else None
    async with database.writing() as connection:
        await connection.execute(t.calibrations.insert(), values(site_id, retired_at=START))
        await connection.execute(t.calibrations.insert(), values(site_id))
    with pytest.raises(IntegrityError):
        async with database.writing() as connection:
            await connection.execute(t.calibrations.insert(), values(site_id))


async def test_two_at_once_take_turns(database: Database) -> None:
    """Of several commands that store at the same time, one is in force in the end and none fails."""

    async def put(version: str) -> None:
        async with database.writing() as connection:
            await records.in_turn(connection, "installation", f"calibration:{MODEL}")
            await calibrations.replace(connection, values(None, version=version))

    await asyncio.gather(*(put(f"sha256:{number}") for number in range(3)))
    async with database.reading() as connection:
        assert len(await calibrations.in_force(connection, [], [MODEL])) == 1
        assert len(await calibrations.every(connection)) == 3


async def test_retired_once(database: Database) -> None:
    """To retire answers what was retired; a second time, or an unknown id, answers nothing."""
    made = values(None)
    async with database.writing() as connection:
        await calibrations.replace(connection, made)
        found = await calibrations.retire(connection, made["id"], at=START)
        assert found is not None
        assert (found.site_id, found.version, found.model_id) == (None, "sha256:1", MODEL)
        assert await calibrations.retire(connection, made["id"], at=START) is None
        assert await calibrations.retire(connection, new_id(), at=START) is None
    async with database.reading() as connection:
        assert await calibrations.in_force(connection, [], [MODEL]) == []


async def decide(database: Database, seeded: Seeded, place: int, acts: Sequence[tuple[str, str]]) -> str:
    """Record decisions on a seeded comment, in order, and answer its revision."""
    async with database.writing() as connection:
        comment_id = seeded.comment_ids[place]
        query = sa.select(t.revisions.c.id).where(t.revisions.c.comment_id == comment_id)
        revision_id = str((await connection.execute(query)).scalar_one())
        rows = [
            {
                "id": new_id(), "site_id": seeded.site_id, "thread_id": seeded.thread_id, "comment_id": comment_id,
                "revision_id": revision_id, "actor_kind": kind, "action": action, "from_status": "held",
                "to_status": "published", "reasons": [{"code": action, "text": "."}], "causes": [],
                "automated_detection": True, "automated_decision": False, "created_at": START,
            }
            for kind, action in acts
        ]  # fmt: skip
        await scoring.insert_decisions(connection, rows)
    return revision_id


async def say(database: Database, seeded: Seeded, revision_id: str, value: float, **more: Any) -> None:
    """Store what a model said of a revision."""
    row = {
        "id": new_id(), "site_id": seeded.site_id, "revision_id": revision_id, "model_id": MODEL, "calibrated": True,
        "attributes": {"toxicity": value}, "raw": None, "scored_at": START,
    }  # fmt: skip
    async with database.writing() as connection:
        await scoring.insert_scores(connection, [row | more])


async def test_decided_is_the_last_word_and_the_newest_score(database: Database) -> None:
    """Each revision comes once, latest decision first, with a person's last action and the model's newest scores."""
    seeded = await seed_thread(database, await seed_site(database, "mine"), comments=4)
    other = await seed_thread(database, await seed_site(database, "theirs"), comments=1)
    first = await decide(database, seeded, 0, [("moderator", "approve"), ("moderator", "remove"), ("author", "delete")])
    second = await decide(database, seeded, 1, [("machine", "hold"), ("moderator", "approve")])
    machines = await decide(database, seeded, 2, [("machine", "reject")])
    unscored = await decide(database, seeded, 3, [("moderator", "reject")])
    elsewhere = await decide(database, other, 0, [("moderator", "reject")])
    await say(database, seeded, first, 0.1)
    await say(database, seeded, first, 0.2, raw={"toxicity": 0.3}, calibration="sha256:1")
    await say(database, seeded, second, 0.4)
    await say(database, seeded, machines, 0.5)
    await say(database, seeded, unscored, 0.6, model_id="model@2")
    await say(database, other, elsewhere, 0.7)
    async with database.reading() as connection:
        found = await calibrations.decided(connection, seeded.site_id, MODEL, limit=10)
        newest = await calibrations.decided(connection, seeded.site_id, MODEL, limit=1)
    assert [(row.revision_id, row.action, row.attributes, row.raw) for row in found] == [
        (second, "approve", {"toxicity": 0.4}, None),
        (first, "remove", {"toxicity": 0.2}, {"toxicity": 0.3}),
    ]
    assert [row.revision_id for row in newest] == [second]


async def test_nothing_said_before_is_sqls_null(database: Database) -> None:
    """A score without a raw value has SQL's null there, which a query can look for, and not JSON's."""
    seeded = await seed_thread(database, await seed_site(database, "mine"), comments=1)
    revision_id = await decide(database, seeded, 0, [])
    await say(database, seeded, revision_id, 0.1, window=None)
    async with database.reading() as connection:
        query = sa.select(sa.func.count()).select_from(t.scores)
        empty = query.where(t.scores.c.raw.is_(None), t.scores.c.window.is_(None))
        assert (await connection.execute(empty)).scalar_one() == 1
