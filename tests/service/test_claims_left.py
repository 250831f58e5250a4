"""A claim whose answer never came, as when a page is refreshed: the next one takes up what it took, and nobody else."""

from __future__ import annotations

import pytest

from tests.service.answers import problem
from tests.service.test_queue import comment_ids, held
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
FIRST, SECOND, THIRD = ("h" * 32, "i" * 32, "j" * 32)
BODIES = ("A rude remark.", "Another rude remark.", "A third rude remark.")


async def test_what_a_lost_answer_took_is_taken_up(service: Service) -> None:
    """It comes first, under new leases; those of the lost answer open nothing any more."""
    await held(service, *BODIES)
    lost = await service.claim(limit=2, hand=FIRST)
    again = await service.claim(limit=3, hand=SECOND, left=[FIRST])
    assert set(comment_ids(again[:2])) == set(comment_ids(lost))
    assert len(again) == 3
    late = await service.decide(lost[0], expect=409)
    assert late["code"] == "lease.expired"
    await service.decide(next(one for one in again if one["item_id"] == lost[0]["item_id"]))
    assert await service.claim("moderator2") == []


async def test_an_item_is_never_in_two_hands(service: Service) -> None:
    """Neither a colleague who knows the hand nor another tab that does not gets what a member holds."""
    await held(service, *BODIES[:2])
    mine = await service.claim(limit=2, hand=FIRST)
    assert await service.claim("moderator2", hand=SECOND, left=[FIRST]) == []
    assert await service.claim(hand=SECOND, left=[THIRD]) == []
    await service.decide(mine[0])
    # What was decided or given back meanwhile is not taken up.
    assert len(await service.claim(hand=SECOND, left=[FIRST])) == 1


async def test_what_is_not_taken_up_goes_back(service: Service) -> None:
    """What is left beyond the limit, or is not of the kind that is wanted now, is anybody's at once."""
    await held(service, *BODIES)
    await service.claim(limit=2, hand=FIRST)
    assert len(await service.claim(limit=1, hand=SECOND, left=[FIRST])) == 1
    assert len(await service.claim("moderator2", hand=THIRD)) == 2
    assert await service.claim(filter={"kind": "reported"}, left=[SECOND]) == []
    assert len(await service.claim("moderator2")) == 1


async def test_a_hand_is_no_short_word(service: Service) -> None:
    """What leases can be found again by must be hard to guess."""
    path = "/v1/review/test/claims"
    answer = await service.call("POST", path, as_="moderator", json={"hand": "short"})
    problem(answer, "request.invalid")
