"""What health pages answer."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class PartView(Struct, frozen=True):
    """One part of the installation and whether it works."""

    part: str
    ok: bool
    reason: str | None = None


class Ready(Struct, frozen=True):
    """Whether this process can serve, and what does not work."""

    status: Literal["ready", "degraded", "not_ready"]
    parts: list[PartView]
