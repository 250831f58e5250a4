"""The figures of the dashboard, and what another policy would have decided."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from msgspec import Struct


class DayFigures(Struct, frozen=True):
    """One day in UTC: comments that were written, and decisions that brought a comment into a status."""

    day: date
    submitted: int
    published: int
    held: int
    rejected: int
    removed: int


class DecidedFigures(Struct, frozen=True):
    """Decisions that published or rejected a comment, by a machine and by people; the share is null of none."""

    machine: int
    people: int
    machine_share: float | None


class WaitingTimes(Struct, frozen=True):
    """How long items of one queue waited until they were decided; nearest rank."""

    queue: str
    decided: int
    p50_seconds: float
    p90_seconds: float


class ModeratorFigures(Struct, frozen=True):
    """What one member decided; `name` is null where the member is not known any more."""

    actor: str
    name: str | None
    decisions: int
    actions: dict[str, int]


class Share(Struct, frozen=True):
    """A share of so many, with its Wilson 95 % interval; all three are null of none."""

    of: int
    number: int
    share: float | None
    low: float | None
    high: float | None


class SampleFigures(Struct, frozen=True):
    """Of what the machine decided and a person looked at blind: the share that the person decided otherwise."""

    published_wrongly: Share
    rejected_wrongly: Share


class Stats(Struct, frozen=True, rename={"first": "from", "last": "to"}):
    """The figures of a site from a day to a day, both in it."""

    first: date
    last: date
    days: list[DayFigures]
    decided: DecidedFigures
    waiting: list[WaitingTimes]
    moderators: list[ModeratorFigures]
    second_opinions: Share
    sample: SampleFigures


Verdict = Literal["publish", "hold", "reject"]


class OutcomeFigures(Struct, frozen=True):
    """How many of the comments would go which way."""

    publish: int = 0
    hold: int = 0
    reject: int = 0


class PreviewChange(Struct, frozen=True):
    """A comment that would be decided otherwise, and why."""

    comment_id: str
    excerpt: str
    before: Verdict
    after: Verdict
    causes: list[dict[str, Any]]


class PolicyPreview(Struct, frozen=True):
    """What a policy would have made of the newest comments that have scores, beside the one in force.

    `unknown`: signals of the policies that cannot be known afterwards, so that their conditions did not match.
    """

    of: int
    before: OutcomeFigures
    after: OutcomeFigures
    changed: list[PreviewChange]
    changed_count: int
    unknown: list[str]
    skipped: int
