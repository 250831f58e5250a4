"""What is kept and for how long: audit events, retention, erasure, export."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from service.schemas.base import Input


class AuditEvent(Struct, frozen=True):
    """Who did what: one link of the site's chain. `data` is empty once it was erased."""

    id: str
    sequence: int | None
    actor_kind: str
    actor: str | None
    action: str
    subject: str | None
    data: dict[str, Any]
    created_at: datetime
    erased_at: datetime | None
    hash: str | None


class NamedEvent(AuditEvent, frozen=True, kw_only=True):
    """An event with what its actor, and its subject where that is a member or a key, is called; null: nobody knows."""

    actor_name: str | None
    subject_name: str | None


class NamedEvents(Struct, frozen=True):
    """Audit events with names, the newest first."""

    events: list[NamedEvent]
    next: str | None


class AuditActor(Struct, frozen=True):
    """Somebody, or something, that acted on the site or may."""

    actor: str
    kind: str
    name: str | None


class AuditChoices(Struct, frozen=True):
    """What the record can be narrowed to: who acted lately or may act, and which acts there were lately."""

    people: list[AuditActor]
    actions: list[str]


class AuditList(Struct, frozen=True):
    """Audit events, the newest first."""

    events: list[AuditEvent]
    next: str | None


ErasureMode = Literal["anonymise", "remove"]
#: Ten years, which is longer than any reason to keep a reader's text.
Days = Annotated[int, Meta(ge=1, le=3650)]


class Retention(Input, frozen=True):
    """For how many days a site keeps things, and how it erases people; null: for ever."""

    network_hash_days: Days | None = 30
    deleted_text_days: Days | None = 30
    refused_text_days: Days | None = None
    replaced_text_days: Days | None = 90
    outbox_days: Days = 90
    delivery_days: Days = 30
    report_contact_days: Days | None = 180
    suggested_score_days: Days | None = 365
    erasure: ErasureMode = "anonymise"


class RetentionView(Struct, frozen=True):
    """What is in force, and when it was last applied."""

    retention: Retention
    applied_at: datetime | None


class EraseMe(Input, frozen=True):
    """A commenter's wish to be erased; `confirm` guards against a call by mistake."""

    confirm: Literal["erase"]
    mode: ErasureMode | None = None


class EraseCommenter(Input, frozen=True):
    """How a commenter is erased: as the site chooses unless told."""

    mode: ErasureMode | None = None


class Erasure(Struct, frozen=True):
    """What was begun: the identity is gone, and so are all texts when it is finished; the rest follows by itself."""

    commenter_id: str
    mode: ErasureMode
    finished: bool
