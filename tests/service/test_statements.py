"""The statement of reasons: for every restriction, in words and codes, true of who and what decided."""

from typing import Any

import pytest

from moderation.verdict import CauseKind
from service.flow import statement_words
from tests.service.answers import problem
from tests.service.reporting import NOTICE, act, made, readers, report, statement
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


def codes(said: dict[str, Any]) -> list[str]:
    """Answer the codes of the facts that a statement names."""
    return [fact["code"] for fact in said["facts"]]


async def test_what_a_machine_refused(service: Service) -> None:
    """It says what was done, which rule spoke in words, that a machine found and decided it, and how to appeal."""
    sent = await service.submit("A vile one.")
    await service.drain()
    said = await statement(service, sent)
    assert (said["status"], said["restriction"]["code"], said["decided_by"]) == ("rejected", "rejected", "machine")
    assert (said["automated_detection"], said["automated_decision"], said["on_notice"]) == (True, True, False)
    assert codes(said) == ["attribute.toxicity"]
    assert "rated it 1.00 of 1 for being rude or disrespectful" in said["facts"][0]["text"]
    assert (said["revision"], said["body"]) == (1, "A vile one.")
    assert said["reasons"][0]["code"] == "toxicity"
    assert (said["ground"]["kind"], said["ground"]["clause"]) == ("guideline", None)
    assert (said["duration"]["seconds"], said["duration"]["until"]) == (None, None)
    assert said["appeal"]["path"] == f"/v1/sites/test/comments/{sent['comment']['id']}/appeals"
    for part in ("not accepted", "decided automatically", "you can appeal until", "court"):
        assert part in said["text"]


async def test_what_waits_for_a_person(service: Service) -> None:
    """A held comment has one too: it lasts until a moderator has decided, and needs no appeal."""
    sent = await service.submit("A rude one.")
    await service.drain()
    said = await statement(service, sent)
    assert (said["restriction"]["code"], said["appeal"]["possible"]) == ("held", False)
    assert said["duration"]["text"] == "This lasts until a moderator has decided."


async def test_what_a_person_took_down_under_a_law(service: Service) -> None:
    """It names the law, that it came on notice, and that a person decided; neither who reported nor who decided."""
    sent = await service.published("An opinion.")
    first = await made(await report(service, sent, "illegal_content", illegal=NOTICE))
    await made(await report(service, sent, "hate"), status=201)
    [item] = await service.claim()
    ground = {"kind": "law", "clause": "Section 185 of the Criminal Code"}
    await service.decide(item, "reject", reasons=["insult"], ground=ground, note="For colleagues only.")
    said = await statement(service, sent)
    assert (said["restriction"]["code"], said["decided_by"], said["on_notice"]) == ("removed", "person", True)
    assert (said["automated_detection"], said["automated_decision"]) == (False, False)
    assert (said["ground"]["kind"], said["ground"]["clause"]) == ("law", ground["clause"])
    assert ground["clause"] in said["text"]
    assert {"notice", "reports"} <= set(codes(said))
    members = (await service.call("GET", "/v1/admin/sites/test/members", as_="admin")).json()["members"]
    secrets = [first["id"], NOTICE["name"], NOTICE["email"], NOTICE["explanation"], "For colleagues only."]
    secrets += [member["id"] for member in members]
    assert not [secret for secret in secrets if str(secret) in str(said)]


async def test_what_readers_hid(service: Service) -> None:
    """It says that reports did it by themselves and a person decides next; not how many, and of whom nothing."""
    sent = await service.published("An opinion.")
    for token in await readers(service, 3):
        await made(await report(service, sent, by=token))
    said = await statement(service, sent)
    assert (said["restriction"]["code"], said["decided_by"], codes(said)) == ("held", "reports", ["reports"])
    assert said["automated_decision"] is True
    assert "3" not in said["text"].replace("Article 21", "")


async def test_there_is_none_where_nothing_is_restricted(service: Service) -> None:
    """A published, pending or restored comment has none, and one of somebody else is unknown."""
    sent = await service.published("An opinion.")
    pending = await service.submit("Another.")
    await act(service, sent, "remove")
    assert (await statement(service, sent))["facts"][0]["code"] == "text"
    await act(service, sent, "restore")
    for one in (sent, pending):
        path = f"/v1/sites/test/comments/{one['comment']['id']}/statement"
        problem(await service.call("GET", path, as_=one["author_token"]), "statement.none")
    path = f"/v1/sites/test/comments/{sent['comment']['id']}/statement"
    problem(await service.call("GET", path, as_=pending["author_token"]), "comment.unknown")


async def test_a_site_words_what_else_can_be_done(service: Service) -> None:
    """The sentence about other redress is the site's."""
    wanted = {"redress": "Write to the ombudsman of the Press Council."}
    await service.call("PUT", "/v1/admin/sites/test/review", as_="admin", json=wanted, expect=200)
    sent = await service.submit("A vile one.")
    await service.drain()
    said = await statement(service, sent)
    assert said["redress"] == wanted["redress"]
    assert said["text"].endswith(wanted["redress"])


def test_every_cause_has_words() -> None:
    """Whatever kind of cause there is, an author reads a sentence of its own about it, and no quoted word."""
    for kind in CauseKind:
        cause = {"kind": kind.value, "name": "toxicity", "value": 0.5, "threshold": 0.25, "detail": "quoted"}
        [fact] = statement_words.facts_of([cause], ())
        assert fact.text != "A rule of this site asked for it."
        assert "quoted" not in fact.text
