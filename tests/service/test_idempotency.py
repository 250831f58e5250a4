"""Idempotency-Key: a retry changes nothing, gives no secret, and another request under the key is refused."""

import asyncio
from datetime import timedelta

import pytest

from tests.service.answers import fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
COMMENTS = "/v1/sites/test/threads/page/comments"
KEY = {"idempotency-key": "3f8a7c6e-1111-4222-8333-444455556666"}


async def test_a_retry_answers_the_same_comment_without_the_secret(service: Service) -> None:
    """The same request under the same key is the same comment, as it stands by then, and the token is not repeated."""
    first = await service.submit("Once.", headers=KEY)
    again = await service.submit("Once.", headers=KEY)
    assert again == {"comment": first["comment"]}
    await service.drain()
    later = await service.submit("Once.", headers=KEY, expect=201)
    assert later["comment"]["id"] == first["comment"]["id"]
    assert later["comment"]["status"] == "published"
    assert (await service.thread())["thread"]["count"] == 1


async def test_a_key_is_read_in_any_spelling(service: Service) -> None:
    """A key in capitals or in quotes is the same key."""
    first = await service.submit("Once.", headers=KEY)
    for spelling in (KEY["idempotency-key"].upper(), f'"{KEY["idempotency-key"]}"'):
        again = await service.submit("Once.", headers={"idempotency-key": spelling})
        assert again["comment"]["id"] == first["comment"]["id"]


async def test_another_request_under_the_key_is_refused(service: Service) -> None:
    """Another text, name, page, parent or author under a used key is a conflict, and writes nothing."""
    ada, bob = [(await service.submit(text))["author_token"] for text in ("First.", "Second.")]
    root = (await service.published("Once.", headers=KEY))["comment"]["id"]
    for page, body in (
        ("page", {"body": "Twice."}),
        ("page", {"body": "once."}),
        ("page", {"body": "Once.", "author": {"name": "Ada"}}),
        ("page", {"body": "Once.", "parent_id": root}),
        ("page", {"body": "Once.", "title": "T"}),
        ("other", {"body": "Once."}),
    ):
        answer = await service.call("POST", f"/v1/sites/test/threads/{page}/comments", json=body, headers=KEY)
        problem(answer, "idempotency.reused")
    of_ada = {"idempotency-key": "3f8a7c6e-1111-4222-8333-444455556667"}
    await service.submit("Of one who is known.", token=ada, headers=of_ada)
    for other in (bob, None):
        again = await service.call("POST", COMMENTS, as_=other, json={"body": "Of one who is known."}, headers=of_ada)
        problem(again, "idempotency.reused")
    await service.drain()
    shown = {one["body"] for one in (await service.thread())["comments"]}
    assert shown == {"First.", "Second.", "Once.", "Of one who is known."}


async def test_a_guest_who_got_a_token_meanwhile_sends_the_same_once(service: Service) -> None:
    """An answer that was lost on its way to a new guest is asked for again with the token that another act gave."""
    liked = (await service.published("Likeable."))["comment"]["id"]
    first = await service.submit("Once.", headers=KEY)
    reaction = await service.call("PUT", f"/v1/sites/test/comments/{liked}/reaction", expect=201)
    again = await service.submit("Once.", headers=KEY, token=reaction.json()["author_token"])
    assert again["comment"]["id"] == first["comment"]["id"]


async def test_a_retry_may_come_with_another_ticket(service: Service) -> None:
    """A form that is opened anew has another ticket, and what it sends again is the same comment."""
    tickets = [(await service.call("GET", "/v1/sites/test/ticket", expect=200)).json()["ticket"] for _ in range(2)]
    first, again = [await service.submit("Once.", headers=KEY, ticket=ticket) for ticket in tickets]
    assert again["comment"]["id"] == first["comment"]["id"]


async def test_a_key_belongs_to_a_site(service: Service) -> None:
    """The same key on another site is another key."""
    await service.call("POST", "/v1/admin/sites", as_="root", json={"slug": "other", "name": "O"}, expect=201)
    first = await service.submit("Once.", headers=KEY)
    other = await service.call(
        "POST", "/v1/sites/other/threads/page/comments", json={"body": "Once."}, headers=KEY, expect=202
    )
    assert other.json()["comment"]["id"] != first["comment"]["id"]


async def test_a_key_that_is_no_uuid_is_refused(service: Service) -> None:
    """A key that is no UUID is refused by name, so that nobody relies on one that is not kept."""
    for key in ("", "1", "not-a-uuid", KEY["idempotency-key"][:-1], KEY["idempotency-key"] + "0", "{}", "g" * 36):
        answer = await service.call("POST", COMMENTS, json={"body": "x"}, headers={"idempotency-key": key})
        assert fields(answer) == {"Idempotency-Key"}, key


async def test_a_refused_request_uses_no_key(service: Service) -> None:
    """What was refused can be sent again under its key, mended."""
    problem(await service.call("POST", COMMENTS, json={"body": " "}, headers=KEY), "request.invalid")
    await service.submit("Mended.", headers=KEY)


async def test_requests_at_once_under_one_key_make_one_comment(service: Service) -> None:
    """However many identical requests run at once, one comment is made and one answer holds the token."""
    answers = await asyncio.gather(
        *(service.call("POST", COMMENTS, json={"body": "Once."}, headers=KEY, expect=202) for _ in range(12))
    )
    found = [answer.json() for answer in answers]
    assert len({one["comment"]["id"] for one in found}) == 1
    assert sum("author_token" in one for one in found) == 1
    await service.drain()
    assert (await service.thread())["thread"]["count"] == 1


async def test_different_requests_at_once_under_one_key_make_one_comment(service: Service) -> None:
    """Of different requests that run at once under one key, one is taken and the others conflict."""
    answers = await asyncio.gather(
        *(service.call("POST", COMMENTS, json={"body": f"Number {n}."}, headers=KEY) for n in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7


async def test_first_comments_at_once_make_one_thread(service: Service) -> None:
    """Comments that arrive at once under a new page all stand in one thread."""
    await asyncio.gather(*(service.submit(f"Number {number}.") for number in range(8)))
    await service.drain()
    assert (await service.thread())["thread"]["count"] == 8


async def test_a_key_is_kept_for_seven_days(service: Service) -> None:
    """A key is known for seven days, and after the next sweep it is free again."""
    first = await service.submit("Once.", headers=KEY)
    service.clock.moment += timedelta(days=7, seconds=-30)
    await service.sweep()
    assert (await service.submit("Once.", headers=KEY))["comment"]["id"] == first["comment"]["id"]
    service.clock.moment += timedelta(seconds=60)
    await service.sweep()
    assert (await service.submit("Once.", headers=KEY))["comment"]["id"] != first["comment"]["id"]


async def test_twins_at_once_make_one_comment(service: Service) -> None:
    """Of identical comments of one guest that run at once without a key, one is taken."""
    answers = await asyncio.gather(
        *(service.call("POST", COMMENTS, json={"body": "Twice.", "author": {"name": "Ada"}}) for _ in range(8))
    )
    assert sorted(answer.status_code for answer in answers) == [202] + [409] * 7
