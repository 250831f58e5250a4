"""What clients of the Perspective API send and are answered, name by name as they know it."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct

#: As long as a text may be there, in bytes of UTF-8.
TEXT_BYTES = 20_480
#: What a client may call a text or a place of its own, in characters.
TOKEN_CHARACTERS = 256

Text = Annotated[str, Meta(description=f"At most {TEXT_BYTES} bytes of UTF-8.")]
Token = Annotated[str, Meta(max_length=TOKEN_CHARACTERS)]
Languages = Annotated[list[Annotated[str, Meta(max_length=35)]], Meta(max_length=100)]


class PerspectiveInput(Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """What is common to all that such a client sends: names in camel case, absent for what is unset."""


class TextEntry(PerspectiveInput, frozen=True):
    """A text; only plain text is read."""

    text: Text = ""
    type: str = ""


class ArticleAndParentComment(PerspectiveInput, frozen=True):
    """What a comment is about: an article, and the comment that it answers."""

    article: TextEntry | None = None
    parent_comment: TextEntry | None = None


class TextContext(PerspectiveInput, frozen=True):
    """What stands around a comment, in one form or the other; no model here reads it."""

    entries: list[TextEntry] = []
    article_and_parent_comment: ArticleAndParentComment | None = None


class RequestedAttribute(PerspectiveInput, frozen=True):
    """How an attribute is wanted: below the threshold it is left out."""

    score_type: str = ""
    score_threshold: float | None = None


class AnalyzeRequest(PerspectiveInput, frozen=True):
    """A comment and what is to be said of it."""

    comment: TextEntry = TextEntry()
    context: TextContext | None = None
    requested_attributes: dict[str, RequestedAttribute] = {}
    languages: Languages = []
    do_not_store: bool = False
    span_annotations: bool = False
    client_token: Token = ""
    session_id: Token = ""
    community_id: Token = ""
    drop_unsupported_attributes: bool = False


class SuggestedScore(PerspectiveInput, frozen=True):
    """A number that a person would have given."""

    value: float | None = None
    type: str = ""


class SuggestedSpan(PerspectiveInput, frozen=True):
    """A number for a part of the text; it is not read, the whole text's is."""

    begin: int = 0
    end: int = 0
    score: SuggestedScore | None = None


class SuggestedAttribute(PerspectiveInput, frozen=True):
    """What a person said of one attribute."""

    summary_score: SuggestedScore | None = None
    span_scores: list[SuggestedSpan] = []


class SuggestRequest(PerspectiveInput, frozen=True):
    """A comment and the scores that a person would have given it."""

    comment: TextEntry = TextEntry()
    context: TextContext | None = None
    attribute_scores: dict[str, SuggestedAttribute] = {}
    languages: Languages = []
    do_not_store: bool = False
    client_token: Token = ""
    session_id: Token = ""
    community_id: Token = ""
    drop_unsupported_attributes: bool = False


class Score(Struct, frozen=True):
    """A number in [0, 1]."""

    value: float
    type: str = "PROBABILITY"


class SpanScore(Struct, frozen=True):
    """The number of a part of the text, [begin, end) in UTF-16 code units."""

    begin: int
    end: int
    score: Score


class AttributeScores(Struct, frozen=True, rename="camel"):
    """What a model said of one attribute."""

    span_scores: list[SpanScore]
    summary_score: Score


class AnalyzeAnswer(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What is said of a comment; what is empty is left out."""

    attribute_scores: dict[str, AttributeScores] = {}
    languages: list[str] = []
    detected_languages: list[str] = []
    client_token: str = ""


class SuggestAnswer(Struct, frozen=True, rename="camel", omit_defaults=True):
    """That a suggestion was kept; what is empty is left out."""

    client_token: str = ""
    detected_languages: list[str] = []
    requested_languages: list[str] = []


class GoogleError(Struct, frozen=True, omit_defaults=True):
    """An error as Google's services tell it."""

    code: int
    message: str
    status: str
    details: list[dict[str, Any]] = []


class GoogleErrorBody(Struct, frozen=True):
    """What stands around it."""

    error: GoogleError


class Forgotten(Struct, frozen=True):
    """How many labels were deleted."""

    deleted: int
