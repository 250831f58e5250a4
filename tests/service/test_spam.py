"""What comes again stays down, floods are noticed, programs are told from people: by rules that a policy can change."""

import base64
from typing import Any

import pytest
from altcha import v1 as altcha

from moderation.presets import PRESETS
from service.embedded_redis import EmbeddedRedis
from service.flow.manage_sites import as_document
from service.queue.client import connect
from service.queue.recent_texts import RecentTexts
from service.queue.spent import Spent
from service.store.tables import fingerprint_bands, fingerprints
from tests.service.answers import problem
from tests.service.publisher import claims, configure, sign
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
COMMENTS = "/v1/sites/test/threads/page/comments"
LONG = (
    "The council has promised this bridge for eleven years and every spring there is another reason why it cannot be "
    "built, while the ferry breaks down twice a month and nobody gets to work in time."
)


async def guard(service: Service) -> None:
    """Put the preset for a public site in force."""
    policy = as_document(PRESETS["guarded"][1]())
    await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", json=policy, expect=200)


async def causes(service: Service, body: str, **fields: Any) -> list[str]:
    """Submit a text and answer the rules that held it."""
    sent = await service.submit(body, **fields)
    await service.drain()
    found = [item for item in await service.claim() if item["comment"]["id"] == sent["comment"]["id"]]
    return list(dict.fromkeys(cause["rule"] for item in found for cause in item["causes"]))


async def taken_down(service: Service, body: str, reason: str = "hate") -> str:
    """Publish a text and take it down; answer the comment's id."""
    comment: str = (await service.published(body))["comment"]["id"]
    wanted = {"revision": 1, "action": "remove", "reasons": [reason]}
    await service.call("POST", f"/v1/review/test/comments/{comment}/decision", as_="moderator", json=wanted, expect=200)
    return comment


async def settings_of(service: Service, expect: int = 200, **wanted: Any) -> dict[str, Any]:
    """Put settings against spam in force."""
    answer = await service.call("PUT", "/v1/admin/sites/test/spam", as_="admin", json=wanted, expect=expect)
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize(
    "again",
    [
        LONG,
        LONG.upper(),
        LONG.replace(" ", "  "),
        LONG.replace("spring", "autumn"),
        LONG.replace("e", "\u0435"),
        LONG + " Really!",
    ],
)
async def test_a_text_taken_down_for_cause_is_known_when_it_comes_again(service: Service, again: str) -> None:
    """The same, shouted, disguised, or with a word changed: it waits, and the author reads the reason of the first."""
    await taken_down(service, LONG)
    sent = await service.submit(again, page="elsewhere", author={"name": "Somebody else"})
    await service.drain()
    mine = await service.call("GET", "/v1/sites/test/mine", as_=sent["author_token"], expect=200)
    [comment] = mine.json()["comments"]
    assert comment["status"] == "held"
    assert "hate" in [reason["code"] for reason in comment["reasons"]]
    [item] = await service.claim()
    [cause] = [cause for cause in item["causes"] if cause["rule"] == "came-again"]
    assert cause["value"] >= 0.8


async def test_a_text_that_was_brought_back_may_come_again(service: Service) -> None:
    """Restoring a comment lets go of its fingerprint."""
    comment = await taken_down(service, LONG)
    wanted = {"revision": 1, "action": "restore"}
    await service.call("POST", f"/v1/review/test/comments/{comment}/decision", as_="moderator", json=wanted, expect=200)
    assert await causes(service, LONG, page="elsewhere") == []


async def test_off_topic_is_no_cause_to_stay_down(service: Service) -> None:
    """What was only in the wrong place may be written in the right one; a site chooses the reasons."""
    await taken_down(service, LONG, "off_topic")
    assert await causes(service, LONG, page="elsewhere") == []
    await settings_of(service, stay_down_reasons=["off_topic"])
    await taken_down(service, "Another text, about the tram this time, which nobody asked for here.", "off_topic")
    again = await causes(service, "Another text about the tram, this time, which nobody asked for here!", page="third")
    assert again == ["came-again"]


async def test_a_rejected_text_stays_down_too_and_other_texts_do_not(service: Service) -> None:
    """A moderator's reject leaves a fingerprint; what shares only a few words with it is free."""
    await service.submit(f"A rude one. {LONG}")
    await service.drain()
    [item] = await service.claim()
    await service.decide(item, "reject", reasons=["insult"])
    assert "came-again" in await causes(service, f"A rude one! {LONG}", page="elsewhere")
    assert await causes(service, "The council has promised much, and the ferry is a fine one when it runs.") == []


async def _taken_down(service: Service) -> dict[str, Any]:
    sent = await service.published(LONG)
    wanted = {"revision": 1, "action": "remove", "reasons": ["hate"]}
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decision"
    await service.call("POST", path, as_="moderator", json=wanted, expect=200)
    return sent


async def test_an_author_who_erases_themselves_does_not_bring_a_removed_text_back(service: Service) -> None:
    """The fingerprint of what was removed for cause stays; it gives no text back."""
    sent = await _taken_down(service)
    erase = {"confirm": "erase", "mode": "remove"}
    await service.call("DELETE", "/v1/sites/test/me", as_=sent["author_token"], json=erase, expect=200)
    await service.sweep()
    assert await causes(service, LONG, page="elsewhere") == ["came-again"]


async def test_an_admins_erasure_leaves_no_fingerprint(service: Service) -> None:
    """It takes the fingerprint with the text, also of somebody who erased themselves before."""
    sent = await _taken_down(service)
    me = (await service.call("GET", "/v1/sites/test/me", as_=sent["author_token"], expect=200)).json()["id"]
    await service.call("DELETE", "/v1/sites/test/me", as_=sent["author_token"], json={"confirm": "erase"}, expect=200)
    path = f"/v1/admin/sites/test/commenters/{me}"
    await service.call("DELETE", path, as_="admin", json={"mode": "remove"}, expect=200)
    await service.sweep()
    assert await causes(service, LONG, page="elsewhere") == []
    async with service.context.database.reading() as connection:
        for table in (fingerprints, fingerprint_bands):
            assert (await connection.execute(table.select())).all() == []


async def test_a_text_that_was_brought_back_leaves_no_fingerprint(service: Service) -> None:
    """Restored, it may come again, and nothing is kept of it."""
    sent = await _taken_down(service)
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decision"
    await service.call("POST", path, as_="moderator", json={"revision": 1, "action": "restore"}, expect=200)
    async with service.context.database.reading() as connection:
        for table in (fingerprints, fingerprint_bands):
            assert (await connection.execute(table.select())).all() == []


async def test_the_same_text_again_and_again_waits(service: Service) -> None:
    """The fourth time within an hour it is held, whoever sends it; an hour later it is new."""
    await guard(service)
    text = "Have you seen the offer of the week at the shop round the corner?"
    for number in range(3):
        assert await causes(service, text, page=f"page-{number}") == []
    assert "sent-again" in await causes(service, text, page="page-3")


async def test_nearly_the_same_text_again_and_again_waits(service: Service) -> None:
    """A word changed each time does not help."""
    await guard(service)
    for number in range(3):
        assert await causes(service, LONG.replace("eleven", f"{number + 2}"), page=f"page-{number}") == []
    assert "sent-again-with-changes" in await causes(service, LONG.replace("eleven", "many"), page="page-9")


async def test_agreement_is_no_repeat(service: Service) -> None:
    """Short texts come often and from many."""
    await guard(service)
    for number in range(6):
        assert await causes(service, "I agree with you.", page=f"page-{number}") == []


async def test_without_redis_near_repeats_are_not_known_and_nothing_stops(own_redis: EmbeddedRedis) -> None:
    """A Redis that is away makes no error of it; the index that comes back is empty."""
    client = connect(own_redis.url)
    recent, numbers = RecentTexts(client), list(range(64))
    bands = [f"{place}:x" for place in range(16)]
    assert await recent.look("site", "one", bands, numbers, now_ms=1_000) == []
    assert await recent.look("site", "one", bands, numbers, now_ms=1_001) == []
    assert await recent.look("site", "two", bands, numbers, now_ms=1_002) == [numbers]
    assert await recent.look("other", "three", bands, numbers, now_ms=1_003) == []
    assert await recent.look("site", "four", bands, numbers, now_ms=1_010 + 3_600_000) == []
    await client.aclose()


async def test_a_field_that_no_person_sees_tells_a_program(service: Service) -> None:
    """Filled in, it holds the comment; empty or absent it says nothing."""
    assert await causes(service, "Cheap watches for everybody!", website="https://shop.example") == [
        "sent-by-a-program"
    ]
    assert await causes(service, "I like the tram.", website="") == []


async def test_a_form_that_is_sent_at_once_tells_a_program(service: Service) -> None:
    """The ticket says how long the writing took; a made-up or old one says nothing."""

    async def ticket() -> str:
        return str((await service.call("GET", "/v1/sites/test/ticket", expect=200)).json()["ticket"])

    text = "A text of some length that nobody types in a second, number"
    hasty = await ticket()
    service.clock.advance(1)
    assert await causes(service, f"{text} one.", ticket=hasty) == ["faster-than-a-person"]
    calm = await ticket()
    service.clock.advance(30)
    assert await causes(service, f"{text} two.", ticket=calm) == []
    others = (
        "The tram to the harbour was late again today.",
        "My neighbour grows beans on the roof of the school.",
        "A new bakery opens beside the old town hall in May.",
        "Rain fell on the market until the church bells rang.",
        "Our library lends bicycles to students on Sundays.",
    )
    made_up = ("", "x", "1.2", calm[:-1] + "0", "9" * 15 + "." + calm.partition(".")[2])
    for other, strange in zip(others, made_up, strict=True):
        assert await causes(service, other, ticket=strange) == []


async def test_a_flood_from_one_network_waits(service: Service) -> None:
    """From the twenty-fifth text of a minute on everything of that network waits."""
    await guard(service)
    for number in range(24):
        await service.submit(f"Opinion {number}.", page=f"page-{number}")
    await service.drain()
    assert await causes(service, "The last straw.") == ["flood-from-one-network"]
    service.clock.advance(61)
    assert await causes(service, "A minute later.") == []


def solved(challenge: dict[str, Any]) -> str:
    """Solve a puzzle as a browser does."""
    puzzle = altcha.Challenge(
        challenge["algorithm"],
        challenge["challenge"],
        challenge["maxnumber"],
        challenge["salt"],
        challenge["signature"],
    )
    solution = altcha.solve_challenge(puzzle)
    assert solution is not None
    payload = altcha.Payload(puzzle.algorithm, puzzle.challenge, solution.number, puzzle.salt, puzzle.signature)
    return str(payload.to_base64())


async def test_a_guest_solves_a_puzzle_and_comes_in_once(service: Service) -> None:
    """The refusal carries the puzzle; its solution is good for one comment, and for a retry of it."""
    await settings_of(service, challenge="always", challenge_cost=1000)
    body = problem(await service.call("POST", COMMENTS, json={"body": "Hello."}), "challenge.required")
    solution, key = solved(body["extra"]["challenge"]), {"idempotency-key": "0190a0a0-0000-4000-8000-000000000009"}
    first = await service.submit("Hello.", challenge=solution, headers=key)
    again = await service.submit("Hello.", challenge=solution, headers=key)
    assert again["comment"]["id"] == first["comment"]["id"]
    used = await service.call("POST", COMMENTS, json={"body": "Once more.", "challenge": solution})
    assert "challenge" in problem(used, "challenge.invalid")["extra"]


async def test_wrong_solutions_are_refused(service: Service) -> None:
    """Nonsense, a puzzle of another site, one solved too late, or with another number."""
    await service.call("POST", "/v1/admin/sites", as_="root", json={"slug": "other", "name": "O"}, expect=201)
    await settings_of(service, challenge="always", challenge_cost=1000)

    async def puzzle(site: str) -> dict[str, Any]:
        found: dict[str, Any] = (await service.call("GET", f"/v1/sites/{site}/challenge", expect=200)).json()
        return found["challenge"]  # type: ignore[no-any-return]

    foreign = await puzzle("other")
    foreign["maxnumber"] = 60_000
    late, good = solved(await puzzle("test")), solved(await puzzle("test"))
    for solution in (
        "",
        "x",
        "e30=",
        "W10=",
        "bnVsbA==",
        "[" * 1_000,
        base64.b64encode(b'{"signature": 1}').decode(),
        good[:-4],
        solved(foreign),
    ):
        answer = await service.call("POST", COMMENTS, json={"body": "x", "challenge": solution})
        problem(answer, "challenge.invalid")
    service.clock.advance(21 * 60)
    problem(await service.call("POST", COMMENTS, json={"body": "x", "challenge": late}), "challenge.invalid")


async def test_a_puzzle_is_asked_for_only_where_the_risk_is_raised(service: Service) -> None:
    """A calm network meets none; after some texts in a minute it does; accounts of the publisher never do."""
    await settings_of(service, challenge="raised", challenge_from=2, challenge_cost=1000)
    await configure(service)
    for number in range(2):
        await service.submit(f"Calm {number}.")
    problem(await service.call("POST", COMMENTS, json={"body": "Hot."}), "challenge.required")
    await service.submit("Signed.", token=sign(claims(service.clock())))
    service.clock.advance(61)
    await service.submit("Calm again.")


async def test_what_was_used_is_known_without_redis_too(own_redis: EmbeddedRedis) -> None:
    """Each process remembers by itself while Redis is away."""
    client = connect(own_redis.url)
    spent = Spent(client)
    assert await spent.spend("one", "me", seconds=60)
    assert await spent.spend("one", "me", seconds=60)
    assert not await spent.spend("one", "you", seconds=60)
    assert await spent.spend("anonymous", "", seconds=60)
    assert not await spent.spend("anonymous", "", seconds=60)
    own_redis.stop()
    assert await spent.spend("two", "me", seconds=60)
    assert not await spent.spend("two", "you", seconds=60)
    await client.aclose()


async def test_an_edit_does_not_make_a_filled_honeypot_good(service: Service) -> None:
    """How a comment was sent goes on counting for what its author makes of it."""
    await guard(service)
    sent = await service.submit("Buy a fine watch here.", website="http://shop.example")
    await service.drain()
    path, author = f"/v1/sites/test/comments/{sent['comment']['id']}", sent["author_token"]
    before = (await service.call("GET", path, as_=author, expect=200)).json()
    await service.call("PATCH", path, as_=author, json={"body": "A civil opinion."}, expect=200)
    await service.drain()
    after = (await service.call("GET", path, as_=author, expect=200)).json()
    assert before["comment"]["status"] == after["comment"]["status"] != "published"
