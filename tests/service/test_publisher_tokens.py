"""The publisher's accounts: what a valid token opens, and every way to forge one that is refused."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

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
    AUDIENCE,
    EC_KEY,
    ED_KEY,
    KEYS,
    OTHER_RSA_KEY,
    RSA_KEY,
    SECRET,
    claims,
    configure,
    jwks,
    public_jwk,
    sign,
)
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
ME = "/v1/sites/test/me"
COMMENTS = "/v1/sites/test/threads/page/comments"


@pytest.fixture
def database_kind() -> str:
    """What is checked here is tokens; the rows are checked on both databases elsewhere."""
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


async def refused(service: Service, token: str, code: str) -> None:
    """Check that a token is refused with a code, on a read and on a submit, and that nothing of it comes back."""
    for method, path, body in (("GET", ME, None), ("POST", COMMENTS, {"body": "x"})):
        answer = await service.call(method, path, as_=token, json=body)
        problem(answer, code)
        assert token not in answer.text
        assert "Traceback" not in answer.text


async def test_an_account_comments_under_the_name_that_its_publisher_gives_it(service: Service) -> None:
    """Name, avatar and badges come from the token, and a name in the body is not taken."""
    await configure(service, badges={"editor": "staff"})
    token = sign(claims(service.clock(), picture="https://news.example/ada.png", roles=["editor", "nobody"]))
    sent = await service.submit("A signed opinion.", token=token, author={"name": "The Editor"})
    assert sent.get("author_token") is None
    author = {"name": "Ada", "kind": "signed", "badges": ["staff"], "avatar_url": "https://news.example/ada.png"}
    author["key"] = sent["comment"]["author"]["key"]
    assert sent["comment"]["author"] == author
    await service.drain()
    assert (await service.thread())["comments"][0]["author"] == author


async def test_the_same_account_is_the_same_commenter(service: Service) -> None:
    """A second token of the account, with another name, leads to the same profile; the new name counts from then on."""
    await configure(service)
    await service.submit("First.", token=sign(claims(service.clock())))
    first = (await service.call("GET", ME, as_=sign(claims(service.clock())), expect=200)).json()
    service.clock.advance(60)
    token = sign(claims(service.clock(), name="Ada L.", email_verified=True))
    second = (await service.call("GET", ME, as_=token, expect=200)).json()
    assert second["id"] == first["id"]
    assert (second["name"], second["verified"]) == ("Ada L.", True)
    assert (second["first_seen_at"], second["comments"]["pending"]) == (first["first_seen_at"], 1)


async def test_an_account_edits_and_deletes_its_own_comment_alone(service: Service) -> None:
    """The token opens what an author token opens, for its own subject."""
    await configure(service)
    mine, other = sign(claims(service.clock())), sign(claims(service.clock(), sub="reader-8"))
    path = f"/v1/sites/test/comments/{(await service.submit('Mine.', token=mine))['comment']['id']}"
    problem(await service.call("PATCH", path, as_=other, json={"body": "Not mine."}), "comment.unknown")
    await service.call("PATCH", path, as_=mine, json={"body": "Mine, edited."}, expect=200)
    await service.call("DELETE", path, as_=mine, expect=204)


async def test_a_site_that_takes_no_guests_takes_accounts(service: Service) -> None:
    """Without a token the answer is guests.refused; with one the comment is taken."""
    await configure(service)
    await service.call("PATCH", "/v1/admin/sites/test", as_="admin", json={"guests_allowed": False}, expect=200)
    problem(await service.call("POST", COMMENTS, json={"body": "x"}), "guests.refused")
    await service.submit("Signed.", token=sign(claims(service.clock())))


async def test_guests_and_accounts_live_side_by_side(service: Service) -> None:
    """Our own author tokens go on working on a site with a publisher."""
    guest = (await service.submit("A guest."))["author_token"]
    await configure(service)
    assert (await service.call("GET", ME, as_=guest, expect=200)).json()["kind"] == "guest"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"aud": "another"}, "identity.audience"),
        ({"aud": None}, "identity.invalid"),
        ({"aud": ["another", AUDIENCE + "x"]}, "identity.audience"),
        ({"iss": "https://evil.example"}, "identity.issuer"),
        ({"iss": None}, "identity.invalid"),
        ({"exp": None}, "identity.invalid"),
        ({"exp": "tomorrow"}, "identity.invalid"),
        ({"exp": True}, "identity.invalid"),
        ({"exp": -1}, "identity.invalid"),
        ({"exp": 1e300}, "identity.invalid"),
        ({"exp": 1}, "identity.expired"),
        ({"sub": None}, "identity.invalid"),
        ({"sub": ""}, "identity.invalid"),
        ({"sub": 7}, "identity.invalid"),
        ({"sub": "x" * 201}, "identity.invalid"),
        ({"sub": "a\0b"}, "identity.invalid"),
        ({"sub": {"$ne": 1}}, "identity.invalid"),
        ({"iat": "now"}, "identity.invalid"),
        ({"nbf": [1]}, "identity.invalid"),
    ],
)
async def test_claims_that_are_refused(service: Service, changed: dict[str, Any], code: str) -> None:
    """A correct signature does not help a token with a wrong, missing or senseless claim."""
    await configure(service)
    await refused(service, sign(claims(service.clock(), **changed)), code)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [({"exp": -31}, "identity.expired"), ({"iat": 31}, "identity.not_yet"), ({"nbf": 31}, "identity.not_yet")],
)
async def test_clocks_may_differ_by_the_leeway_and_no_more(
    service: Service, seconds: dict[str, int], code: str
) -> None:
    """Half a minute is borne, a second more is not."""
    await configure(service)
    moment = int(service.clock().timestamp())
    [(name, off)] = seconds.items()
    within = sign(claims(service.clock(), **{name: moment + off - (2 if off > 0 else -2)}))
    await service.call("GET", ME, as_=within, expect=200)
    await refused(service, sign(claims(service.clock(), **{name: moment + off + (1 if off > 0 else -1)})), code)


async def test_a_token_for_ever_is_refused(service: Service) -> None:
    """A token that is good for longer than the site allows is refused, with and without iat."""
    await configure(service, longest_seconds=3600)
    moment = int(service.clock().timestamp())
    for iat in (moment, None):
        await refused(service, sign(claims(service.clock(), exp=moment + 3700, iat=iat)), "identity.invalid")


async def test_tokens_of_one_site_do_not_open_another(service: Service) -> None:
    """Two sites with the same secret, by mistake, are still told apart by the audience."""
    await service.call("POST", "/v1/admin/sites", as_="root", json={"slug": "other", "name": "O"}, expect=201)
    await configure(service)
    await configure(service, site="other", audience="colloquy-other")
    token = sign(claims(service.clock(), aud="colloquy-other"))
    await refused(service, token, "identity.audience")
    await service.call("GET", "/v1/sites/other/me", as_=token, expect=200)


def unsigned(header: dict[str, Any], said: dict[str, Any], signature: bytes = b"") -> str:
    """Answer a token put together by hand."""
    parts = [json.dumps(header).encode(), json.dumps(said).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


def signed_by_hand(header: dict[str, Any], said: dict[str, Any], key: bytes) -> str:
    """Answer a token with a correct HMAC under a key that a library would refuse to sign with."""
    bare = unsigned(header, said).rpartition(".")[0]
    mac = hmac.new(key, bare.encode(), hashlib.sha256).digest()
    return f"{bare}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


async def test_forged_tokens_are_refused(service: Service) -> None:
    """No algorithm, another one, another secret, a changed body, nonsense: all are invalid."""
    await configure(service)
    said = claims(service.clock())
    good = sign(said)
    head, body, signature = good.split(".")
    changed = base64.urlsafe_b64encode(json.dumps(said | {"sub": "admin"}).encode()).rstrip(b"=").decode()
    for token in (
        *(unsigned({"alg": alg, "typ": "JWT"}, said) for alg in ("none", "None", "NONE", "", None, 5, ["HS256"])),
        sign(said, "another secret that is long enough!!"),
        sign(said, SECRET * 2, algorithm="HS512"),
        sign(said, RSA_KEY, "RS256"),
        f"{head}.{changed}.{signature}",
        f"{head}.{body}.",
        f"{head}.{body}",
        f"{head}.{body}.{signature}x",
        f"{head}.{body}.{signature}.{signature}",
        "..",
        "a.b.c",
        signed_by_hand({"alg": "HS256", "crit": ["exp"], "exp": 1}, said, SECRET.encode()),
        unsigned({"alg": "HS256"}, [1], b"x"),  # type: ignore[arg-type]
    ):
        await refused(service, token, "identity.invalid")


async def test_a_public_key_is_no_shared_secret(service: Service, server: RawServer) -> None:
    """Key confusion: a token signed with HS256 under the publisher's public key, in any of its forms, is refused."""
    await by_keys(service, server)
    public = RSA_KEY.public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    for key in (pem, der, json.dumps(public_jwk(RSA_KEY)).encode()):
        forged = signed_by_hand({"alg": "HS256", "kid": "one"}, claims(service.clock()), key)
        await refused(service, forged, "identity.invalid")


async def test_huge_and_deep_tokens_are_refused(service: Service) -> None:
    """Over 8 KiB nothing is read; a claim of ten thousand arrays breaks nothing."""
    await configure(service)
    await refused(service, sign(claims(service.clock(), padding="x" * 9_000)), "identity.too_large")
    deep = base64.urlsafe_b64encode(b"[" * 3_000).rstrip(b"=").decode()
    await refused(service, f"{sign(claims(service.clock())).partition('.')[0]}.{deep}.AA", "identity.invalid")


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


async def test_an_identity_is_put_in_force_read_and_dropped(service: Service) -> None:
    """The secret is never shown, stays where none is sent, and the audit has no trace of it."""
    view = await configure(service)
    assert view["has_secret"] is True
    again = await configure(service, secret=None, leeway_seconds=0)
    assert (again["has_secret"], again["leeway_seconds"]) == (True, 0)
    await service.call("GET", ME, as_=sign(claims(service.clock())), expect=200)
    audit = (await service.call("GET", "/v1/admin/sites/test/audit", as_="admin", expect=200)).text
    assert "identity.changed" in audit
    assert SECRET not in audit + json.dumps(again)
    await service.call("DELETE", "/v1/admin/sites/test/identity", as_="admin", expect=204)
    problem(await service.call("GET", "/v1/admin/sites/test/identity", as_="admin"), "identity.not_configured")
    problem(await service.call("GET", ME, as_=sign(claims(service.clock()))), "auth.invalid")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"secret": None}, "secret"),
        ({"secret": "short"}, "secret"),
        ({"issuer": "colloquy"}, "issuer"),
        ({"jwks_url": "https://news.example/jwks"}, "jwks_url"),
        ({"algorithm": "RS256"}, "secret"),
        ({"algorithm": "RS256", "secret": None}, "jwks_url"),
        ({"algorithm": "RS256", "secret": None, "jwks_url": "http://news.example/"}, "jwks_url"),
        ({"algorithm": "RS256", "secret": None, "jwks_url": "https://10.0.0.1/"}, "jwks_url"),
        ({"algorithm": "none"}, "algorithm"),
        ({"leeway_seconds": 121}, "leeway_seconds"),
        ({"badges": {"editor": "<b>"}}, "badges[...]"),
    ],
)
async def test_an_identity_that_cannot_be_safe_is_refused(
    service: Service, changed: dict[str, Any], field: str
) -> None:
    """Each mistake is named with its field, and what was in force stays."""
    answer = await configure(service, expect=400, **changed)
    assert {one["field"] for one in answer["fields"]} == {field}


@pytest.mark.parametrize("name", ["\ud800", "\u200b", " \u200b ", "", "a\0b", 7])
async def test_a_name_that_cannot_be_shown_is_none(service: Service, name: Any) -> None:
    """The account is let in without one."""
    await configure(service)
    me = (await service.call("GET", ME, as_=sign(claims(service.clock(), name=name)), expect=200)).json()
    assert me["name"] is None


@pytest.mark.parametrize(
    "secret", ["-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA\n-----END PUBLIC KEY-----", "ssh-ed25519 " + "A" * 60]
)
async def test_a_key_of_another_algorithm_is_no_secret(service: Service, secret: str) -> None:
    """It is refused where it is set, not with every token of a reader."""
    refusal = await configure(service, secret=secret, expect=400)
    assert refusal["fields"][0]["field"] == "secret"
