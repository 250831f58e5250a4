"""The export holds everything kept on a commenter, of nobody else, and no column is forgotten."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from service.flow import data_map, export_commenter
from service.flow.audit import list_events
from service.flow.data_map import DATA_MAP
from service.flow.identify import find_site
from service.store import tables as t
from tests.seeding import seed_thread
from tests.service.test_erasure import MARK, PLANTED, Planted
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

SETTINGS = ("colloquy_home", "database_url", "redis_url", "redis_prefix", "secret_key")
PRIVACY = Path(__file__).parents[2] / "docs" / "privacy.md"


@pytest.mark.parametrize("table", sorted(t.metadata.tables))
def test_every_column_is_exported_or_withheld_for_a_reason(table: str) -> None:
    """A column that is added to any table has to be thought about in the data map before this passes."""
    kept = DATA_MAP[table]
    columns = set(t.metadata.tables[table].c.keys())
    if kept.not_of_commenters is not None:
        assert (kept.exported, dict(kept.withheld)) == ((), {})
        # What names a commenter, or quotes one, is about one.
        assert not columns & {"commenter_id", "author_name", "body", "detail", "note", "network_hash"}
        return
    assert set(kept.exported) | set(kept.withheld) == columns
    assert not set(kept.exported) & set(kept.withheld)
    assert all(kept.withheld.values())


def test_the_map_names_no_table_that_is_not_there() -> None:
    """The data map and the tables are the same set."""
    assert set(DATA_MAP) == set(t.metadata.tables)


def test_the_docs_print_the_map() -> None:
    """docs/privacy.md has the map and the list of what is withheld word for word."""
    text = PRIVACY.read_text()
    assert data_map.as_markdown() in text
    assert data_map.withheld_as_markdown() in text


@pytest.fixture
async def planted(service: Service) -> Planted:
    """A commenter with something in every table."""
    found = Planted(service)
    await found.plant()
    return found


async def test_the_author_is_given_everything(planted: Planted) -> None:
    """The own export has every text, status and reason, what stands in each table, and ends with `complete`."""
    answer = await planted.service.call("GET", "/v1/sites/test/mine/export", as_=planted.token, expect=200)
    found = answer.json()
    assert (found["format"], found["site"], found["complete"]) == (1, "test", True)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert {comment["id"] for comment in found["comments"]} == set(planted.ids.values())
    statuses = {comment["id"]: comment["status"] for comment in found["comments"]}
    assert statuses[planted.ids["pending"]] == "pending"
    edited = next(comment for comment in found["comments"] if comment["id"] == planted.ids["edited"])
    assert [one["body"] for one in edited["revisions"]] == [f"{MARK} first.", f"{MARK} second."]
    removed = next(comment for comment in found["comments"] if comment["id"] == planted.ids["removed"])
    assert [one["action"] for one in removed["decisions"]] == ["approve", "remove"]
    assert "abuse" in [one["reason"] for one in removed["fingerprints"]]
    assert removed["scores"][0]["model_id"]
    assert found["sanctions"][0]["note"] == found["reports"][0]["detail"] == MARK
    assert found["commenter"]["name"] == MARK
    assert "commenter.exported" in {event["action"] for event in found["audit_events"]}


async def test_every_planted_place_is_in_the_export(planted: Planted) -> None:
    """Wherever something of the commenter stands in the database, its column is given, or withheld by the map."""
    for place in PLANTED:
        table, _, column = place.partition(".")
        kept = DATA_MAP[table]
        assert column in kept.exported or column in kept.withheld or kept.not_of_commenters is not None, place
    document = (await planted.service.call("GET", "/v1/sites/test/mine/export", as_=planted.token)).text
    path = f"/v1/admin/sites/test/commenters/{planted.commenter_id}/export"
    of_admin = (await planted.service.call("GET", path, as_="admin", expect=200)).json()
    assert of_admin["comments"] == json.loads(document)["comments"]


async def test_nothing_of_anybody_else_is_in_it(planted: Planted) -> None:
    """Neither what others wrote nor who moderated is given out."""
    document = (await planted.service.call("GET", "/v1/sites/test/mine/export", as_=planted.token)).text
    assert "somebody else" not in document
    async with planted.service.context.database.reading() as connection:
        members = list((await connection.execute(sa.select(t.members.c.id))).scalars())
    assert len(members) > 3
    assert not [member for member in members if member in document]


async def test_an_export_is_audited(planted: Planted) -> None:
    """Who took the data of whom is in the site's record."""
    path = f"/v1/admin/sites/test/commenters/{planted.commenter_id}/export"
    await planted.service.call("GET", path, as_="admin", expect=200)
    site = await find_site(planted.service.context, "test")
    newest = (await list_events(planted.service.context, site, after=None, limit=1)).events[0]
    assert (newest.action, newest.subject) == ("commenter.exported", planted.commenter_id)


async def test_a_stranger_s_id_is_unknown(service: Service) -> None:
    """A commenter that the site does not have is a 404, before anything is sent."""
    for commenter_id in ("0190a0a0-0000-7000-8000-000000000000", "x"):
        path = f"/v1/admin/sites/test/commenters/{commenter_id}/export"
        assert (await service.call("GET", path, as_="admin", expect=404)).json()["code"] == "commenter.unknown"


async def test_ten_thousand_comments_do_not_take_memory(service: Service) -> None:
    """The document is written page by page: of megabytes, only a page's worth is in memory at once."""
    context = service.context
    site = await find_site(context, "test")
    seeded = await seed_thread(context.database, site.id, comments=10_000, commenters=1)
    (commenter_id,) = seeded.commenter_ids
    given = {name.upper(): str(getattr(context.settings, name)) for name in SETTINGS}
    # In a process of its own: what others keep for this one, as logs or as coverage, is no memory of the export.
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.service.export_memory", "test", commenter_id,
        env={"PATH": os.environ["PATH"], **given}, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, _ = await process.communicate()
    found = json.loads(said)
    assert found["comments"] == 10_000
    assert found["length"] > 5_000_000
    assert found["peak"] < found["length"] / 2


async def test_who_a_request_is_about_is_found(planted: Planted) -> None:
    """By name, by the publisher's subject and by a comment the same commenter is found, by others nobody."""
    context = planted.service.context
    site = await find_site(context, "test")
    asked: list[dict[str, Any]] = [{"name": MARK}, {"subject": MARK}, {"comment_id": planted.ids["held"]}]
    for one in asked:
        assert [row["id"] for row in await export_commenter.find(context, site, **one)] == [planted.commenter_id]
    assert await export_commenter.find(context, site, name="nobody") == []
