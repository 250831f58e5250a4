"""What the links in letters do, without a sign-in: looking at them changes nothing, their buttons do."""

from __future__ import annotations

from typing import NamedTuple

from service.errors import Problem
from service.flow.context import Context
from service.flow.identify import hash_token
from service.flow.mail_tokens import is_confirmation, read_unsubscribing
from service.schemas import MailTopic
from service.store import mail_addresses, sites
from service.store.types import Row


class Asked(NamedTuple):
    """Whom a link is about, as the page must know it; None where nothing is sent to them any more."""

    site: Row
    address: Row


async def find_confirmation(context: Context, token: str) -> Asked:
    """Answer what a link would confirm, or raise mail.link_over."""
    if is_confirmation(context.box, token):
        async with context.database.reading() as connection:
            row = await mail_addresses.by_token(connection, hash_token(token), now=context.now())
            if row is not None and row.state != mail_addresses.DISABLED:
                return Asked(await sites.by_id(connection, row.site_id), row)
    raise _over()


async def confirm(context: Context, token: str) -> Asked:
    """Let an address count from now on; once more is the same."""
    asked = await find_confirmation(context, token)
    values = {"state": mail_addresses.CONFIRMED, "confirmed_at": asked.address.confirmed_at or context.now()}
    async with context.database.writing() as connection:
        # One that was replaced, forgotten or refused meanwhile stays so.
        row = await mail_addresses.by_token(connection, hash_token(token), now=context.now(), hold=True)
        if row is None or row.state == mail_addresses.DISABLED:
            raise _over()
        await mail_addresses.change(connection, row.site_id, row.id, values)
    return asked


async def find_unsubscribing(context: Context, token: str) -> tuple[MailTopic, Asked | None]:
    """Answer from what a link unsubscribes and whom; raise mail.link_over for one that is not ours."""
    wanted = read_unsubscribing(context.box, token)
    if wanted is None:
        raise _over()
    async with context.database.reading() as connection:
        row = await mail_addresses.by_id(connection, wanted.address_id)
        return wanted.topic, None if row is None else Asked(await sites.by_id(connection, row.site_id), row)


async def unsubscribe(context: Context, token: str, topic: MailTopic | None = None) -> tuple[MailTopic, Asked | None]:
    """End mail about what the link is for, or about another topic; an address that nothing is sent to is forgotten."""
    of_link, asked = await find_unsubscribing(context, token)
    topic = topic or of_link
    if asked is None:
        return topic, None
    async with context.database.writing() as connection:
        # Two links that are followed at once each end their own topic.
        row = await mail_addresses.by_id(connection, asked.address.id, hold=True)
        if row is None:
            return topic, asked
        replies = row.replies and topic == "decisions"
        decisions = row.decisions and topic == "replies"
        if row.state == mail_addresses.CONFIRMED and (replies or decisions):
            left = {"replies": replies, "decisions": decisions}
            await mail_addresses.change(connection, row.site_id, row.id, left)
        else:
            await mail_addresses.forget(connection, row.site_id, row.commenter_id)
    return topic, asked


def _over() -> Problem:
    return Problem("mail.link_over", "This link is not valid, or not any more.")
