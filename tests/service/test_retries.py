"""The plan of attempts, by the clock and without waiting: how long, how often, and what a receiver may ask for."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.webhooks.retries import (
    CLOSED_SECONDS,
    CLOSES_AFTER,
    DISABLED_AFTER,
    DISABLED_AFTER_FAILURES,
    JITTER,
    LONGEST_HOLD,
    LONGEST_RETRY_AFTER,
    PLAN,
    Fate,
    Health,
    Result,
    after_attempt,
    disabled_reason,
    error_of,
    health_after,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def failed(status: int | None = 500, retry_after: str | None = None, *, at: datetime = NOW) -> Result:
    """An attempt that failed, begun at a time."""
    return Result(status, error_of(status) if status else "timeout", retry_after, at, 0.1)


OK = Result(204, None, None, NOW, 0.1)


@pytest.mark.parametrize(("sample", "hours"), [(0.0, 56.6), (0.5, 70.7), (1.0, 84.9)])
def test_the_whole_plan_takes_about_three_days(sample: float, hours: float) -> None:
    """A receiver that always fails is asked 13 times over 57 to 85 hours, each wait longer than the one before."""
    now, waits = NOW, []
    for attempts in range(1, 100):
        fate, again_at = after_attempt(failed(), attempts=attempts, now=now, random=lambda: sample)
        if fate is Fate.DEAD:
            break
        assert fate is Fate.PENDING
        assert again_at is not None
        waits.append(again_at - now)
        now = again_at
    assert attempts == len(PLAN) + 1 == 13
    assert waits == sorted(waits)
    assert (now - NOW).total_seconds() / 3600 == pytest.approx(hours, abs=0.1)


@given(st.integers(1, len(PLAN)), st.floats(0, 1))
def test_every_wait_is_near_its_plan(attempts: int, sample: float) -> None:
    """Jitter changes a wait by a fifth at the most."""
    _, again_at = after_attempt(failed(), attempts=attempts, now=NOW, random=lambda: sample)
    assert again_at is not None
    assert abs((again_at - NOW).total_seconds() / PLAN[attempts - 1] - 1) <= JITTER + 1e-6


@given(st.integers(1, len(PLAN)), st.floats(0, 1))
def test_a_success_ends_it(attempts: int, sample: float) -> None:
    """Whenever it comes."""
    assert after_attempt(OK, attempts=attempts, now=NOW, random=lambda: sample) == (Fate.DELIVERED, None)


@pytest.mark.parametrize(
    ("status", "text", "seconds"),
    [
        (429, "120", 120),
        (503, " 120 ", 120),
        (503, format_datetime(NOW + timedelta(minutes=3), usegmt=True), 180),
        (503, "999999999999999999999", LONGEST_RETRY_AFTER.total_seconds()),
        (503, "1", 5),
        (503, "-5", 5),
        (503, "soon", 5),
        (503, "\u0663\u0660", 5),
        (503, format_datetime(NOW - timedelta(days=1), usegmt=True), 5),
        (503, "Wed, 25 Nov 2026 99:99:99 GMT", 5),
        (500, "120", 5),
        (503, "", 5),
        (503, None, 5),
    ],
)
def test_retry_after_is_obeyed(status: int, text: str | None, seconds: float) -> None:
    """Seconds or a date of a 429 or 503 lengthen a wait up to a day and never shorten it; all else is nothing."""
    _, again_at = after_attempt(failed(status, text), attempts=1, now=NOW, random=lambda: 0.5)
    assert again_at == NOW + timedelta(seconds=seconds)


@given(st.text(max_size=40))
def test_any_retry_after_is_borne(text: str) -> None:
    """Whatever a receiver writes there, the delivery is tried again within the bounds."""
    fate, again_at = after_attempt(failed(503, text), attempts=1, now=NOW, random=lambda: 0.5)
    assert fate is Fate.PENDING
    assert again_at is not None
    assert timedelta(seconds=4) <= again_at - NOW <= LONGEST_RETRY_AFTER


@pytest.mark.parametrize(
    ("status", "error"), [(200, None), (204, None), (299, None), (301, "redirect"), (410, "gone"), (404, "status")]
)
def test_only_a_2xx_is_a_success(status: int, error: str | None) -> None:
    """A redirect is not followed, 410 ends the endpoint, and all else is tried again."""
    assert error_of(status) == error


def test_an_endpoint_that_fails_in_a_row_is_closed_for_longer_and_longer() -> None:
    """After five failures one delivery at a time asks; a success opens it for all."""
    health, now = Health(), NOW
    for _ in range(CLOSES_AFTER - 1):
        health = health_after(health, [failed()], now)
    assert not health.is_closed
    assert health.may_be_asked(now)
    for seconds in (*CLOSED_SECONDS, CLOSED_SECONDS[-1]):
        health = health_after(health, [failed(at=now)], now)
        assert health.is_closed
        assert health.closed_until == now + timedelta(seconds=seconds)
        assert not health.may_be_asked(now)
        now = health.closed_until
        assert health.may_be_asked(now)
    assert health.failing_since == NOW
    assert health_after(health, [failed(), OK], now) == Health()


def test_what_was_under_way_together_closes_it_once() -> None:
    """Ten failures at the same time close it for the first wait, not for the tenth."""
    health = health_after(Health(), [failed()] * 10, NOW)
    assert health.closed_until == NOW + timedelta(seconds=CLOSED_SECONDS[0])


@pytest.mark.parametrize("apart", [0.0, 0.004])
def test_what_was_under_way_when_it_closed_does_not_close_it_for_longer(apart: float) -> None:
    """Ten that fail one a moment after the other are one failure; so is the first that asked: a blip of seconds."""
    health, now = Health(), NOW
    for _ in range(10):
        health = health_after(health, [failed()], now)
        now += timedelta(seconds=apart)
    assert health.closed_until is not None
    assert (health.closed_until - NOW).total_seconds() == pytest.approx(CLOSED_SECONDS[0], abs=0.1)
    asked_at = health.closed_until
    health = health_after(health, [failed(at=asked_at)], asked_at)
    assert health.closed_until == asked_at + timedelta(seconds=CLOSED_SECONDS[1])


@pytest.mark.parametrize(("before", "others"), [(Health(), []), (Health(), [OK]), (Health(10, NOW), [])])
def test_an_endpoint_that_asks_for_patience_gets_it(before: Health, others: list[Result]) -> None:
    """Retry-After holds all that it is owed, also where something else arrived; for an hour at the most."""
    assert health_after(before, [failed(429, "600"), *others], NOW).closed_until == NOW + timedelta(minutes=10)
    assert health_after(before, [failed(503, "100000"), *others], NOW).closed_until == NOW + LONGEST_HOLD


def test_an_endpoint_is_disabled_for_410_or_days_of_failure() -> None:
    """Not a moment sooner, and a success begins anew."""
    assert disabled_reason(Health(1, NOW), [failed(410)], NOW) == "gone"
    many = DISABLED_AFTER_FAILURES
    assert disabled_reason(Health(many, NOW), [failed()], NOW + DISABLED_AFTER - timedelta(seconds=1)) is None
    assert disabled_reason(Health(many, NOW), [failed()], NOW + DISABLED_AFTER) == "failing"
    assert disabled_reason(Health(), [OK], NOW + DISABLED_AFTER) is None
    assert disabled_reason(Health(many, NOW), [], NOW + DISABLED_AFTER) is None


def test_a_quiet_endpoint_is_not_disabled_for_one_event() -> None:
    """Two failures with ten days of silence between them, or a whole plan for one event, are no dead receiver."""
    health = health_after(Health(), [failed()], NOW)
    later = NOW + timedelta(days=10)
    health = health_after(health, [failed(at=later)], later)
    assert disabled_reason(health, [failed()], later) is None
    for day in range(len(PLAN) - 1):
        now = later + timedelta(days=day + 1)
        health = health_after(health, [failed(at=now)], now)
        assert disabled_reason(health, [failed()], now) is None
