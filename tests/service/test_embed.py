"""What a widget asks of a site beside its threads: its settings, previews, and what is the author's own."""

from typing import get_args

import pytest

from service import schemas
from tests.service.answers import fields
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
SITE, REVIEW, ADMIN = "/v1/sites/test", "/v1/review/test", "/v1/admin/sites/test"


async def test_a_widget_learns_what_the_site_allows(service: Service) -> None:
    """The settings that a form needs are one cached answer, and follow what the admin sets."""
    answer = await service.call("GET", f"{SITE}/embed", headers={"origin": "https://news.example"}, expect=200)
    assert answer.headers["cache-control"] == "public, max-age=60"
    assert answer.headers["vary"] == "Origin"
    assert answer.json() == {
        "name": "Test", "guests_allowed": True, "body_min_characters": 1, "body_max_characters": 5_000, "max_depth": 8,
        "edit_window_seconds": 900, "reaction": "like", "second_chance": False,
        "report_reasons": list(get_args(schemas.ReportReason)), "challenge": False, "mail": False,
    }  # fmt: skip
    change = {"reaction": "Respekt", "second_chance": True}
    site = (await service.call("PATCH", ADMIN, as_="admin", json=change, expect=200)).json()
    assert site | change == site
    await service.call("PUT", f"{ADMIN}/spam", as_="admin", json={"challenge": "raised"}, expect=200)
    found = (await service.call("GET", f"{SITE}/embed", expect=200)).json()
    assert (found["reaction"], found["second_chance"], found["challenge"]) == ("Respekt", True, True)


async def test_a_reaction_is_one_word(service: Service) -> None:
    """Letters of any language, 1 to 20 of them, or null for none; nothing else."""
    for word in ("", "two words", "x" * 21, "like1", "like\n", "<b>"):
        assert fields(await service.call("PATCH", ADMIN, as_="admin", json={"reaction": word})) == {"reaction"}
    for right in ("gefällt", "أعجبني", None):
        changed = await service.call("PATCH", ADMIN, as_="admin", json={"reaction": right}, expect=200)
        assert changed.json()["reaction"] == right


async def test_a_preview_is_what_would_be_shown(service: Service) -> None:
    """It is the HTML of the comment itself, made safe, and nothing of it is kept."""
    body = "A **strong** one <script>alert(1)</script> https://news.example"
    previewed = await service.call("POST", f"{SITE}/preview", json={"body": body}, expect=200)
    assert previewed.headers["cache-control"] == "no-store"
    assert (await service.thread())["thread"]["count"] == 0
    assert previewed.json() == {"html": (await service.submit(body))["comment"]["html"]}
    assert "<script" not in previewed.json()["html"]
    assert fields(await service.call("POST", f"{SITE}/preview", json={"body": ""})) == {"body"}


async def test_an_author_has_one_key_on_a_site(service: Service) -> None:
    """It is the same in all comments of one commenter, another for each other one, and neither is the id."""
    first = await service.published()
    token = first["author_token"]
    await service.published("Another of mine.", token=token, page="other")
    await service.published("Somebody else's.")
    keys = {
        body: one["author"]["key"]
        for page in ("page", "other")
        for one in (await service.thread(page))["comments"]
        for body in [one["body"]]
    }
    assert keys["A civil opinion."] == keys["Another of mine."] != keys["Somebody else's."]
    me = (await service.call("GET", f"{SITE}/me", as_=token)).json()["id"]
    assert keys["A civil opinion."] not in me.replace("-", "")
    own = (await service.call("GET", f"{SITE}/threads/nothing/own", as_=token, expect=200)).json()
    assert own == {"comments": [], "liked": [], "author_key": keys["A civil opinion."]}


async def test_a_tombstone_has_no_key(service: Service) -> None:
    """Of a deleted comment that others answered nothing leads to its author."""
    first = await service.published()
    await service.published("An answer.", parent_id=first["comment"]["id"])
    path = f"{SITE}/comments/{first['comment']['id']}"
    await service.call("DELETE", path, as_=first["author_token"], expect=204)
    [tombstone] = (await service.thread())["comments"]
    assert (tombstone["body"], tombstone["author"]["key"]) == (None, None)
    mine = (await service.call("GET", path, as_=first["author_token"], expect=200)).json()["comment"]
    assert mine["author"]["key"] is None


async def test_own_is_what_others_do_not_see(service: Service) -> None:
    """Held and rejected comments and undecided edits of this thread are there with their reasons; the rest is not."""
    published = await service.published()
    token = published["author_token"]
    held = (await service.submit("A rude one.", token=token))["comment"]["id"]
    rejected = (await service.submit("A vile one.", token=token))["comment"]["id"]
    await service.submit("A rude one elsewhere.", token=token, page="other")
    gone = (await service.published("To be deleted.", token=token))["comment"]["id"]
    await service.call("DELETE", f"{SITE}/comments/{gone}", as_=token, expect=204)
    others = (await service.published("Somebody else's."))["comment"]["id"]
    await service.call("PUT", f"{SITE}/comments/{others}/reaction", as_=token, expect=201)
    await service.drain()
    path = f"{SITE}/threads/page/own"
    own = await service.call("GET", path, as_=token, expect=200)
    assert own.headers["cache-control"] == "no-store"
    found = own.json()
    assert [(one["id"], one["status"]) for one in found["comments"]] == [(rejected, "rejected"), (held, "held")]
    assert all(one["reasons"] for one in found["comments"])
    assert (found["liked"], found["author_key"]) == ([others], published["comment"]["author"]["key"])
    own_path = f"{SITE}/comments/{published['comment']['id']}"
    await service.call("PATCH", own_path, as_=token, json={"body": "A rude edit."}, expect=200)
    await service.drain()
    [*_, edited] = (await service.call("GET", path, as_=token, expect=200)).json()["comments"]
    assert (edited["status"], edited["pending_edit"]["status"]) == ("published", "held")
