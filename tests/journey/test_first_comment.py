"""The main job, end to end, in one process: submit, score, publish, hold, reject, decide, read."""

import pytest

from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def test_a_civil_comment_is_published_and_read(service: Service) -> None:
    """A comment that the model finds civil is pending first, and then part of the thread."""
    sent = await service.submit("A civil opinion.", author={"name": "Ada"})
    assert sent["comment"]["status"] == "pending"
    assert (await service.thread())["thread"]["count"] == 0
    await service.drain()
    thread = await service.thread()
    assert thread["thread"]["count"] == 1
    assert thread["comments"][0]["body"] == "A civil opinion."
    assert thread["comments"][0]["author"]["name"] == "Ada"


async def test_a_borderline_comment_is_decided_by_a_person(service: Service) -> None:
    """A comment that the model doubts is hidden until a moderator approves it."""
    sent = await service.submit("A rude opinion.")
    await service.drain()
    assert (await service.thread())["comments"] == []
    [item] = await service.claim()
    assert item["comment"]["id"] == sent["comment"]["id"]
    assert item["causes"][0]["value"] == pytest.approx(0.7)
    decided = await service.decide(item, "approve")
    assert decided["comment"]["status"] == "published"
    assert (await service.thread())["thread"]["count"] == 1
