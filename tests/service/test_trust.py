"""What a policy may ask about authors, and the presets built on it."""

from typing import Any

import pytest

from moderation.policy import parse_policy_json, policy_to_json
from moderation.presets import FIRST_COMMENTS, PRESETS
from service.flow.manage_sites import as_document
from tests.service.publisher import claims, configure, sign
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
ME = "/v1/sites/test/me"


async def use(service: Service, preset: str) -> None:
    """Put a preset in force."""
    document = as_document(PRESETS[preset][1]())
    await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", json=document, expect=200)


async def status_of(service: Service, sent: dict[str, Any], token: str) -> str:
    """Answer what became of a comment."""
    await service.drain()
    answer = await service.call("GET", f"/v1/sites/test/comments/{sent['comment']['id']}", as_=token, expect=200)
    return str(answer.json()["comment"]["status"])


async def write(service: Service, token: str | None, number: int, text: str = "A civil opinion") -> tuple[str, str]:
    """Write a comment; answer its status and the token."""
    sent = await service.submit(f"{text}, number {number}.", token=token)
    token = token or sent["author_token"]
    return await status_of(service, sent, token), token


async def test_the_first_comments_of_an_author_wait_until_some_are_published(service: Service) -> None:
    """Three approved comments open the door; before that each one waits, without blame."""
    await use(service, "new-commenters")
    status, token = await write(service, None, 0)
    assert status == "held"
    for number in range(1, FIRST_COMMENTS):
        assert (await write(service, token, number))[0] == "held"
    items = await service.claim()
    assert {cause["rule"] for item in items for cause in item["causes"]} == {"first-comments"}
    for item in items:
        await service.decide(item)
    assert (await write(service, token, 9))[0] == "published"
    mine = (await service.call("GET", "/v1/sites/test/mine", as_=token, expect=200)).json()["comments"]
    assert all(reason["code"] != "toxicity" for one in mine for reason in one["reasons"])


async def test_a_trusted_author_is_past_the_rules_for_newcomers(service: Service) -> None:
    """A moderator's mark lets the next comment through."""
    await use(service, "new-commenters")
    _, token = await write(service, None, 0)
    me = (await service.call("GET", ME, as_=token)).json()["id"]
    await service.call("PATCH", f"/v1/review/test/commenters/{me}", as_="moderator", json={"trusted": True}, expect=200)
    assert (await write(service, token, 1))[0] == "published"


async def test_guests_wait_where_a_site_wants_it_and_accounts_do_not(service: Service) -> None:
    """The kind of author is a fact that a policy may ask for."""
    await use(service, "guests-wait")
    await configure(service)
    assert (await write(service, None, 0))[0] == "held"
    assert (await write(service, sign(claims(service.clock())), 1))[0] == "published"


async def test_authors_of_whom_much_was_taken_down_wait(service: Service) -> None:
    """From three decided comments on the share counts; a first comment with a link waits too."""
    await use(service, "wary")
    status, token = await write(service, None, 0)
    assert status == "published"
    for number in range(2):
        assert (await write(service, token, number, "A vile opinion"))[0] == "rejected"
    assert (await write(service, token, 5))[0] == "held"
    assert (await write(service, None, 6, "See https://shop.example for it"))[0] == "held"


async def test_age_and_verification_are_told(service: Service) -> None:
    """A policy may ask for days since the first visit and for the publisher's word."""
    policy = as_document(PRESETS["default"][1]())
    rule = {"outcome": "hold", "reason": "needs_review"}
    policy["rules"] += [
        rule | {"id": "young", "when": [{"signal": "account_days", "at_most": 1.5}]},
        rule | {"id": "unverified", "when": [{"signal": "verified", "at_most": 0}]},
    ]
    await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", json=policy, expect=200)
    await configure(service)
    assert (await write(service, sign(claims(service.clock(), verified=True)), 0))[0] == "held"
    service.clock.advance(2 * 86_400)
    assert (await write(service, sign(claims(service.clock(), verified=True)), 1))[0] == "published"
    assert (await write(service, sign(claims(service.clock())), 2))[0] == "held"


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_policy_that_could_be_written(name: str) -> None:
    """Each preset survives being written down and read again, and has its own version."""
    policy = PRESETS[name][1]()
    assert parse_policy_json(policy_to_json(policy)).version == policy.version
    assert len({make().version for _, make in PRESETS.values()}) == len(PRESETS)
