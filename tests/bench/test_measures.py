"""The arithmetic of the comparison with others: percentiles, medians over rounds, ratios, and planned arrivals."""

import random
from itertools import islice, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measures import median_of_rounds, mixed, planned, ratio, summary
from bench.report import percentile
from bench.tally import Tally

TIMES = st.lists(st.floats(0, 1e6), min_size=1, max_size=200)


@given(TIMES, st.floats(0.01, 1))
def test_a_percentile_is_the_least_value_that_enough_are_not_above(values: list[float], share: float) -> None:
    """By nearest rank: it is one of the values, and at least this share of them is not above it."""
    found = percentile(values, share)
    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) + 1e-9


def test_a_summary_has_every_percentile_and_the_largest() -> None:
    """Of 1 to 1,000 the percentiles are their own ranks."""
    assert summary([float(value) for value in range(1_000, 0, -1)]) == {
        "number": 1_000,
        "p50_ms": 500.0,
        "p99_ms": 990.0,
        "p999_ms": 999.0,
        "largest_ms": 1_000.0,
    }


def test_a_summary_of_nothing_claims_nothing() -> None:
    """Without a value there is no percentile, rather than one that JSON cannot carry."""
    assert summary([]) == {"number": 0, "p50_ms": None, "p99_ms": None, "p999_ms": None, "largest_ms": None}


def test_rounds_become_the_median_of_each_figure() -> None:
    """A round without a figure does not count for it, and errors add up."""
    rounds: list[dict[str, float | None]] = [
        {"per_second": 10.0, "p50_ms": 1.0, "p99_ms": None, "cpu_us": 5.0, "errors": 0},
        {"per_second": 30.0, "p50_ms": 3.0, "p99_ms": 8.0, "cpu_us": 5.0, "errors": 2},
        {"per_second": 20.0, "p50_ms": 2.0, "p99_ms": 6.0, "cpu_us": 7.0, "errors": 1},
    ]
    found = median_of_rounds(rounds)
    assert found == {
        "per_second": 20.0,
        "p50_ms": 2.0,
        "p99_ms": 7.0,
        "cpu_us": 5.0,
        "decided_per_second": None,
        "errors": 3,
    }


@pytest.mark.parametrize(
    ("value", "other", "wanted"), [(6.0, 3.0, 2.0), (None, 3.0, None), (6.0, None, None), (6.0, 0.0, None)]
)
def test_a_ratio_needs_both(value: float | None, other: float | None, wanted: float | None) -> None:
    """Where one was not measured, or is nothing, nothing is claimed."""
    assert ratio(value, other) == wanted


@given(st.floats(1, 500), st.floats(0.5, 20), st.integers())
def test_arrivals_are_planned_in_order_and_within_the_time(rate: float, seconds: float, seed: int) -> None:
    """The plan knows nothing of answers: it is the same for the same seed, rises, and ends in time."""
    plan = list(planned(rate, seconds, random.Random(seed)))
    assert plan == list(planned(rate, seconds, random.Random(seed)))
    assert plan == sorted(plan)
    assert all(0 < due < seconds for due in plan)


def test_arrivals_have_the_rate_and_the_irregularity_that_are_asked_for() -> None:
    """Of a Poisson process the gaps are as large as their deviation, and as many come as the rate says."""
    plan = list(planned(200, 500, random.Random(1)))
    gaps = [later - earlier for earlier, later in pairwise(plan)]
    mean = sum(gaps) / len(gaps)
    deviation = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert len(plan) == pytest.approx(100_000, rel=0.02)
    assert mean == pytest.approx(1 / 200, rel=0.02)
    assert deviation == pytest.approx(mean, rel=0.02)


def test_kinds_come_as_often_as_their_weight() -> None:
    """Of ten thousand each has its share, about."""
    kinds = list(islice(mixed({"read": 0.9, "submit": 0.1}, random.Random(2)), 10_000))
    assert kinds.count("read") == pytest.approx(9_000, rel=0.02)
    assert kinds.count("submit") == pytest.approx(1_000, rel=0.15)


def test_a_request_belongs_to_the_minute_in_which_it_was_due() -> None:
    """An answer that came late stays with the minute of its plan, and an error is no latency."""
    tally = Tally()
    for due, took in ((1.0, 4.0), (59.9, 70_000.0), (60.1, 2.0)):
        tally.note("read", due, took)
    tally.fail("read", 503)
    assert [(one["minute"], one["kinds"]["read"]["largest_ms"]) for one in tally.minutes()] == [(1, 70_000.0), (2, 2.0)]
    whole = tally.kinds()["read"]
    assert (whole["number"], whole["errors"], whole["statuses"]) == (3, 1, {"503": 1})
    assert tally.answered == 3
