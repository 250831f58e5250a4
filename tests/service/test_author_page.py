"""A commenter's page: what they wrote in every status, and what moderators note about them."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from service import schemas
from service.flow import author_page, manage_sites
from service.store import tables as t
from tests.service.answers import UNKNOWN_ID, fields, problem
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
CIVIL, RUDE, VILE = (f"A {word} opinion about the tram in this town." for word in ("civil", "rude", "vile"))


class Written(dict[str, str]):
    """Comments of one commenter by text, and the commenter's page."""

    path: str = ""
    commenter_id: str = ""


@pytest.fixture
async def written(service: Service) -> Written:
    """A commenter with a comment in each of three statuses; somebody else wrote too."""
    found, token = Written(), None
    for body in (CIVIL, RUDE, VILE):
        made = await service.submit(body, token=token)
        token = token or made["author_token"]
        found[body] = made["comment"]["id"]
        service.clock.advance(1)
    await service.submit("Somebody else's opinion about it.")
    await service.drain()
    async with service.context.database.reading() as connection:
        mine = sa.select(t.comments.c.commenter_id).where(t.comments.c.id == found[CIVIL])
        found.commenter_id = (await connection.execute(mine)).scalar_one()
    found.path = f"/v1/review/test/commenters/{found.commenter_id}"
    return found


async def test_everything_written_is_read_page_by_page(service: Service, written: Written) -> None:
    """Comments in every status come, the newest first, or those in one, each with its thread and scores."""
    read: list[Any] = []
    after: dict[str, str] = {}
    while True:
        params = {"limit": 1, **after}
        page = (await service.call("GET", f"{written.path}/comments", as_="moderator", params=params)).json()
        read += page["comments"]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert [(one["body"], one["status"]) for one in read] == [
        (VILE, "rejected"), (RUDE, "held"), (CIVIL, "published")
    ]  # fmt: skip
    assert {one["thread"]["page"] for one in read} == {"page"}
    assert {one["commenter_id"] for one in read} == {written.commenter_id}
    held = await service.call("GET", f"{written.path}/comments", as_="moderator", params={"status": "held"})
    assert [one["id"] for one in held.json()["comments"]] == [written[RUDE]]


async def test_notes_are_written_read_and_deleted(service: Service, written: Written) -> None:
    """Notes name who wrote them, the newest first; their own and an admin's hand delete them; the audit has no text."""
    notes = f"{written.path}/notes"
    first = (await service.call("POST", notes, as_="moderator", json={"text": "Was warned."}, expect=201)).json()
    second = (await service.call("POST", notes, as_="moderator2", json={"text": "Again."}, expect=201)).json()
    assert (first["name"], first["text"], second["name"]) == ("moderator", "Was warned.", "moderator2")
    listed = (await service.call("GET", notes, as_="moderator", expect=200)).json()["notes"]
    assert listed == [second, first]
    problem(await service.call("DELETE", f"{notes}/{second['id']}", as_="moderator"), "auth.forbidden")
    await service.call("DELETE", f"{notes}/{first['id']}", as_="moderator", expect=204)
    await service.call("DELETE", f"{notes}/{second['id']}", as_="admin", expect=204)
    problem(await service.call("DELETE", f"{notes}/{second['id']}", as_="admin"), "note.unknown")
    assert (await service.call("GET", notes, as_="moderator")).json() == {"notes": []}
    said = (await service.call("GET", "/v1/admin/sites/test/audit", as_="admin")).json()["events"]
    acts = [one["action"] for one in said if one["subject"] == written.commenter_id]
    assert acts == ["commenter.note_deleted"] * 2 + ["commenter.noted"] * 2
    assert "warned" not in str(said)


async def test_a_note_needs_a_text_and_room(
    service: Service, written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An empty or endless note is refused, and so is one more than there is room for."""
    for text in ("", " \n", "x" * 2001):
        assert fields(await service.call("POST", f"{written.path}/notes", as_="moderator", json={"text": text}))
    monkeypatch.setattr(author_page, "MOST_NOTES", 1)
    await service.call("POST", f"{written.path}/notes", as_="moderator", json={"text": "One."}, expect=201)
    refused = await service.call("POST", f"{written.path}/notes", as_="moderator", json={"text": "Two."})
    assert fields(refused) == {"text"}


async def test_notes_go_with_the_commenter(service: Service, written: Written) -> None:
    """An erasure deletes the notes, and none can be written about who is erased."""
    await service.call("POST", f"{written.path}/notes", as_="moderator", json={"text": "Was warned."}, expect=201)
    path = f"/v1/admin/sites/test/commenters/{written.commenter_id}"
    await service.call("DELETE", path, as_="admin", json={"mode": "anonymise"}, expect=200)
    async with service.context.database.reading() as connection:
        assert (await connection.execute(sa.select(t.commenter_notes))).all() == []
    for method, where in (("GET", "notes"), ("POST", "notes"), ("GET", "comments")):
        answer = await service.call(method, f"{written.path}/{where}", as_="moderator", json={"text": "Late."})
        problem(answer, "commenter.unknown")


async def test_another_sites_moderators_know_nothing_of_it(service: Service, written: Written) -> None:
    """Through another site neither comments nor notes of the commenter are read, written or deleted."""
    note = await service.call("POST", f"{written.path}/notes", as_="moderator", json={"text": "Ours."}, expect=201)
    await manage_sites.create_site(service.context, "test", schemas.SiteInput(slug="other", name="Other"))
    there = written.path.replace("/test/", "/other/")
    for method, where in (("GET", "comments"), ("GET", "notes"), ("POST", "notes")):
        answer = await service.call(method, f"{there}/{where}", as_="root", json={"text": "Theirs."})
        problem(answer, "commenter.unknown")
    problem(await service.call("DELETE", f"{there}/notes/{note.json()['id']}", as_="root"), "note.unknown")
    for who in (UNKNOWN_ID, "x"):
        path = f"/v1/review/test/commenters/{who}/comments"
        problem(await service.call("GET", path, as_="moderator"), "commenter.unknown")
