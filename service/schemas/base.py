"""The checked kinds of text and number that inputs are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

PAGE_KEY_CHARACTERS = 512
DEFAULT_PROMPT = "What is your opinion on this topic?"

# NUL breaks PostgreSQL text; it is refused for every string before these patterns are reached.
# In Python `$` also stands before a last line end; with _END it is the end, as it is in JSON Schema's dialect.
_END = r"$(?!\n)"
Name = Annotated[str, Meta(min_length=1, max_length=80, pattern=r"\S")]
Slug = Annotated[
    str, Meta(pattern=r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?" + _END, description="Public key of a site.")
]
PageKey = Annotated[str, Meta(min_length=1, max_length=PAGE_KEY_CHARACTERS)]
Title = Annotated[str, Meta(max_length=300)]
Url = Annotated[str, Meta(max_length=2048, pattern=r"^https?://[^\s/?#]+")]
Origin = Annotated[str, Meta(max_length=300, pattern=r"^https?://[^\s/?#]+" + _END)]
Prompt = Annotated[str, Meta(min_length=1, max_length=300)]
UuidText = Annotated[
    str,
    Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}" + _END, description="A UUID."),
]
Note = Annotated[str, Meta(max_length=2000)]
Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,39}" + _END)]
Sort = Literal["newest", "oldest", "replies", "likes"]
ThreadState = Literal["open", "closed"]


class Input(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Base of everything a caller may send."""
