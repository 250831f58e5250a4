"""What an author says and reads about mail; the address itself is never told again."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from service.schemas.base import _END, Input

MailTopic = Literal["replies", "decisions", "all"]
MailState = Literal["none", "waiting", "confirmed"]


class MailInput(Input, frozen=True):
    """Which mail an author wants, and where to; without an address what is wanted of the known one is changed."""

    replies: bool
    decisions: bool
    email: Annotated[str, Meta(min_length=6, max_length=254)] | None = None
    locale: Annotated[
        str, Meta(max_length=35, pattern=r"^[A-Za-z]{2,3}(?:-[A-Za-z0-9]{1,8})*" + _END, description="A tag of BCP 47.")
    ] = "en"


class MailView(Struct, frozen=True):
    """Whether there is an address, and what is sent to it."""

    state: MailState
    replies: bool
    decisions: bool
