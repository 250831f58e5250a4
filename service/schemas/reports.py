"""What readers report, what authors appeal against, and what both are answered."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from moderation.decision import Status
from service.schemas.accounts import Email
from service.schemas.base import Input
from service.schemas.reading import Comment, ReasonView
from service.schemas.search import FoundComment

ReportReason = Literal["insult", "hate", "threat", "spam", "off_topic", "privacy", "illegal_content", "other"]
State = Literal["open", "closed"]
ReportOutcome = Literal["taken_down", "kept", "deleted"]
AppealOutcome = Literal["upheld", "overturned", "withdrawn"]
_Words = Annotated[str, Meta(min_length=1, max_length=4000, pattern=r"\S")]


class IllegalContent(Input, frozen=True):
    """A notice of illegal content (Regulation (EU) 2022/2065, Article 16): which law, why, who, and in good faith.

    Name and address are needed unless the matter is sexual abuse or exploitation of a child.
    """

    law: Annotated[str, Meta(min_length=1, max_length=300, pattern=r"\S")]
    explanation: _Words
    good_faith: bool
    name: Annotated[str, Meta(min_length=1, max_length=200, pattern=r"\S")] | None = None
    email: Email | None = None
    child_abuse: bool = False


class ReportInput(Input, frozen=True):
    """What a reader finds wrong with a comment; `illegal` belongs to the reason `illegal_content`, and to it alone."""

    reason: ReportReason
    detail: Annotated[str, Meta(max_length=2000)] | None = None
    illegal: IllegalContent | None = None


class Reported(Struct, frozen=True, omit_defaults=True):
    """The report that was made, or was there before; the token asks what came of it, and is given once."""

    id: str
    token: str | None = None


class ReportView(Struct, frozen=True):
    """A report as its reporter sees it; `text` says what came of it, and `redress` what else can be done."""

    id: str
    comment_id: str
    reason: ReportReason
    state: State
    outcome: ReportOutcome | None
    created_at: datetime
    closed_at: datetime | None
    text: str
    redress: str | None


class NotCounted(Struct, frozen=True):
    """Why a report does not count, as a stable code and a sentence."""

    code: Literal["reporter_restricted", "network_restricted", "counted_before"]
    text: str


class ReportOfComment(Struct, frozen=True, kw_only=True):
    """A report as moderators see it; of who made it only our id, where there is one. `contact`: an address was left.

    `counts` is null once it is answered; `not_counted` says why an open one does not count. `review_item_id` is the
    open item that asks about it; where there is none, the comment's decision answers it.
    """

    id: str
    comment_id: str
    revision: int
    reason: ReportReason
    detail: str | None
    law: str | None
    good_faith: bool
    contact: bool
    commenter_id: str | None
    state: State
    outcome: ReportOutcome | None
    decision_id: str | None
    created_at: datetime
    closed_at: datetime | None
    counts: bool | None
    not_counted: NotCounted | None
    review_item_id: str | None


class ReportDetail(ReportOfComment, frozen=True, kw_only=True):
    """A report with the comment that it is about."""

    comment: FoundComment


class WaitingItem(Struct, frozen=True):
    """An open review item about a comment; a claim with `item_id` in its filter takes it, unless it is `claimed`."""

    item_id: str
    kind: str
    queue: str
    revision: int
    opened_at: datetime
    claimed: bool


class CommentOnDesk(FoundComment, frozen=True, kw_only=True):
    """A comment with what it answers, the open reports about it, and what asks about it, save what is blind."""

    ancestors: list[Comment]
    reports: list[ReportOfComment]
    items: list[WaitingItem]


class ReportList(Struct, frozen=True):
    """Reports, the newest first."""

    reports: list[ReportDetail]
    next: str | None


class AppealInput(Input, frozen=True):
    """Why an author asks to look again."""

    text: _Words


class AppealView(Struct, frozen=True, kw_only=True):
    """An appeal as its author sees it; `answer` is what the person wrote who looked again."""

    id: str
    comment_id: str
    decision_id: str
    revision: int
    text: str | None
    state: State
    outcome: AppealOutcome | None
    answer: str | None
    created_at: datetime
    closed_at: datetime | None


class AppealDetail(AppealView, frozen=True, kw_only=True):
    """An appeal as moderators see it."""

    commenter_id: str
    review_item_id: str | None
    answered_by: str | None
    answered_by_name: str | None
    comment: FoundComment


class AppealList(Struct, frozen=True):
    """Appeals, the newest first."""

    appeals: list[AppealDetail]
    next: str | None


class Restriction(Struct, frozen=True):
    """What was done; `scope` is where it holds."""

    code: Literal["held", "rejected", "removed", "edit_held", "edit_rejected"]
    text: str
    scope: str


class StatementGround(Struct, frozen=True):
    """On what the decision stands: the site's guidelines or a law, and which part."""

    kind: Literal["guideline", "law"]
    clause: str | None
    text: str


class Fact(Struct, frozen=True):
    """One thing that was relied on, with a stable code."""

    code: str
    text: str


class Duration(Struct, frozen=True):
    """How long the restriction lasts; null: until somebody decides otherwise."""

    seconds: int | None
    until: datetime | None
    text: str


class HowToAppeal(Struct, frozen=True):
    """Whether the author may ask to look again, until when and where; and the appeal that there is."""

    possible: bool
    until: datetime | None
    path: str | None
    text: str
    appeal: AppealView | None


class Statement(Struct, frozen=True, kw_only=True):
    """A statement of reasons (Regulation (EU) 2022/2065, Article 17); `text` is all of it in words."""

    comment_id: str
    decision_id: str
    status: Status
    revision: int
    body: str | None
    restriction: Restriction
    decided_at: datetime
    decided_by: Literal["machine", "person", "reports"]
    automated_detection: bool
    automated_decision: bool
    on_notice: bool
    reasons: list[ReasonView]
    ground: StatementGround
    guidelines_version: str | None
    facts: list[Fact]
    duration: Duration
    appeal: HowToAppeal
    redress: str
    text: str
