"""Promise 5: every decision carries its causes: rule, attribute, score, threshold, model, policy, actor, reasons."""

from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from moderation.policy import default_policy
from service.flow import policies as known_policies
from service.flow.identify import find_site
from service.store import sites as store_sites
from service.store.tables import decisions, policies, sites
from service.workers.scoring import ScorerIsDown
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

RULES = {rule.id: rule for rule in default_policy().rules}
VERSION = default_policy().version
MODEL = default_policy().model


@pytest.fixture
def database_kind() -> str:
    """One kind is enough: the store's contract has both."""
    return "sqlite"


async def rows(service: Service) -> list[Any]:
    """Every decision row, the first one first."""
    async with service.context.database.reading() as connection:
        return list((await connection.execute(sa.select(decisions).order_by(decisions.c.id))).all())


async def decide_one(service: Service, body: str) -> Any:
    """Submit and score one comment and answer its decision row."""
    await service.submit(body)
    await service.drain()
    return (await rows(service))[-1]


async def test_a_rejection_names_the_rule_in_numbers(service: Service) -> None:
    """A rejection by the model says which rule spoke, on which attribute, with which score over which threshold."""
    row = await decide_one(service, "A vile opinion.")
    assert (row.actor_kind, row.action, row.from_status, row.to_status) == ("machine", "reject", "pending", "rejected")
    assert (row.policy_version, row.model_id) == (VERSION, MODEL)
    cause = row.causes[0]
    assert (cause["rule"], cause["outcome"], cause["kind"]) == ("extreme-toxicity", "reject", "attribute")
    assert (cause["name"], cause["value"]) == ("toxicity", pytest.approx(0.999))
    assert cause["threshold"] == RULES["extreme-toxicity"].when[0].threshold
    assert [reason["code"] for reason in row.reasons] == ["toxicity"]
    assert all(reason["text"] for reason in row.reasons)
    assert (row.automated_detection, row.automated_decision, row.ground) == (True, True, "guideline")


async def test_a_hold_names_every_rule_that_spoke(service: Service) -> None:
    """A comment held for its tone and for its links carries both causes, each with its numbers."""
    row = await decide_one(service, "A rude opinion: https://a.example https://b.example https://c.example")
    causes = {cause["rule"]: (cause["name"], cause["value"], cause["threshold"]) for cause in row.causes}
    assert causes == {"doubtful-toxicity": ("toxicity", pytest.approx(0.7), 0.5), "many-links": ("links", 3.0, 3.0)}
    assert [reason["code"] for reason in row.reasons] == ["toxicity", "links"]


async def test_a_publication_names_model_and_policy(service: Service) -> None:
    """What the model lets through is a decision too: by whom, under which policy, with which model."""
    row = await decide_one(service, "A civil opinion.")
    assert (row.actor_kind, row.action, row.to_status) == ("machine", "approve", "published")
    assert (row.policy_version, row.model_id, row.causes, row.reasons) == (VERSION, MODEL, [], [])


@pytest.mark.parametrize("action", ["approve", "reject"])
async def test_a_persons_decision_keeps_what_the_machine_said(service: Service, action: str) -> None:
    """A moderator's decision carries who decided, the reasons given, the note, and the causes of the hold."""
    machine = await decide_one(service, "A rude opinion.")
    [item] = await service.claim()
    reasons = ["insult"] if action == "reject" else []
    await service.decide(item, action, reasons=reasons, note="Seen by two of us.")
    row = (await rows(service))[-1]
    assert (row.actor_kind, row.action, row.from_status, row.note) == (
        "moderator",
        action,
        "held",
        "Seen by two of us.",
    )
    assert row.actor
    assert row.causes == machine.causes != []
    assert [reason["code"] for reason in row.reasons] == reasons
    assert (row.revision_id, row.review_item_id) == (machine.revision_id, item["item_id"])
    assert (row.policy_version, row.automated_detection, row.automated_decision) == (VERSION, True, False)


async def test_a_decision_without_a_model_says_so(service: Service) -> None:
    """A decision that a policy takes in an outage names no model, and the outage as its cause."""
    policy = {**msgspec.to_builtins(default_policy()), "on_scorer_failure": "publish"}
    put = await service.call("PUT", "/v1/admin/sites/test/policy", as_="admin", json=policy, expect=200)
    service.scorer.down = True
    await service.submit("A civil opinion.")
    service.clock.advance(3)
    with pytest.raises(ScorerIsDown):
        await service.worker.drain_once(block_ms=1)
    await service.worker.apply_grace(grace_seconds=0)
    [row] = await rows(service)
    assert (row.model_id, row.policy_version) == (None, put.json()["version"])
    assert [(cause["kind"], cause["name"], cause["outcome"]) for cause in row.causes] == [
        ("scorer", "publish", "publish")
    ]


async def test_a_removal_and_a_restoration_name_the_person(service: Service) -> None:
    """Taking a comment down and putting it back are decisions with an actor, and the removal has reasons."""
    sent = await service.published()
    path = f"/v1/review/test/comments/{sent['comment']['id']}/decision"
    remove = {"action": "remove", "revision": 1, "reasons": ["off_topic"]}
    await service.call("POST", path, as_="moderator", json=remove, expect=200)
    await service.call("POST", path, as_="moderator2", json={"action": "restore", "revision": 1}, expect=200)
    removed, restored = (await rows(service))[1:]
    assert (removed.action, restored.action) == ("remove", "restore")
    assert removed.actor != restored.actor
    assert [reason["code"] for reason in removed.reasons] == ["off_topic"]
    assert (removed.policy_version, removed.ground, restored.ground) == (VERSION, "guideline", None)


async def test_an_emergency_is_a_cause(service: Service) -> None:
    """What the emergency switch holds says that it was the switch."""
    change = {"emergency_pre_moderation": True}
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json=change, expect=200)
    row = await decide_one(service, "A civil opinion.")
    assert row.to_status == "held"
    assert [cause["kind"] for cause in row.causes] == ["emergency"]
    assert row.reasons


async def test_a_refused_edit_has_its_ground_though_the_comment_stays(service: Service) -> None:
    """The decision on an edit that is not shown names its ground, as every restriction does."""
    sent = await service.published("Shown.")
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    await service.call("PATCH", path, as_=sent["author_token"], json={"body": "A vile text."}, expect=200)
    await service.drain()
    assert [(row.action, row.to_status, row.ground) for row in await rows(service)] == [
        ("approve", "published", None),
        ("reject", "published", "guideline"),
    ]


async def test_a_stored_policy_that_cannot_be_read_holds(service: Service) -> None:
    """A policy that this version does not understand any more publishes nothing and stops nobody's review."""
    async with service.context.database.writing() as connection:
        broken = {"name": "of another version", "unknown": True}
        await connection.execute(policies.update().values(document=broken, version="sha256:0000000000000000"))
        await connection.execute(sites.update().values(policy_version="sha256:0000000000000000"))
    await service.submit("A civil opinion.")
    await service.drain()
    [item] = await service.claim()
    assert {cause["kind"] for cause in item["causes"]} == {"mode"}
    await service.decide(item, "approve")


async def test_more_policies_than_are_kept_judge_all_the_same(service: Service) -> None:
    """A batch finds its policy though keeping others let go of it."""
    site = await find_site(service.context, "test")
    own = (site.id, site.policy_version)
    async with service.context.database.writing() as connection:
        document = (await store_sites.policy_documents(connection, [own]))[own]
        made = {"created_at": site.created_at, "created_by": None}
        versions = [f"sha256:{number:016x}" for number in range(300)]
        for version in versions:
            await store_sites.keep_policy(connection, site.id, version, document, **made)
    wanted = {own, *((site.id, version) for version in versions)}
    async with service.context.database.reading() as connection:
        await known_policies.prepared(connection, [own])
        assert set(await known_policies.prepared(connection, wanted)) == wanted
