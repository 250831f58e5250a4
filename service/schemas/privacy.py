"""What is kept and for how long: audit events, retention, erasure, export."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct


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


class AuditList(Struct, frozen=True):
    """Audit events, the newest first."""

    events: list[AuditEvent]
    next: str | None
