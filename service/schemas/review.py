"""What moderators send and are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from moderation.decision import Status
from service.schemas.base import Code, Input, Note, PageKey, UuidText
from service.schemas.reading import Comment, ReasonView, ThreadView
from service.schemas.review_settings import ItemKind, QueueName, Trust
from service.schemas.sanctions import SanctionInput

LeaseToken = Annotated[str, Meta(min_length=1, max_length=200)]
Hand = Annotated[str, Meta(min_length=32, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]


class ItemFilter(Input, frozen=True):
    """Which items are wanted; of each field that is given the item must have the value."""

    page: PageKey | None = None
    rule: Code | None = None
    attribute: Code | None = None
    language: Annotated[str, Meta(max_length=8)] | None = None
    trust: Trust | None = None
    kind: ItemKind | None = None
    older_than_seconds: Annotated[int, Meta(ge=0, le=31_536_000)] | None = None
    commenter_id: UuidText | None = None
    item_id: UuidText | None = None


class ClaimInput(Input, frozen=True):
    """How many items to take, for how long, and which; without a queue the most pressing of all queues.

    `hand` is a secret of the caller's, another one for each claim. Where no answer came, a later claim that names it in
    `left` takes up first what it took.
    """

    limit: Annotated[int, Meta(ge=1, le=50)] = 1
    lease_seconds: Annotated[int, Meta(ge=1, le=3600)] = 300
    queue: QueueName | None = None
    filter: ItemFilter = field(default_factory=ItemFilter)
    hand: Hand | None = None
    left: Annotated[list[Hand], Meta(max_length=10)] = field(default_factory=list)


class LeaseInput(Input, frozen=True, kw_only=True):
    """The lease that a claim gave."""

    lease: LeaseToken


class EscalateInput(LeaseInput, frozen=True, kw_only=True):
    """A lease, and what the admins should know."""

    note: Note | None = None


class Ground(Input, frozen=True):
    """On what a restriction stands: a law, or the site's guidelines, and which part of it."""

    kind: Literal["law", "guideline"]
    clause: Annotated[str, Meta(min_length=1, max_length=300)] | None = None


class RenewInput(LeaseInput, frozen=True, kw_only=True):
    """A lease and how long it shall last from now."""

    lease_seconds: Annotated[int, Meta(ge=1, le=3600)] = 300


class _Why(Input, frozen=True, kw_only=True):
    reasons: Annotated[list[Code], Meta(max_length=10)] = field(default_factory=list)
    note: Note | None = None
    ground: Ground | None = None


class DecideInput(_Why, frozen=True, kw_only=True):
    """A moderator's decision on the revision that was read; `sanction` restricts its author in the same act."""

    lease: LeaseToken
    revision: Annotated[int, Meta(ge=1)]
    action: Literal["approve", "reject"]
    sanction: SanctionInput | None = None


class ActInput(_Why, frozen=True, kw_only=True):
    """A moderator's act on a comment that is not in the queue: take a published one down, or bring one back.

    `approve` lets a published one stand and answers what is reported of it.
    """

    revision: Annotated[int, Meta(ge=1)]
    action: Literal["approve", "remove", "restore"]
    sanction: SanctionInput | None = None


class ChosenItem(LeaseInput, frozen=True, kw_only=True):
    """One item of many that are decided alike."""

    item_id: UuidText
    revision: Annotated[int, Meta(ge=1)]


class DecideManyInput(_Why, frozen=True, kw_only=True):
    """One decision on several claimed items."""

    items: Annotated[list[ChosenItem], Meta(min_length=1, max_length=50)]
    action: Literal["approve", "reject"]


class Lease(Struct, frozen=True):
    """The time-limited exclusive right to decide an item."""

    token: str
    expires_at: datetime


class OneQueue(Struct, frozen=True):
    """How much waits in one queue; `overdue` is past the time in which it was to be looked at."""

    name: str
    title: str
    depth: int
    claimed: int
    overdue: int
    oldest_age_seconds: float | None
    service_level_seconds: int


class OpenReports(Struct, frozen=True):
    """How many reports are open, and about how many of them no review item asks, since they do not count."""

    open: int
    unasked: int


class QueueView(Struct, frozen=True):
    """How much waits for a person; `depth` counts claimed items too."""

    depth: int
    claimed: int
    oldest_age_seconds: float | None
    pending: int
    degraded: list[str]
    queues: list[OneQueue]
    kinds: dict[str, int]
    reports: OpenReports


class PriorityView(Struct, frozen=True):
    """Why an item is where it is: its priority and the parts that it is the weighted mean of, each in [0, 1].

    `due_at`: by when it is to be looked at, which is also its place; `at_once`: first of all, whatever its parts say.
    """

    value: float
    parts: dict[str, float]
    due_at: datetime | None
    at_once: bool = False


class Escalation(Struct, frozen=True):
    """That a moderator handed an item to the admins; `by_name` is what they are called, null where nobody knows."""

    by: str
    note: str | None
    at: datetime
    by_name: str | None = None


class ReportOnItem(Struct, frozen=True):
    """What a reader found wrong with the comment."""

    id: str
    reason: str
    detail: str | None
    law: str | None
    created_at: datetime


class OpinionView(Struct, frozen=True):
    """What one of two people answered who knew nothing of each other, with the reasons; `name` is for admins alone."""

    action: str
    reasons: list[ReasonView]
    note: str | None
    created_at: datetime
    name: str | None = None


class DecisionView(Struct, frozen=True):
    """A recorded decision; `actor_name` is what a person is called, `opinions` what was thought of it blind."""

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
    ground: str | None = None
    ground_clause: str | None = None
    act_id: str | None = None
    undoes: str | None = None
    actor_name: str | None = None
    opinions: list[OpinionView] = field(default_factory=list)


class AppealOnItem(Struct, frozen=True):
    """What the author says against a decision."""

    id: str
    text: str | None
    created_at: datetime
    decision: DecisionView


class ScoreView(Struct, frozen=True):
    """What a model said of one attribute.

    `window`: the part that scored highest for the model's first attribute, where it was not the whole text, as
    [start, end) in characters of the normalised text.
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


class ReviewItem(Struct, frozen=True, kw_only=True):
    """Everything a moderator needs to decide one revision; of a blind one nothing of what others made of it.

    `opinions` are the two answers that a `disagreement` is about, the first one first, without names.
    """

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
    queue: str
    priority: PriorityView
    blind: bool
    language: str | None
    escalation: Escalation | None
    reports: list[ReportOnItem]
    appeal: AppealOnItem | None
    decisions: list[DecisionView]
    opinions: list[OpinionView]


class Claimed(Struct, frozen=True):
    """The items one claim took."""

    items: list[ReviewItem]


class Decided(Struct, frozen=True):
    """The comment after a decision, the decision, and until when its maker can undo the act; null: not at all."""

    comment: Comment
    decision: DecisionView
    undo_until: datetime | None


class DecidedItem(Struct, frozen=True):
    """What became of the comment of one item."""

    item_id: str
    comment_id: str
    status: Status


class FailedItem(Struct, frozen=True):
    """Why one item was not decided."""

    item_id: str
    code: str
    detail: str


class DecidedMany(Struct, frozen=True):
    """What one act on many items did; those that failed are as they were."""

    act_id: str
    undo_until: datetime
    decided: list[DecidedItem]
    failed: list[FailedItem]


class LeftAsItIs(Struct, frozen=True):
    """A comment that an undo did not touch, and why."""

    comment_id: str
    code: str


class Undone(Struct, frozen=True):
    """What an undo brought back: items that are open again, in the hands of who undid."""

    undone: int
    items: list[ReviewItem]
    left: list[LeftAsItIs]


class Reviewer(Struct, frozen=True):
    """Who looks: the id that records name, and as whom this person writes on the site."""

    actor: str
    name: str
    role: Literal["moderator", "admin"]
    commenter_id: str | None


class ReviewerInput(Input, frozen=True):
    """As whom the caller writes on the site, null for nobody."""

    commenter_id: UuidText | None


class DecisionList(Struct, frozen=True):
    """Every decision on a comment, the first one first."""

    decisions: list[DecisionView]


class LiveEvent(Struct, frozen=True, omit_defaults=True):
    """One server-sent event: what happened, and JSON that says more; `queue` has the counts, the others an item."""

    data: str
    event: str = "message"
    id: str | None = None
    retry: int | None = None
