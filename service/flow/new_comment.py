"""The rows of a comment that comes in, and what its author is answered before anybody decided."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from moderation.decision import Status
from service import schemas
from service.flow.identify import Commenter


class Sent(NamedTuple):
    """How a text came: the hash of its network, and what was noticed while it was sent."""

    network_hash: str | None
    facts: Mapping[str, Any]


NOTHING_NOTICED = Sent(None, {})


def new_comment(
    site_id: str,
    thread_id: str,
    body: str,
    html: str,
    parent_id: str | None,
    author: Commenter,
    path: str,
    comment_id: str,
    revision_id: str,
    body_hash: str,
    now: datetime,
    sent: Sent,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Answer the rows of a comment and its first revision."""
    comment = {
        "id": comment_id,
        "site_id": site_id,
        "thread_id": thread_id,
        "parent_id": parent_id,
        "commenter_id": author.commenter_id,
        "path": path,
        "author_name": author.name,
        "author_kind": author.kind,
        "author_shown": shown_of(author),
        "author_key": author.key,
        "status": Status.PENDING.value,
        "latest_revision": 1,
        "created_at": now,
    }
    return comment, new_revision(site_id, comment_id, revision_id, 1, body, html, body_hash, now, sent)


def shown_of(author: Commenter) -> dict[str, Any] | None:
    """Answer what readers see of an account beside its name, None for nothing."""
    shown = {"badges": list(author.badges), "avatar_url": author.avatar_url}
    return {name: value for name, value in shown.items() if value} or None


def new_revision(
    site_id: str,
    comment_id: str,
    revision_id: str,
    number: int,
    body: str,
    html: str,
    body_hash: str,
    now: datetime,
    sent: Sent,
) -> dict[str, Any]:
    """Answer the row of an unscored revision."""
    return {
        "id": revision_id,
        "site_id": site_id,
        "comment_id": comment_id,
        "number": number,
        "body": body,
        "html": html,
        "body_hash": body_hash,
        "network_hash": sent.network_hash,
        "submission": dict(sent.facts) or None,
        "status": Status.PENDING.value,
        "created_at": now,
    }


def pending_view(comment: dict[str, Any], revision: dict[str, Any]) -> schemas.Comment:
    """Answer what the author sees of a comment that was just committed."""
    return schemas.Comment(
        id=comment["id"],
        parent_id=comment["parent_id"],
        author=schemas.Author(
            comment["author_name"],
            comment["author_kind"],
            key=comment["author_key"],
            **(comment["author_shown"] or {}),
        ),
        body=revision["body"],
        html=revision["html"],
        created_at=comment["created_at"],
        edited_at=None,
        status=Status.PENDING,
        reply_count=0,
        likes=0,
        revision=1,
        reasons=[],
        pending_edit=None,
        appeal=None,
    )
