"""What search engines read of a thread: schema.org's DiscussionForumPosting with its comments, as JSON-LD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from service import schemas
from service.flow.reader_words import Words, stamp
from service.store.types import Row


def of_page(
    site: Row, thread: Row | None, page: schemas.ThreadPage, words: Words, *, article: str | None, whole: str
) -> dict[str, Any]:
    """Answer a page of a thread; what was deleted is left out, and what answers it stands in its place."""
    address = article or whole
    return {
        "@context": "https://schema.org",
        "@type": "DiscussionForumPosting",
        "@id": whole,
        "url": address,
        "headline": page.thread.title or page.thread.prompt,
        "text": page.thread.prompt,
        "author": {"@type": "Organization", "name": site.name},
        "datePublished": stamp(thread.created_at if thread is not None else site.created_at),
        "commentCount": page.thread.count,
        "interactionStatistic": {
            "@type": "InteractionCounter",
            "interactionType": "https://schema.org/CommentAction",
            "userInteractionCount": page.thread.count,
        },
        "comment": _comments(page.comments, words, address),
    }


def _comments(comments: Sequence[schemas.Comment], words: Words, address: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for comment in comments:
        under = _comments(comment.replies, words, address)
        found += [_comment(comment, words, address, under)] if comment.body is not None else under
    return found


def _comment(comment: schemas.Comment, words: Words, address: str, under: list[dict[str, Any]]) -> dict[str, Any]:
    changed = {"dateModified": stamp(comment.edited_at)} if comment.edited_at else {}
    return {
        "@type": "Comment",
        "url": f"{address.partition('#')[0]}#c-{comment.id}",
        "text": comment.body,
        "datePublished": stamp(comment.created_at),
        **changed,
        "author": {"@type": "Person", "name": comment.author.name or words("guest")},
        "upvoteCount": comment.likes,
        **({"comment": under} if under else {}),
    }
