"""When a failed delivery is tried again, and what becomes of its endpoint: pure functions of what happened.

Two clocks run. Each delivery has its own plan of waits, about three days long. And an endpoint that fails again and
again is closed for a while, so that a thousand deliveries do not each find out for themselves that it is down: then one
of them asks, alone, and opens it for all when it is answered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final, NamedTuple

_M, _H = 60.0, 3600.0
PLAN: Final[tuple[float, ...]] = (
    5.0, 30.0, 2 * _M, 10 * _M, 30 * _M, 1 * _H, 2 * _H, 5 * _H, 8 * _H, 12 * _H, 18 * _H, 24 * _H,
)  # fmt: skip
"""Seconds between the attempts of one delivery: 13 attempts over 70 hours, before jitter."""
JITTER: Final = 0.2
"""Each wait is longer or shorter by up to this share, so that what failed together does not come back together."""
LONGEST_RETRY_AFTER: Final = timedelta(hours=24)
LONGEST_HOLD: Final = timedelta(hours=1)
"""For so long at the most what a receiver asks for one delivery holds all that it is owed."""
CLOSES_AFTER: Final = 5
"""Failures in a row after which an endpoint is asked by one delivery at a time."""
CLOSED_SECONDS: Final[tuple[float, ...]] = (5.0, 15.0, 30.0, 60.0, 120.0, 300.0)
"""For how long, at the first such failure, the second...; the last goes on."""
DISABLED_AFTER: Final = timedelta(days=3)
"""An endpoint that did not take one event for so long is disabled,"""
DISABLED_AFTER_FAILURES: Final = 20
"""after so many failures: more than one event that it does not take makes, however quiet the site is."""
GONE: Final = 410
_OK = range(200, 300)


class Error(StrEnum):
    """Why an attempt failed, besides what EgressFailed and EgressRefused say of the way there."""

    STATUS = "status"
    GONE = "gone"
    REDIRECT = "redirect"
    UNWRITABLE = "unwritable"
    SEALED = "sealed"
    LOOPBACK = "loopback"
    INTERNAL = "internal"


OURS: Final = frozenset({Error.UNWRITABLE, Error.SEALED, Error.LOOPBACK, Error.INTERNAL})
"""An event that cannot be told, secrets that cannot be opened, a permission for this machine that was taken away,
whatever else broke here: no fault of the receiver's."""


class Result(NamedTuple):
    """What one attempt came to: a status or, where none came, a stable word; and what the receiver asks for."""

    status: int | None
    error: str | None
    retry_after: str | None
    started_at: datetime
    seconds: float

    @property
    def ok(self) -> bool:
        """Whether the receiver has the event."""
        return self.error is None


class Fate(StrEnum):
    """What becomes of a delivery."""

    DELIVERED = "delivered"
    PENDING = "pending"
    DEAD = "dead"


class Health(NamedTuple):
    """An endpoint's failures since its last success, since when, and until when nothing is sent to it.

    What fails together counts until the endpoint is closed and no further; from then on each that asked alone counts.
    """

    failures: int = 0
    failing_since: datetime | None = None
    closed_until: datetime | None = None

    @property
    def is_closed(self) -> bool:
        """Whether one delivery at a time asks if it is back."""
        return self.failures >= CLOSES_AFTER

    def may_be_asked(self, now: datetime) -> bool:
        """Whether anything may be sent to it now."""
        return self.closed_until is None or self.closed_until <= now


def error_of(status: int) -> str | None:
    """Answer why a status is no success: only 2xx is one, and redirects are not followed."""
    if status in _OK:
        return None
    if status == GONE:
        return Error.GONE
    return Error.REDIRECT if 300 <= status < 400 else Error.STATUS


def after_attempt(
    result: Result, *, attempts: int, now: datetime, random: Callable[[], float]
) -> tuple[Fate, datetime | None]:
    """Answer a delivery's fate after its attempt number `attempts` (the first is 1), and when it is tried again."""
    if result.ok:
        return Fate.DELIVERED, None
    if attempts > len(PLAN):
        return Fate.DEAD, None
    wait = timedelta(seconds=PLAN[attempts - 1] * (1 + JITTER * (2 * random() - 1)))
    asked = _asked_wait(result, now)
    # A receiver may ask for more patience than the plan has, not for less.
    return Fate.PENDING, now + max(wait, min(asked, LONGEST_RETRY_AFTER))


def _asked_wait(result: Result, now: datetime) -> timedelta:
    """Read `Retry-After` (RFC 9110): seconds or a date; what is neither asks for nothing."""
    text = (result.retry_after or "").strip()
    if result.status not in (429, 503) or not text:
        return timedelta()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        moment = parsedate_to_datetime(text)
        return max(moment - now, timedelta()) if moment.tzinfo else timedelta()
    except (ValueError, TypeError, OverflowError):
        return timedelta()


def health_after(health: Health, results: Sequence[Result], now: datetime) -> Health:
    """Answer an endpoint's health after attempts that ended together: one success says that it is there.

    A receiver that names a time (`Retry-After`) gets nothing at all before it.
    """
    if not results:
        return health
    after = Health() if any(result.ok for result in results) else _failed(health, results, now)
    if not health.is_closed and health.closed_until is not None and health.closed_until > now:
        # It named that time itself, and what was under way then changes nothing of it.
        after = after._replace(closed_until=max(after.closed_until or health.closed_until, health.closed_until))
    asked = max(_asked_wait(result, now) for result in results)
    if asked > timedelta():
        until = now + min(asked, LONGEST_HOLD)
        after = after._replace(closed_until=max(after.closed_until or until, until))
    return after


def _failed(health: Health, results: Sequence[Result], now: datetime) -> Health:
    if health.is_closed:
        # What was under way when it was closed says nothing new.
        asking = [one for one in results if health.closed_until is None or one.started_at >= health.closed_until]
        if not asking:
            return health
        failures = health.failures + 1
    else:
        failures = min(health.failures + len(results), CLOSES_AFTER)
    closed_until = health.closed_until
    if failures >= CLOSES_AFTER:
        closed_until = now + timedelta(seconds=CLOSED_SECONDS[min(failures - CLOSES_AFTER, len(CLOSED_SECONDS) - 1)])
    # Since the first of them was begun: what it was sent with is kept back by the same outage.
    since = health.failing_since or min(one.started_at for one in results)
    return Health(failures, since, closed_until)


def disabled_reason(health: Health, results: Sequence[Result], now: datetime) -> str | None:
    """Answer why an endpoint is to be disabled after attempts, None while it is not: time alone disables nothing."""
    if any(result.status == GONE for result in results):
        return "gone"
    if not results or health.failing_since is None or health.failures < DISABLED_AFTER_FAILURES:
        return None
    return "failing" if now - health.failing_since >= DISABLED_AFTER else None


REASONS: Final[Mapping[str, str]] = {
    "gone": "The receiver answered 410: it wants no more events.",
    "failing": "The receiver took no event for three days.",
}
