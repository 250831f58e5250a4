"""Tokens that a publisher signs for its accounts (JWT), checked by what the site says and never by what they say."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import jwt
import msgspec

from service import schemas
from service.errors import Problem
from service.flow.context import Context
from service.flow.sanitise import is_ink, shown_name
from service.flow.sealing import SealBroken
from service.settings import SettingsError
from service.store.types import Row

MOST_CHARACTERS = 8_192
_NAME_CHARACTERS, _SUBJECT_CHARACTERS, _URL_CHARACTERS = 80, 200, 2_048
_MOST_ROLES = 20


class Identity(msgspec.Struct, frozen=True, kw_only=True):
    """How a site's publisher signs, as it is stored; the secret of HS256 is sealed."""

    issuer: str
    audience: str
    algorithm: str
    sealed_secret: str | None = None
    jwks_url: str | None = None
    leeway_seconds: int = 30
    longest_seconds: int = 86_400
    badges: dict[str, str] = {}


class PublisherClaims(NamedTuple):
    """What a valid token says of an account."""

    subject: str
    name: str | None
    avatar_url: str | None
    verified: bool
    badges: tuple[str, ...]


def identity_of(site: Row) -> Identity | None:
    """Answer how the site's publisher signs, None where it does not."""
    return msgspec.convert(site.identity, Identity) if site.identity else None


async def verify(context: Context, site: Row, token: str) -> PublisherClaims:
    """Answer what a publisher's token says, or raise a problem that says what is wrong with it."""
    identity = identity_of(site)
    if identity is None:
        raise Problem("auth.invalid", "The token is none of this site's.")
    if len(token) > MOST_CHARACTERS:
        raise Problem("identity.too_large", f"A token has at most {MOST_CHARACTERS} characters.")
    key = await _key(context, identity, _header(token, identity))
    claims = _decode(token, key, identity)
    _check_times(claims, identity, context.now())
    return _read(claims, identity)


def _header(token: str, identity: Identity) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, ValueError, RecursionError):
        raise _invalid("It cannot be read.") from None
    if header.get("alg") != identity.algorithm:
        raise _invalid(f"It must be signed with {identity.algorithm}.")
    if "crit" in header:
        raise _invalid("Its header names a critical extension, and none is known here.")
    return header


async def _key(context: Context, identity: Identity, header: dict[str, Any]) -> Any:
    """Answer the key that the site names; what a token says of keys (jwk, jku, x5u, x5c) is never read."""
    if identity.sealed_secret is not None:
        try:
            return context.box.open(identity.sealed_secret)
        except SealBroken:
            raise SettingsError("SECRET_KEY: it does not open a site's identity secret") from None
    assert identity.jwks_url is not None
    key_id = header.get("kid")
    if key_id is not None and not isinstance(key_id, str):
        raise _invalid("Its key id is no text.")
    return await context.key_sets.key(identity.jwks_url, identity.algorithm, key_id)


def _decode(token: str, key: Any, identity: Identity) -> dict[str, Any]:
    """Check signature, audience and issuer; times are checked apart, since the library reads the machine's clock."""
    try:
        return jwt.decode(
            token,
            key,
            algorithms=[identity.algorithm],
            audience=identity.audience,
            issuer=identity.issuer,
            options={
                "require": ["exp", "sub", "aud", "iss"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
                "verify_sub": False,
            },
        )
    except jwt.InvalidAudienceError:
        raise Problem("identity.audience", "The token was made for somebody else (aud).") from None
    except jwt.InvalidIssuerError:
        raise Problem("identity.issuer", "The token was made by somebody else (iss).") from None
    except jwt.MissingRequiredClaimError as error:
        raise _invalid(f"It lacks the claim {error.claim}.") from None
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise _invalid("Its signature does not fit.") from None


def _check_times(claims: dict[str, Any], identity: Identity, now: datetime) -> None:
    moment, leeway = now.timestamp(), identity.leeway_seconds
    expires = _time(claims, "exp")
    assert expires is not None
    if expires + leeway <= moment:
        raise Problem("identity.expired", "The token has expired; ask the publisher's page for a new one.")
    issued, not_before = _time(claims, "iat"), _time(claims, "nbf")
    if max(issued or 0.0, not_before or 0.0) > moment + leeway:
        raise Problem("identity.not_yet", "The token is from the future; compare the clocks.")
    if expires - (moment if issued is None else issued) > identity.longest_seconds + leeway:
        raise _invalid(f"It is good for longer than the {identity.longest_seconds} seconds that the site allows.")


def _time(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None and name != "exp":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise _invalid(f"Its claim {name} is no time.")
    return float(value)


def _read(claims: dict[str, Any], identity: Identity) -> PublisherClaims:
    subject = claims["sub"]
    if not isinstance(subject, str) or not 1 <= len(subject) <= _SUBJECT_CHARACTERS or not subject.isprintable():
        raise _invalid(f"Its claim sub must be 1 to {_SUBJECT_CHARACTERS} printable characters.")
    verified = claims.get("verified", claims.get("email_verified"))
    roles = claims.get("roles", [])
    named = [role for role in roles[:_MOST_ROLES] if isinstance(role, str)] if isinstance(roles, list) else []
    badges = dict.fromkeys(badge for role in named if (badge := identity.badges.get(role)) is not None)
    return PublisherClaims(subject, _name(claims), _avatar(claims), verified is True, tuple(badges))


def _name(claims: dict[str, Any]) -> str | None:
    name = claims.get("name")
    # What no database takes for a text, or nobody could see, is no name.
    if not isinstance(name, str) or "\0" in name or any("\ud800" <= sign <= "\udfff" for sign in name):
        return None
    cut = name.strip()[:_NAME_CHARACTERS]
    return shown_name(cut) if any(map(is_ink, cut)) else None


def _avatar(claims: dict[str, Any]) -> str | None:
    url = claims.get("avatar_url", claims.get("picture"))
    if not isinstance(url, str) or not schemas.is_https_url(url) or len(url) > _URL_CHARACTERS:
        return None
    return url


def _invalid(why: str) -> Problem:
    return Problem("identity.invalid", f"The publisher's token is not valid. {why}")
