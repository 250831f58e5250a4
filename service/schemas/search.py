"""What moderators find: comments with where they stand, threads with their counts, notes about commenters."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from service.schemas.base import Input
from service.schemas.reading import Comment, ThreadView
from service.schemas.review import ScoreView


class FoundComment(Comment, frozen=True, kw_only=True):
    """A comment as moderators see it, with its author's id, its thread and what the model said of its latest text."""

    commenter_id: str
    thread: ThreadView
    scores: list[ScoreView]


class FoundComments(Struct, frozen=True):
    """Comments, the newest first; a page may hold fewer than were asked for while `next` says that there are more."""

    comments: list[FoundComment]
    next: str | None


class ModeratedThread(ThreadView, frozen=True, kw_only=True):
    """A thread and how many comments it has in each status that occurs."""

    id: str
    created_at: datetime
    counts: dict[str, int]


class ModeratedThreads(Struct, frozen=True):
    """Threads, the newest first."""

    threads: list[ModeratedThread]
    next: str | None


class NoteInput(Input, frozen=True):
    """What moderators shall know of a commenter."""

    text: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"\S")]


class NoteView(Struct, frozen=True):
    """A note about a commenter; `name` is the member's who wrote it, null where that one is gone."""

    id: str
    actor: str
    name: str | None
    text: str
    created_at: datetime


class NoteList(Struct, frozen=True):
    """Notes about a commenter, the newest first."""

    notes: list[NoteView]
