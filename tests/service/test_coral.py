"""Coral's external moderation phases: answered by the site's policy, and held whenever nobody can say."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from threading import get_ident
from typing import Any

import hypothesis
import nh3
import pytest
import sqlalchemy as sa
from hypothesis import strategies
from redis.asyncio import Redis

from service import telemetry
from service.errors import Problem, unavailable
from service.flow import analyse, coral, policies
from service.flow.analyse import WITHIN_SECONDS, get_ready
from service.flow.context import Context
from service.flow.coral import MOST_BYTES, PATIENCE_SECONDS, text_of
from service.flow.manage_coral import Coral, coral_of, is_signed, set_coral
from service.flow.quick import Quick
from service.queue.scorer_status import ScorerState
from service.schemas import CoralAnswer, CoralInput
from service.store.tables import metadata, sites
from tests.eventually import eventually, turns
from tests.leaks import plant
from tests.service.answering import answering
from tests.service.answers import fields, problem
from tests.service.coral import (
    ANOTHER,
    HELD,
    PATH,
    SECRET,
    SETTINGS,
    ask,
    encoded,
    flags,
    know,
    read,
    request_of,
    signed,
)
from tests.service.quick import QUICK, FakeQuickScorer
from tests.service.test_second_thoughts import held, set_policy
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

CIVIL = "I think the trams should run later in the evening."
NO_OPINION: dict[str, Any] = {"actions": []}


@pytest.fixture
def quick() -> FakeQuickScorer:
    """The quick model."""
    return FakeQuickScorer()


@pytest.fixture
async def context(context: Context, quick: FakeQuickScorer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Context]:
    """A process whose quick model is the test's; what is not about time has enough of it."""
    monkeypatch.setattr(coral, "WITHIN_SECONDS", 15.0)
    monkeypatch.setattr(coral, "PATIENCE_SECONDS", 20.0)
    mine = replace(context, quick=Quick(quick))
    yield mine
    await mine.quick.stop()


@pytest.fixture
async def asked(service: Service) -> AsyncIterator[Service]:
    """The site knows a Coral, and a worker answers."""
    await know(service)
    async with answering(service.context, service.scorer):
        yield service


async def test_the_policy_decides(asked: Service) -> None:
    """What would be published Coral goes on with, what would be held it holds, what would be rejected it rejects."""
    assert await ask(asked, CIVIL) == NO_OPINION
    doubtful = await ask(asked, "You are rude.")
    assert (doubtful["status"], flags(doubtful)) == ("PREMOD", ["COMMENT_DETECTED_TOXIC"])
    extreme = await ask(asked, "You are vile.", action="EDIT")
    assert (extreme["status"], flags(extreme)) == ("REJECTED", ["COMMENT_DETECTED_TOXIC"])


async def test_the_model_is_named(asked: Service) -> None:
    """The answer says in a header by whose scores it was made."""
    body = encoded(request_of(CIVIL))
    answer = await asked.client.post(PATH, content=body, headers=signed(body))
    assert answer.headers["x-colloquy-model"] == asked.scorer.model_id
    assert "x-colloquy-quick" not in answer.headers


async def test_a_publisher_may_let_it_approve(asked: Service) -> None:
    """Where an admin says so, what the policy publishes is approved, which Coral's own pre-moderation does not hold."""
    view = await know(asked, approves=True)
    assert view["approves"] is True
    assert await ask(asked, CIVIL) == {"actions": [], "status": "APPROVED"}
    assert (await ask(asked, "You are rude."))["status"] == "PREMOD"


async def test_what_is_looked_at_after_is_flagged_and_not_approved(asked: Service) -> None:
    """Under post-moderation a doubtful comment goes out, with a flag that puts it in front of a moderator."""
    await know(asked, approves=True)
    await set_policy(asked, mode="post-moderation")
    assert await ask(asked, "You are rude.") == {
        "actions": [{"actionType": "FLAG", "reason": "COMMENT_DETECTED_TOXIC"}]
    }
    assert await ask(asked, CIVIL) == NO_OPINION


async def test_spam_has_a_flag_of_its_own(asked: Service) -> None:
    """A rule whose reason is spam flags spam, and nothing is called toxic for it."""
    found = await ask(asked, "Buy now" + "!" * 30)
    assert (found["status"], flags(found)) == ("PREMOD", ["COMMENT_DETECTED_SPAM"])


async def test_rules_about_the_text_speak_without_a_flag(asked: Service) -> None:
    """What is held for its links is neither toxic nor spam to Coral, which has no flag for it."""
    links = " ".join(f"https://elsewhere.example/{number}" for number in range(4))
    assert await ask(asked, f"See {links}") == HELD


async def test_emergency_holds_everything(asked: Service) -> None:
    """The site's emergency switch holds for Coral too, from the next comment on."""
    change = {"emergency_pre_moderation": True}
    await asked.call("PATCH", "/v1/admin/sites/test", as_="admin", json=change, expect=200)
    assert await ask(asked, CIVIL) == HELD


async def test_the_policy_of_the_storys_page_counts(asked: Service) -> None:
    """A thread under the story's URL that has a policy of its own judges that story's comments."""
    page = "https://news.example/trams"
    await asked.call("POST", "/v1/admin/sites/test/threads", as_="publisher", json={"page": page}, expect=201)
    await set_policy(asked, page=page, mode="pre-moderation")
    assert await ask(asked, CIVIL) == HELD
    assert await ask(asked, CIVIL, story={"id": "another", "url": "https://news.example/buses"}) == NO_OPINION


async def test_a_language_that_the_model_cannot_read_is_held(asked: Service) -> None:
    """A text in another language waits for a person."""
    assert await ask(asked, "Die Straßenbahnen sollten am Abend länger fahren, finde ich jedenfalls.") == HELD


@pytest.mark.parametrize(
    ("secrets", "told"),
    [
        pytest.param([SECRET], True, id="its own"),
        pytest.param([ANOTHER, SECRET], True, id="rotated in Coral"),
        pytest.param([ANOTHER], False, id="another's"),
    ],
)
async def test_only_who_knows_the_secret_is_told_anything(asked: Service, secrets: list[str], told: bool) -> None:
    """One right signature of several is enough; without one the comment is held and was not even read."""
    answer = await ask(asked, CIVIL, *secrets)
    assert answer == (NO_OPINION if told else HELD)
    assert bool(asked.scorer.batches) is told


@pytest.mark.parametrize("signature", [None, "", "sha256=", "sha256", "sha1=abc", "nonsense,,=,sha256=é", "x" * 5000])
async def test_a_signature_that_is_none_is_held(asked: Service, signature: str | None) -> None:
    """Whatever stands in the header is no way in and no error: an error would publish the comment."""
    body = encoded(request_of(CIVIL))
    headers = {"content-type": "application/json"}
    if signature is not None:
        headers["x-coral-signature"] = signature
    sent = [(name.encode(), value.encode()) for name, value in headers.items()]
    assert read(await asked.client.post(PATH, content=body, headers=sent)) == HELD
    assert asked.scorer.batches == []


async def test_the_signature_is_of_the_very_bytes(asked: Service) -> None:
    """A body that was changed on the way is held, though what it says may be the same."""
    body = encoded(request_of(CIVIL))
    assert read(await asked.client.post(PATH, content=body + b" ", headers=signed(body))) == HELD


async def test_two_secrets_are_known_at_once(asked: Service) -> None:
    """While an admin changes over, comments signed with either secret are judged; afterwards only with the new one."""
    await know(asked, signing_secrets=[SECRET, ANOTHER])
    assert await ask(asked, CIVIL, SECRET) == await ask(asked, CIVIL, ANOTHER) == NO_OPINION
    await know(asked, signing_secrets=[ANOTHER])
    assert await ask(asked, CIVIL, SECRET) == HELD


async def test_many_signatures_cost_no_more(service: Service) -> None:
    """Of a header with thousands of signatures only the first few are compared."""
    settings = Coral(sealed=(service.context.box.seal(SECRET.encode()),))
    body = b"{}"
    right = signed(body)["x-coral-signature"]
    assert is_signed(service.context, settings, right, body)
    assert is_signed(service.context, settings, right.upper().replace("SHA256", "sha256"), body)
    assert not is_signed(service.context, settings, ",".join([*["sha256=0"] * 10, right]), body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"comment": {}}',
        b'{"comment": {"body": 5}}',
        b'{"comment": null}',
        b"\xff",
        b'{"comment": {"body": "\\ud800"}}',
        b'{"a":' * 5000,
        b'{"comment": {"body": "x"}, "story": {"url": "\\u0000"}}',
    ],
    ids=repr,
)
async def test_what_cannot_be_read_is_held(asked: Service, body: bytes) -> None:
    """A signed request that is none of those we know is answered all the same."""
    answer = read(await asked.client.post(PATH, content=body, headers=signed(body)))
    assert answer in (HELD, NO_OPINION)
    assert answer == HELD or b"url" in body


async def test_a_comment_that_is_too_long_is_held(asked: Service) -> None:
    """A body beyond the limit gets no 413, which would publish it."""
    body = encoded(request_of("long " * 100_000))
    assert read(await asked.client.post(PATH, content=body, headers=signed(body))) == HELD


async def test_a_foreign_origin_is_held(asked: Service) -> None:
    """A page elsewhere that sends such a request is told nothing."""
    body = encoded(request_of(CIVIL))
    headers = signed(body) | {"origin": "https://elsewhere.example"}
    assert read(await asked.client.post(PATH, content=body, headers=headers)) == HELD


@hypothesis.settings(suppress_health_check=list(hypothesis.HealthCheck), deadline=None, max_examples=60)
@hypothesis.given(
    value=strategies.recursive(
        strategies.none() | strategies.booleans() | strategies.floats(allow_nan=False) | strategies.text(),
        lambda inner: (
            strategies.lists(inner, max_size=3)
            | strategies.dictionaries(strategies.sampled_from(["comment", "body", "story", "url", "x"]), inner)
        ),
        max_leaves=8,
    )
)
async def test_any_signed_json_is_an_answer(value: Any) -> None:
    """Whatever JSON is signed, the flow answers what Coral takes, and raises nothing."""
    with pytest.MonkeyPatch.context() as patch:

        async def judged(*_arguments: Any) -> coral.Advice:
            return coral.Advice(CoralAnswer([]), None)

        patch.setattr(coral, "_advised", judged)
        patch.setattr(coral, "coral_of", lambda _site: Coral())
        advice = await coral.advise(None, None, encoded(value))  # type: ignore[arg-type]
    assert advice.answer in (coral.HELD, CoralAnswer([]))


@pytest.fixture
async def away(service: Service) -> Service:
    """The site knows a Coral, and its scorer is away."""
    await know(service)
    await service.scorer_reports(ScorerState.DOWN)
    return service


async def test_without_its_scorer_the_quick_model_judges(away: Service, quick: FakeQuickScorer) -> None:
    """With the scorer away the model that stands in is held against the policy, and the answer says so."""
    assert await ask(away, CIVIL) == NO_OPINION
    assert (await ask(away, "You are vile."))["status"] == "REJECTED"
    body = encoded(request_of(CIVIL))
    answer = await away.client.post(PATH, content=body, headers=signed(body))
    assert (answer.headers["x-colloquy-model"], answer.headers["x-colloquy-quick"]) == (QUICK, "away")
    assert len(quick.texts) == 3


async def test_a_quick_model_that_the_policy_does_not_know_holds(away: Service) -> None:
    """Thresholds are never held against a model that they were not made for."""
    await set_policy(away, fallback_model=None)
    assert await ask(away, CIVIL) == HELD


@pytest.mark.parametrize(("failure", "told"), [("wait", HELD), ("hold", HELD), ("publish", NO_OPINION)])
async def test_without_any_model_the_policy_has_a_word(
    away: Service, quick: FakeQuickScorer, monkeypatch: pytest.MonkeyPatch, failure: str, told: dict[str, Any]
) -> None:
    """When nobody scores in time the comment is held, but where the site's policy says in writing to publish it."""
    monkeypatch.setattr(coral, "WITHIN_SECONDS", 0.2)
    await set_policy(away, on_scorer_failure=failure)
    quick.stalls = True
    assert await ask(away, CIVIL) == told


async def test_nothing_hangs_past_corals_time(
    away: Service, quick: FakeQuickScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not answered in the time is held when it is over, whatever the policy says of failures."""
    monkeypatch.setattr(coral, "PATIENCE_SECONDS", 0.05)
    await set_policy(away, on_scorer_failure="publish")
    quick.stalls = True
    assert await ask(away, CIVIL) == HELD


async def test_the_quick_model_is_there_before_a_coral_needs_it(
    service: Service, quick: FakeQuickScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that starts where a site knows a Coral loads the quick model at once, and else does not."""
    started: list[bool] = []

    async def start() -> None:
        started.append(True)

    monkeypatch.setattr(quick, "start", start)
    monkeypatch.setattr(quick, "running", False)
    await get_ready(service.context)
    await turns(10)
    assert started == []
    await know(service)
    await get_ready(service.context)
    await eventually(lambda: started == [True])


async def test_the_quick_model_is_there_soon_after_the_first_key(
    service: Service, quick: FakeQuickScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that runs already looks for what may need the quick model until there is something, and no longer."""
    monkeypatch.setattr(quick, "running", False)
    looks: list[bool] = []

    async def looked(context: Context) -> bool:
        looks.append(await get_ready(context))
        return looks[-1]

    monkeypatch.setattr(analyse, "get_ready", looked)
    looking = asyncio.create_task(analyse.be_ready(service.context, every_seconds=0.001))
    await eventually(lambda: len(looks) > 2)
    assert not any(looks)
    await know(service)
    await looking
    assert looks[-1]


def test_the_time_is_less_than_corals() -> None:
    """All is answered within the 800 ms that Coral waits for Perspective, and asking ends before."""
    assert WITHIN_SECONDS < PATIENCE_SECONDS < 0.8


@pytest.mark.parametrize("error", [unavailable("database"), RuntimeError("quoting a comment"), TimeoutError()])
async def test_a_fault_of_ours_is_held(away: Service, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """With the database away, or a defect, Coral is told to hold, and no log line quotes anything."""
    body = encoded(request_of(CIVIL))

    async def fails(*_arguments: Any) -> None:
        raise error

    if isinstance(error, Problem):
        monkeypatch.setattr(away.context.directory, "find", fails)
    monkeypatch.setattr(policies, "in_force", fails)
    assert read(await away.client.post(PATH, content=body, headers=signed(body))) == HELD


async def test_an_admin_is_told_of_a_wrong_url(service: Service) -> None:
    """A site that is not there, or that knows no Coral, is a 404, so that a test of the URL fails at once."""
    body = encoded(request_of(CIVIL))
    problem(await service.client.post("/v1/sites/nowhere/coral", content=body, headers=signed(body)), "site.unknown")
    problem(await service.client.post(PATH, content=body, headers=signed(body)), "coral.off")


async def test_html_is_read_as_readers_see_it(asked: Service) -> None:
    """Where the phase sends HTML, tags are no words, and no word is hidden by them."""
    await know(asked, format="html")
    assert await ask(asked, "<div>I think the <b>trams</b> should run later.</div>") == NO_OPINION
    assert (await ask(asked, "<div>You are v<b>il</b>e.</div>"))["status"] == "REJECTED"
    assert "vile" in asked.scorer.batches[-1][0]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>two</p>", "One\ntwo"),
        ("a<br/>b<br>c", "a\nb\nc"),
        ("<b>x</b>y &amp; &lt;z&gt;", "xy & <z>"),
        ("1 < 2", "1 < 2"),
        ("<a href='https://x.example'>there</a><!-- not shown -->", "there"),
        ("a &amp;lt;b&amp;gt; c", "a &lt;b&gt; c"),
        ("<script>vile</script>", "vile"),
        ("", ""),
    ],
)
def test_text_of_html(html: str, text: str) -> None:
    """Blocks part lines, entities are what they stand for, comments and tags are nothing."""
    assert text_of(html) == text


@pytest.mark.parametrize("piece", ["<a", '<a href="', "<!--", "<a x=", "<div>", "&"])
def test_hostile_html_is_read_by_the_kept_parser(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is repeated goes through nh3 once, since Python's own parser reads such again from each of its signs."""
    read_by: list[str] = []
    clean = nh3.clean

    def noting(markup: str, **how: Any) -> str:
        read_by.append(markup)
        return clean(markup, **how)

    monkeypatch.setattr(nh3, "clean", noting)
    hostile = (piece * MOST_BYTES)[:MOST_BYTES]
    assert "<" not in text_of(hostile)
    assert read_by == [hostile]


async def test_html_is_read_away_from_the_event_loop(asked: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others do not wait while somebody's markup is read, and what is too long for a comment is held unread."""
    await know(asked, format="html")
    threads: list[int] = []

    def noting(markup: str) -> str:
        threads.append(get_ident())
        return text_of(markup)

    monkeypatch.setattr(coral, "text_of", noting)
    assert await ask(asked, f"<p>{CIVIL}</p>") == NO_OPINION
    assert threads
    assert get_ident() not in threads
    assert await ask(asked, CIVIL + " " * MOST_BYTES) == HELD
    assert len(threads) == 1


@pytest.mark.parametrize("way", ["plain_text", "html"])
async def test_what_is_longer_than_a_comment_is_held_unread(
    asked: Service, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """In bytes, since one character may stand for a whole sentence; neither signals nor a model read it."""
    await know(asked, format=way)
    monkeypatch.setattr(coral, "read_signals", None)
    outcome = telemetry.coral_total.labels("too_large")
    before = outcome._value.get()
    assert await ask(asked, "\ufdfa" * (MOST_BYTES // 3 + 1)) == HELD
    assert outcome._value.get() == before + 1
    assert asked.scorer.batches == []


async def test_settings_are_the_admins_and_show_no_secret(service: Service) -> None:
    """An admin puts, reads and drops them; secrets are sealed where they are kept, and in no answer and no audit."""
    problem(await service.call("GET", SETTINGS, as_="admin"), "coral.off")
    assert fields(await service.call("PUT", SETTINGS, as_="admin", json={})) == {"signing_secrets"}
    for wrong in ([], ["short"], [" " * 20], [SECRET] * 11):
        answer = await service.call("PUT", SETTINGS, as_="admin", json={"signing_secrets": wrong})
        assert fields(answer) == {"signing_secrets"} or fields(answer) == {"signing_secrets[0]"}, answer.text
    view = await know(service)
    assert view == {
        "url": f"{service.context.settings.url}{PATH}", "format": "plain_text", "approves": False, "signing_secrets": 1,
    }  # fmt: skip
    again = await service.call("PUT", SETTINGS, as_="admin", json={"approves": True}, expect=200)
    assert again.json() == view | {"approves": True}
    assert (await service.call("GET", SETTINGS, as_="admin", expect=200)).json() == again.json()
    async with service.context.database.reading() as connection:
        stored = (await connection.execute(sa.select(sites.c.coral).where(sites.c.slug == "test"))).scalar_one()
    assert SECRET not in repr(stored)
    assert service.context.box.open(stored["sealed"][0]) == SECRET.encode()
    audit = (await service.call("GET", "/v1/admin/sites/test/audit", as_="admin", expect=200)).text
    assert "coral.changed" in audit
    assert SECRET not in audit
    await service.call("DELETE", SETTINGS, as_="admin", expect=204)
    problem(await service.call("GET", SETTINGS, as_="admin"), "coral.off")
    for other in ("moderator", "publisher"):
        problem(await service.call("GET", SETTINGS, as_=other), "auth.forbidden")


async def test_nothing_of_a_comment_is_kept(asked: Service, redis_client: Redis, redis_prefix: str) -> None:
    """Neither the database nor Redis holds a comment of Coral's once it is answered."""
    secret = "unspoken-words-of-a-coral-reader"
    plant(secret)
    before = await _rows(asked, secret)
    await ask(asked, f"You are rude, {secret}.")
    assert await _rows(asked, secret) == before
    assert secret not in await held(redis_client, redis_prefix)


async def _rows(service: Service, secret: str) -> dict[str, int]:
    counts: dict[str, int] = {}
    async with service.context.database.reading() as connection:
        for table in metadata.sorted_tables:
            found = (await connection.execute(sa.select(table))).all()
            assert secret not in repr(found)
            counts[table.name] = len(found)
    return counts


async def test_settings_put_at_once_keep_the_newest_secrets(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who changes the format while another changes the secret does not bring the old one back."""
    await know(service)
    context, database = service.context, service.context.database
    site = await context.directory.read("test")
    writing = database.writing

    @asynccontextmanager
    async def after_another() -> AsyncIterator[Any]:
        monkeypatch.setattr(database, "writing", writing)
        await set_coral(context, site, "another", CoralInput(signing_secrets=[ANOTHER]))
        async with writing() as connection:
            yield connection

    monkeypatch.setattr(database, "writing", after_another)
    await set_coral(context, site, "first", CoralInput(format="html"))
    [sealed] = coral_of(await context.directory.read("test")).sealed
    assert context.box.open(sealed) == ANOTHER.encode()
