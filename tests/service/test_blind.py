"""What is looked at blind does not tell what was decided, neither on its card nor by the way it is found."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from service.store.tables import comments, review_items
from tests.service.test_second_opinions import decide_first, put
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def sampled(service: Service, body: str, **fields: Any) -> dict[str, Any]:
    """Let the machine decide a comment that is sampled, and claim the item."""
    await put(service, sample_share=1.0)
    sent = await service.submit(body, **fields)
    await service.drain()
    item = next(item for item in await service.claim() if item["comment"]["id"] == sent["comment"]["id"])
    assert item["blind"]
    return item | {"author_token": sent.get("author_token")}


async def edit(service: Service, comment_id: str, token: str, body: str) -> None:
    """Let an author edit a comment and the machine decide it."""
    path = f"/v1/sites/test/comments/{comment_id}"
    await service.call("PATCH", path, as_=token, json={"body": body}, expect=200)
    await service.drain()


@pytest.mark.parametrize("body", ["A civil opinion.", "A vile opinion."])
async def test_the_record_of_the_author_leaves_out_what_is_asked_about(service: Service, body: str) -> None:
    """A newcomer's record is empty whatever the machine decided, and after another comment it holds that one alone."""
    item = await sampled(service, body)
    assert item["author_record"]["counts"] == {}
    again = await sampled(service, "Another civil opinion.", token=item["author_token"])
    assert sum(again["author_record"]["counts"].values()) == 1


@pytest.mark.parametrize("body", ["A second civil text.", "A vile text."])
async def test_an_edit_is_shown_as_one_that_waits(service: Service, body: str) -> None:
    """Of an edit that is asked about blind nothing tells whether readers see it."""
    sent = await service.published("A civil text.")
    await put(service, sample_share=1.0)
    await edit(service, sent["comment"]["id"], sent["author_token"], body)
    [item] = await service.claim()
    assert (item["kind"], item["blind"], item["revision"]) == ("sampled", True, 2)
    shown = item["comment"]
    assert (shown["status"], shown["pending_edit"], shown["reasons"]) == ("held", None, [])
    assert (shown["body"], shown["revision"]) == (body, 2)
    assert shown["edited_at"] is not None
    assert item["author_record"]["counts"] == {}


async def test_what_readers_did_with_a_comment_is_not_shown(service: Service) -> None:
    """Answers and likes, which only a published comment has, are left out of a blind card."""
    await put(service, sample_share=1.0)
    sent = await service.published("A civil opinion.")
    async with service.context.database.writing() as connection:
        await connection.execute(comments.update().values(likes=7, reply_count=3))
    [item] = await service.claim()
    assert item["comment"]["id"] == sent["comment"]["id"]
    assert (item["comment"]["likes"], item["comment"]["reply_count"]) == (0, 0)


async def test_a_second_opinion_is_asked_for_without_the_first_ones_traces(service: Service) -> None:
    """The second person's card is that of a comment that waits, with a record that leaves it out."""
    _, second = await decide_first(service)
    assert (second["comment"]["status"], second["author_record"]["counts"]) == ("held", {})


@pytest.mark.parametrize(("name", "value"), [("rule", "vile"), ("attribute", "toxicity")])
async def test_what_is_blind_is_not_found_by_what_the_machine_found(service: Service, name: str, value: str) -> None:
    """A claim of certain causes passes over blind items; of what the machine does not say they are found."""
    await put(service, sample_share=1.0)
    await service.submit("A vile opinion.")
    await service.drain()
    async with service.context.database.writing() as connection:
        await connection.execute(sa.update(review_items).values({name: value}))
    assert await service.claim(filter={name: value}) == []
    assert await service.claim(filter={name: value, "kind": "sampled"}) == []
    assert len(await service.claim(filter={"kind": "sampled"})) == 1
