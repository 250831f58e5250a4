"""What Coral asks and is answered (its external moderation phases), and what an admin says of it.

The names are Coral's own: https://docs.coralproject.net/external-moderation-phases
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from service.schemas.base import Input

CoralFormat = Literal["plain_text", "html"]
CoralSecret = Annotated[str, Meta(min_length=16, max_length=200, pattern=r"^[!-~]+$(?!\n)")]


class CoralComment(Struct, frozen=True):
    """The comment that Coral asks about; its id is not known yet, for it is not kept before it is decided."""

    body: str


class CoralStory(Struct, frozen=True):
    """The story that it is written under."""

    url: str | None = None


class CoralRequest(Struct, frozen=True):
    """What we read of Coral's request; all else, also what later versions add, is passed over."""

    comment: CoralComment
    story: CoralStory = CoralStory()


class CoralFlag(Struct, frozen=True, rename="camel"):
    """A flag that Coral sets, of the two that it lets an external phase set."""

    reason: Literal["COMMENT_DETECTED_TOXIC", "COMMENT_DETECTED_SPAM"]
    action_type: Literal["FLAG"] = "FLAG"


class CoralAnswer(Struct, frozen=True):
    """What Coral does with the comment; without a status it goes on with its own phases, and publishes in the end."""

    actions: list[CoralFlag]
    status: Literal["APPROVED", "PREMOD", "REJECTED"] | UnsetType = UNSET


class CoralSettings(Input, frozen=True, kw_only=True):
    """How a Coral sends comments, and what it is told.

    `format`: as chosen for the phase in Coral. `approves`: what the policy publishes is approved in Coral, so that its
    own pre-moderation and later phases do not hold it, and nobody looks at it; else Coral goes on as it would.
    """

    format: CoralFormat = "plain_text"
    approves: bool = False


class CoralInput(CoralSettings, frozen=True, kw_only=True):
    """Settings to put in force as a whole; without `signing_secrets` those that are there stay.

    They are copied from Coral. More than one while it signs with an old and a new one, or where several Corals ask.
    """

    signing_secrets: Annotated[list[CoralSecret], Meta(min_length=1, max_length=10)] | None = None


class CoralView(CoralSettings, frozen=True, kw_only=True):
    """Settings in force; a secret is never shown. `url` is what Coral asks for as its callback URL."""

    url: str
    signing_secrets: Annotated[int, Meta(description="How many there are.")]
