"""Each hostile text sent over HTTP, by readers who comment, change their comments and report others'."""

from typing import Any
from urllib.parse import quote

import pytest

from service.schemas.base import PAGE_KEY_CHARACTERS
from tests.hostile import ACCEPTED, HOSTILE, Hostile
from tests.journey.test_promise_10_11_text import check_harmless
from tests.service.answers import problem
from tests.service.reporting import NOTICE
from tests.service.test_event_stream import read
from tests.service_fixture import Service

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
MUCH = {"limit": 100_000, "per_seconds": 60}
CHANGED = " Changed."
_PAID = ("submit", "change", "report")


@pytest.fixture
def database_kind() -> str:
    """Which database: what is written is the same for all, and what SQL makes of a text is tested elsewhere."""
    return "sqlite"


async def unlimited(service: Service) -> None:
    """Let one reader do all of this in a moment."""
    rates = {f"{kind}_per_{whom}": MUCH for kind in _PAID for whom in ("network", "commenter")}
    rates |= {"submit_per_site": MUCH}
    await service.call("PUT", "/v1/admin/sites/test/limits", as_="admin", json=rates, expect=200)


async def submit(service: Service, one: Hostile, number: int, *, expect: int = 202) -> dict[str, Any]:
    """Send a comment from the article's page, with the text wherever a reader may put one."""
    page = quote(f"{number} {one.page}"[:PAGE_KEY_CHARACTERS], safe="")
    sent = {"body": one.body, "author": {"name": one.name}, "title": one.title}
    path, headers = f"/v1/sites/test/threads/{page}/comments", {"origin": "https://news.example"}
    answer = await service.call("POST", path, json=sent, headers=headers, expect=expect)
    made: dict[str, Any] = answer.json()
    return made


async def all_events(service: Service) -> list[dict[str, Any]]:
    """Answer all that the publisher's systems are told."""
    found, page = list[dict[str, Any]](), await read(service, limit=100)
    while page["events"]:
        found += page["events"]
        page = await read(service, limit=100, after=page["next"], relayed=False)
    return found


async def test_comments_and_edits(service: Service) -> None:
    """What the publisher's systems are told, and the API answers, is the text as it was sent, and harmless HTML."""
    await unlimited(service)
    sent: dict[str, Hostile] = {}
    for number, one in enumerate(ACCEPTED):
        made = await submit(service, one, number)
        sent[made["comment"]["id"]] = one
        if number % 10 == 0:
            path, headers = f"/v1/sites/test/comments/{made['comment']['id']}", _as(made)
            answer = await service.call("PATCH", path, json={"body": one.body + CHANGED}, headers=headers, expect=200)
            assert answer.json()["id"]
    await service.drain()
    told = {event["data"]["comment"]["id"]: event["data"] for event in await all_events(service) if _tells(event)}
    assert told.keys() == sent.keys()
    for number, (comment_id, one) in enumerate(sent.items()):
        data, body = told[comment_id], one.body + CHANGED * (number % 10 == 0)
        assert (data["revision"]["body"], data["comment"]["author"]["name"]) == (body, one.name)
        assert data["thread"]["title"] == one.title
        check_harmless(data["revision"]["html"])
        answer = await service.call("GET", f"/v1/sites/test/comments/{comment_id}", as_="moderator", expect=200)
        assert answer.headers["content-type"] == "application/json"
        shown = answer.json()["comment"]
        assert (shown["body"], shown["author"]["name"], shown["html"]) == (body, one.name, data["revision"]["html"])


async def test_notices_of_illegal_content(service: Service) -> None:
    """Who reports, which law and why stand before a moderator as they were sent."""
    await unlimited(service)
    for one in ACCEPTED[::8]:
        comment_id = (await service.published("A calm opinion.", page=f"reported {one.kind}"))["comment"]["id"]
        notice = NOTICE | {"law": one.name, "explanation": one.body[:2000], "name": one.name}
        path, said = f"/v1/sites/test/comments/{comment_id}/reports", {"reason": "illegal_content", "illegal": notice}
        await service.call("POST", path, json=said, expect=201)
        [item] = await service.claim()
        [report] = item["reports"]
        assert (report["law"], report["detail"]) == (one.name, one.body[:2000])
        await service.decide(item)


async def test_what_no_field_takes_is_refused(service: Service) -> None:
    """A text with the sign that SQL cannot keep is refused with a problem, and nothing is kept."""
    await unlimited(service)
    refused = [one for one in HOSTILE if one.is_refused]
    assert refused
    for number, one in enumerate(refused):
        sent = {"body": one.text, "author": {"name": "Ada"}}
        answer = await service.call("POST", f"/v1/sites/test/threads/{number}/comments", json=sent)
        problem(answer, "request.nul")
    assert await all_events(service) == []


def _as(made: dict[str, Any]) -> dict[str, str]:
    return {"authorization": f"Bearer {made['author_token']}"}


def _tells(event: dict[str, Any]) -> bool:
    return event["type"] in ("comment.held", "comment.published", "comment.rejected")
