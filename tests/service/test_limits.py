"""Limits as callers meet them: per network, per commenter, per site, and not to be talked around."""

import asyncio
from typing import Any

import httpx
import pytest
from msgspec import structs
from sqlalchemy import select

from service import sent_tokens
from service.flow.context import Context
from service.flow.identify import Principal, new_api_token, principal_of
from service.sent_tokens import UnknownTokens
from service.store.tables import network_keys, revisions
from tests.eventually import eventually, turns
from tests.service.analysing import ANALYZE, key_of
from tests.service.answers import client_of, problem
from tests.service.people import person
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
COMMENTS = "/v1/sites/test/threads/page/comments"
COUNTS = "/v1/sites/test/counts"


@pytest.fixture
def database_kind() -> str:
    """What is checked here is HTTP and Redis."""
    return "sqlite"


async def limit(service: Service, **rates: tuple[int, int]) -> None:
    """Put limits in force, generous ones but for those named."""
    wanted = {name: {"limit": rate[0], "per_seconds": rate[1]} for name, rate in rates.items()}
    await service.call("PUT", "/v1/admin/sites/test/limits", as_="admin", json=wanted, expect=200)


async def test_a_network_that_submits_too_much_is_refused_with_the_time_to_wait(service: Service) -> None:
    """The third guest of one network gets 429, which limit it was, and when to come again."""
    await limit(service, submit_per_network=(2, 600))
    for number in range(2):
        await service.submit(f"Opinion {number}.")
    body = problem(refused := await service.call("POST", COMMENTS, json={"body": "One more."}), "limits.exceeded")
    assert body["extra"]["limit"] == "submit_per_network"
    assert 290 <= int(refused.headers["retry-after"]) <= 300
    assert refused.headers["ratelimit"].startswith('"submit_per_network";r=0;t=')


async def test_every_answer_tells_what_is_left(service: Service) -> None:
    """`RateLimit-Policy` and `RateLimit` name each limit of the request, and pages of the site may read them."""
    await limit(service, submit_per_network=(7, 60))
    answer = await service.call("POST", COMMENTS, json={"body": "x"}, headers={"origin": "https://news.example"})
    assert answer.headers["ratelimit-policy"] == '"submit_per_network";q=7;w=60, "submit_per_site";q=1200;w=60'
    assert answer.headers["ratelimit"].startswith('"submit_per_network";r=6;t=')
    assert {"RateLimit", "RateLimit-Policy"} <= set(answer.headers["access-control-expose-headers"].split(", "))


async def test_a_commenter_is_limited_on_every_network(service: Service) -> None:
    """The limit of a commenter follows the token."""
    await limit(service, submit_per_commenter=(1, 600))
    token = (await service.submit("First."))["author_token"]
    await service.submit("Second.", token=token)
    again = await service.call("POST", COMMENTS, as_=token, json={"body": "Third."})
    assert problem(again, "limits.exceeded")["extra"]["limit"] == "submit_per_commenter"


async def test_a_site_has_a_limit_of_its_own(service: Service) -> None:
    """However many networks send, a site takes no more than it asked for."""
    await limit(service, submit_per_site=(1, 600))
    await service.submit("First.")
    again = await service.call("POST", COMMENTS, json={"body": "Second."})
    assert problem(again, "limits.exceeded")["extra"]["limit"] == "submit_per_site"


@pytest.mark.parametrize(
    ("name", "method", "path", "as_"),
    [
        ("read_per_network", "GET", COUNTS, None),
        ("report_per_network", "POST", "/v1/sites/test/comments/none/reports", None),
        ("reaction_per_network", "PUT", "/v1/sites/test/comments/none/reaction", None),
        ("change_per_network", "DELETE", "/v1/sites/test/mine/tokens", None),
        ("staff_per_member", "GET", "/v1/review/test/queue", "moderator"),
    ],
)
async def test_each_kind_of_request_has_its_limit(
    service: Service, name: str, method: str, path: str, as_: str | None
) -> None:
    """Reading, changing, reporting, liking and the work of moderators are counted apart."""
    await limit(service, **{name: (1, 600)})
    await service.call(method, path, as_=as_)
    again = await service.call(method, path, as_=as_)
    assert problem(again, "limits.exceeded")["extra"]["limit"] == name
    await service.submit("Writing is another kind.")


async def test_a_spoofed_header_does_not_help(service: Service) -> None:
    """Who is no trusted proxy may name any address in any header and stays in the own network."""
    await limit(service, submit_per_network=(1, 600))
    await service.submit("First.")
    for name in ("x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip", "true-client-ip", "x-client-ip"):
        again = await service.call("POST", COMMENTS, json={"body": f"By {name}."}, headers={name: "203.0.113.9"})
        problem(again, "limits.exceeded")


async def test_behind_a_trusted_proxy_each_client_has_its_own_limit(service: Service) -> None:
    """With the proxy in TRUSTED_PROXIES the address counts that the proxy saw, not what the client put before it."""
    await limit(service, submit_per_network=(1, 600))
    settings = structs.replace(service.context.settings, trusted_proxies="127.0.0.1")
    async with client_of(settings, service.context) as client:

        async def send(number: int, forwarded: str) -> httpx.Response:
            return await client.post(COMMENTS, json={"body": f"{number}"}, headers={"x-forwarded-for": forwarded})

        assert (await send(1, "203.0.113.1")).status_code == 202
        assert (await send(2, "203.0.113.2")).status_code == 202
        problem(await send(3, "198.51.100.77, 203.0.113.1"), "limits.exceeded")


async def test_a_refused_request_is_not_read_and_costs_no_other_limit(service: Service) -> None:
    """Over the limit a body that is no JSON is not looked at."""
    await limit(service, submit_per_network=(1, 600))
    await service.submit("First.")
    answer = await service.call("POST", COMMENTS, content=b"not json")
    problem(answer, "limits.exceeded")


async def test_a_revision_keeps_the_hash_of_its_network_and_nothing_of_the_address(service: Service) -> None:
    """Two texts of one network on one day have one hash; the next day has another; the address stands nowhere."""
    sent = await service.submit("First.")
    await service.submit("Second.")
    path = f"/v1/sites/test/comments/{sent['comment']['id']}"
    await service.call("PATCH", path, as_=sent["author_token"], json={"body": "First, edited."}, expect=200)
    service.clock.advance(86_400)
    await service.submit("Third.")
    async with service.context.database.reading() as connection:
        rows = (await connection.execute(select(revisions.c.network_hash).order_by(revisions.c.id))).scalars().all()
    first, second, edited, third = rows
    assert first == second == edited
    assert third not in (first, None)
    assert "127.0.0.1" not in "".join(rows)


async def test_old_keys_of_addresses_are_deleted(service: Service) -> None:
    """After NETWORK_KEY_DAYS the sweep deletes a day's key, and nobody can tell any more whose hash one was."""
    await service.submit("First.")
    networks, now = service.context.networks, service.clock()
    before = await networks.hash_of("203.0.113.7", now=now)
    service.clock.advance(86_400)
    assert before in await networks.hashes_of("203.0.113.7", now=service.clock(), days=1)
    service.clock.advance(31 * 86_400)
    await service.submit("Much later.")
    await service.sweep()
    async with service.context.database.reading() as connection:
        kept = (await connection.execute(select(network_keys.c.id))).scalars().all()
    assert kept == [service.clock().strftime("%Y-%m-%d")]


async def test_limits_are_read_back_whole_and_audited(service: Service) -> None:
    """What an admin leaves out has its default; a limit of nothing is refused."""
    path = "/v1/admin/sites/test/limits"
    wanted: dict[str, Any] = {"submit_per_network": {"limit": 5, "per_seconds": 60}}
    put = (await service.call("PUT", path, as_="admin", json=wanted, expect=200)).json()
    assert put == (await service.call("GET", path, as_="admin", expect=200)).json()
    assert put["submit_per_network"] == wanted["submit_per_network"]
    assert put["submit_per_site"] == {"limit": 1200, "per_seconds": 60}
    events = (await service.call("GET", "/v1/admin/sites/test/audit", as_="admin", expect=200)).json()["events"]
    assert events[0]["action"] == "limits.changed"
    for wrong in ({"limit": 0, "per_seconds": 60}, {"limit": 1}, {"limit": 1, "per_seconds": 0}):
        refused = await service.call("PUT", path, as_="admin", json={"submit_per_network": wrong})
        problem(refused, "request.invalid")


async def test_a_refused_network_still_gets_its_preflight_and_reads_why(service: Service) -> None:
    """A page of the site asks before it changes something, and can read that it was refused, and for how long."""
    await limit(service, change_per_network=(1, 600))
    origin = {"origin": "https://news.example"}
    for _ in range(3):
        answer = await service.call("DELETE", "/v1/sites/test/mine/tokens", headers=origin)
    assert problem(answer, "limits.exceeded")
    assert answer.headers["access-control-allow-origin"] == "https://news.example"
    asking = origin | {"access-control-request-method": "DELETE"}
    assert (await service.call("OPTIONS", "/v1/sites/test/mine/tokens", headers=asking)).status_code == 204


async def test_tokens_that_nobody_gave_out_are_refused_only_so_often(service: Service) -> None:
    """Then their network waits, whatever it sends a token to; who sends none is answered, and so is another network."""
    bad = {"authorization": "Bearer cq_nothing"}
    mine = "/v1/sites/test/mine"
    codes: list[int] = []
    # On a slow machine tokens come back meanwhile.
    while 429 not in codes and len(codes) < 2_000:
        codes.append((await service.call("GET", mine, headers=bad)).status_code)
    assert codes[:100] == [401] * 100
    assert codes[-1] == 429
    for path, headers in (
        (mine, {"authorization": "Bearer x.y.z"}),
        ("/v1/review/test/queue", bad),
        ("/v1/admin/sites", bad),
        ("/v1/sites/nowhere/threads/page", {}),
    ):
        # On a slow machine a token came back meanwhile, which is spent first.
        for _ in range(20):
            answer = await service.call("GET", path, headers=headers)
            if answer.status_code == 429:
                break
        assert problem(answer, "limits.exceeded")["extra"]["limit"] == "refused_per_network"
    await service.call("GET", "/v1/sites/test/threads/page", expect=200)


async def test_sites_that_are_not_there_are_looked_for_only_so_often(service: Service) -> None:
    """Who tries names is told to wait, and the readers of a site are not."""
    await service.call("GET", "/v1/sites/test/threads/page", expect=200)
    codes: list[int] = []
    while 429 not in codes and len(codes) < 2_000:
        path = f"/v1/sites/nowhere-{len(codes)}/threads/page"
        codes.append((await service.call("GET", path)).status_code)
    assert codes[0] == 404
    assert codes[-1] == 429
    await service.call("GET", "/v1/sites/test/threads/page", expect=200)


class Gate:
    """Holds every check of an author's token back until it is opened, and counts them."""

    def __init__(self, service: Service, patch: pytest.MonkeyPatch) -> None:
        self.reached, self.open = 0, asyncio.Event()
        self._real = service.context.author_tokens.verify
        patch.setattr(service.context.author_tokens, "verify", self._verify)

    async def _verify(self, *arguments: Any, **named: Any) -> Any:
        self.reached += 1
        await self.open.wait()
        return await self._real(*arguments, **named)


async def at_once(service: Service, gate: Gate, tokens: list[str]) -> list[int]:
    """Send a request under each token, all of them before the first is answered; answer the statuses."""
    sent = [asyncio.create_task(service.call("GET", "/v1/sites/test/mine", as_=token)) for token in tokens]
    await eventually(lambda: gate.reached >= 120)
    await turns(50)
    # A token comes back each half second, while the test runs too.
    assert gate.reached <= 150
    gate.open.set()
    return [answer.status_code for answer in await asyncio.gather(*sent)]


async def test_bad_tokens_sent_at_once_are_counted_as_those_one_after_another(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more of them are looked up than a minute allows, and the others of the same moment are refused."""
    await service.call("GET", "/v1/sites/test/threads/page", expect=200)
    codes = await at_once(service, Gate(service, monkeypatch), ["x.y.z"] * 200)
    assert 120 <= codes.count(401) <= 150
    assert codes.count(429) == 200 - codes.count(401)


async def test_good_tokens_sent_at_once_are_all_let_in(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many of a network come together, none is refused for the others; and nothing is counted."""
    token = (await service.submit("Mine."))["author_token"]
    gate = Gate(service, monkeypatch)
    assert await at_once(service, gate, [token] * 200) == [200] * 200
    for _ in range(130):
        await service.call("GET", "/v1/sites/test/mine", as_=token, expect=200)


async def over(service: Service) -> dict[str, str]:
    """Use up what a network may be refused, and answer a header that is looked up."""
    bad = {"authorization": "Bearer cq_nothing"}
    while (await service.call("GET", "/v1/sites/test/mine", headers=bad)).status_code != 429:
        continue
    return bad


async def test_a_valid_token_does_not_wait_for_its_networks_refusals(service: Service) -> None:
    """One client with a key that was revoked keeps no other of its network out: not a key, not staff, not a session."""
    key = await key_of(service)
    anna = await person(service, "anna@news.example", "admin")
    bad = await over(service)
    await service.call("GET", "/v1/admin/sites/test/audit", as_="admin", expect=200)
    await anna.call("GET", "/v1/review/test/queue", expect=200)
    text = {"comment": {"text": ""}, "requestedAttributes": {"TOXICITY": {}}}
    for way in ({"params": {"key": key}}, {"headers": {"x-goog-api-key": key}}, {"as_": key}):
        answer = await service.call("POST", ANALYZE, json=text, **way)
        assert answer.status_code == 400, "it is let in, and its empty text is refused"
    # On a slow machine a token came back meanwhile, which is spent first.
    assert await over(service) == bad


async def test_a_flood_of_one_unknown_key_reaches_sql_once(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """While its network waits a token that nobody gave out is looked up once, and what cannot be one never."""
    await over(service)
    looked: list[str] = []

    async def noting(context: Context, token: str) -> Principal:
        looked.append(token)
        return await principal_of(context, token)

    monkeypatch.setattr(sent_tokens, "principal_of", noting)
    unknown = new_api_token()
    for token in (unknown, unknown, unknown, "cq_nothing", f"{unknown}x", "x.y.z"):
        answer = await service.call("GET", "/v1/sites/test/mine", as_=token)
        # A token of the bucket that came back meanwhile is spent first.
        assert answer.status_code in (401, 429)
    assert looked.count(unknown) <= 2
    assert set(looked) <= {unknown, "cq_nothing", f"{unknown}x"}


def test_unknown_tokens_are_forgotten_after_a_minute_and_never_too_many() -> None:
    """A member who is enabled again has a valid token again, and a flood of differing ones fills no memory."""
    now = [0.0]
    tokens = UnknownTokens(lambda: now[0])
    tokens.note("first")
    assert tokens.has("first")
    now[0] = 61.0
    assert not tokens.has("first")
    tokens.note("second")
    for number in range(10_000):
        tokens.note(str(number))
    assert not tokens.has("second")
    assert tokens.has("9999")


async def test_a_page_of_the_site_reads_that_its_network_is_refused(service: Service) -> None:
    """An origin of the site's may read the 429 and when to come again; others, unknown sites and staff may not."""
    await service.call("GET", "/v1/sites/test/threads/page", expect=200)
    bad, own, allowed = await over(service), {"origin": "https://news.example"}, "access-control-allow-origin"
    answer = await service.call("GET", "/v1/sites/test/mine", headers=bad | own)
    assert problem(answer, "limits.exceeded")["extra"]["limit"] == "refused_per_network"
    assert answer.headers[allowed] == "https://news.example"
    assert "Retry-After" in answer.headers["access-control-expose-headers"]
    assert answer.headers["ratelimit"].startswith('"refused_per_network";r=0')
    for path, headers in (
        ("/v1/sites/test/mine", bad | {"origin": "https://evil.example"}),
        ("/v1/sites/nowhere/threads/page", own),
        ("/v1/review/test/queue", bad | own),
    ):
        answer = await service.call("GET", path, headers=headers)
        problem(answer, "limits.exceeded")
        assert allowed not in answer.headers


async def test_a_cookie_of_somebody_elses_is_nothing_to_look_up(service: Service) -> None:
    """A reader with any other cookie is not asked to wait for a neighbour; one with a session's cookie is."""
    await service.call("GET", "/v1/sites/test/threads/page", expect=200)
    await over(service)
    read = "/v1/sites/test/threads/page"
    await service.call("GET", read, headers={"cookie": "consent=yes; colloquy_oidc=x"}, expect=200)
    problem(await service.call("GET", read, headers={"cookie": "a=b; colloquy_session=x"}), "limits.exceeded")
