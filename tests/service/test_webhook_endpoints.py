"""Receivers as they are named, changed and forgotten: what is refused, in which words, and how many there may be."""

from __future__ import annotations

import asyncio
from typing import Any, get_args

import pytest
import sqlalchemy as sa

from service import schemas
from service.egress import Failure, Refusal
from service.errors import Problem
from service.flow import manage_webhooks
from service.schemas.webhooks import DeliveryError
from service.store import tables as t
from service.webhooks.retries import REASONS, Error
from service.workers.delivering import Deliverer
from tests.leaks import plant
from tests.receiver import Answer, Receiver, receivers
from tests.service.answers import problem
from tests.service.test_webhooks import UNKNOWN, WEBHOOKS, deliverer, named, of, one
from tests.service_fixture import Service

__all__ = ["deliverer", "one"]
pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"url": "http://news.example/hook"}, "url"),
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "url"),
        ({"url": "https://news.example:22/"}, "url"),
        ({"url": "https://user:pass@news.example/"}, "url"),
        ({"url": "ftp://news.example/"}, "url"),
        ({"events": []}, "events"),
        ({"events": ["comment.nothing"]}, "events"),
        ({"events": ["*.published"]}, "events"),
        ({"headers": {"Host": "x"}}, "headers.Host"),
        ({"headers": {"webhook-id": "x"}}, "headers.webhook-id"),
        ({"headers": {"X-A": "1", "x-a": "2"}}, "headers"),
        ({"headers": {"X-A": "a\nb"}}, "headers"),
        ({"headers": {"X A": "1"}}, "headers.X A"),
        ({"headers": {"X-A": " 1"}}, "headers.X-A"),
        ({"headers": {"X-A": "Grüße"}}, "headers.X-A"),
        ({"headers": {"": "1"}}, "headers."),
        ({"status": "active"}, "status"),
    ],
)
async def test_what_cannot_work_is_refused(service: Service, changed: dict[str, Any], field: str) -> None:
    """Addresses inside, names that no event has, headers that are ours: a problem that names the field."""
    wanted = {"url": "https://news.example/hook", "events": ["comment.*"], **changed}
    answer = await service.call("POST", WEBHOOKS, as_="admin", json=wanted)
    found = problem(answer, "request.invalid")
    assert found["fields"][0]["field"].startswith(field)
    assert "regex" not in found["detail"]
    assert (await service.call("GET", WEBHOOKS, as_="admin")).json() == {"webhooks": []}


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://news.example/", "begin with https://"),
        ("http://news.example/", "WEBHOOKS_ALLOW_LOOPBACK=1"),
        ("http://127.0.0.1:9000/", "the environment of the service and, since it reads its own, of the command line"),
        ("https://localhost/", "WEBHOOKS_ALLOW_LOOPBACK=1"),
        ("https://ada:secret@news.example/", "no name or password before the host"),
        ("https://news.example:8080/", "443 or 8443"),
        ("https://10.0.0.1/", "inside a network"),
        ("https://news.example/a b", "without spaces"),
    ],
)
def test_a_url_is_refused_with_its_reason(url: str, says: str) -> None:
    """Each reason has a sentence that says what would be right, and none quotes the URL."""
    with pytest.raises(Problem) as refusal:
        manage_webhooks._check_url(url, allow_loopback=False)
    [field] = refusal.value.fields
    assert (field.field, says in field.message) == ("url", True), field.message
    assert "secret" not in field.message


def test_the_schema_has_every_word_for_a_failure() -> None:
    """Each error that an attempt or an end of an endpoint can leave is one that clients are told of."""
    words = set(_words(DeliveryError))
    assert set(Error) <= words
    assert {f"endpoint.{reason}" for reason in REASONS} <= words
    assert {f"refused.{reason}" for reason in _words(Refusal)} | set(_words(Failure)) <= words


def _words(kind: Any) -> tuple[str, ...]:
    return get_args(kind)


async def test_a_receiver_is_not_named_twice(service: Service, one: Receiver) -> None:
    """A second active one with the same URL is a conflict where both want some event, however it came to be so."""
    first = await named(service, one, "comment.*")
    wanted: dict[str, Any] = {"url": f"{one.url}#again", "events": ["comment.held", "thread.*"]}
    said = problem(await service.call("POST", WEBHOOKS, as_="admin", json=wanted), "webhook.exists")
    assert first["id"] in said["detail"]
    other = await named(service, one, "thread.*", "comment.*", url=f"{one.url}&other")
    await named(service, one, "thread.opened")
    for change in ({"url": one.url}, {"url": one.url, "events": ["thread.*"]}):
        answer = await service.call("PATCH", f"{WEBHOOKS}/{other['id']}", as_="admin", json=change)
        problem(answer, "webhook.exists")
    path = f"{WEBHOOKS}/{other['id']}"
    await service.call("PATCH", path, as_="admin", json={"status": "paused"}, expect=200)
    await service.call("PATCH", path, as_="admin", json={"url": one.url}, expect=200)
    problem(await service.call("PATCH", path, as_="admin", json={"status": "active"}), "webhook.exists")


async def test_a_site_has_a_bounded_number(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than that is a conflict, also where all are named at the same moment."""
    monkeypatch.setattr(manage_webhooks, "MOST_ENDPOINTS", 2)
    wanted = [{"url": f"https://news.example/{number}", "events": ["*"]} for number in range(5)]
    answers = await asyncio.gather(*(service.call("POST", WEBHOOKS, as_="admin", json=one) for one in wanted))
    plant(*(answer.json().get("secret") for answer in answers))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409]
    assert {problem(answer, "webhook.too_many")["code"] for answer in answers if answer.status_code == 409}
    assert len((await service.call("GET", WEBHOOKS, as_="admin")).json()["webhooks"]) == 2


async def test_secrets_rotate_without_a_gap(service: Service, deliverer: Deliverer, one: Receiver) -> None:
    """While both are in force either verifies; when the time is over only the new one signs."""
    made = await named(service, one, "comment.published")
    answer = await service.call(
        "POST", f"{WEBHOOKS}/{made['id']}/secrets", as_="admin", json={"overlap_seconds": 60}, expect=201
    )
    new = answer.json()["secret"]
    plant(new)
    await service.published("One.")
    await deliverer.settle_all()
    assert one.verified(made["secret"]) == one.verified(new)
    assert len((await of(service, made))["secrets"]) == 2
    service.clock.advance(61)
    await service.published("Two.", page="two")
    await deliverer.settle_all()
    assert len(one.took[1].headers["webhook-signature"].split()) == 1
    assert len((await of(service, made))["secrets"]) == 1


async def test_secrets_can_be_told_apart_and_are_not_without_number(service: Service, one: Receiver) -> None:
    """A rotation needs no body and names the secret as the list does; ten in force are the most."""
    made = await named(service, one)
    path = f"{WEBHOOKS}/{made['id']}/secrets"
    [first] = made["secrets"]
    schema = (await service.call("GET", "/schema/openapi.json", expect=200)).json()["paths"]
    assert schema["/v1/admin/sites/{site}/webhooks/{webhook_id}/secrets"]["post"]["requestBody"]["required"] is False
    fresh = (await service.call("POST", path, as_="admin", expect=201)).json()
    plant(fresh["secret"])
    found = (await of(service, made))["secrets"]
    assert [secret["id"] for secret in found] == [fresh["id"], first["id"]]
    assert (found[0]["expires_at"], found[1]["expires_at"]) == (None, fresh["old_until"])
    for _ in range(manage_webhooks.MOST_SECRETS - 2):
        plant((await service.call("POST", path, as_="admin", json={}, expect=201)).json()["secret"])
    said = problem(await service.call("POST", path, as_="admin"), "request.invalid")
    assert [field["field"] for field in said["fields"]] == ["overlap_seconds"]
    last = (await service.call("POST", path, as_="admin", json={"overlap_seconds": 0}, expect=201)).json()
    plant(last["secret"])
    assert [secret["id"] for secret in (await of(service, made))["secrets"]] == [last["id"]]
    problem(await service.call("POST", path, as_="admin", json={"overlap_seconds": 604_801}), "request.invalid")


async def test_a_status_that_only_we_set_leads_to_the_one_that_is_meant(service: Service, one: Receiver) -> None:
    """Who wants to disable a receiver is told of `paused`."""
    made = await named(service, one)
    answer = await service.call("PATCH", f"{WEBHOOKS}/{made['id']}", as_="admin", json={"status": "disabled"})
    [field] = problem(answer, "request.invalid")["fields"]
    assert field["field"] == "status"
    assert "use paused; use one of: active, paused" in field["message"]


async def test_an_endpoint_is_changed_and_forgotten(service: Service, deliverer: Deliverer) -> None:
    """Another URL counts from the next attempt on; a deleted one is gone with its log."""
    async with receivers("/old", "/new") as (old, new):
        made = await named(service, old, "comment.published")
        old.rule = lambda _number, _request: Answer(404)
        await service.published("One.")
        await deliverer.settle_all()
        path = f"{WEBHOOKS}/{made['id']}"
        await service.call("PATCH", path, as_="admin", json={"headers": {"X-B": "secret-of-old"}}, expect=200)
        elsewhere = await service.call("PATCH", path, as_="admin", json={"url": "https://elsewhere.example/"})
        assert problem(elsewhere, "request.invalid")["fields"][0]["field"] == "headers"
        changed = {"url": new.url, "events": ["comment.*"], "description": "moved", "headers": {"X-A": "1"}}
        found = (await service.call("PATCH", path, as_="admin", json=changed, expect=200)).json()
        assert {name: found[name] for name in ("url", "events", "description", "header_names")} == {
            "url": new.url, "events": ["comment.*"], "description": "moved", "header_names": ["X-A"],
        }  # fmt: skip
        service.clock.advance(6)
        await deliverer.settle_all()
        assert new.types == ["comment.published"]
        assert new.took[0].headers["x-a"] == "1"
        await service.call("DELETE", path, as_="admin", expect=204)
        problem(await service.call("GET", path, as_="admin"), "webhook.unknown")
        problem(await service.call("DELETE", path, as_="admin"), "webhook.unknown")
        async with service.context.database.reading() as connection:
            for table in (t.webhook_secrets, t.webhook_deliveries, t.webhook_attempts):
                assert (await connection.execute(sa.select(table))).all() == []


async def test_what_is_not_there_is_unknown(service: Service, one: Receiver) -> None:
    """Ids of nothing, and of another site's, are a 404."""
    made = await named(service, one)
    for method, path in (
        ("GET", f"{WEBHOOKS}/{UNKNOWN}"),
        ("GET", f"{WEBHOOKS}/x"),
        ("POST", f"{WEBHOOKS}/{UNKNOWN}/test"),
        ("GET", f"{WEBHOOKS}/{UNKNOWN}/deliveries"),
        ("GET", f"/v1/admin/sites/other/webhooks/{made['id']}"),
    ):
        if "other" in path:
            wanted = schemas.SiteInput(slug="other", name="Other")
            await service.call("POST", "/v1/admin/sites", as_="root", json={"slug": wanted.slug, "name": wanted.name})
        problem(await service.call(method, path, as_="root"), "webhook.unknown")
    for method, path in (("GET", ""), ("POST", "/replay"), ("POST", "/cancel")):
        answer = await service.call(method, f"{WEBHOOKS}/{made['id']}/deliveries/{UNKNOWN}{path}", as_="admin")
        problem(answer, "delivery.unknown")
