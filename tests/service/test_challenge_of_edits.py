"""An edit is a text that comes in: where a guest solves a puzzle for a new one, so for a changed one."""

from typing import Any

import pytest

from tests.service.answers import problem
from tests.service.publisher import claims, configure, sign
from tests.service.test_spam import settings_of, solved
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


async def edited(service: Service, sent: dict[str, Any], token: str, **fields: Any) -> Any:
    """Edit a comment and answer the answer."""
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    return await service.call("PATCH", path, as_=token, json={"body": "Another opinion.", **fields})


async def test_a_guest_solves_a_puzzle_for_an_edit_too(service: Service) -> None:
    """The refusal carries the puzzle and changes nothing; the solution is good for one edit."""
    sent = await service.published("An opinion.")
    token = sent["author_token"]
    await settings_of(service, challenge="always", challenge_cost=1000)
    body = problem(await edited(service, sent, token), "challenge.required")
    problem(await edited(service, sent, token, challenge="x"), "challenge.invalid")
    [mine] = (await service.call("GET", "/v1/sites/test/mine", as_=token, expect=200)).json()["comments"]
    assert (mine["revision"], mine["pending_edit"]) == (1, None)
    solution = solved(body["extra"]["challenge"])
    assert (await edited(service, sent, token, challenge=solution)).status_code == 200
    used = problem(await edited(service, sent, token, challenge=solution), "challenge.invalid")
    assert "challenge" in used["extra"]


async def test_an_edit_meets_a_puzzle_only_where_the_risk_is_raised(service: Service) -> None:
    """After some texts from its network in a minute; an account of the publisher never does."""
    await configure(service)
    guests = await service.submit("A guest's.")
    await settings_of(service, challenge="raised", challenge_from=3, challenge_cost=1000)
    signed = sign(claims(service.clock()))
    accounts = await service.submit("An account's.", token=signed)
    assert (await edited(service, guests, guests["author_token"])).status_code == 200
    problem(await edited(service, guests, guests["author_token"]), "challenge.required")
    assert (await edited(service, accounts, signed)).status_code == 200
    service.clock.advance(61)
    assert (await edited(service, guests, guests["author_token"])).status_code == 200
