"""Every stable code can be met, in one shape (RFC 9457): the table below is complete."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import httpx
import pytest
from msgspec import structs

from service.composition import open_context
from service.egress import Egress
from service.errors import CODES
from service.flow import manage_accounts, manage_webhooks, search
from service.flow.jwks import KeySets
from service.queue.scorer_status import ScorerBoard, ScorerStatus
from service.settings import Settings
from service.store.tables import webhook_endpoints
from tests.raw_server import raw_server
from tests.seeding import seed_thread
from tests.service.answers import UNKNOWN_ID, client_of, problem
from tests.service.people import PASSWORD, invited, person, second_factor
from tests.service.publisher import RSA_KEY, claims, configure, jwks, public_jwk, sign
from tests.service.ways_of_mail import WAYS_OF_MAIL
from tests.service.ways_of_readers import WAYS_OF_READERS
from tests.service.ways_of_reports import WAYS_OF_REPORTS
from tests.service.ways_of_review import WAYS_OF_REVIEW
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio

Way = Callable[[Service], Awaitable[httpx.Response]]
WAYS: dict[str, Way] = {**WAYS_OF_MAIL, **WAYS_OF_READERS, **WAYS_OF_REPORTS, **WAYS_OF_REVIEW}
COMMENTS = "/v1/sites/test/threads/page/comments"
CLAIMS = "/v1/review/test/claims"
KEY = {"idempotency-key": "0190a0a0-0000-4000-8000-000000000001"}


@pytest.fixture
def database_kind() -> str:
    """What is checked here is HTTP."""
    return "sqlite"


def way_to(code: str) -> Callable[[Way], Way]:
    """Enter a way to meet a code in the table."""

    def enter(way: Way) -> Way:
        WAYS[code] = way
        return way

    return enter


def sending(method: str, path: str, *, as_: str | None = None, **options: Any) -> Way:
    """Answer the way that is one request."""

    async def way(service: Service) -> httpx.Response:
        return await service.call(method, path, as_=as_, **options)

    return way


_JSON = {"content-type": "application/json"}
WAYS |= {
    "request.malformed": sending("POST", COMMENTS, content=b'{"body"', headers=_JSON),
    "request.nesting": sending("POST", COMMENTS, content=b"[" * 30_000, headers=_JSON),
    "request.nul": sending("POST", COMMENTS, json={"body": "a\0b"}),
    "request.invalid": sending("POST", COMMENTS, json={"body": 1}),
    "request.too_large": sending("POST", COMMENTS, json={"body": "x" * 70_000}),
    "request.content_type": sending("POST", COMMENTS, content=b'{"body":"x"}', headers={"content-type": "text/plain"}),
    "route.unknown": sending("GET", "/v1/nothing"),
    "method.not_allowed": sending("PUT", COMMENTS, json={}),
    "auth.required": sending("GET", "/v1/sites/test/mine"),
    "auth.invalid": sending("GET", "/v1/sites/test/mine", as_="garbage"),
    "auth.forbidden": sending("GET", "/v1/admin/sites/test", as_="moderator"),
    "origin.refused": sending("GET", "/v1/sites/test/counts", headers={"origin": "https://evil.example"}),
    "site.unknown": sending("GET", "/v1/sites/nowhere/counts"),
    "site.exists": sending("POST", "/v1/admin/sites", as_="root", json={"slug": "test", "name": "T"}),
    "host.refused": sending("GET", "/v1/sites/test/counts", headers={"host": "evil.example"}),
    "thread.unknown": sending("GET", "/v1/admin/sites/test/threads/nowhere", as_="admin"),
    "comment.unknown": sending("GET", f"/v1/sites/test/comments/{UNKNOWN_ID}"),
    "parent.unknown": sending("POST", COMMENTS, json={"body": "x", "parent_id": UNKNOWN_ID}),
    "item.unknown": sending(
        "POST", f"/v1/review/test/items/{UNKNOWN_ID}/renew", as_="moderator", json={"lease": "nothing"}
    ),
    "commenter.unknown": sending("DELETE", f"/v1/admin/sites/test/commenters/{UNKNOWN_ID}", as_="admin", json={}),
    "member.unknown": sending("DELETE", f"/v1/admin/sites/test/members/{UNKNOWN_ID}", as_="admin"),
    "key.unknown": sending("DELETE", f"/v1/admin/sites/test/keys/{UNKNOWN_ID}", as_="admin"),
    "policy.invalid": sending("PUT", "/v1/admin/sites/test/policy", as_="admin", json={}),
}


def signed(**changed: Any) -> Way:
    """Answer the way of a publisher's token with other claims; those that are numbers are seconds from now."""

    async def way(service: Service) -> httpx.Response:
        await configure(service)
        now = service.clock()
        said = {k: int(now.timestamp()) + v if isinstance(v, int) else v for k, v in changed.items()}
        return await service.call("GET", "/v1/sites/test/me", as_=sign(claims(now, **said)))

    return way


WAYS |= {
    "identity.invalid": signed(sub=""),
    "identity.expired": signed(exp=-100),
    "identity.not_yet": signed(nbf=100),
    "identity.audience": signed(aud="another"),
    "identity.issuer": signed(iss="another"),
    "identity.too_large": signed(padding="x" * 9_000),
    "identity.not_configured": sending("GET", "/v1/admin/sites/test/identity", as_="admin"),
}


async def _by_keys(service: Service, keys: bytes) -> httpx.Response:
    settings = structs.replace(service.context.settings, egress_allow_loopback=True)
    async with raw_server() as server, AsyncExitStack() as closing:
        server.answers("/jwks", keys)
        egress = Egress(allow_loopback=True)
        closing.push_async_callback(egress.close)
        context = replace(service.context, settings=settings, key_sets=KeySets(egress))
        client = await closing.enter_async_context(client_of(settings, context))
        asking = Service(context, client, service.clock, service.tokens)
        await configure(asking, algorithm="RS256", secret=None, jwks_url=f"{server.url}/jwks")
        token = sign(claims(service.clock()), RSA_KEY, "RS256", kid="another")
        return await asking.call("GET", "/v1/sites/test/me", as_=token)


@way_to("identity.unknown_key")
async def _unknown_key(service: Service) -> httpx.Response:
    return await _by_keys(service, jwks(public_jwk(RSA_KEY)))


@way_to("identity.unavailable")
async def _no_keys(service: Service) -> httpx.Response:
    return await _by_keys(service, b"no key set")


async def _sanctioned(service: Service, **wanted: Any) -> tuple[str, str, str]:
    token = (await service.submit("Somebody."))["author_token"]
    me = (await service.call("GET", "/v1/sites/test/me", as_=token, expect=200)).json()["id"]
    path = f"/v1/review/test/commenters/{me}/sanctions"
    wanted = {"kind": "ban", "reason": "spam"} | wanted
    view = (await service.call("POST", path, as_="moderator", json=wanted, expect=201)).json()
    return token, path, view["id"]


@way_to("commenter.banned")
async def _banned(service: Service) -> httpx.Response:
    token, _, _ = await _sanctioned(service)
    return await service.call("POST", COMMENTS, as_=token, json={"body": "x"})


@way_to("commenter.suspended")
async def _suspended(service: Service) -> httpx.Response:
    token, _, _ = await _sanctioned(service, kind="suspension", until="2099-01-01T00:00:00Z")
    return await service.call("POST", COMMENTS, as_=token, json={"body": "x"})


@way_to("sanction.exists")
async def _exists(service: Service) -> httpx.Response:
    _, path, _ = await _sanctioned(service)
    return await service.call("POST", path, as_="moderator", json={"kind": "ban", "reason": "spam"})


@way_to("note.unknown")
async def _no_note(service: Service) -> httpx.Response:
    _, path, _ = await _sanctioned(service)
    return await service.call("DELETE", f"{path.removesuffix('sanctions')}notes/{UNKNOWN_ID}", as_="moderator")


@way_to("query.too_wide")
async def _too_wide(service: Service) -> httpx.Response:
    site = await service.context.directory.read("test")
    await seed_thread(service.context.database, site.id, comments=3_000, commenters=5)
    given, search.PATIENCE_SECONDS = search.PATIENCE_SECONDS, 0.001
    try:
        return await service.call("GET", "/v1/review/test/search", as_="moderator", params={"rule": "none"})
    finally:
        search.PATIENCE_SECONDS = given


@way_to("sanction.unknown")
async def _no_sanction(service: Service) -> httpx.Response:
    _, path, _ = await _sanctioned(service)
    return await service.call("POST", f"{path}/{UNKNOWN_ID}/lift", as_="moderator", json={})


@way_to("sanction.over")
async def _over(service: Service) -> httpx.Response:
    _, path, sanction = await _sanctioned(service)
    await service.call("POST", f"{path}/{sanction}/lift", as_="moderator", json={}, expect=200)
    return await service.call("POST", f"{path}/{sanction}/lift", as_="moderator", json={})


HOOKS = "/v1/admin/sites/test/webhooks"


async def _hooked(service: Service) -> str:
    wanted = {"url": f"http://127.0.0.1:9/{service.context.new_id()}", "events": ["*"]}
    made = await service.call("POST", HOOKS, as_="admin", json=wanted, expect=201)
    return f"{HOOKS}/{made.json()['id']}"


WAYS["webhook.unknown"] = sending("GET", f"{HOOKS}/{UNKNOWN_ID}", as_="admin")
WAYS["events.gone"] = sending("GET", "/v1/admin/sites/test/events?after=99", as_="admin")


@way_to("webhook.too_many")
async def _too_many_hooks(service: Service) -> httpx.Response:
    for _ in range(manage_webhooks.MOST_ENDPOINTS):
        await _hooked(service)
    return await service.call("POST", HOOKS, as_="admin", json={"url": "https://a.example/", "events": ["*"]})


@way_to("webhook.disabled")
async def _disabled_hook(service: Service) -> httpx.Response:
    path = await _hooked(service)
    async with service.context.database.writing() as connection:
        await connection.execute(webhook_endpoints.update().values(status="disabled"))
    return await service.call("POST", f"{path}/test", as_="admin")


@way_to("delivery.unknown")
async def _no_delivery(service: Service) -> httpx.Response:
    return await service.call("GET", f"{await _hooked(service)}/deliveries/{UNKNOWN_ID}", as_="admin")


@way_to("delivery.finished")
async def _finished_delivery(service: Service) -> httpx.Response:
    path = await _hooked(service)
    owed = (await service.call("POST", f"{path}/test", as_="admin", expect=202)).json()
    cancel = f"{path}/deliveries/{owed['id']}/cancel"
    await service.call("POST", cancel, as_="admin", expect=200)
    return await service.call("POST", cancel, as_="admin")


async def _challenged(service: Service, **more: Any) -> httpx.Response:
    wanted = {"challenge": "always"}
    await service.call("PUT", "/v1/admin/sites/test/spam", as_="admin", json=wanted, expect=200)
    return await service.call("POST", COMMENTS, json={"body": "x", **more})


@way_to("challenge.required")
async def _unsolved(service: Service) -> httpx.Response:
    return await _challenged(service)


@way_to("challenge.invalid")
async def _not_solved(service: Service) -> httpx.Response:
    return await _challenged(service, challenge="no solution")


async def _signing_in(service: Service, **wanted: Any) -> httpx.Response:
    return await service.call("POST", "/v1/session", json={"email": "a@b.example", "password": "x", **wanted})


@way_to("session.refused")
async def _refused(service: Service) -> httpx.Response:
    return await _signing_in(service)


@way_to("session.code_required")
async def _no_code(service: Service) -> httpx.Response:
    browser = await person(service, "nora@daily.example")
    await second_factor(service, browser)
    return await browser.sign_in(expect=401)


@way_to("second_factor.exists")
async def _has_factor(service: Service) -> httpx.Response:
    browser = await person(service, "nora@daily.example")
    await second_factor(service, browser)
    return await browser.call("POST", "/v1/session/second-factor", json={"password": PASSWORD})


@way_to("auth.csrf")
async def _forged(service: Service) -> httpx.Response:
    browser = await person(service, "nora@daily.example")
    return await browser.call("DELETE", "/v1/session", headers={"x-colloquy-csrf": "guessed"})


@way_to("invitation.invalid")
async def _not_invited(service: Service) -> httpx.Response:
    wanted = {"token": "made up", "password": "a long and quiet river"}
    return await service.call("POST", "/v1/invitations", json=wanted)


@way_to("account.disabled")
async def _account_disabled(service: Service) -> httpx.Response:
    await invited(service, "nora@daily.example")
    await manage_accounts.disable(service.context, "nora@daily.example")
    wanted = {"name": "N", "role": "moderator", "email": "nora@daily.example"}
    return await service.call("POST", "/v1/admin/sites/test/members", as_="admin", json=wanted)


@way_to("member.exists")
async def _member_exists(service: Service) -> httpx.Response:
    await person(service, "nora@daily.example")
    wanted = {"name": "N", "role": "moderator", "email": "nora@daily.example"}
    return await service.call("POST", "/v1/admin/sites/test/members", as_="admin", json=wanted)


async def _coming_back(service: Service, **known: Any) -> httpx.Response:
    async with raw_server() as server, AsyncExitStack() as closing:
        egress = Egress(allow_loopback=True)
        closing.push_async_callback(egress.close)
        server.answers("/.well-known/openid-configuration", json.dumps(known).encode())
        settings = structs.replace(
            service.context.settings,
            oidc_issuer=server.url,
            oidc_client_id="us",
            oidc_client_secret="s",
        )
        context = replace(service.context, settings=settings, egress=egress)
        client = await closing.enter_async_context(client_of(settings, context))
        return await client.get("/v1/session/oidc" + ("/callback" if known else ""))


@way_to("oidc.refused")
async def _not_begun(service: Service) -> httpx.Response:
    return await _coming_back(service, issuer="x")


@way_to("oidc.unavailable")
async def _no_discovery(service: Service) -> httpx.Response:
    return await _coming_back(service)


WAYS |= {"oidc.not_configured": sending("GET", "/v1/session/oidc")}


@way_to("guests.refused")
async def _guests_refused(service: Service) -> httpx.Response:
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"guests_allowed": False}, expect=200)
    return await service.call("POST", COMMENTS, json={"body": "x"})


@way_to("thread.exists")
async def _thread_exists(service: Service) -> httpx.Response:
    await service.call("POST", "/v1/admin/sites/test/threads", as_="admin", json={"page": "page"}, expect=201)
    return await service.call("POST", "/v1/admin/sites/test/threads", as_="admin", json={"page": "page"})


@way_to("thread.closed")
async def _thread_closed(service: Service) -> httpx.Response:
    await service.submit("First.")
    change = {"state": "closed"}
    await service.call("PATCH", "/v1/admin/sites/test/threads/page", as_="publisher", json=change, expect=200)
    return await service.call("POST", COMMENTS, json={"body": "x"})


@way_to("comment.duplicate")
async def _duplicate(service: Service) -> httpx.Response:
    token = (await service.submit("Twice."))["author_token"]
    return await service.call("POST", COMMENTS, as_=token, json={"body": " twice. "})


@way_to("comment.final")
async def _final(service: Service) -> httpx.Response:
    sent = await service.submit("A vile one.")
    await service.drain()
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    return await service.call("PATCH", path, as_=sent["author_token"], json={"body": "A civil one."})


@way_to("parent.too_deep")
async def _too_deep(service: Service) -> httpx.Response:
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"max_depth": 0}, expect=200)
    root = (await service.published())["comment"]["id"]
    return await service.call("POST", COMMENTS, json={"body": "x", "parent_id": root})


@way_to("edit.too_late")
async def _too_late(service: Service) -> httpx.Response:
    sent = await service.published()
    service.clock.advance(901)
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    return await service.call("PATCH", path, as_=sent["author_token"], json={"body": "Later."})


@way_to("idempotency.reused")
async def _reused(service: Service) -> httpx.Response:
    await service.submit("One.", headers=KEY)
    return await service.call("POST", COMMENTS, json={"body": "Two."}, headers=KEY)


async def _decision(service: Service, **fields: Any) -> httpx.Response:
    await service.submit("A rude one.")
    await service.drain()
    [item] = await service.claim()
    path = f"/v1/review/test/items/{item['item_id']}/decision"
    wanted = {"lease": item["lease"]["token"], "revision": 1, "action": "approve"} | fields
    return await service.call("POST", path, as_="moderator", json=wanted)


@way_to("lease.expired")
async def _lease(service: Service) -> httpx.Response:
    return await _decision(service, lease="another")


@way_to("revision.changed")
async def _revision(service: Service) -> httpx.Response:
    return await _decision(service, revision=2)


@way_to("item.decided")
async def _decided(service: Service) -> httpx.Response:
    first = await _decision(service)
    assert first.status_code == 200
    return await service.client.send(first.request)


@way_to("coral.off")
async def _no_coral(service: Service) -> httpx.Response:
    return await service.call("GET", "/v1/admin/sites/test/coral", as_="admin")


class _BrokenBoard(ScorerBoard):
    """A part that fails in a way that nobody foresaw."""

    def __init__(self) -> None:
        self.reason = "the secret in the message"

    async def read(self) -> ScorerStatus:
        raise ValueError(self.reason)


@way_to("internal")
async def _internal(service: Service) -> httpx.Response:
    broken = replace(service.context, scorers=_BrokenBoard())
    headers = {"authorization": f"Bearer {service.tokens['moderator']}"}
    async with client_of(service.context.settings, broken) as client:
        answer = await client.get("/v1/review/test/queue", headers=headers)
    assert "secret" not in answer.text
    return answer


@way_to("limits.exceeded")
async def _exceeded(service: Service) -> httpx.Response:
    rates = {"read_per_network": {"limit": 1, "per_seconds": 60}}
    await service.call("PUT", "/v1/admin/sites/test/limits", as_="admin", json=rates, expect=200)
    await service.call("GET", "/v1/sites/test/counts", expect=200)
    return await service.call("GET", "/v1/sites/test/counts")


async def _endless() -> AsyncIterator[bytes]:
    yield b'{"body": "'
    await asyncio.Event().wait()


@way_to("request.timeout")
async def _slow(service: Service) -> httpx.Response:
    hasty = structs.replace(service.context.settings, body_seconds=0.05)
    async with client_of(hasty, replace(service.context, settings=hasty)) as client:
        return await client.post(COMMENTS, content=_endless(), headers=_JSON)


@way_to("service.unavailable")
async def _unavailable(service: Service) -> httpx.Response:
    gone = Settings.from_environment(
        {
            "DATABASE_URL": "postgresql+asyncpg://nobody@127.0.0.1:1/none",
            "REDIS_URL": "redis://127.0.0.1:1",
            "SECRET_KEY": "a-secret-key-for-tests-that-is-long-enough",
            "ALLOWED_HOSTS": "test",
        }
    )
    async with open_context(gone) as context, client_of(gone, context) as client:
        answer = await client.get("/v1/sites/test/counts")
    assert int(answer.headers["retry-after"]) > 0
    return answer


def test_every_code_has_a_way() -> None:
    """The table has a way to every stable code and no other."""
    assert set(WAYS) == set(CODES)


@pytest.mark.parametrize("code", sorted(CODES))
async def test_the_code_is_met(service: Service, code: str) -> None:
    """The way of the table leads to the code, with its status, title and content type."""
    problem(await WAYS[code](service), code)


def test_codes_are_well_formed() -> None:
    """A code is two words with a dot between, and its status is one of an error."""
    for code, (status, title) in CODES.items():
        assert code == "internal" or code.replace("_", "").replace(".", "", 1).isalpha(), code
        assert 400 <= status < 600
        assert title
