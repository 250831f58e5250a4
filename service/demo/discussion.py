"""An invented discussion of a missile decision: what readers write, and what a fair person would do with each."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec

PAGE: Final = "https://news.example/opinion/should-we-send-the-long-range-missiles"
TITLE: Final = "Should we send the long-range missiles?"
PATH: Final = "/demo/missiles.html"
"""Where the demo shows the article with this discussion."""
_FILE: Final = Path(__file__).parent / "discussion.json"
#: A comment that was refused at the door is as little to be read as one that was rejected.
_ACT_OF: Final[Mapping[str, str]] = {
    "published": "publish",
    "held": "hold",
    "rejected": "reject",
    "removed": "reject",
    "refused": "reject",
}


class Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one reader writes; `expected` is publish, hold or reject, or two of them with `or` between."""

    id: str
    author: str
    parent: str | None
    expected: str
    text: str


def load() -> list[Said]:
    """Answer the discussion in its order, in which a comment comes before what answers it."""
    return msgspec.json.decode(_FILE.read_bytes(), type=list[Said])


def agrees(expected: str, outcome: str) -> bool:
    """Answer whether a person would have done what became of a comment."""
    return _ACT_OF.get(outcome) in expected.split(" or ")
