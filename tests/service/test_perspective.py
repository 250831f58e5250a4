"""The Perspective API's contract: what a client of it sends is answered as it knows answers and errors."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from moderation.scale import on_perspective_scale
from moderation.scores import Attribute
from service.flow.context import Context
from service.queue.scorer_status import ScorerState
from service.routes import perspective as routes
from tests.eventually import eventually
from tests.leaks import plant
from tests.service.analysing import (
    ANALYZE,
    QUICK_ID,
    SUGGEST,
    Client,
    QuickModel,
    SeveralScorer,
    error_of,
    key_of,
    type_of,
    with_quick,
)
from tests.service.answering import answering
from tests.service.test_calibration_in_force import STERN, put
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

RUDE = "You are a rude person, and everybody in this town knows it by now."
CIVIL = "The trams should run later in the evening, and so should the buses."
GERMAN = "Der Zug kommt heute leider wieder viel zu spät, und niemand sagt den Leuten warum."
KAZAKH = (
    "Қазақстан Республикасы — Орталық Азиядағы мемлекет. Оның астанасы Астана қаласы болып табылады және халқы көп. "
    "A. \u2028. "
)
DROP = "dropUnsupportedAttributes"


@pytest.fixture
def quick() -> QuickModel:
    """The quick model."""
    return QuickModel()


@pytest.fixture
async def context(context: Context, quick: QuickModel) -> AsyncIterator[Context]:
    """A process whose quick model is the test's."""
    mine = with_quick(context, quick)
    yield mine
    await mine.quick.stop()


@pytest.fixture
async def away(service: Service) -> Client:
    """A client of a site whose scorer is away; it reads what the model says as it says it."""
    service.scorer = SeveralScorer()
    return Client(service, await key_of(service, scale="probability"))


@pytest.fixture
async def asking(away: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A client whose questions a worker answers; what is not about time has enough of it."""
    monkeypatch.setattr(routes, "WITHIN_SECONDS", 5.0)
    async with answering(away.service.context, away.service.scorer):
        yield away


def value(found: dict[str, Any], name: str = "TOXICITY") -> float:
    """The value of an attribute."""
    return float(found["attributeScores"][name]["summaryScore"]["value"])


async def test_what_coral_sends_is_answered(asking: Client) -> None:
    """The largest client's request, to the letter, has the answer that it reads, and the model in a header."""
    sent = {"comment": {"text": RUDE}, "doNotStore": True, "requestedAttributes": {"TOXICITY": {}}, "languages": ["en"]}
    answer = await asking.post(ANALYZE, sent)
    score = {"value": pytest.approx(0.7), "type": "PROBABILITY"}
    assert answer.json() == {
        "attributeScores": {
            "TOXICITY": {"spanScores": [{"begin": 0, "end": len(RUDE), "score": score}], "summaryScore": score}
        },
        "languages": ["en"],
        "detectedLanguages": ["en"],
    }
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-colloquy-model"] == asking.service.scorer.model_id
    assert "x-colloquy-quick" not in answer.headers


async def test_both_styles_of_names_are_one(asking: Client) -> None:
    """Snake case and camel case are answered alike, also mixed; null is as good as absent."""
    camel = {
        "comment": {"text": RUDE, "type": "PLAIN_TEXT"},
        "context": {"articleAndParentComment": {"article": {"text": "About trams."}, "parentComment": {"text": "Hm."}}},
        "requestedAttributes": {"TOXICITY": {"scoreType": "PROBABILITY", "scoreThreshold": 0.1}},
        "languages": ["en"], "doNotStore": True, "spanAnnotations": True, "clientToken": "mine", "sessionId": "s",
        "communityId": "c", "dropUnsupportedAttributes": False,
    }  # fmt: skip
    snake = {
        "comment": {"text": RUDE, "type": "PLAIN_TEXT"},
        "context": {"article_and_parent_comment": {"article": {"text": "x"}, "parent_comment": {"text": "Hm."}}},
        "requested_attributes": {"TOXICITY": {"score_type": "PROBABILITY", "score_threshold": "0.1"}},
        "languages": ["en"], "do_not_store": True, "span_annotations": True, "client_token": "mine", "session_id": "s",
        "community_id": "c", "drop_unsupported_attributes": None,
    }  # fmt: skip
    first = (await asking.post(ANALYZE, camel)).json()
    assert first["clientToken"] == "mine"
    assert (await asking.post(ANALYZE, snake)).json() == first
    assert (await asking.post(ANALYZE, {**camel, "context": None, "sessionId": None})).json() == first
    mixed = {name: one for name, one in snake.items() if name != "requested_attributes"}
    assert (await asking.post(ANALYZE, mixed | {"requestedAttributes": {"TOXICITY": None}})).json() == first
    twice = await asking.refused({**camel, "client_token": "other"})
    assert (type_of(twice), "clientToken" in twice["message"]) == ("INVALID_REQUEST", True)


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("TOXICITY", Attribute.TOXICITY),
        ("INSULT", Attribute.INSULT),
        ("PROFANITY", Attribute.OBSCENE),
        ("OBSCENE", Attribute.OBSCENE),
        ("IDENTITY_ATTACK", Attribute.IDENTITY_ATTACK),
        ("THREAT", Attribute.THREAT),
        ("SEVERE_TOXICITY", Attribute.SEVERE_TOXICITY),
        ("SEXUALLY_EXPLICIT", Attribute.SEXUAL_EXPLICIT),
    ],
)
async def test_every_name_and_its_alias_is_ours(away: Client, name: str, attribute: Attribute) -> None:
    """Each attribute that is measured here has its name there and the `_EXPERIMENTAL` one, and one value."""
    scorer = SeveralScorer()
    scorer.attributes = (attribute,)
    async with answering(away.service.context, scorer):
        found = await away.analyze(RUDE, name, f"{name}_EXPERIMENTAL")
    assert list(found["attributeScores"]) == [name, f"{name}_EXPERIMENTAL"]
    assert value(found, name) == value(found, f"{name}_EXPERIMENTAL") == pytest.approx(0.7)


@pytest.mark.parametrize("name", ["FLIRTATION", "SPAM", "ATTACK_ON_AUTHOR", "CURIOSITY_EXPERIMENTAL", "toxicity", ""])
async def test_what_is_not_measured_is_an_error_or_dropped(asking: Client, name: str) -> None:
    """No number is invented: an attribute of no model is refused by name, and left out where the client allows it."""
    wanted = {"comment": {"text": RUDE}, "requestedAttributes": {name: {}, "TOXICITY": {}}}
    error = await asking.refused(wanted)
    assert (error["status"], type_of(error)) == ("INVALID_ARGUMENT", "INVALID_REQUEST")
    assert error["message"] == f"Unknown requested attribute: {name}"
    dropped = (await asking.post(ANALYZE, {**wanted, DROP: True})).json()
    assert list(dropped["attributeScores"]) == ["TOXICITY"]
    alone = await asking.post(ANALYZE, {**wanted, "requestedAttributes": {name: {}}, DROP: True})
    assert "attributeScores" not in alone.json()


async def test_what_the_model_does_not_score_is_an_error_or_dropped(asking: Client) -> None:
    """An attribute that others score but not the model in force is refused with its name, or left out."""
    wanted = {"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}, "SEVERE_TOXICITY": {}}}
    error = await asking.refused(wanted)
    assert type_of(error) == "INVALID_REQUEST"
    assert error["message"].startswith("Unknown requested attribute: SEVERE_TOXICITY")
    assert asking.service.scorer.model_id in error["message"]
    assert list((await asking.post(ANALYZE, {**wanted, DROP: True})).json()["attributeScores"]) == ["TOXICITY"]


async def test_thresholds_leave_out(asking: Client) -> None:
    """An attribute below its threshold is absent; when all are, so is the key; one that reaches it is there."""
    thresholds = {"TOXICITY": {"scoreThreshold": 0.7}, "INSULT": {"scoreThreshold": 0.9}}
    assert list((await asking.analyze(RUDE, requestedAttributes=thresholds))["attributeScores"]) == ["TOXICITY"]
    none = await asking.analyze(CIVIL, requestedAttributes=thresholds)
    assert none == {"languages": ["en"], "detectedLanguages": ["en"]}


async def test_spans_are_sentences_in_utf16(asking: Client) -> None:
    """With annotations each sentence has its own score, its place counted as JavaScript counts; the whole text's own
    score is the summary."""
    text = "  🚋🚋 The trams run late, Mr. Smith.  You are rude!\n\n𝒜 fine evening to you all. "
    found = await asking.analyze(text, spanAnnotations=True)
    spans = found["attributeScores"]["TOXICITY"]["spanScores"]
    units = text.encode("utf-16-le")
    said = [units[2 * one["begin"] : 2 * one["end"]].decode("utf-16-le") for one in spans]
    assert said == ["🚋🚋 The trams run late, Mr. Smith.", "You are rude!", "𝒜 fine evening to you all."]
    assert [one["score"]["value"] for one in spans] == pytest.approx([0.01, 0.7, 0.01])
    assert value(found) == pytest.approx(0.7)
    whole = await asking.analyze(text)
    [span] = whole["attributeScores"]["TOXICITY"]["spanScores"]
    assert (span["begin"], span["end"]) == (0, len(units) // 2)


async def test_a_text_of_very_many_sentences_has_a_bounded_number_of_spans(asking: Client) -> None:
    """Neighbours are told together, so that a text costs no more than a hundred scores."""
    found = await asking.analyze("So it is. " * 2_000, spanAnnotations=True)
    spans = found["attributeScores"]["TOXICITY"]["spanScores"]
    assert len(spans) == 100
    assert [one["begin"] for one in spans] == sorted({one["begin"] for one in spans})


async def test_a_text_that_breaks_the_rules_of_its_language_is_answered(asking: Client) -> None:
    """The library of sentences panics on this one: it is refused for its language like any other, or cut as English."""
    wanted = {"comment": {"text": KAZAKH}, "requestedAttributes": {"TOXICITY": {}}, "spanAnnotations": True}
    assert type_of(await asking.refused(wanted)) == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert (await asking.post(ANALYZE, {**wanted, DROP: True})).json()["detectedLanguages"] == ["kk"]


async def test_each_part_is_a_text_of_the_quota(asking: Client) -> None:
    """Sentences that are scored by themselves count; more of them than a key ever has are wrong, not too early."""
    asking.key = await key_of(asking.service, per_minute=5)
    text = "So it is here, as ever. It was so in the evening. It will be so for long."
    wanted: dict[str, Any] = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}}
    answer = await asking.post(ANALYZE, {**wanted, "spanAnnotations": True})
    assert ";r=2;" in answer.headers["ratelimit"]
    await asking.post(ANALYZE, wanted)
    refused = await asking.post(ANALYZE, {**wanted, "spanAnnotations": True}, expect=429)
    assert error_of(refused)["status"] == "RESOURCE_EXHAUSTED"
    asking.key = await key_of(asking.service, per_minute=2)
    error = await asking.refused({**wanted, "spanAnnotations": True})
    assert (error["status"], type_of(error)) == ("INVALID_ARGUMENT", "INVALID_REQUEST")


async def test_a_slow_line_is_the_clients_own_time(asking: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """A body that is long on its way is answered like another: else its client would be told to come again for ever."""
    body = json.dumps({"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}}}).encode()
    ours = 2.0
    monkeypatch.setattr(routes, "WITHIN_SECONDS", ours)

    async def slowly() -> AsyncIterator[bytes]:
        yield body[:20]
        over = time.monotonic() + ours
        await eventually(lambda: time.monotonic() > over)
        yield body[20:]

    query = {"key": asking.key}
    answer = await asking.service.call("POST", ANALYZE, params=query, content=slowly(), expect=200)
    assert value(answer.json()) == pytest.approx(0.7)


async def test_an_empty_language_is_none(asking: Client) -> None:
    """Some clients send one that is empty; it names nothing, and is not answered."""
    found = await asking.analyze("You are rude.", languages=["", " "])
    assert value(found) == pytest.approx(0.7)
    assert "" not in found.get("languages", [])
    error = await asking.refused(
        {"comment": {"text": "!!!"}, "requestedAttributes": {"TOXICITY": {}}, "languages": [""]}
    )
    assert type_of(error) == "LANGUAGE_DETECTION_FAILED"


async def test_without_a_score_no_model_is_named(asking: Client) -> None:
    """Where nothing was scored there is no empty header."""
    wanted = {"comment": {"text": RUDE}, "requestedAttributes": {"SPAM": {}}, DROP: True}
    assert "x-colloquy-model" not in (await asking.post(ANALYZE, wanted)).headers


@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ({"comment": {"text": ""}, "requestedAttributes": {"TOXICITY": {}}}, "COMMENT_EMPTY", "non-empty"),
        ({"comment": {"text": " \n\t"}, "requestedAttributes": {"TOXICITY": {}}}, "COMMENT_EMPTY", "non-empty"),
        ({"requestedAttributes": {"TOXICITY": {}}}, "COMMENT_EMPTY", "non-empty"),
        ({"comment": {"text": "x" * 20_481}, "requestedAttributes": {"A": {}}}, "COMMENT_TOO_LONG", "exceeded limit"),
        ({"comment": {"text": "é" * 10_241}, "requestedAttributes": {"A": {}}}, "COMMENT_TOO_LONG", "exceeded limit"),
        ({"comment": {"text": "x"}}, "NO_REQUESTED_ATTRIBUTES", "attribute"),
        ({"comment": {"text": "x"}, "requestedAttributes": {}}, "NO_REQUESTED_ATTRIBUTES", "attribute"),
        (
            {"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": {"scoreType": "STDDEV"}}},
            "INVALID_REQUEST",
            "Requested score type STDDEV is not supported by attribute TOXICITY",
        ),
        (
            {
                "comment": {"text": "x"},
                "context": {"entries": [{"text": "a"}], "articleAndParentComment": {}},
                "requestedAttributes": {"TOXICITY": {}},
            },
            "INVALID_REQUEST",
            "exclude each other",
        ),
        ({"comment": {"text": "x", "type": "HTML"}, "requestedAttributes": {"A": {}}}, "INVALID_REQUEST", "PLAIN_TEXT"),
        ({"comment": {"text": 5}, "requestedAttributes": {"TOXICITY": {}}}, "INVALID_REQUEST", "comment.text"),
        ({"comment": {"text": "x"}, "requestedAttributes": ["TOXICITY"]}, "INVALID_REQUEST", "requestedAttributes"),
        ({"comment": {"text": "x"}, "what": 1, "requestedAttributes": {"A": {}}}, "INVALID_REQUEST", '"what"'),
        ({"comment": {"text": "x", "what": 1}, "requestedAttributes": {"A": {}}}, "INVALID_REQUEST", "'comment'"),
        (
            {"comment": {"text": "x"}, "requestedAttributes": {"TOXICITY": {"scoreThreshold": "nan"}}},
            "INVALID_REQUEST",
            "scoreThreshold",
        ),
        ({"comment": {"text": "x"}, "clientToken": "y" * 257, "requestedAttributes": {}}, "INVALID_REQUEST", "client"),
        ({"comment": {"text": "a\0b"}, "requestedAttributes": {"TOXICITY": {}}}, "INVALID_REQUEST", "NUL"),
        ({"comment": {"text": "!!! 12 👍"}, "requestedAttributes": {"TOXICITY": {}}}, "LANGUAGE_DETECTION_FAILED", ""),
        ([], "INVALID_REQUEST", "object"),
        ("text", "INVALID_REQUEST", "object"),
        (b"{", "INVALID_REQUEST", "JSON"),
        (b"", "INVALID_REQUEST", "JSON"),
        (b'{"comment":{"text":"\\ud800"}}', "INVALID_REQUEST", "JSON"),
        (b"[" * 50_000 + b"]" * 50_000, "INVALID_REQUEST", "deep"),
        (b'{"comment":' * 900 + b"{}" + b"}" * 900, "INVALID_REQUEST", ""),
        (b" " * 300_000, "INVALID_REQUEST", "too large"),
    ],
)
async def test_what_is_wrong_is_said_in_the_apis_own_words(asking: Client, body: Any, kind: str, words: str) -> None:
    """Each error type of the contract, and every broken body, is a 400 in Google's shape that names what is wrong."""
    error = await asking.refused(body)
    assert (error["status"], type_of(error)) == ("INVALID_ARGUMENT", kind)
    assert words in error["message"]


async def test_a_text_of_the_longest_size_is_taken(asking: Client) -> None:
    """20,480 bytes are answered, however JSON writes them: a character may take six of a body's bytes."""
    for text in ("x " * 10_239 + "xx", "é " * 6_826 + "éé"[:1]):
        body = {"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}, "languages": ["en"], DROP: True}
        await asking.post(ANALYZE, json.dumps(body, ensure_ascii=True).encode())


async def test_the_language_is_found_by_us(asking: Client) -> None:
    """What the client says of the language is not trusted: a model is not asked about a text that it cannot read."""
    wanted = {"comment": {"text": GERMAN}, "requestedAttributes": {"TOXICITY": {}}, "languages": ["en"]}
    error = await asking.refused(wanted)
    assert type_of(error) == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"
    assert error["details"][0]["languageNotSupportedByAttributeError"] == {
        "attribute": "TOXICITY", "requestedLanguages": ["en"], "detectedLanguages": ["de"],
    }  # fmt: skip
    assert (await asking.post(ANALYZE, {**wanted, DROP: True})).json() == {
        "languages": ["en"], "detectedLanguages": ["de"],
    }  # fmt: skip
    english = await asking.analyze(CIVIL, languages=["de"])
    assert (english["languages"], english["detectedLanguages"]) == (["de"], ["en"])
    assert (await asking.analyze(CIVIL))["languages"] == ["en"]


async def test_a_short_text_is_what_the_client_says(asking: Client) -> None:
    """Where a text is too short to tell, the client's word counts; without one it is read as the model reads."""
    assert "detectedLanguages" not in await asking.analyze("rude", languages=["en"])
    found = await asking.analyze("rude")
    assert found["languages"] == ["en"]
    assert "detectedLanguages" not in found
    error = await asking.refused(
        {"comment": {"text": "rude"}, "requestedAttributes": {"TOXICITY": {}}, "languages": ["de-AT"]}
    )
    assert type_of(error) == "LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE"


async def test_values_are_on_perspectives_scale_unless_told(asking: Client) -> None:
    """A key's scale counts, a request's own before it; a scale that there is not is refused."""
    model = asking.service.scorer.model_id
    mapped = on_perspective_scale(model, Attribute.TOXICITY, 0.7)
    body = {"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}}}
    assert mapped != pytest.approx(0.7)
    usual = Client(asking.service, await key_of(asking.service))
    assert value((await usual.post(ANALYZE, body)).json()) == pytest.approx(mapped)
    assert value((await usual.post(ANALYZE, body, scale="probability")).json()) == pytest.approx(0.7)
    assert value((await asking.post(ANALYZE, body)).json()) == pytest.approx(0.7)
    assert value((await asking.post(ANALYZE, body, scale="perspective")).json()) == pytest.approx(mapped)
    assert "scale" in (await asking.refused(body, scale="percent"))["message"]


async def test_probabilities_are_the_sites(asking: Client) -> None:
    """A site's calibration speaks on the scale of probabilities, and not under a map that knows nothing of it."""
    body = {"comment": {"text": CIVIL}, "requestedAttributes": {"TOXICITY": {}}}
    before = value((await asking.post(ANALYZE, body, scale="perspective")).json())
    await put(asking.service, STERN)
    assert value(await asking.analyze(CIVIL)) > 0.5
    assert value((await asking.post(ANALYZE, body, scale="perspective")).json()) == before


async def test_who_may_ask(asking: Client) -> None:
    """The key is taken from the query, Google's header or as a bearer token; none, a wrong one and one without the
    scope are told apart, as Google does."""
    service, body = asking.service, {"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}}}
    for headers in ({"x-goog-api-key": asking.key}, {"authorization": f"Bearer {asking.key}"}):
        await service.call("POST", ANALYZE, headers=headers, json=body, expect=200)
    for path in (ANALYZE, SUGGEST):
        missing = error_of(await service.call("POST", path, json=body, expect=403))
        assert missing["status"] == "PERMISSION_DENIED"
        assert "unregistered callers" in missing["message"]
        for wrong in ("garbage", "cq_garbage"):
            error = error_of(await service.call("POST", path, params={"key": wrong}, json=body, expect=400))
            assert error["message"].startswith("API key not valid")
            assert error["details"][0]["reason"] == "API_KEY_INVALID"
        for name in ("admin", "root", "publisher", "moderator"):
            error = error_of(await service.call("POST", path, as_=name, json=body, expect=403))
            assert (error["status"], "analyze" in error["message"]) == ("PERMISSION_DENIED", True)


async def test_a_key_opens_nothing_else(asking: Client) -> None:
    """Who may have texts scored reads no queue and changes nothing."""
    for method, path in (("GET", "/v1/review/test/queue"), ("GET", "/v1/admin/sites/test")):
        answer = await asking.service.call(method, path, as_=asking.key, expect=403)
        assert answer.json()["code"] == "auth.forbidden"


async def test_an_admin_says_what_a_key_may(asking: Client) -> None:
    """Quota, scale and leave to store are named with the key, within bounds, and are the usual ones unless told."""
    path, wanted = "/v1/admin/sites/test/keys", {"name": "forum", "scopes": ["analyze"]}
    more = {"per_minute": 3, "may_store": True, "scale": "perspective"}
    made = (await asking.service.call("POST", path, as_="admin", json=wanted | more, expect=201)).json()
    assert {name: made["key"][name] for name in more} == more
    plant(made["token"])
    await Client(asking.service, made["token"]).analyze(CIVIL)
    for wrong in ({"per_minute": 0}, {"per_minute": 1_000_001}, {"scale": "percent"}, {"may_store": "yes"}):
        refused = await asking.service.call("POST", path, as_="admin", json=wanted | wrong, expect=400)
        assert refused.json()["fields"][0]["field"] == next(iter(wrong))


async def test_a_revoked_key_is_not_valid(asking: Client) -> None:
    """A key is out at once."""
    keys = (await asking.service.call("GET", "/v1/admin/sites/test/keys", as_="admin", expect=200)).json()["keys"]
    [mine] = [one for one in keys if one["scopes"] == ["analyze"]]
    assert (mine["per_minute"], mine["may_store"], mine["scale"]) == (600, False, "probability")
    await asking.service.call("DELETE", f"/v1/admin/sites/test/keys/{mine['id']}", as_="admin", expect=204)
    assert "not valid" in (await asking.refused({}))["message"]


@pytest.mark.parametrize("path", [ANALYZE, SUGGEST])
async def test_each_key_has_its_quota(asking: Client, path: str) -> None:
    """Beyond what a key may in a minute the answer is Google's 429 with a time to come again; others go on."""
    small = Client(asking.service, await key_of(asking.service, per_minute=2))
    for _ in range(2):
        await small.refused({}, path)
    refused = await small.post(path, {}, expect=429)
    assert error_of(refused)["status"] == "RESOURCE_EXHAUSTED"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    await asking.analyze(CIVIL)


async def test_guessing_keys_is_slowed(asking: Client) -> None:
    """A network that sends keys that nobody gave out is told to wait, in Google's shape, wherever it puts them."""
    answers = [await asking.service.call("POST", ANALYZE, params={"key": "cq_guess"}, json={}) for _ in range(140)]
    assert {answer.status_code for answer in answers} == {400, 429}
    assert error_of(answers[-1])["status"] == "RESOURCE_EXHAUSTED"


async def test_other_paths_speak_googles_words_too(asking: Client) -> None:
    """Unknown methods and wrong verbs under the API's path are in its shape, and nowhere else."""
    service = asking.service
    for path in ("/v1alpha1/comments:what", "/v1alpha1/", "/v1alpha1/comments:analyze/x"):
        assert error_of(await service.call("POST", path, json={}, expect=404))["status"] == "NOT_FOUND"
    wrong = await service.call("GET", ANALYZE, expect=405)
    assert error_of(wrong)["status"] == "UNIMPLEMENTED"
    assert "POST" in wrong.headers["allow"]
    assert (await service.call("POST", "/v1alpha2/comments:analyze", expect=404)).json()["code"] == "route.unknown"
    strange = await service.call("POST", ANALYZE, headers={"host": "evil.example"}, json={}, expect=421)
    assert error_of(strange)["status"] == "FAILED_PRECONDITION"


async def test_what_google_adds_to_a_query_is_ignored(asking: Client) -> None:
    """Parameters of Google's own and the content type, which some clients leave out, change nothing."""
    body = {"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}}}
    more: dict[str, Any] = {"alt": "json", "prettyPrint": "false", "fields": "x", "quotaUser": "q", "$.xgafv": "2"}
    assert (await asking.post(ANALYZE, body, **more)).json() == (await asking.post(ANALYZE, body)).json()
    await asking.post(ANALYZE, json.dumps(body).encode())


async def test_the_discovery_document_names_us(asking: Client) -> None:
    """Google's clients learn both methods from it, with our own address."""
    answer = await asking.service.call("GET", "/$discovery/rest", params={"version": "v1alpha1"}, expect=200)
    found = answer.json()
    assert found["rootUrl"] == asking.service.context.settings.url + "/"
    methods = found["resources"]["comments"]["methods"]
    assert {one["path"] for one in methods.values()} == {"v1alpha1/comments:analyze", "v1alpha1/comments:suggestscore"}
    named = set(found["schemas"])
    assert {one[part]["$ref"] for one in methods.values() for part in ("request", "response")} <= named
    other = await asking.service.call("GET", "/$discovery/rest", params={"version": "v2"}, expect=404)
    assert error_of(other)["status"] == "NOT_FOUND"


async def test_without_the_scorer_the_quick_model_answers(away: Client, quick: QuickModel) -> None:
    """Where nobody scores, and where the scorer fails, the quick model answers at once and is named."""
    body = {"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}}}
    for state in (None, ScorerState.DOWN):
        if state is not None:
            await away.service.scorer_reports(state)
        answer = await away.post(ANALYZE, body)
        assert value(answer.json()) == 0.25
        assert (answer.headers["x-colloquy-model"], answer.headers["x-colloquy-quick"]) == (QUICK_ID, "away")
    away.service.scorer.down = True
    async with answering(away.service.context, away.service.scorer):
        assert (await away.post(ANALYZE, body)).headers["x-colloquy-quick"] == "away"


async def test_the_quick_model_invents_nothing(away: Client, quick: QuickModel) -> None:
    """An attribute that it does not score is no low score: come again, or leave it out if the client says so."""
    wanted = {"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}, "SEVERE_TOXICITY": {}}}
    refused = await away.post(ANALYZE, wanted, expect=429)
    assert error_of(refused)["status"] == "RESOURCE_EXHAUSTED"
    assert "SEVERE_TOXICITY" in refused.json()["error"]["message"]
    assert refused.headers["retry-after"] == "1"
    assert list((await away.post(ANALYZE, {**wanted, DROP: True})).json()["attributeScores"]) == ["TOXICITY"]


async def test_beyond_capacity_it_is_told_to_come_again(away: Client, quick: QuickModel) -> None:
    """When neither model answers in time the answer is 429 with a time, not a hang and not a number."""
    quick.may.clear()
    refused = await away.post(ANALYZE, {"comment": {"text": RUDE}, "requestedAttributes": {"TOXICITY": {}}}, expect=429)
    assert error_of(refused)["status"] == "RESOURCE_EXHAUSTED"
    assert int(refused.headers["retry-after"]) >= 1
    many = await asyncio.gather(*(away.post(ANALYZE, _long(number), expect=429) for number in range(20)))
    assert {answer.status_code for answer in many} == {429}


def _long(number: int) -> dict[str, Any]:
    return {"comment": {"text": f"{number} of many " * 1_200}, "requestedAttributes": {"TOXICITY": {}}}


_NAMES = st.sampled_from(
    ["comment", "text", "type", "context", "entries", "requestedAttributes", "requested_attributes", "TOXICITY",
     "scoreThreshold", "score_type", "languages", "spanAnnotations", "doNotStore", "clientToken", "attributeScores",
     "summaryScore", "value", "dropUnsupportedAttributes", "articleAndParentComment"]
)  # fmt: skip
_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40) | _NAMES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_NAMES | st.text(max_size=10), inner, max_size=5),
    max_leaves=12,
)
_NEARLY = st.fixed_dictionaries(
    {"comment": st.fixed_dictionaries({"text": st.text(max_size=80)}, optional={"type": _ANYTHING})},
    optional={
        "requestedAttributes": st.dictionaries(
            st.sampled_from(["TOXICITY", "INSULT", "THREAT", "SPAM"]) | st.text(max_size=5),
            st.fixed_dictionaries({}, optional={"scoreThreshold": _ANYTHING, "scoreType": _ANYTHING}) | st.none(),
            max_size=3,
        ),
        "attributeScores": st.dictionaries(
            st.sampled_from(["TOXICITY", "INSULT", "SPAM"]),
            st.fixed_dictionaries({"summaryScore": st.fixed_dictionaries({"value": _ANYTHING})}) | _ANYTHING,
            max_size=3,
        ),
        "languages": st.lists(st.sampled_from(["en", "de", "zh-Hant"]) | st.text(max_size=5), max_size=3) | _ANYTHING,
        "spanAnnotations": st.booleans() | _ANYTHING,
        "doNotStore": st.booleans() | _ANYTHING,
        "dropUnsupportedAttributes": st.booleans() | _ANYTHING,
        "clientToken": st.text(max_size=20) | _ANYTHING,
        "context": _ANYTHING,
    },
)


_SOUND = st.fixed_dictionaries(
    {"comment": st.fixed_dictionaries({"text": st.text(min_size=1, max_size=80).map("word ".__add__)})},
    optional={
        "languages": st.lists(st.sampled_from(["en", "zh-Hant", "x"]), max_size=3),
        "doNotStore": st.booleans(),
        "clientToken": st.text(max_size=20),
        "dropUnsupportedAttributes": st.just(value=True),
    },
)
_FOR: dict[str, dict[str, Any]] = {
    ANALYZE: {"requestedAttributes": {"TOXICITY": {"scoreThreshold": 0.005}, "THREAT_EXPERIMENTAL": None}},
    SUGGEST: {"attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}}},
}


@pytest.mark.slow
@pytest.mark.parametrize("database_kind", ["sqlite"])
@pytest.mark.parametrize("path", [ANALYZE, SUGGEST])
async def test_any_json_is_answered_or_refused(asking: Client, path: str) -> None:
    """Whatever JSON is sent, the answer is 200 or a 400 in Google's shape, and never a failure of ours."""
    asking.key = await key_of(asking.service, per_minute=1_000_000)
    bodies: list[Any] = []

    @hypothesis.settings(
        max_examples=300, derandomize=True, database=None, deadline=None,
        suppress_health_check=list(hypothesis.HealthCheck), phases=[hypothesis.Phase.generate],
    )  # fmt: skip
    @hypothesis.given(_NEARLY | _ANYTHING | _SOUND.map(_FOR[path].__or__))
    def collect(body: Any) -> None:
        bodies.append(body)

    collect()
    met = set()
    for body in bodies:
        try:
            raw = json.dumps(body, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raw = json.dumps(body).encode()
        answer = await asking.service.call("POST", path, params={"key": asking.key}, content=raw)
        met.add(answer.status_code)
        if answer.status_code == 400:
            error_of(answer)
    assert met == {200, 400}
