"""What moderators send and are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from moderation.decision import Status
from service.schemas.base import Code, Input, Note
from service.schemas.reading import Comment, ReasonView, ThreadView


class ClaimInput(Input, frozen=True):
    """How many items to take, and for how long."""

    limit: Annotated[int, Meta(ge=1, le=50)] = 1
    lease_seconds: Annotated[int, Meta(ge=1, le=3600)] = 300


class LeaseInput(Input, frozen=True):
    """The lease that a claim gave."""

    lease: Annotated[str, Meta(min_length=1, max_length=200)]


class RenewInput(LeaseInput, frozen=True):
    """A lease and how long it shall last from now."""

    lease_seconds: Annotated[int, Meta(ge=1, le=3600)] = 300


class DecideInput(LeaseInput, frozen=True):
    """A moderator's decision on the revision that was read."""

    revision: Annotated[int, Meta(ge=1)]
    action: Literal["approve", "reject"]
    reasons: Annotated[list[Code], Meta(max_length=10)] = field(default_factory=list)
    note: Note | None = None


class ActInput(Input, frozen=True):
    """A moderator's act on a comment that is not in the queue: take a published one down, or bring one back."""

    revision: Annotated[int, Meta(ge=1)]
    action: Literal["remove", "restore"]
    reasons: Annotated[list[Code], Meta(max_length=10)] = field(default_factory=list)
    note: Note | None = None


class Lease(Struct, frozen=True):
    """The time-limited exclusive right to decide an item."""

    token: str
    expires_at: datetime


class QueueView(Struct, frozen=True):
    """How much waits for a person; `depth` counts claimed items too."""

    depth: int
    claimed: int
    oldest_age_seconds: float | None
    pending: int
    degraded: list[str]


class ScoreView(Struct, frozen=True):
    """What a model said of one attribute.

    `window`: of a text longer than the model reads at once, the part that scored highest for its first attribute,
    as [start, end) in characters of the normalised text.
    """

    attribute: str
    value: float
    model_id: str
    calibrated: bool
    window: tuple[int, int] | None = None


class SpanView(Struct, frozen=True):
    """Words that made the score: [start, end) in Unicode code points of the comment's body, 1 the strongest weight."""

    start: int
    end: int
    weight: float


class AuthorRecord(Struct, frozen=True):
    """The author's comments on this site, by status."""

    commenter_id: str
    first_seen_at: datetime
    counts: dict[str, int]


class ReviewItem(Struct, frozen=True):
    """Everything a moderator needs to decide one revision."""

    item_id: str
    kind: str
    opened_at: datetime
    comment: Comment
    revision: int
    thread: ThreadView
    parents: list[Comment]
    scores: list[ScoreView]
    spans: list[SpanView] | None
    causes: list[dict[str, Any]]
    author_record: AuthorRecord
    lease: Lease


class Claimed(Struct, frozen=True):
    """The items one claim took."""

    items: list[ReviewItem]


class DecisionView(Struct, frozen=True):
    """A recorded decision."""

    id: str
    action: str
    actor_kind: str
    actor: str | None
    from_status: Status
    to_status: Status
    revision: int
    reasons: list[ReasonView]
    causes: list[dict[str, Any]]
    policy_version: str | None
    note: str | None
    created_at: datetime


class Decided(Struct, frozen=True):
    """The comment after a decision, and the decision."""

    comment: Comment
    decision: DecisionView


class DecisionList(Struct, frozen=True):
    """Every decision on a comment, the first one first."""

    decisions: list[DecisionView]
