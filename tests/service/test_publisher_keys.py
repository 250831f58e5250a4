"""The keys by which publishers sign: fetched, kept, rotated, and none that does not fit."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from msgspec import structs

from service.errors import Problem
from service.flow.jwks import AGAIN_SECONDS, FRESH_SECONDS, STALE_SECONDS, KeySets, read_keys
from service.settings import Settings
from tests.raw_server import RawServer, raw_server
from tests.service.answers import problem
from tests.service.publisher import (
    EC_KEY,
    ED_KEY,
    KEYS,
    OTHER_RSA_KEY,
    RSA_KEY,
    claims,
    configure,
    jwks,
    public_jwk,
    sign,
)
from tests.service.test_publisher_tokens import ME, refused, signed_by_hand
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio


@pytest.fixture
def database_kind() -> str:
    """What is checked here is keys; the rows are checked on both databases elsewhere."""
    return "sqlite"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """The publisher's key server runs on this machine."""
    return structs.replace(settings, egress_allow_loopback=True)


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    """The publisher's server."""
    async with raw_server() as running:
        running.answers("/jwks", jwks(public_jwk(RSA_KEY)))
        yield running


async def by_keys(service: Service, server: RawServer, algorithm: str = "RS256") -> None:
    """Let the site know a publisher who serves keys."""
    await configure(service, algorithm=algorithm, secret=None, jwks_url=f"{server.url}/jwks")


async def test_a_public_key_is_no_shared_secret(service: Service, server: RawServer) -> None:
    """Key confusion: a token signed with HS256 under the publisher's public key, in any of its forms, is refused."""
    await by_keys(service, server)
    public = RSA_KEY.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for key in (pem, der, json.dumps(public_jwk(RSA_KEY)).encode()):
        forged = signed_by_hand({"alg": "HS256", "kid": "one"}, claims(service.clock()), key)
        await refused(service, forged, "identity.invalid")


@pytest.mark.parametrize("algorithm", KEYS)
async def test_keys_of_each_kind_are_fetched_and_used(service: Service, server: RawServer, algorithm: str) -> None:
    """RSA, P-256 and Ed25519; the key set is asked once for many tokens."""
    server.answers("/jwks", jwks(public_jwk(RSA_KEY), public_jwk(EC_KEY, "two"), public_jwk(ED_KEY, "three")))
    await by_keys(service, server, algorithm)
    kid = {"RS256": "one", "ES256": "two", "EdDSA": "three"}[algorithm]
    for subject in ("a", "b"):
        token = sign(claims(service.clock(), sub=subject), KEYS[algorithm], algorithm, kid=kid)
        await service.call("GET", ME, as_=token, expect=200)
    assert len(server.received) == 1
    await refused(service, sign(claims(service.clock()), OTHER_RSA_KEY, "RS256", kid=kid), "identity.invalid")


async def test_keys_in_a_token_are_never_read(service: Service, server: RawServer) -> None:
    """A token that brings its own key, or an address of one, is checked with the publisher's key all the same."""
    await by_keys(service, server)
    server.answers("/evil", jwks(public_jwk(OTHER_RSA_KEY)))
    for header in (
        {"jwk": public_jwk(OTHER_RSA_KEY)},
        {"jku": f"{server.url}/evil"},
        {"x5u": f"{server.url}/evil"},
        {"x5c": ["MII"]},
    ):
        token = sign(claims(service.clock()), OTHER_RSA_KEY, "RS256", kid="one", **header)
        await refused(service, token, "identity.invalid")
    assert {one.target for one in server.received} == {"/jwks"}


@pytest.mark.parametrize("kid", ["two", "", "../../dev/null", "one' OR '1'='1", "x" * 2_000])
async def test_an_unknown_key_is_named_so_and_asks_the_publisher_once(
    service: Service, server: RawServer, kid: str
) -> None:
    """However often a made-up key id comes, the publisher's server is asked for it once in half a minute."""
    await by_keys(service, server)
    await service.call("GET", ME, as_=sign(claims(service.clock()), RSA_KEY, "RS256", kid="one"), expect=200)
    for _ in range(3):
        await refused(service, sign(claims(service.clock()), RSA_KEY, "RS256", kid=kid), "identity.unknown_key")
    assert len(server.received) == 1


async def test_without_a_key_id_a_single_key_is_used(service: Service, server: RawServer) -> None:
    """With two keys the token has to say which."""
    await by_keys(service, server)
    token = sign(claims(service.clock()), RSA_KEY, "RS256")
    await service.call("GET", ME, as_=token, expect=200)


@pytest.mark.parametrize("broken", ["down", "error", "redirect", "garbage", "huge", "empty"])
async def test_while_no_keys_can_be_had_the_token_is_not_blamed(
    service: Service, server: RawServer, broken: str
) -> None:
    """A publisher's server that is down or wrong gives 503 and Retry-After, not 401; it is not asked each time."""
    await by_keys(service, server)

    if broken == "down":
        await configure(service, algorithm="RS256", secret=None, jwks_url="http://127.0.0.1:9/jwks")
    else:
        status = {"error": "500 Oops", "redirect": "302 Found"}.get(broken, "200 OK")
        body = {"garbage": b"<html>", "huge": b"x" * 100_000, "empty": b'{"keys": []}'}.get(broken, b"")
        server.answers("/jwks", body, status=status, headers=(f"location: {server.url}/other",))
    token = sign(claims(service.clock()), RSA_KEY, "RS256", kid="one")
    for _ in range(3):
        answer = await service.call("GET", ME, as_=token)
        problem(answer, "identity.unavailable")
        assert int(answer.headers["retry-after"]) == round(AGAIN_SECONDS)
    assert len(server.received) <= 1


async def test_a_publisher_that_does_not_answer_holds_nobody_up(service: Service, server: RawServer) -> None:
    """A server that takes the request and says nothing is given up in time."""

    async def silent(_writer: asyncio.StreamWriter) -> None:
        await asyncio.Event().wait()

    server.replies["/jwks"] = silent
    sets = KeySets(service.context.egress, timeout_seconds=0.1)
    with pytest.raises(Problem, match=r"identity\.unavailable"):
        await sets.key(f"{server.url}/jwks", "RS256", "one")


class Clock:
    """A clock that a test moves."""

    seconds = 0.0

    def __call__(self) -> float:
        """Answer the time."""
        return self.seconds


async def test_keys_rotate(service: Service, server: RawServer) -> None:
    """A new key is found at its first token; the old one ends with the set; an outage is bridged for a day."""
    clock, url = Clock(), f"{server.url}/jwks"
    sets = KeySets(service.context.egress, clock)
    assert await sets.key(url, "RS256", "one")
    server.answers("/jwks", jwks(public_jwk(OTHER_RSA_KEY, "two")))
    clock.seconds += AGAIN_SECONDS
    assert await sets.key(url, "RS256", "two")
    assert len(server.received) == 2
    server.answers("/jwks", b"", status="503 Down")
    clock.seconds += FRESH_SECONDS
    assert await sets.key(url, "RS256", "two")
    assert len(server.received) == 3
    clock.seconds += STALE_SECONDS - FRESH_SECONDS
    assert await sets.key(url, "RS256", "two")
    clock.seconds += 1
    with pytest.raises(Problem, match=r"identity\.unavailable"):
        await sets.key(url, "RS256", "two")


async def test_many_at_once_ask_once(service: Service, server: RawServer) -> None:
    """A hundred tokens at the same moment cost the publisher one request."""
    sets = KeySets(service.context.egress)
    await asyncio.gather(*(sets.key(f"{server.url}/jwks", "RS256", "one") for _ in range(100)))
    assert len(server.received) == 1


def test_only_fitting_public_keys_are_taken_from_a_set() -> None:
    """A key for encryption, of another kind, curve or algorithm, a short or broken one is passed over."""
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    entries = [
        public_jwk(RSA_KEY, "good"),
        public_jwk(RSA_KEY, "for encryption", use="enc"),
        public_jwk(RSA_KEY, "another algorithm", alg="RS512"),
        public_jwk(RSA_KEY, "for signing alone", key_ops=["sign"]),
        public_jwk(short, "short"),
        public_jwk(EC_KEY, "another kind"),
        {"kty": "RSA", "kid": "broken", "n": "!", "e": 5},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "symmetric"},
        "nonsense",
        None,
    ]
    assert set(read_keys(jwks(*entries), "RS256")) == {"good"}
    p384 = ec.generate_private_key(ec.SECP384R1())
    assert set(read_keys(jwks(public_jwk(p384, "p384"), public_jwk(EC_KEY, "p256")), "ES256")) == {"p256"}


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"keys": {}}', b"\xff", b"[" * 10_000])
def test_what_is_no_key_set_is_said_to_be_none(body: bytes) -> None:
    """Anything may come from a URL."""
    with pytest.raises(ValueError, match="no "):
        read_keys(body, "RS256")
