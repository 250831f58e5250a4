"""What admins and the publisher's systems send and are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from service.schemas.accounts import Email
from service.schemas.base import (
    BODY_CHARACTERS,
    DEFAULT_PROMPT,
    Input,
    Name,
    Origin,
    PageKey,
    Prompt,
    Reaction,
    Slug,
    ThreadState,
    Title,
    Url,
    UuidText,
)


class SiteInput(Input, frozen=True):
    """A new site."""

    slug: Slug
    name: Name
    allowed_origins: Annotated[list[Origin], Meta(max_length=100)] = field(default_factory=list)
    prompt: Prompt = DEFAULT_PROMPT
    guests_allowed: bool = True
    body_min_characters: Annotated[int, Meta(ge=1, le=1000)] = 1
    body_max_characters: Annotated[int, Meta(ge=1, le=BODY_CHARACTERS)] = 5_000
    max_depth: Annotated[int, Meta(ge=0, le=20, description="Levels under a root; 0: no replies.")] = 8
    edit_window_seconds: Annotated[int, Meta(ge=0, le=31_536_000)] = 900
    duplicate_window_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 60
    reaction: Reaction | None = "like"
    second_chance: bool = False


class SiteChange(Input, frozen=True):
    """What to change of a site; absent fields stay."""

    name: Name | UnsetType = UNSET
    allowed_origins: Annotated[list[Origin], Meta(max_length=100)] | UnsetType = UNSET
    prompt: Prompt | UnsetType = UNSET
    guests_allowed: bool | UnsetType = UNSET
    body_min_characters: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
    body_max_characters: Annotated[int, Meta(ge=1, le=BODY_CHARACTERS)] | UnsetType = UNSET
    max_depth: Annotated[int, Meta(ge=0, le=20)] | UnsetType = UNSET
    edit_window_seconds: Annotated[int, Meta(ge=0, le=31_536_000)] | UnsetType = UNSET
    duplicate_window_seconds: Annotated[int, Meta(ge=0, le=86_400)] | UnsetType = UNSET
    reaction: Reaction | UnsetType | None = UNSET
    second_chance: bool | UnsetType = UNSET
    emergency_pre_moderation: bool | UnsetType = UNSET


class SiteView(Struct, frozen=True):
    """A site, as its admins see it."""

    slug: str
    name: str
    allowed_origins: list[str]
    prompt: str
    guests_allowed: bool
    body_min_characters: int
    body_max_characters: int
    max_depth: int
    edit_window_seconds: int
    duplicate_window_seconds: int
    reaction: str | None
    second_chance: bool
    emergency_pre_moderation: bool
    policy_version: str
    created_at: datetime


class SiteList(Struct, frozen=True):
    """The sites the caller may administer."""

    sites: list[SiteView]


class ThreadInput(Input, frozen=True):
    """A thread made by the publisher before its first comment."""

    page: PageKey
    title: Title | None = None
    prompt: Prompt | None = None
    url: Url | None = None
    closes_at: datetime | None = None


class ThreadChange(Input, frozen=True):
    """What to change of a thread; absent fields stay, null clears."""

    title: Title | UnsetType | None = UNSET
    prompt: Prompt | UnsetType | None = UNSET
    url: Url | UnsetType | None = UNSET
    state: ThreadState | UnsetType = UNSET
    closes_at: datetime | UnsetType | None = UNSET


class ThreadMove(Input, frozen=True):
    """Where a thread goes; when that page has a thread, both become one. The old page key keeps working."""

    to_page: PageKey
    url: Url | None = None


class AdminThread(Struct, frozen=True):
    """A thread, as the publisher's systems see it."""

    page: str
    pages: list[str]
    title: str | None
    prompt: str | None
    url: str | None
    state: ThreadState
    closes_at: datetime | None
    count: int
    version: int
    policy_version: str | None
    created_at: datetime


class PolicyView(Struct, frozen=True):
    """The policy in force and its version."""

    version: str
    policy: dict[str, Any]
    overrides_thread: bool = False


class MemberInput(Input, frozen=True):
    """A person who moderates or administers a site."""

    name: Name
    role: Literal["moderator", "admin"]
    email: Email | None = None


class MemberView(Struct, frozen=True):
    """A member of a site; `pending` until the invitation, which is answered once, was taken."""

    id: str
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None
    email: str | None = None
    pending: bool = False
    invitation: str | None = None


class MemberList(Struct, frozen=True):
    """The members of a site."""

    members: list[MemberView]


#: How often a key with the scope `analyze` may ask for scores, unless it was told otherwise.
PER_MINUTE = 600
PerMinute = Annotated[int, Meta(ge=1, le=1_000_000, description="Texts that may be scored in a minute.")]
ScoreScale = Literal["perspective", "probability"]
Scope = Literal["review", "threads", "events", "admin", "analyze"]


class KeyInput(Input, frozen=True):
    """A new API token; of a member, or of one of the publisher's systems."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=5)]
    member_id: UuidText | None = None
    expires_at: datetime | None = None
    per_minute: PerMinute = PER_MINUTE
    may_store: Annotated[bool, Meta(description="Whether texts that are sent with a label may be kept.")] = False
    scale: ScoreScale = "perspective"


class KeyView(Struct, frozen=True):
    """An API token without its secret."""

    id: str
    name: str
    scopes: list[str]
    member_id: str | None
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    per_minute: int = PER_MINUTE
    may_store: bool = False
    scale: str = "perspective"


class KeyCreated(Struct, frozen=True):
    """A new API token; the only time its secret is shown."""

    key: KeyView
    token: str


class KeyList(Struct, frozen=True):
    """The API tokens of a site."""

    keys: list[KeyView]
