"""What the publisher's systems are told: by webhooks, and by the stream of events that they read."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from moderation.decision import Status
from service.schemas.reading import ReasonView
from service.schemas.sanctions import SanctionKind


class EventThread(Struct, frozen=True):
    """The discussion that an event is about."""

    page: str
    title: str | None
    url: str | None
    state: Literal["open", "closed"]


class EventAuthor(Struct, frozen=True):
    """Who wrote; `subject` is the publisher's own id of an account."""

    commenter_id: str
    kind: str
    name: str | None
    subject: str | None


class EventParent(Struct, frozen=True):
    """The comment that is answered, as it is now, and who is to be told of it."""

    id: str
    status: Status
    author: EventAuthor


class EventComment(Struct, frozen=True):
    """The comment that an event is about; `status` is the one that the event brought. A root has no `parent`."""

    id: str
    parent_id: str | None
    status: Status
    author: EventAuthor
    created_at: datetime
    parent: EventParent | UnsetType = UNSET


class EventRevision(Struct, frozen=True, omit_defaults=True):
    """The text that an event is about: an edit of a published comment has a status of its own, which is that of now.

    `body` and `html` are read when the event is sent, so that what was erased or taken down meanwhile never leaves.
    """

    id: str
    number: int
    status: Status
    language: str | None
    created_at: datetime
    body: str | UnsetType | None = UNSET
    html: str | UnsetType | None = UNSET


class EventCause(Struct, frozen=True):
    """One thing that spoke for a decision: a condition of a rule, or a circumstance that holds by itself."""

    rule: str
    outcome: str
    kind: str
    name: str | None = None
    value: float | None = None
    threshold: float | None = None
    reason: str | None = None
    detail: str | None = None


class EventDecision(Struct, frozen=True):
    """The decision that an event tells of."""

    id: str
    action: str
    actor_kind: str
    actor: str | None
    from_status: Status
    to_status: Status
    reasons: list[ReasonView]
    causes: list[EventCause]
    policy_version: str | None
    model_id: str | None
    created_at: datetime


class EventReview(Struct, frozen=True):
    """The review item that a person decides, and why it is one; `state` is that of now."""

    item_id: str
    kind: str
    state: str
    causes: list[EventCause]


class EventCommenter(Struct, frozen=True, omit_defaults=True):
    """The commenter that an event is about; after an erasure the id alone says who it was, and `mode` what it took."""

    commenter_id: str
    kind: str
    name: str | None
    subject: str | None
    mode: Literal["anonymise", "remove"] | UnsetType = UNSET


class EventSanction(Struct, frozen=True, omit_defaults=True):
    """The sanction that began or ended; `reason` and `until` (null: without an end) only where it began."""

    sanction_id: str
    kind: SanctionKind
    reason: str | UnsetType = UNSET
    until: datetime | UnsetType | None = UNSET


class EventPolicy(Struct, frozen=True):
    """The version of the policy in force now; `page` is null where it is the site's."""

    version: str | None
    page: str | None = None


class EventEndpoint(Struct, frozen=True, omit_defaults=True):
    """The receiver that an event is about; all but the id only where it was disabled."""

    endpoint_id: str
    reason: Literal["gone", "failing"] | UnsetType = UNSET
    dead: int | UnsetType = UNSET
    host: str | UnsetType = UNSET
    description: str | UnsetType = UNSET


class EventQueue(Struct, frozen=True):
    """What waits for a person, and from when on that is too much."""

    state: Literal["crossed", "recovered"]
    depth: int
    oldest_age_seconds: int
    backlog_items: int | None
    backlog_age_seconds: int | None


class EventScorer(Struct, frozen=True, omit_defaults=True):
    """The scorer that failed (`reason`, `failing_since`) or is back (`down_since`)."""

    model_id: str | None
    reason: str | UnsetType | None = UNSET
    failing_since: datetime | UnsetType = UNSET
    down_since: datetime | UnsetType = UNSET


class EventContact(Struct, frozen=True, omit_defaults=True):
    """Who sent a notice of illegal content, so that the publisher can tell them what came of it."""

    name: str | UnsetType = UNSET
    email: str | UnsetType = UNSET


class EventReport(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a reader found wrong; `contact` only in the webhook of `report.closed`, and only where it was left."""

    report_id: str
    reason: str
    state: Literal["open", "closed"]
    outcome: Literal["taken_down", "kept", "deleted"] | None
    detail: str | None
    law: str | None
    created_at: datetime
    contact: EventContact | UnsetType = UNSET


class EventAppeal(Struct, frozen=True, kw_only=True):
    """What an author says against the decision `decision_id`, and the answer."""

    appeal_id: str
    decision_id: str
    state: Literal["open", "closed"]
    outcome: Literal["upheld", "overturned", "withdrawn"] | None
    text: str | None
    answer: str | None
    created_at: datetime


class EventData(Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The `data` of an event: the version of its form, the site, and the parts that its kind carries."""

    version: int
    site: str
    thread: EventThread | UnsetType = UNSET
    comment: EventComment | UnsetType = UNSET
    revision: EventRevision | UnsetType = UNSET
    decision: EventDecision | UnsetType = UNSET
    review: EventReview | UnsetType = UNSET
    commenter: EventCommenter | UnsetType = UNSET
    sanction: EventSanction | UnsetType = UNSET
    policy: EventPolicy | UnsetType = UNSET
    endpoint: EventEndpoint | UnsetType = UNSET
    queue: EventQueue | UnsetType = UNSET
    scorer: EventScorer | UnsetType = UNSET
    report: EventReport | UnsetType = UNSET
    appeal: EventAppeal | UnsetType = UNSET


class EventBody(Struct, frozen=True):
    """The body of a webhook; the event's id is the header `webhook-id`."""

    type: str
    timestamp: datetime
    data: EventData


class StreamedEvent(Struct, frozen=True):
    """An event of the stream; `id` is the same as a webhook's `webhook-id`."""

    id: str
    type: str
    timestamp: datetime
    data: EventData


class EventList(Struct, frozen=True):
    """Events in the order in which they were committed, and the cursor to go on from; it is never null."""

    events: list[StreamedEvent]
    next: str
