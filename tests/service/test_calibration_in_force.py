"""A stored calibration changes what a policy judges: of its model only, at once, with the raw value kept."""

from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa

from moderation.calibration import Calibration, CalibrationMap, PlattMap, log_odds, sigmoid
from moderation.scores import Attribute, Scores
from service.flow import calibrations as applied
from service.flow.calibrate import retire
from service.flow.identify import find_site
from service.store import calibrations as stored
from service.store.tables import calibrations as table
from service.store.tables import decisions, scores
from tests.service_fixture import FakeScorer, Service

pytestmark = pytest.mark.anyio

MILD: dict[Attribute, CalibrationMap] = {Attribute.TOXICITY: PlattMap(slope=1.0, offset=-3.0)}
STERN: dict[Attribute, CalibrationMap] = {Attribute.TOXICITY: PlattMap(slope=1.0, offset=9.0)}
RUDE = 0.7
MILDLY = sigmoid(log_odds(RUDE) - 3.0)


async def put(
    service: Service, maps: dict[Attribute, CalibrationMap], *, slug: str | None = "test", **more: Any
) -> str:
    """Put maps in force and answer the id of their row."""
    site_id = None if slug is None else (await find_site(service.context, slug)).id
    made = Calibration(more.pop("model_id", service.scorer.model_id), maps)
    values = {
        "id": service.context.new_id(), "site_id": site_id, "model_id": made.model_id, "version": made.version,
        "document": {name.value: {"type": "platt", "slope": one.slope, "offset": one.offset}
                     for name, one in maps.items() if isinstance(one, PlattMap)},
        "report": {}, "source": "labels", "rows": 100, "created_at": service.clock(), "created_by": "test",
    }  # fmt: skip
    async with service.context.database.writing() as connection:
        await stored.replace(connection, values | more)
    return str(values["id"])


async def said(service: Service, body: str = "A rude opinion.") -> tuple[Any, Any]:
    """Submit and score one comment and answer its scores row and its decision row."""
    await service.submit(body)
    await service.drain()
    async with service.context.database.reading() as connection:
        found = await connection.execute(sa.select(scores).order_by(scores.c.id.desc()))
        decided = await connection.execute(sa.select(decisions).order_by(decisions.c.id.desc()))
        return found.first(), decided.first()


async def test_without_one_what_the_model_says_counts(service: Service) -> None:
    """No calibration: nothing is kept beside the scores, and the comment is held at its own number."""
    score, decision = await said(service)
    assert (score.attributes, score.raw, score.calibration) == ({"toxicity": RUDE}, None, None)
    assert decision.to_status == "held"


async def test_the_calibrated_value_is_judged_and_both_are_kept(service: Service) -> None:
    """With one in force the decision falls by the calibrated value; raw value and version stand beside it."""
    await put(service, MILD)
    score, decision = await said(service)
    assert score.attributes == {"toxicity": pytest.approx(MILDLY)}
    assert score.raw == {"toxicity": RUDE}
    assert score.calibration == Calibration(service.scorer.model_id, MILD).version
    assert decision.to_status == "published"


async def test_causes_show_the_calibrated_value(service: Service) -> None:
    """A decision's causes and the review item name the value that was held against the threshold."""
    await put(service, {Attribute.TOXICITY: PlattMap(slope=1.0, offset=0.5)})
    _, decision = await said(service)
    value = sigmoid(log_odds(RUDE) + 0.5)
    assert decision.causes[0]["value"] == pytest.approx(value)
    [item] = await service.claim()
    assert [(one["value"], one["calibrated"]) for one in item["scores"]] == [(pytest.approx(value), True)]


async def test_a_new_one_counts_for_the_next_batch(service: Service) -> None:
    """The same running worker publishes, rejects and holds the same words as calibrations come and go."""
    await put(service, MILD)
    assert (await said(service))[1].to_status == "published"
    second = await put(service, STERN)
    assert (await said(service, "Another rude opinion."))[1].to_status == "rejected"
    await retire(service.context, "test", second)
    score, decision = await said(service, "A third rude opinion.")
    assert (score.calibration, decision.to_status) == (None, "held")


async def test_a_sites_own_goes_before_the_installations(service: Service) -> None:
    """The installation's counts where a site has none; with one of its own that alone counts."""
    await put(service, STERN, slug=None)
    assert (await said(service))[1].to_status == "rejected"
    await put(service, MILD)
    assert (await said(service, "Another rude opinion."))[1].to_status == "published"


async def test_another_sites_does_not_count(service: Service) -> None:
    """A calibration of one site is not applied on another."""
    created = {"slug": "other", "name": "Other", "allowed_origins": []}
    await service.call("POST", "/v1/admin/sites", as_="root", json=created, expect=201)
    await put(service, MILD, slug="other")
    assert (await said(service))[1].to_status == "held"


async def test_another_models_is_never_applied(service: Service) -> None:
    """A calibration fitted for another model id changes nothing, however close the name."""
    await put(service, MILD, model_id=f"{service.scorer.model_id}0")
    score, decision = await said(service)
    assert (score.raw, score.calibration, decision.to_status) == (None, None, "held")


async def test_one_that_cannot_be_read_holds(service: Service) -> None:
    """A stored document that is no calibration publishes nothing: a person looks, and nobody's batch is stopped."""
    await put(service, MILD, document={"toxicity": {"type": "of another version"}}, version="sha256:unreadable")
    _, decision = await said(service, "A civil opinion.")
    assert decision.to_status == "held"
    assert [cause["kind"] for cause in decision.causes] == ["scorer"]


class UncalibratedScorer(FakeScorer):
    """A model that says two numbers and calls neither a probability, and reads long texts in parts."""

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer toxicity as the fake does, and an insult beside it."""
        return [
            Scores(one.model_id, False, one.values | {Attribute.INSULT: 0.4}, (10, 20))
            for one in await super().score(texts)
        ]


async def test_uncalibrated_scores_of_the_policys_model_are_judged_and_say_so(service: Service) -> None:
    """Thresholds that name an uncalibrated model are applied to it, and the moderator sees it called uncalibrated."""
    service.worker._scorer = UncalibratedScorer()
    score, decision = await said(service)
    assert (score.calibrated, score.window, decision.to_status) == (False, [10, 20], "held")
    [item] = await service.claim()
    assert {one["attribute"]: one["calibrated"] for one in item["scores"]} == {"toxicity": False, "insult": False}


async def test_only_what_was_mapped_is_called_calibrated(service: Service) -> None:
    """A map for one attribute makes that one calibrated and leaves the other as the model said it."""
    service.worker._scorer = UncalibratedScorer()
    await put(service, {Attribute.TOXICITY: PlattMap(slope=1.0, offset=0.0)})
    score, _ = await said(service)
    assert (score.raw, score.calibrated) == ({"toxicity": RUDE}, False)
    [item] = await service.claim()
    assert {one["attribute"]: one["calibrated"] for one in item["scores"]} == {"toxicity": True, "insult": False}


async def test_more_versions_than_are_kept_are_applied_all_the_same(service: Service) -> None:
    """The memory of parsed calibrations is bounded, and what it let go of is read again."""
    site = await find_site(service.context, "test")
    given = Scores(service.scorer.model_id, True, {Attribute.TOXICITY: RUDE})
    for number in range(applied._KEPT + 3):
        maps: dict[Attribute, CalibrationMap] = {Attribute.TOXICITY: PlattMap(slope=1.0 + number, offset=0.0)}
        await put(service, maps)
        async with service.context.database.reading() as connection:
            found = (await applied.in_force(connection, [(site.id, given)])).apply(site.id, given)
        assert found.version == Calibration(given.model_id, maps).version
    assert len(applied._parsed) <= applied._KEPT
    async with service.context.database.reading() as connection:
        kept = (await connection.execute(sa.select(table.c.retired_at))).scalars().all()
    assert [one is None for one in kept].count(True) == 1
