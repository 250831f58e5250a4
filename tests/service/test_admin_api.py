"""Admins and the publisher's systems: sites, threads that close, move and merge, members, keys."""

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest

from tests.service.answers import ORIGIN, fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
SITES, SITE = "/v1/admin/sites", "/v1/admin/sites/test"


async def publisher(service: Service, method: str, path: str, expect: int = 200, **options: Any) -> dict[str, Any]:
    """Call a thread route as the publisher's system."""
    answer = await service.call(method, f"{SITE}/threads{path}", as_="publisher", expect=expect, **options)
    found: dict[str, Any] = answer.json()
    return found


async def test_an_admin_of_the_installation_makes_sites(service: Service) -> None:
    """A new site has the defaults and the default policy; a slug is taken once; a site's admin sees only the own."""
    made = (await service.call("POST", SITES, as_="root", json={"slug": "new", "name": "New"}, expect=201)).json()
    wanted = {
        "slug": "new", "allowed_origins": [], "guests_allowed": True, "body_min_characters": 1, "max_depth": 8,
        "body_max_characters": 5000, "edit_window_seconds": 900, "emergency_pre_moderation": False,
    }  # fmt: skip
    assert {name: made[name] for name in wanted} == wanted
    assert fields(await service.call("POST", SITES, as_="root", json={"slug": "new", "name": "N"}), "site.exists")
    assert [one["slug"] for one in (await service.call("GET", SITES, as_="root")).json()["sites"]] == ["new", "test"]
    assert [one["slug"] for one in (await service.call("GET", SITES, as_="admin")).json()["sites"]] == ["test"]
    for slug in ("", "-a", "a-", "A", "a b", "a/b", "ä", "a" * 64):
        assert fields(await service.call("POST", SITES, as_="root", json={"slug": slug, "name": "N"})) == {"slug"}
    for origin in ("news.example", "https://a.b/", "https://a.b/c", "ftp://a.b", "*", "https://"):
        body = {"slug": "x", "name": "N", "allowed_origins": [origin]}
        assert fields(await service.call("POST", SITES, as_="root", json=body)) == {"allowed_origins[0]"}


async def test_a_site_is_changed_field_by_field(service: Service) -> None:
    """A change sets what it names and leaves the rest; an empty one changes nothing."""
    before = (await service.call("GET", SITE, as_="admin", expect=200)).json()
    change = {"prompt": "Well?", "max_depth": 0}
    after = (await service.call("PATCH", SITE, as_="admin", json=change, expect=200)).json()
    assert after == before | change
    assert (await service.call("PATCH", SITE, as_="admin", json={}, expect=200)).json() == after
    assert (await service.thread("new"))["thread"]["prompt"] == "Well?"
    for wrong in ({"slug": "x"}, {"policy_version": "x"}, {"name": None}, {"max_depth": 21}, {"name": " "}):
        assert fields(await service.call("PATCH", SITE, as_="admin", json=wrong)) == set(wrong)


async def test_a_thread_is_made_before_its_first_comment(service: Service) -> None:
    """The publisher's thread has title, prompt and URL, and a page has one; comments of readers change none of it."""
    wanted = {
        "page": "https://news.example/trams",
        "title": "Trams",
        "prompt": "More?",
        "url": "https://news.example/t",
    }
    made = await publisher(service, "POST", "", 201, json=wanted)
    assert {name: made[name] for name in wanted} == wanted
    assert (made["state"], made["count"], made["pages"]) == ("open", 0, [wanted["page"]])
    problem(await service.call("POST", f"{SITE}/threads", as_="publisher", json=wanted), "thread.exists")
    path = quote(wanted["page"], safe="")
    await service.submit("One.", page=path, title="Other", url="https://news.example/other", headers=ORIGIN)
    await service.drain()
    seen = (await service.thread(path))["thread"]
    assert {name: seen[name] for name in wanted} == wanted
    assert (await publisher(service, "GET", f"/{path}"))["count"] == 1


async def test_a_thread_is_changed_field_by_field(service: Service) -> None:
    """Fields that are absent stay, null clears, and readers see the change at once."""
    await publisher(service, "POST", "", 201, json={"page": "a", "title": "T", "prompt": "P?"})
    await publisher(service, "PATCH", "/a", json={"title": None, "state": "closed"})
    seen = (await service.thread("a"))["thread"]
    assert (seen["title"], seen["prompt"], seen["state"]) == (None, "P?", "closed")
    later = (service.clock.moment + timedelta(hours=1)).isoformat()
    changed = await publisher(service, "PATCH", "/a", json={"prompt": None, "state": "open", "closes_at": later})
    assert (changed["prompt"], changed["state"]) == (None, "open")
    service.clock.advance(3600)
    assert (await publisher(service, "GET", "/a"))["state"] == "closed"
    for wrong in ({"state": "ajar"}, {"page": "b"}, {"state": None}, {"url": "x"}):
        answer = await service.call("PATCH", f"{SITE}/threads/a", as_="publisher", json=wrong)
        assert fields(answer) == set(wrong)
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/move")):
        answer = await service.call(
            method, f"{SITE}/threads/none{path}", as_="publisher", json={"to_page": "x"} if path else {}
        )
        problem(answer, "thread.unknown")


async def test_a_moved_thread_answers_under_both_keys(service: Service) -> None:
    """After a move the old page key leads to the thread, for reading, writing and counting, and it can move back."""
    root = (await service.published("Root.", page="old"))["comment"]["id"]
    moved = await publisher(service, "POST", "/old/move", json={"to_page": "new", "url": "https://news.example/new"})
    assert (moved["page"], moved["pages"], moved["url"]) == ("new", ["new", "old"], "https://news.example/new")
    for page in ("old", "new"):
        await service.published(f"Under {page}.", page=page, parent_id=root)
    for page in ("old", "new"):
        thread = await service.thread(page)
        assert (thread["thread"]["page"], thread["thread"]["count"]) == ("new", 3)
    counts = await service.call("GET", "/v1/sites/test/counts?page=old&page=new")
    assert counts.json() == {"counts": {"old": 3, "new": 3}}
    back = await publisher(service, "POST", "/new/move", json={"to_page": "old"})
    assert (back["page"], back["pages"]) == ("old", ["new", "old"])
    assert (await publisher(service, "POST", "/old/move", json={"to_page": "old"}))["page"] == "old"


async def test_merged_threads_are_one(service: Service) -> None:
    """A merge keeps every comment in order, adds up the counts, keeps both keys, and replies and review go on."""
    sent = [await service.published(f"Number {n}.", page="ab"[n % 2]) for n in range(4)]
    held = await service.submit("A rude one.", page="a")
    await service.drain()
    [item] = await service.claim()
    pending = await service.submit("Not scored yet.", page="a")
    key = {"idempotency-key": "3f8a7c6e-1111-4222-8333-444455556666"}
    kept = await service.submit("With a key.", page="a", headers=key)
    before = (await service.thread("b"))["thread"]["version"]
    merged = await publisher(service, "POST", "/a/move", json={"to_page": "b"})
    assert (merged["page"], merged["pages"], merged["count"]) == ("b", ["a", "b"], 4)
    for page in ("a", "b"):
        thread = await service.thread(page, sort="oldest")
        assert [one["id"] for one in thread["comments"]] == [one["comment"]["id"] for one in sent]
        assert (thread["thread"]["count"], thread["thread"]["page"]) == (4, "b")
        assert thread["thread"]["version"] > before
    again = await service.submit("With a key.", page="a", headers=key)
    assert again["comment"]["id"] == kept["comment"]["id"]
    await service.decide(item)
    await service.drain()
    await service.published("A reply.", page="b", parent_id=sent[0]["comment"]["id"])
    await service.published("A reply.", page="a", parent_id=sent[1]["comment"]["id"])
    thread = await service.thread("a", sort="oldest")
    ids = [one["id"] for one in thread["comments"]]
    assert ids == [one["comment"]["id"] for one in (*sent, held, pending, kept)]
    assert thread["thread"]["count"] == 9
    problem(await service.call("POST", f"{SITE}/threads", as_="publisher", json={"page": "a"}), "thread.exists")


async def test_members_come_and_go(service: Service) -> None:
    """A member is listed, gets keys within the role, and when disabled loses every key at once."""
    member = (
        await service.call("POST", f"{SITE}/members", as_="admin", json={"name": "Mo", "role": "moderator"}, expect=201)
    ).json()
    key = {"name": "laptop", "member_id": member["id"], "scopes": ["review"]}
    for scopes in (["admin"], ["review", "threads"]):
        answer = await service.call("POST", f"{SITE}/keys", as_="admin", json=key | {"scopes": scopes})
        assert fields(answer) == {"scopes"}
    token = (await service.call("POST", f"{SITE}/keys", as_="admin", json=key, expect=201)).json()["token"]
    await service.call("GET", "/v1/review/test/queue", as_=token, expect=200)
    await service.call("DELETE", f"{SITE}/members/{member['id']}", as_="admin", expect=204)
    problem(await service.call("GET", "/v1/review/test/queue", as_=token), "auth.invalid")
    problem(await service.call("DELETE", f"{SITE}/members/{member['id']}", as_="admin"), "member.unknown")
    assert fields(await service.call("POST", f"{SITE}/keys", as_="admin", json=key), "member.unknown") == {"member_id"}
    members = (await service.call("GET", f"{SITE}/members", as_="admin")).json()["members"]
    assert [one["name"] for one in members if one["disabled_at"]] == ["Mo"]
    for wrong in ({"role": "owner"}, {"name": "\t"}):
        body = {"name": "M", "role": "admin"} | wrong
        assert fields(await service.call("POST", f"{SITE}/members", as_="admin", json=body)) == set(wrong)


async def test_keys_are_shown_once_expire_and_are_revoked(service: Service) -> None:
    """A key's secret is in the answer that made it and nowhere else; it ends at its time, or when it is revoked."""
    until = (service.clock.moment + timedelta(hours=1)).isoformat()
    body = {"name": "job", "scopes": ["threads", "threads", "review"], "expires_at": until}
    made = (await service.call("POST", f"{SITE}/keys", as_="admin", json=body, expect=201)).json()
    assert made["key"]["scopes"] == ["review", "threads"]
    await service.call("GET", "/v1/review/test/queue", as_=made["token"], expect=200)
    listed = await service.call("GET", f"{SITE}/keys", as_="admin", expect=200)
    assert made["token"] not in listed.text
    assert "hash" not in listed.text
    [seen] = [one for one in listed.json()["keys"] if one["name"] == "job"]
    assert seen["last_used_at"] is not None
    service.clock.advance(3600)
    problem(await service.call("GET", "/v1/review/test/queue", as_=made["token"]), "auth.invalid")
    wrong: dict[str, Any]
    for wrong in ({"scopes": []}, {"scopes": ["root"]}, {"expires_at": until}, {"member_id": "x"}):
        answer = await service.call(
            "POST", f"{SITE}/keys", as_="admin", json={"name": "k", "scopes": ["review"]} | wrong
        )
        assert {name.partition("[")[0] for name in fields(answer)} == set(wrong)
    [cms] = [one for one in listed.json()["keys"] if one["name"] == "CMS"]
    await service.call("DELETE", f"{SITE}/keys/{cms['id']}", as_="admin", expect=204)
    problem(await service.call("GET", f"{SITE}/threads/a", as_="publisher"), "auth.invalid")
    problem(await service.call("DELETE", f"{SITE}/keys/{cms['id']}", as_="admin"), "key.unknown")


async def test_a_site_cannot_contradict_itself(service: Service) -> None:
    """Limits that no text can meet are refused, and origins are kept as browsers send them."""
    path = "/v1/admin/sites/test"
    answer = await service.call("PATCH", path, as_="admin", json={"body_min_characters": 10, "body_max_characters": 5})
    assert answer.status_code == 400
    wanted = {"allowed_origins": ["https://News.Example:443", "https://news.example", "http://127.0.0.1:8000"]}
    changed = await service.call("PATCH", path, as_="admin", json=wanted, expect=200)
    assert changed.json()["allowed_origins"] == ["https://news.example", "http://127.0.0.1:8000"]
