"""OpenAI's moderation endpoint: its shapes and its errors, and no number that no model of ours gave."""

import json
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies
from redis.asyncio import Redis

from moderation.scale import on_perspective_scale
from moderation.scores import Attribute, Scores
from service.flow.analyse import Analysed, Scale, analyse
from service.flow.context import Context
from service.flow.openai_moderations import (
    CATEGORIES,
    MOST_BYTES,
    MOST_CHARACTERS,
    MOST_TEXTS,
    result_of,
    scale_of,
    texts_of,
)
from service.queue.scorer_status import ScorerState
from service.store.tables import metadata
from tests.leaks import plant
from tests.service.analysing import QUICK_ID, SHIPPED, QuickModel, SeveralScorer, key_of, with_quick
from tests.service.answering import answering
from tests.service.test_second_thoughts import held
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

PATH = "/v1/moderations"
CIVIL = "The trams should run later in the evening, and so should the buses."
RUDE = "You are a rude person, and everybody in this town knows it by now."
GERMAN = "Der Zug kommt heute leider wieder viel zu spät, und niemand sagt den Leuten warum."
MEASURED = {"harassment", "harassment/threatening", "hate", "violence"}
THIRTEEN = {
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
}  # fmt: skip


class Bot:
    """A client of OpenAI's that was given our base URL and a key of ours."""

    def __init__(self, service: Service, key: str) -> None:
        self.service = service
        self.key = key

    async def ask(self, body: Any, *, expect: int = 200, **query: Any) -> Any:
        """Send a body and answer the JSON."""
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        answer = await self.service.call("POST", PATH, as_=self.key, params=query, expect=expect, **sent)
        assert answer.headers["content-type"].startswith("application/json")
        assert answer.headers["cache-control"] == "no-store"
        return answer.json()

    async def refused(self, body: Any, *, expect: int = 400, **query: Any) -> tuple[str | None, str | None]:
        """Send what is refused; answer parameter and code of the error."""
        error = error_of(await self.ask(body, expect=expect, **query))
        assert error["type"] == "invalid_request_error"
        return error["param"], error["code"]


def error_of(body: Any) -> dict[str, Any]:
    """The error, which must be in OpenAI's shape."""
    [(name, error)] = body.items()
    assert name == "error"
    assert set(error) == {"message", "type", "param", "code"}
    assert error["message"]
    return dict(error)


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
async def away(service: Service) -> Bot:
    """A client of a site whose scorer is away."""
    service.scorer = SeveralScorer()
    await service.scorer_reports(ScorerState.DOWN)
    return Bot(service, await key_of(service, per_minute=60_000))


@pytest.fixture
async def bot(away: Bot, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bot]:
    """A client whose questions a worker answers; what is not about time has enough of it."""
    monkeypatch.setattr("service.flow.openai_moderations.analyse", partial(analyse, within_seconds=5.0))
    async with answering(away.service.context, away.service.scorer):
        yield away


async def test_a_text_is_answered_in_openais_shape(bot: Bot) -> None:
    """One text has one result with 13 categories; those that nobody measured are 0, false and apply to nothing."""
    found = await bot.ask({"model": "omni-moderation-latest", "input": RUDE})
    assert set(found) == {"id", "model", "results"}
    assert found["id"].startswith("modr-")
    assert found["model"] == bot.service.scorer.model_id
    [result] = found["results"]
    assert set(result) == {"flagged", "categories", "category_scores", "category_applied_input_types"}
    for part in ("categories", "category_scores", "category_applied_input_types"):
        assert set(result[part]) == THIRTEEN
    applied = {name for name, types in result["category_applied_input_types"].items() if types == ["text"]}
    assert applied == MEASURED
    for name in THIRTEEN - MEASURED:
        assert result["category_applied_input_types"][name] == []
        assert result["category_scores"][name] == 0
        assert result["categories"][name] is False
    assert result["category_scores"]["harassment"] == pytest.approx(0.7 * 0.9)
    assert result["categories"]["harassment"] is True
    assert result["flagged"] is True


async def test_a_civil_text_is_not_flagged(bot: Bot) -> None:
    """What is far below a half is no category's."""
    [result] = (await bot.ask({"input": CIVIL}))["results"]
    assert result["flagged"] is False
    assert not any(result["categories"].values())
    assert 0 < result["category_scores"]["harassment"] < 0.5


async def test_several_texts_have_several_results(bot: Bot) -> None:
    """A list of strings is as many texts, in order; the same text twice is answered twice."""
    found = await bot.ask({"input": [CIVIL, RUDE, CIVIL]})
    assert [result["flagged"] for result in found["results"]] == [False, True, False]


async def test_parts_are_one_text(bot: Bot) -> None:
    """A list of parts is one input with one result, whose words are those of all parts."""
    found = await bot.ask({"input": [{"type": "text", "text": CIVIL}, {"type": "text", "text": RUDE}]})
    assert [result["flagged"] for result in found["results"]] == [True]


async def test_the_model_is_named_in_a_header(bot: Bot) -> None:
    """So that a log of a client tells whose number it was."""
    answer = await bot.service.call("POST", PATH, as_=bot.key, json={"input": CIVIL}, expect=200)
    assert answer.headers["x-colloquy-model"] == bot.service.scorer.model_id
    assert "x-colloquy-quick" not in answer.headers


async def test_without_its_scorer_the_quick_model_answers(away: Bot) -> None:
    """With the scorer away the quick model answers, and says so."""
    answer = await away.service.call("POST", PATH, as_=away.key, json={"input": CIVIL}, expect=200)
    assert (answer.headers["x-colloquy-model"], answer.headers["x-colloquy-quick"]) == (QUICK_ID, "away")
    assert answer.json()["model"] == QUICK_ID


async def test_beyond_capacity_a_client_is_told_when_to_come_again(away: Bot, quick: QuickModel) -> None:
    """Where nobody answers in time the answer is 429 with Retry-After, in OpenAI's words."""
    quick.failing = True
    answer = await away.service.call("POST", PATH, as_=away.key, json={"input": CIVIL}, expect=429)
    error = error_of(answer.json())
    assert (error["type"], error["code"]) == ("requests", "rate_limit_exceeded")
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_key_has_a_quota(service: Service, quick: QuickModel) -> None:
    """Over its requests in a minute a key is told to wait; another key is not."""
    first, second = Bot(service, await key_of(service, per_minute=2)), Bot(service, await key_of(service))
    for _ in range(2):
        await first.ask({"input": CIVIL})
    answer = await service.call("POST", PATH, as_=first.key, json={"input": CIVIL}, expect=429)
    assert error_of(answer.json())["code"] == "rate_limit_exceeded"
    assert int(answer.headers["retry-after"]) >= 1
    await second.ask({"input": CIVIL})


async def test_a_quota_is_of_texts(service: Service) -> None:
    """Several texts in one request are as many as in several; what is beyond the quota is not scored at all."""
    bot = Bot(service, await key_of(service, per_minute=5))
    await bot.ask({"input": [CIVIL] * 3})
    answer = await service.call("POST", PATH, as_=bot.key, json={"input": [CIVIL] * 3}, expect=429)
    assert error_of(answer.json())["code"] == "rate_limit_exceeded"


async def test_more_than_a_key_ever_has_is_no_matter_of_time(service: Service) -> None:
    """A list that is longer than the quota of a minute would be told to come again for ever: it is wrong."""
    bot = Bot(service, await key_of(service, per_minute=5))
    error = error_of(await bot.ask({"input": [CIVIL] * 6}, expect=400))
    assert (error["type"], "6" in error["message"], "5" in error["message"]) == ("invalid_request_error", True, True)


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        (None, 401, "invalid_api_key"),
        ("cq_nobodys", 401, "invalid_api_key"),
        ("sk-of-openai", 401, "invalid_api_key"),
        ("moderator", 403, "insufficient_permissions"),
        ("root", 403, "insufficient_permissions"),
    ],
)
async def test_keys_are_refused_in_openais_words(service: Service, key: str | None, status: int, code: str) -> None:
    """No key, a wrong one and one that may not have the statuses that the SDKs have errors for."""
    answer = await service.call("POST", PATH, as_=key, json={"input": CIVIL}, expect=status)
    error = error_of(answer.json())
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert "cq_" not in answer.text
    assert "sk-of" not in answer.text


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        ({}, "input", "missing_required_parameter"),
        ([], None, None),
        (None, None, None),
        (b"", None, None),
        (b"{", None, None),
        (b"\xff", None, None),
        (b'{"input": "\\ud800"}', None, None),
        ({"input": "a\x00b"}, None, None),
        (b'{"input":' + b"[" * 9000, None, None),
        ({"input": None}, "input", "invalid_type"),
        ({"input": 5}, "input", "invalid_type"),
        ({"input": {"type": "text", "text": "x"}}, "input", "invalid_type"),
        ({"input": []}, "input", "empty_array"),
        ({"input": ""}, "input", "empty_string"),
        ({"input": " \n"}, "input", "empty_string"),
        ({"input": ["x", ""]}, "input[1]", "empty_string"),
        ({"input": ["x", 5]}, "input[0]", "invalid_type"),
        ({"input": [5]}, "input[0]", "invalid_type"),
        ({"input": [{"type": "text", "text": "x"}, "y"]}, "input[1]", "invalid_type"),
        ({"input": [{"type": "text", "text": "x", "more": 1}]}, "input[0]", "invalid_type"),
        ({"input": [{"type": "text"}]}, "input[0]", "invalid_type"),
        ({"input": [{"type": "audio"}]}, "input[0]", "invalid_type"),
        (
            {"input": [{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:,"}}]},
            "input[1]",
            "unsupported_input_type",
        ),
        ({"input": ["x"] * (MOST_TEXTS + 1)}, "input", "array_above_max_length"),
        ({"input": "x" * (MOST_BYTES + 1)}, "input", "string_above_max_length"),
        ({"input": ["x", "é" * MOST_BYTES]}, "input[1]", "string_above_max_length"),
        ({"input": ["x" * 20_000] * 3}, "input", "array_above_max_length"),
        ({"input": "x", "model": 5}, "model", "invalid_type"),
        ({"input": "x", "user": "me"}, "user", "unknown_parameter"),
    ],
)
async def test_what_is_wrong_is_named(away: Bot, body: Any, param: str | None, code: str | None) -> None:
    """A request that is wrong is a 400 with the parameter and a code, and no text of it is scored."""
    assert await away.refused(body) == (param, code)


async def test_the_longest_and_the_most_are_taken(away: Bot) -> None:
    """Up to the limits everything is taken."""
    texts = ["x" * (MOST_CHARACTERS // MOST_TEXTS)] * MOST_TEXTS
    assert len((await away.ask({"input": texts}))["results"]) == MOST_TEXTS
    assert len((await away.ask({"input": "x" * MOST_BYTES}))["results"]) == 1


async def test_a_body_beyond_all_limits_is_refused_in_openais_words(away: Bot) -> None:
    """Also what is refused before it is read is told in that shape."""
    body = json.dumps({"input": "x" * 300_000}).encode()
    error = error_of(await away.ask(body, expect=413))
    assert error["type"] == "invalid_request_error"


async def test_other_methods_are_refused_in_openais_words(service: Service) -> None:
    """A GET is a 405 that an SDK can read."""
    error_of((await service.call("GET", PATH, expect=405)).json())


async def test_a_language_that_nobody_reads_is_an_error(bot: Bot) -> None:
    """No zero is given for a text that the model cannot read; the error says which text and language it is."""
    assert await bot.refused({"input": [CIVIL, GERMAN]}) == ("input[1]", "unsupported_language")
    error = error_of(await bot.ask({"input": GERMAN}, expect=400))
    assert "(de)" in error["message"]


async def test_scores_can_be_asked_for_on_perspectives_scale(bot: Bot) -> None:
    """A client that has thresholds of Perspective's may have its scale; another scale there is not."""
    [result] = (await bot.ask({"input": RUDE}, scale="perspective"))["results"]
    wanted = on_perspective_scale(bot.service.scorer.model_id, Attribute.INSULT, 0.7 * 0.9)
    assert result["category_scores"]["harassment"] == pytest.approx(wanted)
    assert await bot.refused({"input": RUDE}, scale="loud") == ("scale", "invalid_value")


def test_only_what_the_model_measures_is_told() -> None:
    """For each attribute alone exactly those categories apply that it measures."""
    for attribute in Attribute:
        scores = Scores("m@1", True, {attribute: 0.75})
        result = result_of(Analysed(scores, "m@1", False, frozenset({"en"}), scores), Scale.PROBABILITY)
        applied = {name for name, types in result.category_applied_input_types.items() if types}
        assert applied == {name for name, of in CATEGORIES.items() if attribute in of}
        assert {name for name, flagged in result.categories.items() if flagged} == applied
        assert {value for name, value in result.category_scores.items() if name not in applied} <= {0.0}
    assert set(CATEGORIES) == THIRTEEN
    assert {name for name, of in CATEGORIES.items() if set(of) & set(SHIPPED)} == MEASURED


async def test_nothing_of_a_text_is_kept(bot: Bot, redis_client: Redis, redis_prefix: str) -> None:
    """Neither the database nor Redis holds a text once it is answered."""
    secret = "unspoken-words-of-a-bot"
    plant(secret)
    await bot.ask({"input": f"You are rude, {secret}."})
    async with bot.service.context.database.reading() as connection:
        for table in metadata.sorted_tables:
            assert secret not in repr((await connection.execute(sa.select(table))).all())
    assert secret not in await held(redis_client, redis_prefix)


JSON = strategies.recursive(
    strategies.none()
    | strategies.booleans()
    | strategies.floats(allow_nan=False, allow_infinity=False)
    | strategies.text(max_size=20),
    lambda inner: (
        strategies.lists(inner, max_size=3)
        | strategies.dictionaries(strategies.sampled_from(["input", "model", "type", "text", "x"]), inner)
    ),
    max_leaves=10,
)


@hypothesis.settings(
    suppress_health_check=list(hypothesis.HealthCheck), deadline=None, max_examples=150, derandomize=True
)
@hypothesis.given(body=JSON | strategies.builds(lambda one: {"input": one}, JSON))
async def test_any_json_is_answered_or_refused(away: Bot, body: Any) -> None:
    """Whatever JSON comes, the answer is 200 or a 400 in OpenAI's shape."""
    answer = await away.service.call("POST", PATH, as_=away.key, json=body)
    assert answer.status_code in (200, 400), answer.text
    if answer.status_code == 400:
        error_of(answer.json())


def test_the_scale_is_probability_unless_another_is_named() -> None:
    """Thresholds of OpenAI's clients are no thresholds of Perspective's."""
    assert scale_of(None) is Scale.PROBABILITY
    assert scale_of("perspective") is Scale.PERSPECTIVE
    assert texts_of({"input": "x", "model": None}) == ["x"]
