"""What readers and commenters send and are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from moderation.decision import Status
from service.schemas.base import BODY_CHARACTERS, Input, Name, PageKey, ThreadState, Title, Url, UuidText


class AuthorInput(Input, frozen=True):
    """What a guest says of themselves."""

    name: Name


class SubmitComment(Input, frozen=True):
    """A comment or, with `parent_id`, a reply.

    `ticket` and `challenge` are what a form got for it; `website` is a field that no person sees, so who fills it in
    is a program.
    """

    body: Annotated[str, Meta(min_length=1, max_length=BODY_CHARACTERS)]
    parent_id: UuidText | None = None
    author: AuthorInput | None = None
    title: Title | None = None
    url: Url | None = None
    website: Annotated[str, Meta(max_length=500)] | None = None
    ticket: Annotated[str, Meta(max_length=80)] | None = None
    challenge: Annotated[str, Meta(max_length=2000)] | None = None


class EditComment(Input, frozen=True):
    """The new text of an author's own comment; `challenge` as for a new one."""

    body: Annotated[str, Meta(min_length=1, max_length=BODY_CHARACTERS)]
    challenge: Annotated[str, Meta(max_length=2000)] | None = None


class CountsInput(Input, frozen=True):
    """Page keys to count, up to 500."""

    pages: Annotated[list[PageKey], Meta(max_length=500)]


class Author(Struct, frozen=True):
    """Who wrote a comment, as readers see it; the name of a tombstone is null."""

    name: str | None
    kind: Literal["guest", "signed"]
    badges: list[str] = []
    avatar_url: str | None = None
    key: Annotated[
        str | None, Meta(description="The same in all comments of one commenter of the site; says nothing else.")
    ] = None


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
    featured: bool = False
    pinned: bool = False
    replies: list[Comment] = []
    replies_next: str | None = None
    revision: int | UnsetType = UNSET
    reasons: list[ReasonView] | UnsetType = UNSET
    pending_edit: PendingEdit | UnsetType | None = UNSET
    appeal: Literal["open", "upheld", "overturned", "withdrawn"] | UnsetType | None = UNSET


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
    """One page of a thread: roots with their first replies, and the cursor of the next page.

    `pinned` is on the first page alone; what is in it also stands at its place, with its replies.
    """

    thread: ThreadView
    comments: list[Comment]
    next: str | None
    pinned: list[Comment] = []


class LiveComment(Struct, frozen=True):
    """A live event: a comment was published, changed or taken down; pages of this version show it."""

    id: str
    parent_id: str | None
    status: Status
    version: int


class LiveThread(Struct, frozen=True):
    """A live event: how a thread is now."""

    state: ThreadState
    count: int
    version: int


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
