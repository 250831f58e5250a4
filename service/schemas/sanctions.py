"""Restrictions of commenters, as moderators impose and commenters see them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from service.schemas.base import Code, Input, Note

SanctionKind = Literal["ban", "suspension", "pre_moderation"]


class SanctionInput(Input, frozen=True):
    """A new sanction; `reject_hours`: what the commenter wrote in the last hours is taken down in the same act."""

    kind: SanctionKind
    reason: Code
    note: Note | None = None
    until: datetime | None = None
    reject_hours: Annotated[int, Meta(ge=1, le=168)] | None = None


class LiftInput(Input, frozen=True):
    """The end of a sanction; `restore`: what the act took down comes back where nobody decided since."""

    restore: bool = False


class SanctionView(Struct, frozen=True):
    """A sanction, as moderators see it."""

    id: str
    kind: SanctionKind
    reason: str
    note: str | None
    imposed_by: str
    created_at: datetime
    until: datetime | None
    lifted_at: datetime | None
    lifted_by: str | None
    in_force: bool
    taken_down: int


class SanctionList(Struct, frozen=True):
    """All sanctions of a commenter, the newest first."""

    sanctions: list[SanctionView]


class OwnSanction(Struct, frozen=True):
    """A sanction in force, as the commenter sees it: no note, no name."""

    kind: SanctionKind
    reason: str
    text: str
    created_at: datetime
    until: datetime | None
