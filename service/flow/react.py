"""A reader likes a comment, or no more. Likes turn the thread's version at most once in a while (decision 0023)."""

from __future__ import annotations

from moderation.decision import Status
from service import schemas
from service.errors import Problem
from service.flow import live_news, transition
from service.flow.context import Context
from service.flow.identify import Commenter, add_guest, new_guest
from service.flow.sanctions import refuse_restricted
from service.store import reactions, threads
from service.store.types import Row

_BATCH = 100
#: Batches of an erasure that one call does; the sweep does what is left.
_AT_ONCE = 10


async def like(context: Context, site: Row, commenter: Commenter | None, comment_id: str) -> schemas.Liked:
    """Let a reader like a published comment of somebody else; once more changes nothing. A guest is given a token."""
    if site.reaction is None:
        raise Problem("reaction.off", "The site has no reactions.")
    if commenter is None and not site.guests_allowed:
        raise Problem("guests.refused", "Sign in to like comments here.")
    # Made before the transaction: after it nothing that can fail may stand between the commit and the answer.
    reader, token = commenter, None
    if reader is None:
        reader = new_guest(context, None)
        token = await context.author_tokens.issue(site.id, reader.commenter_id, reader.generation, now=context.now())
    async with context.database.writing(pages_stay=True) as connection:
        comment = await transition.locked_comment(connection, site.id, comment_id)
        if comment.status != Status.PUBLISHED.value:
            raise Problem("comment.unknown", "Readers see no comment with this id.")
        if comment.commenter_id == reader.commenter_id:
            raise Problem("reaction.own", "This is your own comment.")
        now = context.now()
        if commenter is not None:
            await refuse_restricted(connection, site, reader.commenter_id, now=now)
        else:
            await add_guest(connection, site.id, reader, now)
        row = {
            "id": context.new_id(), "thread_id": comment.thread_id, "comment_id": comment_id,
            "commenter_id": reader.commenter_id, "created_at": now,
        }  # fmt: skip
        likes = await reactions.add(connection, site.id, row)
        is_first = likes != comment.likes and await threads.turn_by_likes(
            connection, site.id, comment.thread_id, now=now
        )
    _tell_turn(context, comment.thread_id, is_first=is_first)
    return schemas.Liked(likes, token)


async def take_back(context: Context, site: Row, commenter: Commenter, comment_id: str) -> None:
    """Take a like back; none is no error."""
    async with context.database.writing(pages_stay=True) as connection:
        comment = await transition.locked_comment(connection, site.id, comment_id)
        taken = await reactions.take_back(connection, site.id, comment_id, commenter.commenter_id)
        is_first = taken and await threads.turn_by_likes(connection, site.id, comment.thread_id, now=context.now())
    _tell_turn(context, comment.thread_id, is_first=is_first)


def _tell_turn(context: Context, thread_id: str, *, is_first: bool) -> None:
    """Let pages that are kept learn when their likes have their turn; once for all the likes until then."""
    if is_first:
        context.fanout.touch(live_news.thread_topic(thread_id))


async def forget_likes(context: Context, site_id: str, commenter_id: str) -> bool:
    """Take away what an erased commenter likes, batch by batch, up to a bound; answer whether none is left."""
    for _ in range(_AT_ONCE):
        async with context.database.writing() as connection:
            rows = await reactions.some_of(connection, site_id, commenter_id, limit=_BATCH)
            if not rows:
                return True
            await threads.lock(connection, {row.thread_id for row in rows})
            for thread_id in await reactions.forget(connection, site_id, [row.id for row in rows]):
                await threads.turn_by_likes(connection, site_id, thread_id, now=context.now())
    return False
