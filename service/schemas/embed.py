"""What a widget asks of a site beside its comments, and what readers do to comments of others."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from service.schemas.base import BODY_CHARACTERS, Input, PageKey
from service.schemas.reading import Comment, ReasonView
from service.schemas.reports import ReportReason


class EmbedView(Struct, frozen=True):
    """What a widget must know of a site before anybody writes; `reaction` is null where readers have none."""

    name: str
    guests_allowed: bool
    body_min_characters: int
    body_max_characters: int
    max_depth: int
    edit_window_seconds: int
    reaction: str | None
    second_chance: bool
    report_reasons: list[ReportReason]
    challenge: bool
    mail: bool


class Liked(Struct, frozen=True, omit_defaults=True):
    """How many like a comment now; the token is given once, to a new guest."""

    likes: Annotated[int, Meta(ge=0)]
    author_token: str | None = None


class OwnView(Struct, frozen=True):
    """What is the author's own in a thread: comments that others do not see so, what they like, and their key.

    `comments` are in every status but published and deleted, or have a `pending_edit`.
    """

    comments: list[Comment]
    liked: list[str]
    author_key: str | None


class PreviewInput(Input, frozen=True):
    """A text to see as it would be shown."""

    body: Annotated[str, Meta(min_length=1, max_length=BODY_CHARACTERS)]


class Previewed(Struct, frozen=True):
    """What the sanitiser makes of a text."""

    html: str


class UnsentText(Input, frozen=True):
    """A text that its author has not sent, and the page that it would be sent to."""

    body: Annotated[str, Meta(min_length=1, max_length=BODY_CHARACTERS)]
    page: PageKey | None = None


class SecondThoughts(Struct, frozen=True):
    """Whether a text would not be published for its words, the reasons, and where in `body` the words stand."""

    concern: bool
    reasons: list[ReasonView]
    words: Annotated[list[tuple[int, int]], Meta(description="[begin, end) in Unicode code points of the body.")]
