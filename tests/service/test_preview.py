"""A policy is tried on what is there: the same comments judged by both, nothing written, nobody held up."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa

from service import schemas
from service.flow import manage_sites, preview
from service.store import tables as t
from tests.eventually import turns
from tests.service.answers import problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
PREVIEW = "/v1/admin/sites/test/policy/preview"
CIVIL, RUDE, VILE = (f"A {word} opinion about the tram in this town." for word in ("civil", "rude", "vile"))


async def policy_of(service: Service) -> dict[str, Any]:
    """The policy in force."""
    found: dict[str, Any] = (await service.call("GET", "/v1/admin/sites/test/policy", as_="admin")).json()["policy"]
    return found


async def tried(service: Service, policy: dict[str, Any], *, slug: str = "test") -> dict[str, Any]:
    """What a policy would have made of the comments."""
    path = f"/v1/admin/sites/{slug}/policy/preview"
    found: dict[str, Any] = (await service.call("POST", path, as_="root", json=policy, expect=200)).json()
    return found


async def said(service: Service, *bodies: str, page: str = "page") -> list[str]:
    """Submit comments, decided, and answer their ids."""
    ids = [(await service.submit(body, page=page))["comment"]["id"] for body in bodies]
    await service.drain()
    return ids


def stricter(policy: dict[str, Any]) -> dict[str, Any]:
    """The policy, that rejects whatever is at all toxic."""
    rule = {"id": "strict", "when": [{"attribute": "toxicity", "at_least": 0.3}], "outcome": "reject",
            "reason": policy["reasons"][0]["code"]}  # fmt: skip
    return {**policy, "rules": [rule, *policy["rules"]]}


async def test_the_policy_in_force_changes_nothing(service: Service) -> None:
    """The same policy judges as it did: before, after and what was really decided are equal."""
    await said(service, CIVIL, RUDE, VILE)
    found = await tried(service, await policy_of(service))
    assert found["before"] == found["after"] == {"publish": 1, "hold": 1, "reject": 1}
    assert (found["of"], found["changed"], found["changed_count"], found["skipped"]) == (3, [], 0, 0)


async def test_what_changes_is_shown_with_its_causes(service: Service) -> None:
    """Counts before and after, and the comments that would go another way, each with the cause and an excerpt."""
    _, rude, _ = await said(service, CIVIL, f"{RUDE} " + "And on and on it goes. " * 20, VILE)
    before = await _everything(service)
    found = await tried(service, stricter(await policy_of(service)))
    assert (found["before"], found["after"]) == (
        {"publish": 1, "hold": 1, "reject": 1}, {"publish": 1, "hold": 0, "reject": 2}
    )  # fmt: skip
    [changed] = found["changed"]
    assert (changed["comment_id"], changed["before"], changed["after"]) == (rude, "hold", "reject")
    assert changed["excerpt"].startswith(RUDE)
    assert len(changed["excerpt"]) == 160
    assert (changed["causes"][0]["rule"], changed["causes"][0]["threshold"]) == ("strict", 0.3)
    assert await _everything(service) == before


async def _everything(service: Service) -> list[Any]:
    async with service.context.database.reading() as connection:
        tables = (t.comments, t.decisions, t.policies, t.sites, t.outbox, t.review_items)
        return [(await connection.execute(sa.select(table))).all() for table in tables]


async def test_listed_words_are_read_from_the_texts_again(service: Service) -> None:
    """A word list of the proposed policy speaks on texts that the one in force did not look at."""
    await said(service, CIVIL, "Another opinion about the buses in this town.")
    policy = await policy_of(service)
    rule = {"id": "trams", "when": [{"signal": "words", "any": True}], "outcome": "hold", "reason": "other"}
    found = await tried(service, {**policy, "words": ["tram"], "rules": [*policy["rules"], rule]})
    assert [(one["before"], one["after"]) for one in found["changed"]] == [("publish", "hold")]
    assert found["changed"][0]["causes"][0]["detail"] == "tram"


async def test_what_cannot_be_known_is_said(service: Service) -> None:
    """Signals of the moment of sending are named, and hold for nobody; what is stored of the author is known."""
    await said(service, CIVIL)
    policy = await policy_of(service)
    rules = [
        {"id": "burst", "when": [{"signal": "burst", "at_least": 1}], "outcome": "reject", "reason": "spam"},
        {"id": "guests", "when": [{"signal": "guest", "any": True}], "outcome": "hold", "reason": "other"},
    ]
    found = await tried(service, {**policy, "rules": [*policy["rules"], *rules]})
    assert "burst" in found["unknown"]
    assert "guest" not in found["unknown"]
    assert [(one["after"], one["causes"][0]["rule"]) for one in found["changed"]] == [("hold", "guests")]


async def test_threads_with_their_own_policy_are_left_out(service: Service) -> None:
    """Where the site's policy does not hold another one for the site changes nothing; such comments are counted."""
    await said(service, CIVIL)
    await said(service, RUDE, page="own")
    policy = await policy_of(service)
    await service.call(
        "PUT", "/v1/admin/sites/test/policy", as_="admin", params={"page": "own"}, json=policy, expect=200
    )
    found = await tried(service, stricter(policy))
    assert (found["of"], found["skipped"], found["changed"]) == (1, 1, [])


async def test_a_language_that_the_model_does_not_know_stays_so(service: Service) -> None:
    """A comment that was held for its language is held by both policies."""
    await said(service, "Die Straßenbahn in dieser Stadt fährt leider viel zu selten und ist immer voll.")
    found = await tried(service, stricter(await policy_of(service)))
    assert (found["before"]["hold"], found["after"]["hold"], found["changed"]) == (1, 1, [])


async def test_no_more_than_a_bounded_number_is_judged(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more comments the newest are taken, and of more changes the newest are shown."""
    monkeypatch.setattr(preview, "MOST", 3)
    monkeypatch.setattr(preview, "SHOWN", 2)
    ids = await said(service, *(f"{RUDE} {number}" for number in range(5)))
    found = await tried(service, stricter(await policy_of(service)))
    assert (found["of"], found["changed_count"]) == (3, 3)
    assert [one["comment_id"] for one in found["changed"]] == [ids[4], ids[3]]
    monkeypatch.setattr(preview, "PATIENCE_SECONDS", 0.0)
    answer = await service.call("POST", PREVIEW, as_="root", json=await policy_of(service))
    assert answer.status_code in (200, 422)
    assert answer.status_code == 422 or answer.json()["of"] < 3


async def test_others_are_answered_meanwhile(service: Service) -> None:
    """While comments are judged the event loop goes on."""
    await said(service, *(f"{RUDE} {number}" for number in range(30)))
    policy, answered = stricter(await policy_of(service)), 0
    trying = asyncio.create_task(tried(service, policy))
    while not trying.done():
        await service.call("GET", "/health/live", expect=200)
        answered += 1
        await turns(1)
    assert (await trying)["of"] == 30
    assert answered > 3


async def test_a_wrong_policy_is_answered_as_put_does(service: Service) -> None:
    """Every mistake is named, and only an admin of the site may try."""
    answer = await service.call("POST", PREVIEW, as_="admin", json={"rules": [{"id": "?"}]})
    named = problem(answer, "policy.invalid")["fields"]
    put = await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", json={"rules": [{"id": "?"}]})
    assert named == put.json()["fields"] != []
    problem(await service.call("POST", PREVIEW, as_="moderator", json={}), "auth.forbidden")
    await manage_sites.create_site(service.context, "test", schemas.SiteInput(slug="other", name="Other"))
    await said(service, RUDE)
    assert (await tried(service, await policy_of(service), slug="other"))["of"] == 0
