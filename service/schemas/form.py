"""What a form without scripts sends."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from service.schemas.base import BODY_CHARACTERS, Input, Name, UuidText


class FormComment(Input, frozen=True):
    """A comment as a form sends it; an empty field is none.

    `website`, `ticket` and `parent_id` are those of a comment sent as JSON; `key` tells one sending from another.
    """

    body: Annotated[str, Meta(max_length=BODY_CHARACTERS)]
    name: Name | None = None
    parent_id: UuidText | None = None
    website: Annotated[str, Meta(max_length=500)] | None = None
    ticket: Annotated[str, Meta(max_length=80)] | None = None
    key: UuidText | None = None
    lang: Annotated[str, Meta(max_length=35)] | None = None
