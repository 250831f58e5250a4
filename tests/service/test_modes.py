"""What the policy's mode, the emergency switch and a thread's own policy change in what becomes of a comment."""

from typing import Any

import pytest

from tests.service.answers import fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
POLICY = "/v1/admin/sites/test/policy"


async def set_policy(service: Service, *, page: str | None = None, **changes: Any) -> dict[str, Any]:
    """Put the policy in force with some fields changed, for the site or for one thread."""
    query = {"page": page} if page else {}
    now = (await service.call("GET", POLICY, as_="admin", expect=200)).json()["policy"]
    answer = await service.call("PUT", POLICY, as_="admin", json=now | changes, params=query, expect=200)
    found: dict[str, Any] = answer.json()
    return found


async def status_of(service: Service, sent: dict[str, Any]) -> str:
    """Answer the status of a comment, as its author sees it."""
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    status: str = (await service.call("GET", path, as_=sent["author_token"])).json()["comment"]["status"]
    return status


async def test_pre_moderation_holds_what_is_civil(service: Service) -> None:
    """In pre-moderation a civil comment waits for a person too, with the model's score to look at."""
    await set_policy(service, mode="pre-moderation")
    sent = await service.submit("A civil one.")
    await service.drain()
    assert await status_of(service, sent) == "held"
    [item] = await service.claim()
    assert item["scores"][0]["value"] == pytest.approx(0.01)
    await service.decide(item)
    assert (await service.thread())["thread"]["count"] == 1


async def test_post_moderation_publishes_first_and_asks_then(service: Service) -> None:
    """In post-moderation a comment is published at once and waits for a person, whose reject removes it."""
    await set_policy(service, mode="post-moderation")
    sent = await service.published("A civil one.")
    other = await service.published("Another one.")
    items = {item["comment"]["id"]: item for item in await service.claim()}
    first, second = (items[one["comment"]["id"]] for one in (sent, other))
    assert (first["kind"], first["comment"]["status"]) == ("post_moderation", "published")
    assert (await service.decide(first, "reject", reasons=["spam"]))["comment"]["status"] == "removed"
    assert (await service.decide(second, "approve"))["comment"]["status"] == "published"
    assert [await status_of(service, one) for one in (sent, other)] == ["removed", "published"]
    assert (await service.thread())["thread"]["count"] == 1


async def test_the_emergency_switch_counts_for_what_was_sent_before(service: Service) -> None:
    """Comments that wait for the scorer when the switch is thrown are held; when it is off again they are not."""
    before = await service.submit("A civil one.")
    change: dict[str, Any] = {"emergency_pre_moderation": True}
    site = await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json=change, expect=200)
    assert site.json()["emergency_pre_moderation"] is True
    await service.drain()
    assert await status_of(service, before) == "held"
    await service.call(
        "PATCH", "/v1/admin/sites/test", as_="admin", json={"emergency_pre_moderation": False}, expect=200
    )
    after = await service.submit("Another one.")
    await service.drain()
    assert await status_of(service, after) == "published"


async def test_a_thread_may_have_a_policy_of_its_own(service: Service) -> None:
    """An override holds for its thread alone, until it is dropped."""
    for page in ("calm", "hot"):
        await service.call("POST", "/v1/admin/sites/test/threads", as_="publisher", json={"page": page}, expect=201)
    override = await set_policy(service, page="hot", mode="pre-moderation")
    assert override["overrides_thread"] is True
    seen = (await service.call("GET", POLICY, as_="admin", params={"page": "hot"}, expect=200)).json()
    assert (seen["version"], seen["policy"]["mode"], seen["overrides_thread"]) == (
        override["version"], "pre-moderation", True,
    )  # fmt: skip
    assert (await service.call("GET", POLICY, as_="admin", expect=200)).json()["policy"]["mode"] == "model-first"
    sent = {page: await service.submit("A civil one.", page=page) for page in ("calm", "hot")}
    await service.drain()
    assert [await status_of(service, sent[page]) for page in ("calm", "hot")] == ["published", "held"]
    await service.call("DELETE", POLICY, as_="admin", params={"page": "hot"}, expect=204)
    again = await service.submit("Another civil one.", page="hot")
    await service.drain()
    assert await status_of(service, again) == "published"
    for method in ("GET", "DELETE"):
        problem(await service.call(method, POLICY, as_="admin", params={"page": "nowhere"}), "thread.unknown")


async def test_a_policy_is_named_by_its_content(service: Service) -> None:
    """The same policy has the same version, whoever sets it again, and a decision names the one it was made by."""
    first = (await service.call("GET", POLICY, as_="admin")).json()
    changed = await set_policy(service, words=["tram"])
    assert changed["version"] != first["version"]
    sent = await service.submit("About the tram.")
    await service.drain()
    assert await status_of(service, sent) == "held"
    again = await service.call("PUT", POLICY, as_="admin", json=first["policy"], expect=200)
    assert again.json() == first
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decisions"
    [decision] = (await service.call("GET", path, as_="moderator")).json()["decisions"]
    assert decision["policy_version"] == changed["version"]
    assert decision["causes"][0]["rule"] == "listed-words"


async def test_every_problem_of_a_policy_is_told(service: Service) -> None:
    """A wrong policy changes nothing, and each of its problems is named by its place."""
    before = (await service.call("GET", POLICY, as_="admin")).json()
    wrong = before["policy"] | {
        "mode": "sometimes",
        "extra": 1,
        "rules": [
            {"id": "a", "outcome": "hold", "reason": "toxicity", "when": [{"attribute": "charm", "at_least": 2}]}
        ],
    }
    named = fields(await service.call("PUT", POLICY, as_="admin", json=wrong), "policy.invalid")
    assert len(named) >= 3
    assert any("mode" in name for name in named)
    assert any("rules" in name for name in named)
    assert (await service.call("GET", POLICY, as_="admin")).json() == before
