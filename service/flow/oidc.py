"""Sign-in through the company's provider (OpenID Connect, code flow with PKCE), for accounts that are there."""

from __future__ import annotations

import base64
import hmac
import logging
import secrets
from datetime import timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode

import jwt
import msgspec
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oidc.core import CodeIDToken
from joserfc.errors import JoseError
from sqlalchemy.ext.asyncio import AsyncConnection

from service.egress import Egress, EgressFailed, EgressRefused
from service.errors import Problem
from service.flow import sessions
from service.flow.audit import audit
from service.flow.context import Context
from service.flow.manage_accounts import shut
from service.flow.sealing import SealBroken
from service.flow.sessions import Opened
from service.store import accounts, people
from service.store.types import Row

CALLBACK: Final = "/v1/session/oidc/callback"
PENDING = timedelta(minutes=10)
_ALGORITHMS: Final = ("RS256", "ES256", "EdDSA")
_LEEWAY_SECONDS = 30
_MOST_BYTES = 262_144

logger = logging.getLogger(__name__)


class _Provider(msgspec.Struct, frozen=True):
    """What the provider says of itself (OpenID Connect Discovery); fields that are not used are not read."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str


class _Pending(msgspec.Struct, frozen=True):
    """A sign-in under way, sealed in the browser's cookie."""

    state: str
    nonce: str
    verifier: str
    expires: float


class Begun(msgspec.Struct, frozen=True):
    """Where to send the browser, and the cookie that it keeps meanwhile."""

    url: str
    pending: str


def is_configured(context: Context) -> bool:
    """Answer whether the operator named a provider."""
    return bool(context.settings.oidc_issuer.rstrip("/"))


async def begin(context: Context) -> Begun:
    """Answer where to sign in; raise oidc.not_configured where the operator named no provider."""
    provider = await _discover(context)
    pending = _Pending(
        secrets.token_urlsafe(32),
        secrets.token_urlsafe(32),
        secrets.token_urlsafe(48),
        (context.now() + PENDING).timestamp(),
    )
    query = urlencode(
        {
            "response_type": "code",
            "client_id": context.settings.oidc_client_id,
            "redirect_uri": context.settings.url + CALLBACK,
            "scope": "openid email profile",
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": create_s256_code_challenge(pending.verifier),
            "code_challenge_method": "S256",
        }
    )
    mark = "&" if "?" in provider.authorization_endpoint else "?"
    return Begun(f"{provider.authorization_endpoint}{mark}{query}", context.box.seal(msgspec.json.encode(pending)))


async def finish(context: Context, cookie: str | None, state: str | None, code: str | None) -> Opened:
    """Open a session for whom the provider vouches for, or raise oidc.refused."""
    pending = _pending(context, cookie)
    if pending is None or state is None or not hmac.compare_digest(state.encode(), pending.state.encode()):
        raise _refused("It was not begun in this browser, or too long ago.")
    if not code:
        raise _refused("The provider did not let you in.")
    provider = await _discover(context)
    claims = await _claims(context, provider, await _redeem(context, provider, code, pending.verifier), pending.nonce)
    async with context.database.writing() as connection:
        account = await _account(connection, context, provider, claims)
        for member_id in await accounts.take_invitations(connection, account.id, at=context.now()):
            # An admin named the address, and the provider vouches for it.
            if await people.join(connection, member_id, account.id):
                await audit(connection, context, None, account.id, "member.joined", member_id, kind="person")
        return await sessions.open_for(connection, context, account)


def _pending(context: Context, cookie: str | None) -> _Pending | None:
    try:
        pending = msgspec.json.decode(context.box.open(cookie or ""), type=_Pending)
    except (SealBroken, msgspec.DecodeError):
        return None
    return pending if pending.expires > context.now().timestamp() else None


async def _discover(context: Context) -> _Provider:
    issuer = context.settings.oidc_issuer.rstrip("/")
    if not issuer:
        raise Problem("oidc.not_configured", "Sign in with address and password.")
    body = await _ask(context.egress, "GET", f"{issuer}/.well-known/openid-configuration")
    try:
        provider = msgspec.json.decode(body, type=_Provider)
    except msgspec.DecodeError:
        raise _unavailable("content") from None
    if provider.issuer.rstrip("/") != issuer:
        raise _unavailable("issuer")
    return provider


async def _redeem(context: Context, provider: _Provider, code: str, verifier: str) -> str:
    settings = context.settings
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": settings.url + CALLBACK,
        "code_verifier": verifier,
    }
    # RFC 6749, 2.3.1: both are form-encoded before they are put together.
    who = f"{quote(settings.oidc_client_id, safe='')}:{quote(settings.oidc_client_secret, safe='')}"
    headers = {
        "authorization": "Basic " + base64.b64encode(who.encode()).decode(),
        "content-type": "application/x-www-form-urlencoded",
        "accept": "application/json",
    }
    body = await _ask(context.egress, "POST", provider.token_endpoint, headers, urlencode(form).encode())
    try:
        token = msgspec.json.decode(body, type=dict[str, Any]).get("id_token")
    except msgspec.DecodeError:
        raise _unavailable("content") from None
    if not isinstance(token, str):
        raise _refused("The provider gave no identity.")
    return token


async def _claims(context: Context, provider: _Provider, token: str, nonce: str) -> dict[str, Any]:
    """Answer what the provider's token says, its signature and claims checked; only a key of the provider's will do."""
    try:
        header = jwt.get_unverified_header(token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in _ALGORITHMS:
            raise _refused("The provider signs in a way that is not taken.")
        key = await _key(context, provider, algorithm, key_id if isinstance(key_id, str) else None)
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[algorithm],
            options={"verify_aud": False, "verify_exp": False, "verify_iat": False, "verify_nbf": False},
        )
        audience = {"essential": True, "value": context.settings.oidc_client_id}
        options = {"iss": {"essential": True, "value": provider.issuer}, "aud": audience}
        params = {"nonce": nonce, "client_id": context.settings.oidc_client_id}
        CodeIDToken(claims, header, options, params).validate(int(context.now().timestamp()), _LEEWAY_SECONDS)
    except (jwt.InvalidTokenError, JoseError, ValueError, TypeError, RecursionError):
        raise _refused("The provider's token is not valid.") from None
    if not isinstance(claims.get("sub"), str):
        raise _refused("The provider's token names nobody.")
    return claims


async def _key(context: Context, provider: _Provider, algorithm: str, key_id: str | None) -> Any:
    try:
        return await context.key_sets.key(provider.jwks_uri, algorithm, key_id)
    except Problem as problem:
        raise (
            _unavailable("keys") if problem.status == 503 else _refused("The provider's key is not known.")
        ) from None


async def _account(connection: AsyncConnection, context: Context, provider: _Provider, claims: dict[str, Any]) -> Row:
    """Answer the account that is linked to the identity; the first time by an address that the provider verified."""
    subject, email = claims["sub"][:300], claims.get("email")
    account = await accounts.by_oidc(connection, provider.issuer, subject)
    if account is None and isinstance(email, str) and claims.get("email_verified") is True:
        account = await _link(connection, context, email.casefold(), provider.issuer, subject)
    current = await accounts.by_id(connection, account.id, lock=True) if account is not None else None
    if current is None or current.disabled_at is not None or current.oidc_subject != subject:
        raise _refused("There is no account for you here; ask an admin to name you.")
    return current


async def _link(connection: AsyncConnection, context: Context, email: str, issuer: str, subject: str) -> Row | None:
    """Link an account to an identity; from then on the provider alone opens it."""
    account = await accounts.by_email(connection, email, lock=True)
    if account is not None and (account.oidc_issuer, account.oidc_subject) == (issuer, subject):
        # Another request of the same sign-in was first.
        return account
    if account is None or account.disabled_at is not None or account.oidc_subject is not None:
        # Linked to another identity; an address that changed hands must not take the account with it.
        return None
    # A password may have been set by whoever came by the invitation.
    await shut(connection, context, account.id)
    await accounts.change(connection, account.id, {"oidc_issuer": issuer, "oidc_subject": subject})
    await audit(connection, context, None, account.id, "account.linked", account.id, kind="person")
    return account


async def _ask(
    egress: Egress, method: str, url: str, headers: dict[str, str] | None = None, content: bytes | None = None
) -> bytes:
    try:
        answer = await egress.request(method, url, headers=headers, content=content, most_bytes=_MOST_BYTES)
    except (EgressFailed, EgressRefused) as error:
        raise _unavailable(error.reason) from None
    if answer.status >= 500 or (method == "GET" and answer.status != 200):
        raise _unavailable("status")
    if answer.status != 200:
        raise _refused("The provider refused the code.")
    return answer.body


def _unavailable(reason: str) -> Problem:
    logger.warning("the sign-in provider does not answer as it should", extra={"reason": reason})
    return Problem(
        "oidc.unavailable", "The sign-in provider does not answer; try again.", headers={"retry-after": "10"}
    )


def _refused(why: str) -> Problem:
    return Problem("oidc.refused", why)
