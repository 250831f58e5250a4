"""The arithmetic of the benchmarks against others: medians over rounds, ratios, percentiles, and planned arrivals."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from bench.report import percentile

FIGURES = ("per_second", "p50_ms", "p99_ms", "cpu_us", "decided_per_second")


def median_of_rounds(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Answer each figure's median over the rounds that have it, None where none has, and the sum of the errors."""
    found: dict[str, Any] = {}
    for name in FIGURES:
        known = [one[name] for one in rounds if one.get(name) is not None]
        found[name] = median(known) if known else None
    return found | {"errors": sum(one["errors"] for one in rounds)}


def ratio(value: float | None, other: float | None) -> float | None:
    """Answer how many times as large as the other it is; None without both."""
    return value / other if value is not None and other else None


def summary(milliseconds: Sequence[float]) -> dict[str, Any]:
    """Answer how many there are and their percentiles by nearest rank; None where there are none."""
    names = {"p50_ms": 0.5, "p99_ms": 0.99, "p999_ms": 0.999}
    found = {name: percentile(milliseconds, share) if milliseconds else None for name, share in names.items()}
    return {"number": len(milliseconds), **found, "largest_ms": max(milliseconds, default=None)}


def planned(rate: float, seconds: float, chosen: random.Random) -> Iterator[float]:
    """Yield when requests are due, in seconds from the start: at random (Poisson), `rate` of them a second."""
    due = chosen.expovariate(rate)
    while due < seconds:
        yield due
        due += chosen.expovariate(rate)


def mixed(weights: Mapping[str, float], chosen: random.Random) -> Iterator[str]:
    """Yield kinds without end, each as often as its weight says."""
    kinds, shares = list(weights), list(weights.values())
    while True:
        yield from chosen.choices(kinds, shares, k=1_000)
