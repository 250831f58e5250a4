"""What follows from a change of status in a tree of comments: counters, tombstones, the thread's count.

A comment is *visible* while it is published, or while a visible reply hangs under it (then it is a tombstone).
`reply_count` counts published direct replies; `visible_replies` counts visible ones and decides tombstones. The rules
are pure and hold for any sequence of changes; a recount must always give the same numbers (promise 8).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from moderation.decision import Status


@dataclass(slots=True)
class Standing:
    """Where one comment stands; a mutable copy of its row for the length of a transaction."""

    id: str
    parent_id: str | None
    path: str
    status: Status
    status_by_person: bool
    shown_revision: int | None
    visible: bool
    visible_replies: int
    reply_count: int
    edited_at: datetime | None = None
    deleted_at: datetime | None = None

    def values(self) -> dict[str, Any]:
        """Answer the columns to write."""
        return {
            "id": self.id,
            "status": self.status.value,
            "status_by_person": self.status_by_person,
            "shown_revision": self.shown_revision,
            "visible": self.visible,
            "visible_replies": self.visible_replies,
            "reply_count": self.reply_count,
            "edited_at": self.edited_at,
            "deleted_at": self.deleted_at,
        }


@dataclass(slots=True)
class Standings:
    """Comments of one thread with all their ancestors, and the change of the thread's count so far."""

    nodes: dict[str, Standing]
    published_delta: int = 0
    seen_by_readers: bool = False
    changed: dict[str, Standing] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: Iterable[Standing]) -> Standings:
        """Gather comments; every ancestor of each must be among them."""
        return cls({node.id: node for node in nodes})

    def set_status(self, comment_id: str, status: Status, *, by_person: bool) -> None:
        """Change a comment's status and everything that follows from it."""
        node = self.nodes[comment_id]
        was_published, node.status, node.status_by_person = node.status is Status.PUBLISHED, status, by_person
        self.changed[node.id] = node
        delta = int(status is Status.PUBLISHED) - int(was_published)
        self.seen_by_readers |= delta != 0 or node.visible
        if delta:
            self.published_delta += delta
            self._count_in_parent(node, delta)
        self._settle(node)

    def show(self, comment_id: str, revision: int, *, edited_at: datetime | None) -> None:
        """Make a revision the one that readers see."""
        node = self.nodes[comment_id]
        node.shown_revision = revision
        node.edited_at = edited_at or node.edited_at
        self.changed[node.id] = node
        self.seen_by_readers |= node.visible

    def _count_in_parent(self, node: Standing, delta: int) -> None:
        if node.parent_id is not None:
            parent = self.nodes[node.parent_id]
            parent.reply_count += delta
            self.changed[parent.id] = parent

    def _settle(self, node: Standing) -> None:
        """Carry a change of visibility up to the first ancestor whose own does not change."""
        while node.visible != (visible := node.status is Status.PUBLISHED or node.visible_replies > 0):
            node.visible = visible
            self.changed[node.id] = node
            if node.parent_id is None:
                return
            parent = self.nodes[node.parent_id]
            parent.visible_replies += 1 if visible else -1
            self.changed[parent.id] = parent
            node = parent
