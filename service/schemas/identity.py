"""How a publisher's accounts are known, and what is answered about commenters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, Struct, field

from service.schemas.base import Input
from service.schemas.sanctions import OwnSanction

ALGORITHMS = ("HS256", "RS256", "ES256", "EdDSA")
Algorithm = Literal["HS256", "RS256", "ES256", "EdDSA"]
Badge = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9-]{0,30}$(?!\n)", description="A word that readers see.")]


class IdentityInput(Input, frozen=True):
    """How the publisher signs its accounts' tokens: with a shared secret (HS256), or with keys that a URL serves."""

    issuer: Annotated[str, Meta(min_length=1, max_length=300)]
    audience: Annotated[str, Meta(min_length=1, max_length=300)]
    algorithm: Algorithm
    secret: Annotated[str, Meta(min_length=32, max_length=512)] | None = None
    jwks_url: Annotated[str, Meta(max_length=2048)] | None = None
    leeway_seconds: Annotated[int, Meta(ge=0, le=120)] = 30
    longest_seconds: Annotated[int, Meta(ge=60, le=2_678_400)] = 86_400
    badges: Annotated[dict[str, Badge], Meta(max_length=50, description="Badge for each role of a token.")] = field(
        default_factory=dict
    )


class IdentityView(Struct, frozen=True):
    """What is in force; a secret is never shown again."""

    issuer: str
    audience: str
    algorithm: Algorithm
    has_secret: bool
    jwks_url: str | None
    leeway_seconds: int
    longest_seconds: int
    badges: dict[str, str]


class OutcomeCounts(Struct, frozen=True):
    """How many comments of somebody have each status."""

    published: int = 0
    pending: int = 0
    held: int = 0
    rejected: int = 0
    removed: int = 0
    deleted: int = 0


class Me(Struct, frozen=True):
    """A commenter, as they see themselves."""

    id: str
    kind: Literal["guest", "signed"]
    name: str | None
    avatar_url: str | None
    verified: bool
    badges: list[str]
    first_seen_at: datetime
    comments: OutcomeCounts
    sanctions: list[OwnSanction]


class CommenterProfile(Struct, frozen=True):
    """A commenter, as moderators see them."""

    id: str
    kind: Literal["guest", "signed"]
    name: str | None
    avatar_url: str | None
    verified: bool
    badges: list[str]
    trusted: bool
    first_seen_at: datetime
    last_seen_at: datetime | None
    comments: OutcomeCounts
    rejected_share: float | None


class CommenterChange(Input, frozen=True):
    """What a moderator may set: a trusted commenter is past the rules for newcomers."""

    trusted: bool


class AuthorToken(Struct, frozen=True):
    """A fresh author token; those before it go on working, or end, as was asked."""

    author_token: str


class NewToken(Input, frozen=True):
    """A wish for a fresh token."""

    end_others: bool = False


def is_https_url(url: str) -> bool:
    """Answer whether a text is an absolute https URL that may stand in an attribute of a page."""
    if not url.isprintable() or any(sign in url for sign in " \"'<>\\`"):
        return False
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
