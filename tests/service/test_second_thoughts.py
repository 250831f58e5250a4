"""A gentle second chance: asked before sending, answered by the site's own policy, and nothing of it is kept."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa
from redis.asyncio import Redis

from moderation.scores import Scores
from service.flow.second_thoughts import PATIENCE_SECONDS
from service.queue.scorer_status import ScorerState
from service.store.tables import metadata
from tests.eventually import eventually
from tests.service.answering import answering
from tests.service.answers import fields, problem
from tests.service.test_calibration_in_force import MILD, STERN, put
from tests.service.test_limits import limit
from tests.service_fixture import FakeScorer, Service

pytestmark = pytest.mark.anyio

PATH = "/v1/sites/test/second-thoughts"
ADMIN = "/v1/admin/sites/test"
NO_CONCERN = {"concern": False, "reasons": [], "words": []}
GENEROUS_SECONDS = 10.0
SECRET = "unspoken-words-of-mine"


class StoppingScorer(FakeScorer):
    """A model that answers so many calls, and then none for as long as the test lasts."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._calls = calls

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer, or wait for ever."""
        if len(self.batches) >= self._calls:
            await asyncio.Event().wait()
        return await super().score(texts)


@pytest.fixture
async def asking(service: Service) -> AsyncIterator[Service]:
    """The site with a second chance, and a worker that answers."""
    await second_chance(service)
    async with answering(service.context, service.scorer):
        yield service


async def second_chance(service: Service) -> None:
    """Turn it on."""
    await service.call("PATCH", ADMIN, as_="admin", json={"second_chance": True}, expect=200)


async def thought(service: Service, body: str, *, as_: str | None = None, **more: Any) -> dict[str, Any]:
    """Ask before sending, and answer the JSON."""
    answer = await service.call("POST", PATH, as_=as_, json={"body": body, **more}, expect=200)
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


def shown(body: str, found: dict[str, Any]) -> list[str]:
    """The words that were named."""
    return [body[begin:end] for begin, end in found["words"]]


async def set_policy(service: Service, page: str | None = None, **changes: Any) -> None:
    """Change fields of the policy in force, for the site or for one page."""
    query = {"page": page} if page else {}
    now = (await service.call("GET", f"{ADMIN}/policy", as_="admin", expect=200)).json()["policy"]
    await service.call("PUT", f"{ADMIN}/policy", as_="admin", json=now | changes, params=query, expect=200)


async def test_an_insult_is_named_and_explained(asking: Service) -> None:
    """A text that the policy would hold for its score is a concern, with the reason and the words of the raw text."""
    body = "🚋🚋 We waited for the trams.\n\nYou are rude, dear editor."
    found = await thought(asking, body)
    assert found["concern"] is True
    assert [reason["code"] for reason in found["reasons"]] == ["toxicity"]
    assert found["reasons"][0]["text"]
    assert shown(body, found) == ["rude"]


async def test_what_would_be_rejected_is_a_concern_too(asking: Service) -> None:
    """So is what would not even be looked at by a person."""
    body = "That is vile."
    assert shown(body, await thought(asking, body)) == ["vile"]


async def test_a_civil_text_is_none(asking: Service) -> None:
    """A text that would be published raises no concern and names nothing."""
    assert await thought(asking, "The trams should run later in the evening.") == NO_CONCERN


async def test_listed_words_are_named_however_they_are_written(asking: Service) -> None:
    """Words of the site's list are named in the writer's own code points, plain or disguised, beside the model's."""
    await set_policy(asking, words=["nincompoop", "utter fool"])
    body = "🚋 A N\u200bincompoop, an utter\nfool, and n i n c o m p o o p again; how rude of me."
    found = await thought(asking, body)
    assert {reason["code"] for reason in found["reasons"]} >= {"toxicity", "banned_words"}
    assert {"N\u200bincompoop", "utter\nfool"} <= set(shown(body, found))
    assert "rude" in shown(body, found)


async def test_the_page_has_its_own_policy(asking: Service) -> None:
    """A thread's own policy decides about what is written there, the site's about the rest and about new pages."""
    await asking.submit("First.", page="strict")
    await set_policy(asking, page="strict", words=["trams"])
    body = "I like trams."
    assert (await thought(asking, body, page="strict"))["concern"] is True
    assert await thought(asking, body, page="new") == NO_CONCERN
    assert await thought(asking, body) == NO_CONCERN


@pytest.mark.parametrize(
    ("body", "policy"),
    [
        ("A civil one.", {"mode": "pre-moderation"}),
        ("Der Zug kommt heute leider wieder viel zu spät, und niemand sagt den Leuten warum.", {}),
        ("See https://a.example and https://b.example and https://c.example.", {}),
        ("A rude one.", {"mode": "post-moderation"}),
        ("A rude one.", {"model": "compact-9@00000000", "fallback_model": None}),
        (
            "A civil one.",
            {
                "rules": [
                    {"id": "new", "outcome": "hold", "reason": "other", "when": [{"signal": "guest", "any": True}]}
                ]
            },
        ),
        (
            "A civil one.",
            {
                "rules": [
                    {
                        "id": "unscored",
                        "outcome": "hold",
                        "reason": "toxicity",
                        "when": [{"attribute": "severe_toxicity", "at_least": 0.5}],
                    }
                ]
            },
        ),
    ],
    ids=["pre-moderation", "language", "links", "post-moderation", "another model", "trust", "unscored"],
)
async def test_what_is_held_for_other_things_is_no_concern(asking: Service, body: str, policy: dict[str, Any]) -> None:
    """Nobody is asked to think again about what is not in the words: then there is nothing to say otherwise."""
    await set_policy(asking, **policy)
    assert await thought(asking, body) == NO_CONCERN


async def test_the_calibrated_value_is_judged(asking: Service) -> None:
    """With a calibration of the site in force the second chance falls by the same value as the decision would."""
    await put(asking, MILD)
    assert await thought(asking, "A rude one.") == NO_CONCERN
    await put(asking, STERN)
    assert (await thought(asking, "A civil one."))["concern"] is True


async def test_who_writes_counts_as_it_will(asking: Service) -> None:
    """A rule for guests whom nobody trusts concerns those, and not an author whom a moderator trusts."""
    sent = await asking.published()
    token = sent["author_token"]
    rule = {
        "id": "strangers",
        "outcome": "hold",
        "reason": "toxicity",
        "when": [{"attribute": "toxicity", "at_least": 0.5}, {"signal": "trusted", "at_most": 0}],
    }
    await set_policy(asking, rules=[rule])
    assert (await thought(asking, "A rude one."))["concern"] is True
    assert (await thought(asking, "A rude one.", as_=token))["concern"] is True
    await trust(asking, token)
    assert await thought(asking, "A rude one.", as_=token) == NO_CONCERN


async def trust(service: Service, token: str) -> None:
    """Let a moderator trust an author."""
    me = (await service.call("GET", "/v1/sites/test/me", as_=token, expect=200)).json()["id"]
    path = f"/v1/review/test/commenters/{me}"
    await service.call("PATCH", path, as_="moderator", json={"trusted": True}, expect=200)


async def test_without_a_scorer_there_is_no_concern(service: Service) -> None:
    """Nobody up, a scorer that is down, and one that fails on the text: each is answered at once, and by no."""
    await second_chance(service)
    assert await thought(service, "A rude one.") == NO_CONCERN
    await service.scorer_reports(ScorerState.DOWN)
    assert await thought(service, "A rude one.") == NO_CONCERN
    service.scorer.down = True
    async with answering(service.context, service.scorer):
        assert await thought(service, "A rude one.") == NO_CONCERN


async def test_a_late_scorer_is_not_waited_for(service: Service) -> None:
    """A scorer that does not answer costs the time that is promised and no more, and the answer is no."""
    await second_chance(service)
    async with answering(service.context, StoppingScorer(0)):
        began = time.monotonic()
        assert await thought(service, "A rude one.") == NO_CONCERN
        assert PATIENCE_SECONDS / 2 < time.monotonic() - began < PATIENCE_SECONDS + GENEROUS_SECONDS


async def test_a_worker_that_vanished_is_not_waited_for(service: Service) -> None:
    """A worker killed with the question in its hands costs the time that is promised, and the next is answered."""
    await second_chance(service)
    await service.scorer_reports()
    await eventually(lambda: service.context.answers.hears)
    lost = asyncio.create_task(thought(service, "A rude one."))
    while not await service.context.questions.take(1, 100):
        continue
    assert await lost == NO_CONCERN
    async with answering(service.context, service.scorer):
        assert (await thought(service, "A rude one."))["concern"] is True


async def test_words_that_cannot_be_found_in_time_are_left_out(service: Service) -> None:
    """When the scorer stops after the first answer there is a concern all the same, with what is known by then."""
    await second_chance(service)
    async with answering(service.context, StoppingScorer(1)):
        found = await thought(service, "A rude one.")
    assert (found["concern"], found["words"]) == (True, [])
    assert found["reasons"]


async def test_when_too_many_ask_there_is_no_concern(service: Service) -> None:
    """In a flood of questions nobody waits in line for longer than the promised time, and all are answered."""
    await second_chance(service)
    async with answering(service.context, service.scorer):
        found = await asyncio.gather(*(thought(service, f"A rude one, number {number}.") for number in range(200)))
    assert {one["concern"] for one in found} <= {True, False}
    assert service.context.answers.waiting == 0


async def test_only_where_the_site_wants_it(service: Service) -> None:
    """A site that did not turn it on refuses, and one without guests refuses those."""
    problem(await service.call("POST", PATH, json={"body": "A rude one."}), "second_chance.off")
    change = {"second_chance": True, "guests_allowed": False}
    await service.call("PATCH", ADMIN, as_="admin", json=change, expect=200)
    problem(await service.call("POST", PATH, json={"body": "A rude one."}), "guests.refused")


async def test_what_could_not_be_submitted_is_refused(service: Service) -> None:
    """The text is under the limits of a comment, and a field that is not known is refused."""
    await second_chance(service)
    for body in ({"body": " "}, {"body": "x" * 5_001}, {}):
        assert fields(await service.call("POST", PATH, json=body)) == {"body"}
    assert fields(await service.call("POST", PATH, json={"body": "x", "page": ""})) == {"page"}
    assert fields(await service.call("POST", PATH, json={"body": "x", "name": "y"})) == {"name"}
    refused = await service.call("POST", PATH, json={"body": "x"}, headers={"origin": "https://evil.example"})
    problem(refused, "origin.refused")


@pytest.mark.parametrize("name", ["second_thoughts_per_network", "second_thoughts_per_site"])
async def test_it_has_limits_of_its_own(service: Service, name: str) -> None:
    """Thinking again uses up nothing of what may be submitted, and is itself bounded for a network and a site."""
    await second_chance(service)
    await limit(service, **{name: (1, 600)})
    await thought(service, "A civil one.")
    again = await service.call("POST", PATH, json={"body": "A civil one."})
    assert problem(again, "limits.exceeded")["extra"]["limit"] == name
    await service.submit("Submitting is another kind.")


async def test_nothing_is_kept(service: Service, redis_client: Redis, redis_prefix: str) -> None:
    """Afterwards no table has a row more and no place holds the text: not SQL, not Redis; nor did Redis meanwhile."""
    await second_chance(service)
    # Limits count under a hash of the network, whose key of the day is made with the first request.
    await thought(service, "Before it.")
    before = await rows(service)
    body = f"You are rude: {SECRET}"
    await service.scorer_reports()
    await eventually(lambda: service.context.answers.hears)
    asked = asyncio.create_task(thought(service, body))
    await eventually(lambda: is_waiting(service))
    assert SECRET not in await held(redis_client, redis_prefix)
    async with answering(service.context, service.scorer):
        await asked
        assert (await thought(service, body))["concern"] is True
    assert await rows(service) == before
    kept = await held(redis_client, redis_prefix)
    assert SECRET not in kept
    assert "questions" not in kept


async def is_waiting(service: Service) -> bool:
    """True when a question waits for a worker."""
    return await service.context.questions.waiting() == 1


async def rows(service: Service) -> dict[str, int]:
    """How many rows each table has; none holds the text."""
    counts: dict[str, int] = {}
    async with service.context.database.reading() as connection:
        for table in metadata.sorted_tables:
            found = (await connection.execute(sa.select(table))).all()
            assert SECRET not in repr(found)
            counts[table.name] = len(found)
    return counts


async def held(client: Redis, prefix: str) -> str:
    """Every key of this test in Redis with what it holds, in words."""
    found = []
    async for key in client.scan_iter(match=f"{prefix}*"):
        readers: dict[str, Callable[[], Awaitable[Any]]] = {
            "string": partial(client.get, key),
            "hash": partial(client.hgetall, key),
            "set": partial(client.smembers, key),
            "list": partial(client.lrange, key, 0, -1),
            "zset": partial(client.zrange, key, 0, -1),
            "stream": partial(client.xrange, key),
        }
        # One that is over by now holds nothing.
        kind = await client.type(key)
        found.append(f"{key}: {await readers[kind]() if kind in readers else None!r}")
    return "\n".join(found)
