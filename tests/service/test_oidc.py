"""Sign-in through a provider, against one that runs on this machine: who comes in, and every lie that does not help."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import jwt
import pytest
from msgspec import structs

from service.egress import Egress
from service.flow import manage_accounts
from service.flow.jwks import KeySets
from tests.raw_server import RawServer, raw_server
from tests.service.answers import client_of, problem
from tests.service.people import person
from tests.service.publisher import OTHER_RSA_KEY, RSA_KEY, jwks, public_jwk
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
BEGIN, CALLBACK = "/v1/session/oidc", "/v1/session/oidc/callback"


@pytest.fixture
def database_kind() -> str:
    """What is checked here is the protocol."""
    return "sqlite"


class Provider:
    """A provider, and a browser that goes there and comes back."""

    def __init__(self, service: Service, server: RawServer, client: httpx.AsyncClient) -> None:
        self.service, self.server, self.client = service, server, client
        self.says: dict[str, Any] = {"sub": "42", "email": "nora@daily.example", "email_verified": True}
        self.key: Any = RSA_KEY
        self.header: dict[str, Any] = {"kid": "one"}
        self.algorithm = "RS256"

    async def begin(self) -> tuple[dict[str, str], str]:
        """Answer what the provider is asked, and the cookie of the browser."""
        answer = await self.client.get(BEGIN)
        assert answer.status_code == 302, answer.text
        url = urlsplit(answer.headers["location"])
        assert url.path == "/authorize"
        return {name: value for name, [value] in parse_qs(url.query).items()}, answer.cookies["colloquy_oidc"]

    def vouch(self, asked: dict[str, str], **changed: Any) -> None:
        """Answer the code with a token for the account, changed as a test wants."""
        now = int(self.service.clock().timestamp())
        said = {"iss": self.server.url, "aud": "colloquy", "iat": now, "exp": now + 300, "nonce": asked["nonce"]}
        said = {name: value for name, value in (said | self.says | changed).items() if value is not None}
        token = jwt.encode(said, self.key, self.algorithm, headers=self.header)
        self.server.answers("/token", json.dumps({"id_token": token}).encode())

    async def come_back(self, asked: dict[str, str], cookie: str, **changed: str) -> httpx.Response:
        """Come back from the provider with a code."""
        query = {"state": asked["state"], "code": "a-code"} | changed
        self.client.cookies.clear()
        return await self.client.get(CALLBACK, params=query, headers={"cookie": f"colloquy_oidc={cookie}"})

    async def sign_in(self, **changed: Any) -> httpx.Response:
        """Go there and come back."""
        asked, cookie = await self.begin()
        self.vouch(asked, **changed)
        return await self.come_back(asked, cookie)


@pytest.fixture
async def provider(service: Service) -> AsyncIterator[Provider]:
    """A provider on this machine, and the application that the operator pointed to it."""
    async with raw_server() as server:
        egress = Egress(allow_loopback=True)
        known = {"issuer": server.url, "authorization_endpoint": f"{server.url}/authorize"}
        known |= {"token_endpoint": f"{server.url}/token", "jwks_uri": f"{server.url}/jwks"}
        server.answers("/.well-known/openid-configuration", json.dumps(known).encode())
        server.answers("/jwks", jwks(public_jwk(RSA_KEY)))
        settings = structs.replace(
            service.context.settings,
            egress_allow_loopback=True,
            oidc_issuer=server.url,
            oidc_client_id="colloquy",
            oidc_client_secret="secret of: ours",
        )
        context = replace(service.context, settings=settings, egress=egress, key_sets=KeySets(egress))
        async with client_of(settings, context) as client:
            yield Provider(service, server, client)
        await egress.close()


async def test_the_sign_in_page_is_told_whether_there_is_a_provider(service: Service, provider: Provider) -> None:
    """Anybody may ask, before there is a session."""
    for client, is_there in ((service.client, False), (provider.client, True)):
        answer = await client.get("/v1/session/ways")
        assert (answer.status_code, answer.json()) == (200, {"password": True, "oidc": is_there})


async def test_a_person_signs_in_through_the_provider(service: Service, provider: Provider) -> None:
    """By a verified address the first time, by the identity from then on, even under another address."""
    await person(service, "nora@daily.example")
    answer = await provider.sign_in()
    assert (answer.status_code, answer.headers["location"]) == (302, "/console")
    session = {"cookie": f"colloquy_session={answer.cookies['colloquy_session']}"}
    assert (await service.call("GET", "/v1/session", headers=session, expect=200)).json()[
        "email"
    ] == "nora@daily.example"
    assert (await provider.sign_in(email="nora@elsewhere.example", email_verified=False)).status_code == 302
    token = next(one for one in provider.server.received if one.target == "/token")
    form = {name: value for name, [value] in parse_qs(token.body.decode()).items()}
    assert (form["code"], form["grant_type"]) == ("a-code", "authorization_code")
    assert len(form["code_verifier"]) >= 43
    assert token.headers["authorization"].startswith("Basic ")


async def test_the_browser_is_sent_with_proof_keys(provider: Provider) -> None:
    """State, nonce and a hashed verifier go along, each time new; the cookie shows none of them."""
    (first, cookie), (second, _) = await provider.begin(), await provider.begin()
    assert first["code_challenge_method"] == "S256"
    assert all(first[name] != second[name] for name in ("state", "nonce", "code_challenge"))
    assert first["redirect_uri"].endswith(CALLBACK)
    assert first["state"] not in cookie


@pytest.mark.parametrize(
    "changed",
    [
        {"aud": "another"},
        {"aud": ["colloquy", "another"], "azp": "another"},
        {"iss": "https://evil.example"},
        {"nonce": "replayed"},
        {"nonce": None},
        {"exp": 1},
        {"exp": None},
        {"iat": None},
        {"sub": None},
        {"sub": 42},
        {"sub": "43", "email": "nobody@daily.example"},
        {"sub": "43", "email_verified": False},
        {"sub": "43", "email_verified": "true"},
        {"sub": "43", "email": None},
    ],
)
async def test_a_token_that_does_not_fit_lets_nobody_in(
    service: Service, provider: Provider, changed: dict[str, Any]
) -> None:
    """Wrong audience, issuer, nonce or time, or nobody whom we know by a verified address."""
    await person(service, "nora@daily.example")
    answer = await provider.sign_in(**changed)
    problem(answer, "oidc.refused")
    assert "colloquy_session" not in answer.cookies


@pytest.mark.parametrize("forged", ["another key", "unknown key", "shared secret", "no signature"])
async def test_a_forged_token_lets_nobody_in(service: Service, provider: Provider, forged: str) -> None:
    """Only a key of the provider's set will do."""
    await person(service, "nora@daily.example")
    if forged == "another key":
        provider.key = OTHER_RSA_KEY
    elif forged == "unknown key":
        provider.key, provider.header = OTHER_RSA_KEY, {"kid": "two"}
    elif forged == "shared secret":
        provider.key, provider.algorithm = "a secret that is long enough for the library", "HS256"
    else:
        provider.key, provider.algorithm = None, "none"
    problem(await provider.sign_in(), "oidc.refused")


async def test_a_sign_in_that_was_not_begun_here_is_refused(service: Service, provider: Provider) -> None:
    """Without the cookie, with another's, with another state, too late, or without a code."""
    await person(service, "nora@daily.example")
    asked, cookie = await provider.begin()
    other, _ = await provider.begin()
    provider.vouch(asked)
    for wrong, with_ in (("", {}), ("nonsense", {}), (cookie, {"state": other["state"]}), (cookie, {"code": ""})):
        problem(await provider.come_back(asked, wrong, **with_), "oidc.refused")
    service.clock.advance(601)
    problem(await provider.come_back(asked, cookie), "oidc.refused")


async def test_an_address_that_changed_hands_does_not_take_the_account(service: Service, provider: Provider) -> None:
    """Once an account is linked to an identity, another identity with its address is refused; so is a disabled one."""
    browser = await person(service, "nora@daily.example")
    assert (await provider.sign_in()).status_code == 302
    problem(await provider.sign_in(sub="43"), "oidc.refused")
    await manage_accounts.disable(service.context, browser.email)
    problem(await provider.sign_in(), "oidc.refused")


@pytest.mark.parametrize("broken", ["discovery", "issuer", "token", "keys"])
async def test_a_provider_that_fails_is_said_to(service: Service, provider: Provider, broken: str) -> None:
    """It is 503, and nobody is told that they are wrong."""
    await person(service, "nora@daily.example")
    asked, cookie = await provider.begin()
    provider.vouch(asked)
    place = {"discovery": "/.well-known/openid-configuration", "token": "/token", "keys": "/jwks"}.get(broken)
    if place is None:
        known = json.dumps(dict.fromkeys(("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri"), "x"))
        provider.server.answers("/.well-known/openid-configuration", known.encode())
    else:
        provider.server.answers(place, b"oops", status="500 Oops")
    problem(await provider.come_back(asked, cookie), "oidc.unavailable")


async def test_without_a_provider_there_is_none(service: Service) -> None:
    """The operator has to name one."""
    problem(await service.call("GET", BEGIN), "oidc.not_configured")
