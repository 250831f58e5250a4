"""What the publisher's systems are told: by webhooks, and by the stream of events that they read."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from moderation.decision import Status
from service.schemas.reading import ReasonView


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


class EventComment(Struct, frozen=True):
    """The comment that an event is about; `status` is the one that the event brought."""

    id: str
    parent_id: str | None
    status: Status
    author: EventAuthor
    created_at: datetime


class EventRevision(Struct, frozen=True, omit_defaults=True):
    """The text that an event is about: an edit of a published comment has a status of its own.

    `body` and `html` are read when the event is sent, so that what was erased or taken down meanwhile never leaves.
    """

    id: str
    number: int
    status: Status
    language: str | None
    created_at: datetime
    body: str | UnsetType | None = UNSET
    html: str | UnsetType | None = UNSET


class EventDecision(Struct, frozen=True):
    """The decision that an event tells of."""

    id: str
    action: str
    actor_kind: str
    actor: str | None
    from_status: Status
    to_status: Status
    reasons: list[ReasonView]
    causes: list[dict[str, Any]]
    policy_version: str | None
    model_id: str | None
    created_at: datetime


class EventReview(Struct, frozen=True):
    """The review item that a person decides, and why it is one."""

    item_id: str
    kind: str
    state: str
    causes: list[dict[str, Any]]


class EventCommenter(Struct, frozen=True):
    """The commenter that an event is about; after an erasure the id alone says who it was."""

    commenter_id: str
    kind: str
    name: str | None
    subject: str | None


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
    sanction: dict[str, Any] | UnsetType = UNSET
    policy: dict[str, Any] | UnsetType = UNSET
    endpoint: dict[str, Any] | UnsetType = UNSET
    queue: dict[str, Any] | UnsetType = UNSET
    scorer: dict[str, Any] | UnsetType = UNSET


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
