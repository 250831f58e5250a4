"""The publisher's accounts: what a valid token opens, and every way to forge one that is refused."""

import asyncio
import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.service.answers import problem
from tests.service.publisher import (
    AUDIENCE,
    RSA_KEY,
    SECRET,
    claims,
    configure,
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


async def test_huge_and_deep_tokens_are_refused(service: Service) -> None:
    """Over 8 KiB nothing is read; a claim of ten thousand arrays breaks nothing."""
    await configure(service)
    await refused(service, sign(claims(service.clock(), padding="x" * 9_000)), "identity.too_large")
    deep = base64.urlsafe_b64encode(b"[" * 3_000).rstrip(b"=").decode()
    await refused(service, f"{sign(claims(service.clock())).partition('.')[0]}.{deep}.AA", "identity.invalid")


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


async def test_of_two_admins_at_once_neither_undoes_the_others_secret(service: Service) -> None:
    """Who changes something else at the moment when a new secret is put in force keeps the new one."""
    new = "another-secret-that-publisher-and-service-share"
    for number in range(5):
        await configure(service)
        changed = configure(service, secret=None, badges={f"role-{number}": "staff"})
        await asyncio.gather(changed, configure(service, secret=new, badges={f"role-{number}": "staff"}))
        await service.call("GET", ME, as_=sign(claims(service.clock()), key=new), expect=200)
