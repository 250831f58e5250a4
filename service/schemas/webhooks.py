"""Receivers of events, and what was sent to each."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from service.egress import Failure
from service.schemas.base import Input, Url, UuidText

WEBHOOK_SECRET_OVERLAP_SECONDS = 86_400
EventPattern = Annotated[str, Meta(min_length=1, max_length=60)]
EventPatterns = Annotated[list[EventPattern], Meta(min_length=1, max_length=50)]
CustomHeaders = Annotated[
    dict[str, str], Meta(max_length=10, description="Names (RFC 9110) up to 100 characters, values up to 1,000.")
]
Description = Annotated[str, Meta(max_length=300)]
Overlap = Annotated[int, Meta(ge=0, le=604_800, description="For how long the old secrets go on signing beside it.")]
EndpointStatus = Literal["active", "paused", "disabled"]
DeliveryState = Literal["pending", "delivered", "dead", "cancelled"]
WaitsFor = Literal["endpoint", "earlier"]
#: Why an attempt failed, or (`endpoint.…`) why there is none any more.
DeliveryError = Literal[
    Failure, "gone", "redirect", "unwritable", "sealed", "loopback", "internal", "refused.url", "refused.userinfo",
    "refused.scheme", "refused.port", "refused.address", "endpoint.gone", "endpoint.failing",
]  # fmt: skip


class WebhookInput(Input, frozen=True):
    """A receiver of events; `headers` are sent with each, and their values are not shown again."""

    url: Url
    events: EventPatterns
    description: Description = ""
    headers: CustomHeaders = field(default_factory=dict)


class WebhookChange(Input, frozen=True):
    """What to change of a receiver; absent fields stay. `active` enables one that was disabled."""

    url: Url | UnsetType = UNSET
    events: EventPatterns | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    headers: CustomHeaders | UnsetType = UNSET
    status: Literal["active", "paused"] | UnsetType = UNSET


class SecretView(Struct, frozen=True):
    """A secret that signs, without the secret; `expires_at` is null for the newest."""

    id: str
    created_at: datetime
    expires_at: datetime | None


class WebhookView(Struct, frozen=True, kw_only=True):
    """A receiver of events and how it fares; `reason`: why it is disabled, `closed_until`: when it is asked again."""

    id: str
    url: str
    events: list[str]
    description: str
    header_names: list[str]
    status: EndpointStatus
    reason: str | None
    failures: int
    failing_since: datetime | None
    closed_until: datetime | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    pending: int
    dead: int
    secrets: list[SecretView]
    created_at: datetime


class WebhookCreated(WebhookView, frozen=True, kw_only=True):
    """A new receiver; the only time its secret is shown."""

    secret: str


class WebhookList(Struct, frozen=True):
    """The receivers of a site."""

    webhooks: list[WebhookView]


class RotateInput(Input, frozen=True):
    """A wish for a new secret."""

    overlap_seconds: Overlap = WEBHOOK_SECRET_OVERLAP_SECONDS


class SecretCreated(Struct, frozen=True):
    """A new secret, shown this once; until `old_until` the old ones sign too."""

    id: str
    secret: str
    old_until: datetime


class ToldComment(Struct, frozen=True):
    """The comment that an event is about, as it is now: who wrote it, under which page, and how it begins."""

    id: str
    author_name: str | None
    page: str
    text: str | None


class DeliveryView(Struct, frozen=True, kw_only=True):
    """One event owed to one receiver, which is told by its address and its description.

    `waits_for` says what keeps a pending one back: the `endpoint`, which fails or is paused, or an `earlier` event of
    the same comment. `next_attempt_at` is null where nobody can say when, and while an attempt is under way.
    """

    id: str
    event_id: str
    event_type: str
    comment_id: str | None
    state: DeliveryState
    attempts: int
    waits_for: WaitsFor | None
    next_attempt_at: datetime | None
    last_status: int | None
    last_error: DeliveryError | None
    created_at: datetime
    finished_at: datetime | None
    endpoint_id: str
    endpoint_url: str
    endpoint_description: str
    comment: ToldComment | None


class AttemptView(Struct, frozen=True):
    """One POST: the receiver's status or, where there was none, a stable word for what went wrong."""

    number: int
    started_at: datetime
    milliseconds: int
    status: int | None
    error: DeliveryError | None


class DeliveryDetail(DeliveryView, frozen=True, kw_only=True):
    """One delivery with every attempt."""

    attempts_made: list[AttemptView]


class DeliveryList(Struct, frozen=True):
    """Deliveries of a receiver, those of the newest events first."""

    deliveries: list[DeliveryView]
    next: str | None


class ReplayInput(Input, frozen=True):
    """Which events to send once more; all that is given must hold. One of the first three is needed.

    `since` also finds events that the receiver was never owed, as of the time when it was disabled or not there.
    """

    since: datetime | None = None
    states: Annotated[list[DeliveryState], Meta(min_length=1, max_length=4)] | None = None
    delivery_ids: Annotated[list[UuidText], Meta(min_length=1, max_length=1000)] | None = None
    until: datetime | None = None
    types: EventPatterns | None = None
    comment_id: UuidText | None = None
    after: Annotated[str, Meta(max_length=20)] | None = None


class Replayed(Struct, frozen=True):
    """How many events will be sent once more; `next` is for `after` of another call where there are more."""

    deliveries: int
    next: str | None


class Alerts(Input, frozen=True):
    """From when on too much waits for a person, and `queue.backlog` says so; null: never."""

    backlog_items: Annotated[int, Meta(ge=1, le=1_000_000)] | None = 100
    backlog_age_seconds: Annotated[int, Meta(ge=60, le=31_536_000)] | None = 14_400
