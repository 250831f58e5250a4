"""Author tokens: six months long, revocable, bound to one site, forged by nobody, and keys that rotate."""

import base64
import json
import secrets
from datetime import timedelta
from typing import Any

import httpx
import jwt
import pytest

from service.flow.sealing import Box
from service.flow.signing import AuthorTokens
from service.store import records
from tests.eventually import eventually
from tests.service_fixture import Service

pytestmark = pytest.mark.anyio
DAY = 86_400


async def author(service: Service, body: str = "An opinion.") -> str:
    """Answer the token that a new guest got."""
    token: str = (await service.submit(body))["author_token"]
    return token


async def mine(service: Service, token: str) -> httpx.Response:
    """Ask for the author's own comments."""
    return await service.call("GET", "/v1/sites/test/mine", as_=token)


async def refused(service: Service, token: str) -> bool:
    """Answer whether the token is refused as invalid."""
    answer = await mine(service, token)
    return answer.status_code == 401 and answer.json()["code"] == "auth.invalid"


def recoded(token: str, *, header: dict[str, Any] | None = None, claims: dict[str, Any] | None = None) -> str:
    """Answer the token with other contents under the old signature."""
    parts = token.split(".")
    for index, change in enumerate((header, claims)):
        if change is not None:
            raw = json.loads(base64.urlsafe_b64decode(parts[index] + "==")) | change
            parts[index] = base64.urlsafe_b64encode(json.dumps(raw).encode()).decode().rstrip("=")
    return ".".join(parts)


async def test_a_token_works_for_six_months(service: Service) -> None:
    """A token is good the day before six months are over, and expired soon after, by the service's own clock."""
    token = await author(service)
    start = service.clock.moment
    month = start.month + 6
    end = start.replace(year=start.year + (month - 1) // 12, month=(month - 1) % 12 + 1, day=min(start.day, 28))
    service.clock.moment = end - timedelta(days=1)
    assert (await mine(service, token)).status_code == 200
    service.clock.moment = start + timedelta(days=184, seconds=-1)
    assert (await mine(service, token)).status_code == 200
    service.clock.moment = start + timedelta(days=184)
    assert await refused(service, token)


async def test_a_token_issued_by_a_clock_ahead_of_the_machine_works(service: Service) -> None:
    """Only the service's clock decides, so a token of a later time is as good then."""
    service.clock.advance(400 * DAY)
    assert (await mine(service, await author(service))).status_code == 200


async def test_a_token_is_of_one_site(service: Service) -> None:
    """A token of another site is invalid here, also where a token is optional."""
    await service.call("POST", "/v1/admin/sites", as_="root", json={"slug": "other", "name": "Other"}, expect=201)
    foreign = await service.call("POST", "/v1/sites/other/threads/page/comments", json={"body": "x"}, expect=202)
    token = foreign.json()["author_token"]
    assert await refused(service, token)
    answer = await service.submit("Hello.", token=token, expect=401)
    assert answer["code"] == "auth.invalid"


async def test_no_forgery_is_taken(service: Service) -> None:
    """alg none, other algorithms, unknown or strange key ids, changed claims and cut tokens are all invalid."""
    token = await author(service)
    header, claims, signature = token.split(".")
    key = jwt.get_unverified_header(token)["kid"]
    told = jwt.decode(token, options={"verify_signature": False})
    soon = {**told, "exp": told["exp"] + DAY}
    forged = [
        jwt.encode(told, "", algorithm="none", headers={"kid": key}),
        recoded(token, header={"alg": "none"}).rpartition(".")[0] + ".",
        recoded(token, header={"alg": "HS512"}),
        recoded(token, header={"alg": "RS256"}),
        recoded(token, header={"kid": "nobody"}),
        recoded(token, header={"kid": None}),
        recoded(token, header={"kid": ["x"]}),
        recoded(token, header={"kid": "\x00"}),
        recoded(token, claims={"sub": "0190a0a0-0000-7000-8000-000000000000"}),
        recoded(token, claims={"gen": 2}),
        recoded(token, claims={"exp": told["exp"] + DAY}),
        jwt.encode(soon, secrets.token_bytes(32), algorithm="HS256", headers={"kid": key}),
        jwt.encode(soon, key.encode().ljust(32), algorithm="HS256", headers={"kid": key}),
        f"{header}.{claims}",
        f"{header}.{claims}.",
        f"{header}.{claims}.{signature[:-4]}",
        f"{header}.{claims}.{signature}.{signature}",
        "." * 2,
        "e30.e30.e30",
    ]
    for one in forged:
        assert await refused(service, one), one
    assert (await mine(service, token)).status_code == 200


async def test_claims_of_strange_types_under_a_right_signature_are_invalid(service: Service) -> None:
    """Even our own signature makes no claim of another shape valid."""
    token = await author(service)
    told = jwt.decode(token, options={"verify_signature": False})
    tokens: AuthorTokens = service.context.author_tokens
    keys = await tokens._current()
    secret = keys.by_id[keys.signing_id]
    strange: list[dict[str, Any]] = [
        {"exp": "soon"}, {"exp": None}, {"exp": []}, {"gen": "x"}, {"gen": None}, {"aud": "other"}, {"iss": "other"},
    ]  # fmt: skip
    for change in strange:
        forged = jwt.encode({**told, **change}, secret, algorithm="HS256", headers={"kid": keys.signing_id})
        assert await refused(service, forged), change
    for missing in ("exp", "iat", "sub", "aud", "iss", "gen"):
        rest = {name: value for name, value in told.items() if name != missing}
        forged = jwt.encode(rest, secret, algorithm="HS256", headers={"kid": keys.signing_id})
        assert await refused(service, forged), missing


async def test_an_author_signs_out_everywhere(service: Service) -> None:
    """Signing out ends every token of that author, the one it was done with too, and of nobody else."""
    token, other = await author(service, "One."), await author(service, "Two.")
    await service.call("DELETE", "/v1/sites/test/mine/tokens", as_=token, expect=204)
    assert await refused(service, token)
    assert (await mine(service, other)).status_code == 200


async def test_an_admin_revokes_an_authors_tokens(service: Service) -> None:
    """The tokens of a commenter end when an admin says so; an unknown commenter is a 404."""
    sent = await service.submit("A rude one.")
    await service.drain()
    [item] = await service.claim()
    commenter = item["author_record"]["commenter_id"]
    await service.call("DELETE", f"/v1/admin/sites/test/commenters/{commenter}/tokens", as_="admin", expect=204)
    assert await refused(service, sent["author_token"])
    for unknown in ("0190a0a0-0000-7000-8000-000000000000", "nobody"):
        answer = await service.call("DELETE", f"/v1/admin/sites/test/commenters/{unknown}/tokens", as_="admin")
        assert answer.status_code == 404


async def test_rotation_keeps_the_tokens_that_were_given(service: Service) -> None:
    """After a rotation new tokens name the new key, and the old ones go on working."""
    old = await author(service, "One.")
    key = await service.context.author_tokens.rotate(now=service.clock())
    new = await author(service, "Two.")
    assert jwt.get_unverified_header(new)["kid"] == key != jwt.get_unverified_header(old)["kid"]
    assert [(await mine(service, token)).status_code for token in (old, new)] == [200, 200]


async def test_a_deleted_key_ends_its_tokens(service: Service) -> None:
    """What an operator does after a theft: the key goes, and with it every token it signed."""
    old = await author(service, "One.")
    await service.context.author_tokens.rotate(now=service.clock())
    async with service.context.database.writing() as connection:
        assert await records.delete_signing_key(connection, jwt.get_unverified_header(old)["kid"])
    fresh = AuthorTokens(service.context.database, Box(service.context.settings.secret_key))
    with pytest.raises(Exception, match=r"auth\.invalid"):
        await fresh.verify("any", old, now=service.clock())


async def test_another_process_learns_of_a_new_key_by_seeing_it(service: Service) -> None:
    """A process that read the keys before a rotation elsewhere verifies the new key's tokens all the same."""
    elsewhere = AuthorTokens(service.context.database, Box(service.context.settings.secret_key))
    await elsewhere.rotate(now=service.clock())
    site = (await service.call("GET", "/v1/admin/sites/test", as_="admin")).json()
    assert site["slug"] == "test"
    token = await author(service)
    told = jwt.decode(token, options={"verify_signature": False})
    new = await elsewhere.issue(told["aud"], told["sub"], 1, now=service.clock())

    async def verified() -> bool:
        return (await mine(service, new)).status_code == 200

    # Keys are read again at most once a second.
    await eventually(verified)
