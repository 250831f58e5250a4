"""What the console asks once: how the site is called, why it rejects, what it blurs."""

from __future__ import annotations

from msgspec import Struct

from service.schemas.reading import ReasonView


class DeskView(Struct, frozen=True):
    """What a moderator may know of the site's policy and settings without being its admin."""

    site: str
    name: str
    reasons: list[ReasonView]
    words: list[str]
    blur: bool
    undo_seconds: int
    policy_version: str
