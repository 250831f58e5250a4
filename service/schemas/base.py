"""The checked kinds of text and number that inputs are made of."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from moderation.rules import CODE_PATTERN

PAGE_KEY_CHARACTERS = 512
#: In UTF-8 this many take at most 40,000 bytes, so they fit into a request of MAX_BODY_BYTES as it is by default.
BODY_CHARACTERS = 10_000
NAME_CHARACTERS = 80
DEFAULT_PROMPT = "What is your opinion on this topic?"

# NUL breaks PostgreSQL text; it is refused for every string before these patterns are reached.
# In Python `$` also stands before a last line end; with _END it is the end, as it is in JSON Schema's dialect.
_END = r"$(?!\n)"
NAME_PATTERN = r"\S"
SLUG_PATTERN = r"^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?" + _END
SITE_PATH_PATTERN = r"^[a-z0-9-]{1,63}$"
URL_PATTERN = r"^https?://[^\s/?#]+"
ORIGIN_PATTERN = r"^https?://[^\s/?#]+" + _END
UUID_PATTERN = r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}" + _END
Name = Annotated[str, Meta(min_length=1, max_length=NAME_CHARACTERS, pattern=NAME_PATTERN)]
Slug = Annotated[str, Meta(pattern=SLUG_PATTERN, description="Public key of a site.")]
PageKey = Annotated[str, Meta(min_length=1, max_length=PAGE_KEY_CHARACTERS)]
Title = Annotated[str, Meta(max_length=300)]
Url = Annotated[str, Meta(max_length=2048, pattern=URL_PATTERN)]
Origin = Annotated[str, Meta(max_length=300, pattern=ORIGIN_PATTERN)]
Prompt = Annotated[str, Meta(min_length=1, max_length=300)]
UuidText = Annotated[str, Meta(pattern=UUID_PATTERN, description="A UUID.")]
Reaction = Annotated[
    str, Meta(pattern=r"^[^\W\d_]{1,20}" + _END, description="The word of the readers' reaction: 1 to 20 letters.")
]
Note = Annotated[str, Meta(max_length=2000)]
Code = Annotated[str, Meta(pattern=CODE_PATTERN)]
Sort = Literal["newest", "oldest", "replies", "likes"]
ThreadState = Literal["open", "closed"]


class Input(Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """Base of everything a caller may send."""
