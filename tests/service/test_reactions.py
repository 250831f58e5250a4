"""Readers like comments: who may, what is counted, and when a page shows it."""

from typing import Any

import pytest

from service.flow.identify import find_site
from service.store import tables as t
from service.store.recount import recount
from service.store.threads import LIKES_TURN_SECONDS
from tests.service.answers import UNKNOWN_ID, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
SITE, REVIEW, ADMIN = "/v1/sites/test", "/v1/review/test", "/v1/admin/sites/test"
ME, BAN = f"{SITE}/me", {"kind": "ban", "reason": "other"}


def reaction(comment_id: str) -> str:
    """Answer the path of the reaction to a comment."""
    return f"{SITE}/comments/{comment_id}/reaction"


async def written(service: Service) -> tuple[str, str]:
    """Let a published comment be there; answer its id and its author's token."""
    sent = await service.published()
    return sent["comment"]["id"], sent["author_token"]


async def like(service: Service, comment_id: str, token: str | None = None) -> dict[str, Any]:
    """Like a comment and answer what that said."""
    found: dict[str, Any] = (await service.call("PUT", reaction(comment_id), as_=token, expect=201)).json()
    return found


async def shown(service: Service) -> int:
    """Answer the likes of the first comment of the page."""
    likes: int = (await service.thread())["comments"][0]["likes"]
    return likes


async def stored(service: Service, comment_id: str) -> int:
    """Answer the likes of a comment, which must be those of a recount."""
    site = await find_site(service.context, "test")
    async with service.context.database.reading() as connection:
        assert await recount(connection, site.id) == []
        likes = await connection.scalar(t.comments.select().where(t.comments.c.id == comment_id).with_only_columns(
            t.comments.c.likes
        ))  # fmt: skip
    assert likes is not None
    return int(likes)


async def test_a_guest_gets_a_token_and_is_counted_once(service: Service) -> None:
    """Who likes without a token is given one; with it the same like again changes nothing."""
    comment_id, _ = await written(service)
    first = await like(service, comment_id)
    token = first.pop("author_token")
    assert first == {"likes": 1}
    assert await like(service, comment_id, token) == {"likes": 1}
    assert (await like(service, comment_id))["likes"] == 2
    assert await stored(service, comment_id) == 2


async def test_a_like_is_taken_back(service: Service) -> None:
    """It counts no more; taking it back again, or a like of nobody, is no error."""
    comment_id, _ = await written(service)
    token = (await like(service, comment_id))["author_token"]
    await like(service, comment_id)
    for _ in range(2):
        await service.call("DELETE", reaction(comment_id), as_=token, expect=204)
    assert await stored(service, comment_id) == 1
    assert await like(service, comment_id, token) == {"likes": 2}


async def test_who_may_not_like(service: Service) -> None:
    """Not the author, not who is banned, nothing that readers do not see, and nobody where there are no reactions."""
    comment_id, author = await written(service)
    problem(await service.call("PUT", reaction(comment_id), as_=author), "reaction.own")
    token = (await like(service, comment_id))["author_token"]
    held = await service.submit("A rude one.")
    await service.drain()
    for unseen in (held["comment"]["id"], UNKNOWN_ID, "nothing"):
        problem(await service.call("PUT", reaction(unseen), as_=token), "comment.unknown")
    problem(await service.call("DELETE", reaction(comment_id)), "auth.required")
    reader = (await service.call("GET", ME, as_=token)).json()["id"]
    path = f"{REVIEW}/commenters/{reader}/sanctions"
    await service.call("POST", path, as_="moderator", json=BAN, expect=201)
    problem(await service.call("PUT", reaction(comment_id), as_=token), "commenter.banned")
    await service.call("PATCH", ADMIN, as_="admin", json={"guests_allowed": False}, expect=200)
    problem(await service.call("PUT", reaction(comment_id)), "guests.refused")
    await service.call("PATCH", ADMIN, as_="admin", json={"reaction": None}, expect=200)
    problem(await service.call("PUT", reaction(comment_id), as_=token), "reaction.off")
    await service.call("DELETE", reaction(comment_id), as_=token, expect=204)


async def test_likes_turn_the_page_once_in_a_while(service: Service) -> None:
    """Many likes leave the page as it is, byte for byte, until their turn; then it shows all of them in one version."""
    comment_id, _ = await written(service)
    path = f"{SITE}/threads/page"
    before = await service.call("GET", path, expect=200)
    version = before.json()["thread"]["version"]
    for _ in range(3):
        await like(service, comment_id)
        assert (await service.call("GET", path)).headers["etag"] == before.headers["etag"]
        service.clock.advance(1)
    service.clock.advance(LIKES_TURN_SECONDS - 3)
    after = (await service.call("GET", path, expect=200)).json()
    assert (after["thread"]["version"], after["comments"][0]["likes"]) == (version + 1, 3)
    await like(service, comment_id)
    assert (await service.thread())["thread"]["version"] == version + 1
    service.clock.advance(LIKES_TURN_SECONDS)
    again = await service.thread()
    assert (again["thread"]["version"], again["comments"][0]["likes"]) == (version + 2, 4)


async def test_another_change_shows_waiting_likes_at_once(service: Service) -> None:
    """A new comment makes a greater version than any that was shown, and the page has the likes up to then."""
    comment_id, _ = await written(service)
    await service.thread()
    await like(service, comment_id)
    await service.published("Another opinion.")
    found = await service.thread(sort="oldest")
    assert found["comments"][0]["likes"] == 1
    await like(service, comment_id)
    service.clock.advance(LIKES_TURN_SECONDS)
    turned = (await service.thread())["thread"]["version"]
    await service.published("One more opinion.")
    assert (await service.thread())["thread"]["version"] > turned > found["thread"]["version"]


async def test_the_most_liked_come_first(service: Service) -> None:
    """The order by likes follows what readers like, when their turn has come."""
    first, _ = await written(service)
    second = (await service.published("Another opinion."))["comment"]["id"]
    assert [one["id"] for one in (await service.thread(sort="likes"))["comments"]] == [second, first]
    await like(service, first)
    service.clock.advance(LIKES_TURN_SECONDS)
    assert [one["id"] for one in (await service.thread(sort="likes"))["comments"]] == [first, second]


async def test_likes_outlast_a_takedown_but_no_deletion(service: Service) -> None:
    """What is taken down shows none and has them back when it is restored; what its author deleted keeps none."""
    comment_id, author = await written(service)
    token = (await like(service, comment_id))["author_token"]
    decision = f"{REVIEW}/comments/{comment_id}/decision"
    remove = {"action": "remove", "revision": 1, "reasons": ["other"]}
    await service.call("POST", decision, as_="moderator", json=remove, expect=200)
    assert await stored(service, comment_id) == 1
    problem(await service.call("PUT", reaction(comment_id)), "comment.unknown")
    await service.call("POST", decision, as_="moderator", json={"action": "restore", "revision": 1}, expect=200)
    assert await shown(service) == 1
    await service.call("DELETE", f"{SITE}/comments/{comment_id}", as_=author, expect=204)
    assert await stored(service, comment_id) == 0
    await service.call("DELETE", reaction(comment_id), as_=token, expect=204)
    assert await stored(service, comment_id) == 0


async def test_likes_of_who_is_erased_go(service: Service) -> None:
    """An erased reader's likes count no more; the export names them before."""
    comment_id, _ = await written(service)
    token = (await like(service, comment_id))["author_token"]
    await like(service, comment_id)
    [exported] = (await service.call("GET", f"{SITE}/mine/export", as_=token, expect=200)).json()["reactions"]
    assert exported["comment_id"] == comment_id
    erased = await service.call("DELETE", ME, as_=token, json={"confirm": "erase"}, expect=200)
    assert erased.json()["finished"] is True
    assert await stored(service, comment_id) == 1
    service.clock.advance(LIKES_TURN_SECONDS)
    assert await shown(service) == 1


async def test_likes_move_with_their_thread(service: Service) -> None:
    """After a merge the counts are those of a recount, and one's likes are found under the other page."""
    comment_id, _ = await written(service)
    await service.published("Elsewhere.", page="other")
    token = (await like(service, comment_id))["author_token"]
    await service.call("POST", f"{ADMIN}/threads/page/move", as_="publisher", json={"to_page": "other"}, expect=200)
    assert await stored(service, comment_id) == 1
    own = (await service.call("GET", f"{SITE}/threads/other/own", as_=token, expect=200)).json()
    assert own["liked"] == [comment_id]
