"""What people said that a text should score: kept beside our own number, under the key's leave, and let go of."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.scores import Attribute
from service.flow.context import Context
from service.flow.retention import apply_retention
from service.store import suggestions
from service.store.tables import suggested_scores
from tests.leaks import plant
from tests.service.analysing import SUGGEST, Client, QuickModel, SeveralScorer, error_of, key_of, type_of, with_quick
from tests.service.answering import answering
from tests.service.test_calibration_in_force import STERN, put
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

TEXT = "You are a rude person, and everybody in this town knows it by now."
CORAL: dict[str, Any] = {
    "comment": {"text": TEXT},
    "context": {"entries": [{"text": '{"storyID":"1","commentID":"2"}'}]},
    "attributeScores": {"TOXICITY": {"summaryScore": {"value": 1}}},
    "communityId": "Coral:daily",
    "clientToken": "comment:2",
    "languages": ["en"],
}
plant(TEXT)


@pytest.fixture
async def context(context: Context) -> AsyncIterator[Context]:
    """A process whose quick model is the test's."""
    mine = with_quick(context, QuickModel())
    yield mine
    await mine.quick.stop()


@pytest.fixture
async def away(service: Service) -> Client:
    """A client of a site whose scorer is away."""
    service.scorer = SeveralScorer()
    return Client(service, await key_of(service))


@pytest.fixture
async def asking(away: Client, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """A client whose questions a worker answers; nothing here is about time."""
    monkeypatch.setattr("service.flow.perspective._BESIDE_LABEL_SECONDS", 5.0)
    async with answering(away.service.context, away.service.scorer):
        yield away


async def kept(service: Service) -> list[Any]:
    """The labels that are kept."""
    async with service.context.database.reading() as connection:
        return list((await connection.execute(sa.select(suggested_scores).order_by(suggested_scores.c.id))).all())


async def test_what_coral_reports_is_a_label(asking: Client) -> None:
    """A moderator's word is kept with the text's hash, our own score of it, and the client's names; never the text."""
    answer = (await asking.post(SUGGEST, CORAL)).json()
    assert answer == {"clientToken": "comment:2", "detectedLanguages": ["en"], "requestedLanguages": ["en"]}
    [row] = await kept(asking.service)
    assert (row.attribute, row.value, row.community_id, row.client_token) == (
        "toxicity",
        1.0,
        "Coral:daily",
        "comment:2",
    )
    assert (row.our_score, row.model_id, row.language) == (0.7, asking.service.scorer.model_id, "en")
    assert (row.text_hash, row.text) == (hashlib.sha256(TEXT.encode()).hexdigest(), None)


async def test_a_value_of_zero_is_a_label_too(asking: Client) -> None:
    """An approval is 0, also where a client leaves out what is 0."""
    for score in ({"value": 0}, {"value": "0"}, {}):
        await asking.post(SUGGEST, {**CORAL, "attributeScores": {"TOXICITY": {"summaryScore": score}}})
    assert [row.value for row in await kept(asking.service)] == [0.0, 0.0, 0.0]


async def test_the_text_is_kept_where_the_key_allows_it(asking: Client) -> None:
    """With `may_store` the text stays for the report; `doNotStore` leaves nothing of it, not even its hash."""
    storing = Client(asking.service, await key_of(asking.service, may_store=True))
    await storing.post(SUGGEST, CORAL)
    await storing.post(SUGGEST, {**CORAL, "doNotStore": True})
    first, second = await kept(asking.service)
    assert first.text == TEXT
    assert (second.text, second.text_hash, second.value, second.our_score) == (None, None, 1.0, 0.7)


async def test_each_attribute_is_a_row(asking: Client) -> None:
    """Several labels come together; names of one attribute are one, and what our model does not score has no number."""
    scores = {name: {"summary_score": {"value": 0.5}} for name in ("INSULT", "PROFANITY", "OBSCENE", "SEVERE_TOXICITY")}
    await asking.post(SUGGEST, {**CORAL, "attributeScores": None, "attribute_scores": scores})
    found = {row.attribute: row.our_score for row in await kept(asking.service)}
    assert found == {
        "insult": pytest.approx(0.63), "obscene": pytest.approx(0.567), "severe_toxicity": None,
    }  # fmt: skip


async def test_our_score_is_what_the_model_said(asking: Client) -> None:
    """A calibration in force does not come between a label and the score that the next one is fitted from."""
    await put(asking.service, STERN)
    await asking.post(SUGGEST, CORAL)
    assert [row.our_score for row in await kept(asking.service)] == [0.7]


async def test_a_text_that_the_model_cannot_read_has_no_score_of_ours(asking: Client) -> None:
    """A label in another language is kept without what the model would have made of it: that calibrates nothing."""
    german = "Der Zug kommt heute leider wieder viel zu spät, und niemand sagt den Leuten warum, so rude."
    plant(german)
    await asking.post(SUGGEST, {**CORAL, "comment": {"text": german}})
    [row] = await kept(asking.service)
    assert (row.value, row.our_score, row.model_id, row.language) == (1.0, None, None, "de")


async def test_two_names_of_one_attribute_must_agree(asking: Client) -> None:
    """PROFANITY and OBSCENE are one here: with different values neither is kept, and the error names them."""
    scores = {"PROFANITY": {"summaryScore": {"value": 1}}, "OBSCENE": {"summaryScore": {"value": 0}}}
    error = error_of(await asking.post(SUGGEST, {**CORAL, "attributeScores": scores}, expect=400))
    assert "PROFANITY and OBSCENE" in error["message"]
    assert await kept(asking.service) == []


async def test_without_the_scorer_the_label_is_kept(away: Client) -> None:
    """A label is worth keeping although nobody scores its text now; the quick model is not asked."""
    await away.post(SUGGEST, CORAL)
    [row] = await kept(away.service)
    assert (row.value, row.our_score, row.model_id) == (1.0, None, None)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"attributeScores": {}}, "NO_REQUESTED_ATTRIBUTES"),
        ({"attributeScores": {"SPAM": {"summaryScore": {"value": 1}}}}, "INVALID_REQUEST"),
        ({"attributeScores": {"TOXICITY": {}}}, "INVALID_REQUEST"),
        ({"attributeScores": {"TOXICITY": {"summaryScore": {"value": 1.5}}}}, "INVALID_REQUEST"),
        ({"attributeScores": {"TOXICITY": {"summaryScore": {"value": "nan"}}}}, "INVALID_REQUEST"),
        ({"attributeScores": {"TOXICITY": {"summaryScore": {"value": 1, "type": "RAW"}}}}, "INVALID_REQUEST"),
        ({"comment": {"text": ""}}, "COMMENT_EMPTY"),
        ({"communityId": "x" * 257}, "INVALID_REQUEST"),
        ({"communityId": "x\0"}, "INVALID_REQUEST"),
    ],
)
async def test_what_is_no_label_is_refused(asking: Client, changes: dict[str, Any], kind: str) -> None:
    """A broken suggestion is told what is wrong with it, and nothing is kept."""
    assert type_of(await asking.refused({**CORAL, **changes}, SUGGEST)) == kind
    assert await kept(asking.service) == []


async def test_an_unknown_attribute_can_be_left_out(asking: Client) -> None:
    """With `dropUnsupportedAttributes` the others are kept."""
    scores = {"SPAM": {"summaryScore": {"value": 1}}, **CORAL["attributeScores"]}
    await asking.post(SUGGEST, {**CORAL, "attributeScores": scores, "dropUnsupportedAttributes": True})
    assert [row.attribute for row in await kept(asking.service)] == [Attribute.TOXICITY]


async def test_labels_are_read_by_community(asking: Client) -> None:
    """They are read a page at a time, of the site or of one of its communities."""
    for community in ("a", "b", "a"):
        await asking.post(SUGGEST, {**CORAL, "communityId": community})
    site_id = (await kept(asking.service))[0].site_id
    async with asking.service.context.database.reading() as connection:
        first = await suggestions.after(connection, site_id, Attribute.TOXICITY, community_id="a", limit=1)
        rest = await suggestions.after(connection, site_id, Attribute.TOXICITY, community_id="a", last=first[0].id)
        everything = await suggestions.after(connection, site_id, Attribute.TOXICITY)
    assert [len(first), len(rest), len(everything)] == [1, 1, 3]


async def test_labels_go_when_their_time_is_over(asking: Client) -> None:
    """After a year, or what the site says, a label is deleted with everything of it."""
    await asking.post(SUGGEST, CORAL)
    asking.service.clock.advance(364 * 86_400)
    await apply_retention(asking.service.context)
    assert len(await kept(asking.service)) == 1
    asking.service.clock.advance(2 * 86_400)
    await apply_retention(asking.service.context)
    assert await kept(asking.service) == []


async def test_labels_of_one_text_can_be_deleted(asking: Client) -> None:
    """Who erases somebody in the system that asked has the labels of their texts deleted here, by that system's ids."""
    await asking.post(SUGGEST, CORAL)
    await asking.post(SUGGEST, {**CORAL, "clientToken": "comment:3"})
    path = "/v1/admin/sites/test/suggested-scores"
    answer = await asking.service.call("DELETE", path, as_="admin", params={"client_token": "comment:2"}, expect=200)
    assert answer.json() == {"deleted": 1}
    assert [row.client_token for row in await kept(asking.service)] == ["comment:3"]
    await asking.service.call("DELETE", path, as_="admin", expect=400)
    await asking.service.call("DELETE", path, as_="moderator", params={"client_token": "comment:3"}, expect=403)


async def test_a_label_without_the_body_is_refused(asking: Client) -> None:
    """No body at all is told as broken JSON."""
    answer = await asking.service.call("POST", SUGGEST, params={"key": asking.key}, expect=400)
    assert "JSON" in error_of(answer)["message"]
