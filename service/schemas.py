"""Every struct that crosses the wire. Input structs refuse unknown fields and hold no server-owned field."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from moderation.decision import Status

PAGE_KEY_CHARACTERS = 512
DEFAULT_PROMPT = "What is your opinion on this topic?"

# NUL breaks PostgreSQL text; it is refused for every string before these patterns are reached.
Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"\S")]
Slug = Annotated[str, Meta(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$", description="Public key of a site.")]
PageKey = Annotated[str, Meta(min_length=1, max_length=PAGE_KEY_CHARACTERS)]
Title = Annotated[str, Meta(max_length=300)]
Url = Annotated[str, Meta(max_length=2048, pattern=r"^https?://[^\s/?#]+")]
Origin = Annotated[str, Meta(max_length=300, pattern=r"^https?://[^\s/?#]+$")]
Prompt = Annotated[str, Meta(min_length=1, max_length=300)]
UuidText = Annotated[
    str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", description="A UUID.")
]
Note = Annotated[str, Meta(max_length=2000)]
Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Sort = Literal["newest", "oldest", "replies", "likes"]
ThreadState = Literal["open", "closed"]


class Input(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Base of everything a caller may send."""


# Readers and commenters -------------------------------------------------------------------------------------------


class AuthorInput(Input, frozen=True):
    """What a guest says of themselves."""

    name: Name


class SubmitComment(Input, frozen=True):
    """A comment or, with `parent_id`, a reply."""

    body: Annotated[str, Meta(min_length=1, max_length=50_000)]
    parent_id: UuidText | None = None
    author: AuthorInput | None = None
    title: Title | None = None
    url: Url | None = None


class EditComment(Input, frozen=True):
    """The new text of an author's own comment."""

    body: Annotated[str, Meta(min_length=1, max_length=50_000)]


class CountsInput(Input, frozen=True):
    """Page keys to count, up to 500."""

    pages: Annotated[list[PageKey], Meta(max_length=500)]


class Author(Struct, frozen=True):
    """Who wrote a comment, as readers see it; the name of a tombstone is null."""

    name: str | None
    kind: Literal["guest", "signed"]
    badges: list[str] = []


class ReasonView(Struct, frozen=True):
    """A stable code and a sentence."""

    code: str
    text: str


class Comment(Struct, frozen=True, omit_defaults=False):
    """One comment. `body` is the text as written, `html` what the server made safe; both are null on a tombstone."""

    id: str
    parent_id: str | None
    author: Author
    body: str | None
    html: str | None
    created_at: datetime
    edited_at: datetime | None
    status: Status
    reply_count: int
    likes: int
    replies: list[Comment] = []
    replies_next: str | None = None
    revision: int | UnsetType = UNSET
    reasons: list[ReasonView] | UnsetType = UNSET
    pending_edit: PendingEdit | UnsetType | None = UNSET


class PendingEdit(Struct, frozen=True):
    """An edit of a published comment that is not decided yet, or was refused: its author and moderators see it."""

    body: str | None
    status: Status
    reasons: list[ReasonView]


class SubmittedComment(Struct, frozen=True, omit_defaults=True):
    """The answer to a submit; the token is given once, to a new guest."""

    comment: Comment
    author_token: str | None = None


class ThreadView(Struct, frozen=True):
    """The thread under a page, as readers see it."""

    page: str
    title: str | None
    prompt: str
    url: str | None
    state: ThreadState
    count: int
    version: int


class ThreadPage(Struct, frozen=True):
    """One page of a thread: roots with their first replies, and the cursor of the next page."""

    thread: ThreadView
    comments: list[Comment]
    next: str | None


class CommentWithAncestors(Struct, frozen=True):
    """One comment and what it answers, the root first."""

    comment: Comment
    ancestors: list[Comment]


class CommentList(Struct, frozen=True):
    """A page of comments and the cursor of the next."""

    comments: list[Comment]
    next: str | None


class Counts(Struct, frozen=True):
    """Published comments by page key."""

    counts: dict[str, int]


# Review -----------------------------------------------------------------------------------------------------------


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
    reasons: Annotated[list[Code], Meta(max_length=10)] = []
    note: Note | None = None


class ActInput(Input, frozen=True):
    """A moderator's act on a comment that is not in the queue: take a published one down, or bring one back."""

    revision: Annotated[int, Meta(ge=1)]
    action: Literal["remove", "restore"]
    reasons: Annotated[list[Code], Meta(max_length=10)] = []
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
    """What a model said of one attribute."""

    attribute: str
    value: float
    model_id: str
    calibrated: bool


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


# Admin ------------------------------------------------------------------------------------------------------------


class SiteInput(Input, frozen=True):
    """A new site."""

    slug: Slug
    name: Name
    allowed_origins: Annotated[list[Origin], Meta(max_length=100)] = []
    prompt: Prompt = DEFAULT_PROMPT
    guests_allowed: bool = True
    body_min_characters: Annotated[int, Meta(ge=1, le=1000)] = 1
    body_max_characters: Annotated[int, Meta(ge=1, le=50_000)] = 5_000
    max_depth: Annotated[int, Meta(ge=0, le=20, description="Levels under a root; 0: no replies.")] = 8
    edit_window_seconds: Annotated[int, Meta(ge=0, le=31_536_000)] = 900
    duplicate_window_seconds: Annotated[int, Meta(ge=0, le=86_400)] = 60


class SiteChange(Input, frozen=True):
    """What to change of a site; absent fields stay."""

    name: Name | UnsetType = UNSET
    allowed_origins: Annotated[list[Origin], Meta(max_length=100)] | UnsetType = UNSET
    prompt: Prompt | UnsetType = UNSET
    guests_allowed: bool | UnsetType = UNSET
    body_min_characters: Annotated[int, Meta(ge=1, le=1000)] | UnsetType = UNSET
    body_max_characters: Annotated[int, Meta(ge=1, le=50_000)] | UnsetType = UNSET
    max_depth: Annotated[int, Meta(ge=0, le=20)] | UnsetType = UNSET
    edit_window_seconds: Annotated[int, Meta(ge=0, le=31_536_000)] | UnsetType = UNSET
    duplicate_window_seconds: Annotated[int, Meta(ge=0, le=86_400)] | UnsetType = UNSET
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


class MemberView(Struct, frozen=True):
    """A member of a site."""

    id: str
    name: str
    role: str
    created_at: datetime
    disabled_at: datetime | None


class MemberList(Struct, frozen=True):
    """The members of a site."""

    members: list[MemberView]


Scope = Literal["review", "threads", "admin"]


class KeyInput(Input, frozen=True):
    """A new API token; of a member, or of one of the publisher's systems."""

    name: Name
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=3)]
    member_id: UuidText | None = None
    expires_at: datetime | None = None


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


class KeyCreated(Struct, frozen=True):
    """A new API token; the only time its secret is shown."""

    key: KeyView
    token: str


class KeyList(Struct, frozen=True):
    """The API tokens of a site."""

    keys: list[KeyView]


# Operations -------------------------------------------------------------------------------------------------------


class PartView(Struct, frozen=True):
    """One part of the installation and whether it works."""

    part: str
    ok: bool
    reason: str | None = None


class Ready(Struct, frozen=True):
    """Whether this process can serve, and what does not work."""

    status: Literal["ready", "degraded", "not_ready"]
    parts: list[PartView]
