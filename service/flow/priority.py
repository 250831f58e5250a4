"""Where an item stands in the queue: a time by which it is to be looked at, the sooner the more pressing it is.

An item that came at t with the priority p in [0, 1] and the service level L gets the order t + L * (1 - p); the lowest
comes first. The order never changes while the item waits, so Redis can keep it, and still nothing starves: behind an
item stand only items that came later than its own order, and before it at most what came within L after it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from service import schemas
from service.flow.review_settings import DEFAULT, service_level_of

_MANY_REPORTS: Final = 3.0
_LARGE_THREAD: Final = 1000


class Facts(NamedTuple):
    """What is known of an item that makes it pressing, or sends it to a queue."""

    kind: str
    page: str
    scores: Mapping[str, float]
    rule: str | None
    attribute: str | None
    language: str | None
    trust: str
    reports: int = 0
    published_in_thread: int = 0
    at_once: bool = False


class Place(NamedTuple):
    """Where an item stands and why."""

    queue: str
    order_key: float
    due_at: datetime
    priority: dict[str, Any]


def place_of(facts: Facts, settings: schemas.ReviewSettings, opened_at: datetime) -> Place:
    """Answer the place of an item that was opened at a time."""
    queue = _queue_of(facts, settings)
    return place_in(queue, facts, settings, opened_at)


def place_in(queue: str, facts: Facts, settings: schemas.ReviewSettings, opened_at: datetime) -> Place:
    """Answer the place of an item in a queue that is chosen already."""
    parts, level = _parts(facts), service_level_of(settings, queue)
    value = 1.0 if facts.at_once else _mean(parts, settings.priority)
    priority = {"value": round(value, 4), "parts": parts, "reports": facts.reports}
    if facts.at_once:
        priority["at_once"] = True
    due_at = opened_at + timedelta(seconds=level * (1 - value))
    return Place(queue, opened_at.timestamp() + level * (1 - value), due_at, priority)


def _parts(facts: Facts) -> dict[str, float]:
    highest = max(facts.scores.values(), default=0.0)
    # Of a score that decides, a half is the least certain.
    uncertainty = max((1 - abs(2 * value - 1) for value in facts.scores.values()), default=1.0)
    reports = 1 - math.exp(-facts.reports / _MANY_REPORTS)
    audience = min(1.0, math.log1p(facts.published_in_thread) / math.log1p(_LARGE_THREAD))
    named = {"uncertainty": uncertainty, "severity": highest, "reports": reports, "audience": audience}
    return {name: round(value, 4) for name, value in named.items()}


def _mean(parts: Mapping[str, float], weights: schemas.PriorityWeights) -> float:
    total = sum(getattr(weights, name) for name in parts)
    return sum(value * getattr(weights, name) for name, value in parts.items()) / total if total else 0.0


def _queue_of(facts: Facts, settings: schemas.ReviewSettings) -> str:
    return next((queue.name for queue in settings.queues if _takes(queue.when, facts)), DEFAULT)


def _takes(route: schemas.Route, facts: Facts) -> bool:
    asked: Iterable[tuple[list[Any] | None, str | None]] = (
        (route.kinds, facts.kind),
        (route.rules, facts.rule),
        (route.attributes, facts.attribute),
        (route.languages, facts.language),
        (route.trust, facts.trust),
        (route.pages, facts.page),
    )
    return all(wanted is None or value in wanted for wanted, value in asked)
