"""What a letter about replies in one thread says: those that can be seen now, with the comment that they answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from moderation.decision import Status
from service.flow.context import Context
from service.flow.mail_body import Block, excerpt
from service.flow.reader_links import Links, article_of
from service.flow.reader_words import Words
from service.store import pages, threads
from service.store.types import Row

#: Replies whose words are in one letter; the rest are counted.
MOST_SHOWN: Final = 20


async def about_replies(
    connection: AsyncConnection, context: Context, site: Row, rows: Sequence[Row], words: Words
) -> tuple[str, list[Block], list[str]] | None:
    """Answer subject, blocks and the mails that are told of; None where nothing of it can be seen any more."""
    replies = {row.id: row for row in await pages.by_ids(connection, site.id, [row.comment_id for row in rows])}
    parents = {
        row.id: row for row in await pages.by_ids(connection, site.id, {one.parent_id for one in replies.values()})
    }
    shown = [row for row in rows if _may_be_told(row, replies.get(row.comment_id), parents)]
    if not shown:
        return None
    told = [replies[row.comment_id] for row in shown]
    thread = (await threads.by_ids(connection, site.id, [told[0].thread_id]))[told[0].thread_id]
    title = thread.title or site.name
    blocks: list[Block] = []
    for reply in told[:MOST_SHOWN]:
        parent = parents[reply.parent_id]
        blocks += [
            Block("text", words("reply_intro", name=_name(reply, words), title=title)),
            Block("quote", excerpt(reply.body or "")),
            Block("small", words("you_wrote", text=_brief(parent.body or ""))),
            Block("link", words("open"), place_of(context, site, thread, reply.id, words)),
        ]
    if len(told) > MOST_SHOWN:
        blocks.append(Block("text", words("more", n=len(told) - MOST_SHOWN)))
    subject = words("reply_subject", name=_name(told[0], words), title=title)
    if len(told) > 1:
        subject = words("replies_subject", n=len(told), title=title)
    return subject, blocks, [row.id for row in shown]


def _may_be_told(row: Row, reply: Row | None, parents: dict[str, Row]) -> bool:
    parent = parents.get(reply.parent_id) if reply is not None else None
    if reply is None or parent is None:
        return False
    published = Status.PUBLISHED.value
    is_ours = parent.commenter_id == row.commenter_id and reply.commenter_id != row.commenter_id
    return bool(is_ours and reply.status == published and parent.status == published)


def place_of(context: Context, site: Row, thread: Row, comment_id: str, words: Words) -> str:
    """Answer where a comment can be read: on the article if it is on the site's own origins, else on our page."""
    article = article_of(site, thread.url, comment_id)
    if article is not None:
        return article
    return f"{Links(context.settings, site.slug, thread.page, words.language).whole()}#c-{comment_id}"


def _name(comment: Row, words: Words) -> str:
    return comment.author_name or words("somebody")


def _brief(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 100 else f"{line[:100].rstrip()} …"
