"""What a site does against spam, and what its pages get for it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

from service.schemas.base import Code, Input


class SpamSettings(Input, frozen=True, kw_only=True):
    """What a site does against spam besides its policy's rules.

    `stay_down_reasons`: a text taken down for one of them is known when it comes again. `challenge`: whether guests
    must solve a puzzle; `raised`: only from the network of which `challenge_from` texts came in the last minute.
    """

    stay_down_reasons: Annotated[list[Code], Meta(max_length=50)] = field(
        default_factory=lambda: ["toxicity", "insult", "hate", "threat", "spam"]
    )
    challenge: Literal["never", "raised", "always"] = "never"
    challenge_from: Annotated[int, Meta(ge=1, le=1000)] = 3
    challenge_cost: Annotated[int, Meta(ge=1_000, le=5_000_000, description="Hashes at most; half in the mean.")] = (
        50_000
    )


class SpamInput(SpamSettings, frozen=True, kw_only=True):
    """Settings to put in force; without a new key the one that is there stays while `akismet` is true."""

    akismet: bool = False
    akismet_key: Annotated[str, Meta(min_length=8, max_length=100, pattern=r"^[0-9A-Za-z]+$(?!\n)")] | None = None


class SpamView(SpamSettings, frozen=True, kw_only=True):
    """Settings in force; the key of the outside service is never shown."""

    akismet: bool


class FormTicket(Struct, frozen=True):
    """Given when a form opens, sent back with the comment as `ticket`: it says how long the writing took."""

    ticket: str


class ChallengeView(Struct, frozen=True):
    """A puzzle of the ALTCHA protocol; its solution is sent as `challenge`."""

    challenge: dict[str, Any]
