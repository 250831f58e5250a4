"""How a site looks at comments: in which order, in which queues, and how much of it twice."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, field

from service.schemas.base import Code, Input, Name, PageKey

_END = r"$(?!\n)"
DEFAULT_REDRESS = (
    "You can also turn to a certified out-of-court dispute settlement body (Article 21 of the Digital Services Act), "
    "or to a court."
)
QueueName = Annotated[str, Meta(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?" + _END)]
Weight = Annotated[float, Meta(ge=0, le=10)]
Share = Annotated[float, Meta(ge=0, le=1)]
ServiceLevel = Annotated[int, Meta(ge=60, le=2_592_000, description="Seconds in which an item is to be looked at.")]
ItemKind = Literal["held", "post_moderation", "reported", "appealed", "sampled", "second_opinion", "disagreement"]
Trust = Literal["guest", "signed", "trusted"]


class PriorityWeights(Input, frozen=True):
    """How much each part counts for an item's priority, which is their weighted mean; all 0: the oldest first."""

    uncertainty: Weight = 1.0
    severity: Weight = 1.0
    reports: Weight = 1.0
    audience: Weight = 0.5


class Route(Input, frozen=True):
    """Which items a queue takes: those for which every list that is given has the item's value."""

    kinds: Annotated[list[ItemKind], Meta(max_length=10)] | None = None
    rules: Annotated[list[Code], Meta(max_length=50)] | None = None
    attributes: Annotated[list[Code], Meta(max_length=20)] | None = None
    languages: Annotated[list[Annotated[str, Meta(pattern=r"^[a-z]{2,3}" + _END)]], Meta(max_length=50)] | None = None
    trust: Annotated[list[Trust], Meta(max_length=3)] | None = None
    pages: Annotated[list[PageKey], Meta(max_length=200)] | None = None


class QueueSetting(Input, frozen=True):
    """A queue of its own, for what its route takes."""

    name: QueueName
    title: Name
    when: Route = field(default_factory=Route)
    service_level_seconds: ServiceLevel | None = None


class ReviewSettings(Input, frozen=True):
    """How a site's comments are reviewed.

    An item goes to the first queue that takes it, else to `default`. `sample_share` of what the machine published or
    rejected is looked at blind; so is `second_opinion_share` of what a person decided, by another one. An act can be
    undone for `undo_seconds`. So many different readers as `reports_hold_from` take a comment out of sight until a
    person has looked (0: never). `redress` tells authors and reporters what they can do beside an appeal.
    """

    priority: PriorityWeights = field(default_factory=PriorityWeights)
    service_level_seconds: ServiceLevel = 3600
    queues: Annotated[list[QueueSetting], Meta(max_length=20)] = field(default_factory=list)
    undo_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 300
    sample_share: Share = 0.0
    second_opinion_share: Share = 0.0
    blur: bool = True
    reports_hold_from: Annotated[int, Meta(ge=0, le=1000)] = 3
    appeal_days: Annotated[int, Meta(ge=0, le=3650)] = 180
    redress: Annotated[str, Meta(min_length=1, max_length=1000)] = DEFAULT_REDRESS
