"""An outside service that knows spam is asked, believed as far as the policy says, and stops nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from service.egress import Egress
from service.workers.scoring import ScoringWorker
from tests.raw_server import RawServer, raw_server
from tests.service.test_spam import causes, settings_of
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
async def akismet(service: Service) -> AsyncIterator[RawServer]:
    """A server that follows Akismet's protocol, and a worker that asks it."""
    async with raw_server() as server:
        egress = Egress(allow_loopback=True)
        context = replace(service.context, egress=egress, akismet_url=f"{server.url}/1.1/comment-check")
        service.worker = ScoringWorker(context, service.scorer, service.parts, batch_size=32)
        yield server
        await egress.close()


async def test_an_outside_service_is_asked_and_believed_as_far_as_the_policy_says(
    service: Service, akismet: RawServer
) -> None:
    """It is sent text, name and site, and no address; what it calls spam waits."""
    view = await settings_of(service, akismet=True, akismet_key="abcdef123456")
    assert view["akismet"] is True
    assert "abcdef123456" not in str(view)
    akismet.answers("/1.1/comment-check", b"true")
    assert await causes(service, "Buy now.", author={"name": "Bo"}) == ["called-spam"]
    sent = {name: value for name, [value] in parse_qs(akismet.received[0].body.decode()).items()}
    assert sent["comment_content"] == "Buy now."
    assert (sent["comment_author"], sent["api_key"], sent["user_ip"]) == ("Bo", "abcdef123456", "0.0.0.0")
    assert not {"user_agent", "referrer", "comment_author_email"} & set(sent)
    akismet.answers("/1.1/comment-check", b"false")
    assert await causes(service, "I like the tram.") == []


@pytest.mark.parametrize("broken", ["refuses", "nonsense", "silent", "down"])
async def test_an_outside_service_that_fails_changes_nothing(
    service: Service, akismet: RawServer, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for it for long, and its silence is not held against anybody."""
    monkeypatch.setattr("service.flow.spam_service.TIMEOUT_SECONDS", 0.2)
    await settings_of(service, akismet=True, akismet_key="abcdef123456")

    async def silent(_writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    if broken == "silent":
        akismet.replies["/1.1/comment-check"] = silent
    elif broken != "down":
        akismet.answers("/1.1/comment-check", b"invalid", status="200 OK" if broken == "nonsense" else "403 No")
    assert await causes(service, "I like the tram.") == []


async def test_settings_are_read_back_and_audited_without_the_key(service: Service) -> None:
    """What is left out has its default; a key stays until akismet is turned off."""
    await settings_of(service, akismet=True, akismet_key="abcdef123456", challenge="raised")
    assert (await settings_of(service, akismet=True))["challenge"] == "never"
    path = "/v1/admin/sites/test/spam"
    assert (await service.call("GET", path, as_="admin", expect=200)).json()["akismet"] is True
    await settings_of(service)
    assert (await settings_of(service, expect=400, akismet=True))["fields"][0]["field"] == "akismet_key"
    audit = (await service.call("GET", "/v1/admin/sites/test/audit", as_="admin", expect=200)).text
    assert "spam.changed" in audit
    assert "abcdef123456" not in audit


async def test_a_spam_service_that_is_away_is_left_alone_for_a_while(service: Service, akismet: RawServer) -> None:
    """After three failures in a row nobody waits for it; a minute later it is asked again."""
    await settings_of(service, akismet=True, akismet_key="abcdef123456")
    akismet.answers("/1.1/comment-check", b"x" * 4096)
    for number in range(6):
        await causes(service, f"The tram number {number} was late today.", page=f"page-{number}")
    assert len(akismet.received) == 3
    akismet.answers("/1.1/comment-check", b"true")
    assert "called-spam" not in await causes(service, "The tram was late.", page="elsewhere")
    service.clock.advance(61)
    await causes(service, "The ferry was late.", page="elsewhere")
    await causes(service, "The train was late.", page="elsewhere")
    assert len(akismet.received) == 5
