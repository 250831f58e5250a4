"""Rates and sizes: what each kind of request may cost whom, and the headers that say so."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

from service import schemas
from service.errors import Problem
from service.queue.limits import Bucket
from service.queue.limits import Taken as Taken

READ, SUBMIT, CHANGE, REPORT, REACTION, MAIL, STAFF = "read", "submit", "change", "report", "reaction", "mail", "staff"
SECOND_THOUGHTS = "second_thoughts"
"""The kinds of requests; each has limits of its own."""
_SIGN_IN_PER_NETWORK: Final = schemas.Rate(30, 300)
#: Many readers of one network may come back with tokens that are over.
_REFUSED: Final = schemas.Rate(120, 60)
#: Of somebody who guesses; the account's own person on another network is not locked out by that.
_SIGN_IN_PER_ACCOUNT_AND_NETWORK: Final = schemas.Rate(10, 300)
_SIGN_IN_PER_ACCOUNT: Final = schemas.Rate(100, 300)


class Caller(NamedTuple):
    """Who pays for a request: a site's network, and the commenter or member where one is known."""

    site_id: str
    network: str
    person: str | None


def buckets_of(kind: str, rates: schemas.Rates, caller: Caller) -> list[Bucket]:
    """Answer the buckets that a request of a kind takes a token from."""

    def bucket(name: str, whose: str) -> Bucket:
        rate: schemas.Rate = getattr(rates, name)
        return Bucket(name, f"{caller.site_id}:{name}:{whose}", rate.limit, rate.per_seconds)

    if kind == STAFF:
        return [bucket("staff_per_member", caller.person or caller.network)]
    if kind == READ:
        return [bucket("read_per_network", caller.network)]
    found = [bucket(f"{kind}_per_network", caller.network)]
    if caller.person is not None:
        found.append(bucket(f"{kind}_per_commenter", caller.person))
    if kind in (SUBMIT, SECOND_THOUGHTS):
        found.append(bucket(f"{kind}_per_site", ""))
    return found


def refused_bucket(network: str) -> Bucket:
    """Answer the bucket of a network's requests with tokens that nobody gave out, or to sites that are not there."""
    return Bucket("refused_per_network", f"refused_per_network:{network}", _REFUSED.limit, _REFUSED.per_seconds)


def key_bucket(token_id: str, per_minute: int) -> Bucket:
    """Answer the bucket of a key by which another system has texts scored."""
    return Bucket("analyze_per_key", f"analyze_per_key:{token_id}", per_minute, 60)


def sign_in_buckets(network: str, account: str) -> list[Bucket]:
    """Answer the buckets of an attempt to sign in; network and account are hashes."""
    return [
        Bucket(name, f"{name}:{key}", rate.limit, rate.per_seconds)
        for name, key, rate in (
            ("sign_in_per_network", network, _SIGN_IN_PER_NETWORK),
            ("sign_in_per_account_and_network", f"{account}:{network}", _SIGN_IN_PER_ACCOUNT_AND_NETWORK),
            ("sign_in_per_account", account, _SIGN_IN_PER_ACCOUNT),
        )
    ]


def headers_of(spent: Iterable[Taken]) -> dict[str, str]:
    """Answer `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-10, structured fields)."""
    known = list(spent)
    if not known:
        return {}
    return {
        "ratelimit-policy": ", ".join(
            [f'"{one.bucket.name}";q={one.bucket.limit};w={one.bucket.per_seconds}' for one in known]
        ),
        "ratelimit": ", ".join(
            [f'"{one.bucket.name}";r={one.remaining};t={math.ceil(one.reset_seconds)}' for one in known]
        ),
    }


def refused_network(spent: Iterable[Taken]) -> Taken | None:
    """Answer the limit of a whole network that refuses, if one does."""
    return next((one for one in spent if not one.allowed and one.bucket.name.endswith("_per_network")), None)


def refusal_of(spent: Iterable[Taken]) -> Problem | None:
    """Answer the problem of a request over a limit: which one, and when to come again; None if it is within all."""
    refused = max((one for one in spent if not one.allowed), key=lambda one: one.retry_after_seconds, default=None)
    if refused is None:
        return None
    name, limit, per_seconds = refused.bucket.name, refused.bucket.limit, refused.bucket.per_seconds
    seconds = max(1, math.ceil(refused.retry_after_seconds))
    return Problem(
        "limits.exceeded",
        f"At most {limit} in {per_seconds} seconds ({name}). Try again in {seconds} s.",
        headers={"retry-after": str(seconds)},
        extra={"limit": name, "retry_after_seconds": seconds},
    )
