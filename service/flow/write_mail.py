"""Letters, written when they are sent: what is not visible, not wanted or not true any more is not told."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final, NamedTuple

from sqlalchemy.ext.asyncio import AsyncConnection

from service.flow.context import Context
from service.flow.mail_body import Block, as_html, as_plain
from service.flow.mail_decisions import about_decisions
from service.flow.mail_replies import about_replies
from service.flow.mail_tokens import unsubscribing
from service.flow.mail_words import mail_words
from service.flow.reader_words import Words
from service.mail.message import Draft, Letter, compose
from service.schemas import MailTopic
from service.store import commenters, mail_addresses, sanctions, sites
from service.store.types import Row

_CONFIRM, _UNSUBSCRIBE = "/v1/mail/confirm", "/v1/mail/unsubscribe"
_TOPICS: Final[dict[str, MailTopic]] = {"reply": "replies", "decision": "decisions"}


class Written(NamedTuple):
    """A letter, None where there is nothing to say, and which of the mails it tells of; the others are dropped."""

    letter: Letter | None
    told: Sequence[str] = ()


class Said(NamedTuple):
    """What a letter says, and of which mails."""

    subject: str
    blocks: Sequence[Block]
    told: Sequence[str]


async def write(context: Context, rows: Sequence[Row]) -> Written:
    """Answer the letter of mails that were leased together: of one address and kind."""
    async with context.database.reading() as connection:
        address = await mail_addresses.by_id(connection, rows[0].address_id)
        if address is None or not await _is_wanted(connection, context, address, rows[0].kind):
            return Written(None)
        site = await sites.by_id(connection, address.site_id)
        words = mail_words(address.locale)
        said = None
        if rows[0].kind == "confirm":
            said = _confirmation(context, site, address, rows[0], words)
        elif rows[0].kind == "reply":
            said = await about_replies(connection, context, site, rows, words)
    if rows[0].kind == "decision":
        said = await about_decisions(context, site, rows, words)
    if said is None:
        return Written(None)
    what = Said(*said)
    return Written(_composed(context, site, address, rows[0], words, what), what.told)


async def _is_wanted(connection: AsyncConnection, context: Context, address: Row, kind: str) -> bool:
    if kind == "confirm":
        return bool(address.state == mail_addresses.WAITING and address.token_expires_at > context.now())
    author = await commenters.commenter(connection, address.site_id, address.commenter_id)
    if address.state != mail_addresses.CONFIRMED or author is None or author.erased_at is not None:
        return False
    if kind == "decision":
        return bool(address.decisions)
    if not address.replies:
        return False
    in_force = await sanctions.in_force(connection, address.site_id, author.id, now=context.now())
    # Who is banned hears what is decided about what they wrote, and no more of what others do.
    return not any(row.kind == "ban" for row in in_force)


def _confirmation(
    context: Context, site: Row, address: Row, row: Row, words: Words
) -> tuple[str, list[Block], list[str]]:
    token = context.box.open(row.token_sealed).decode()
    wants = [words(f"topic_{topic}") for topic in ("replies", "decisions") if getattr(address, topic)]
    blocks = [
        Block("text", words("confirm_intro", site=site.name)),
        *(Block("text", f"– {one}") for one in wants),
        Block("text", words("confirm_do")),
        Block("link", words("confirm_link"), f"{context.settings.url}{_CONFIRM}?token={token}"),
        Block("text", words("confirm_not_you")),
    ]
    return words("confirm_subject", site=site.name), blocks, [row.id]


def _composed(context: Context, site: Row, address: Row, row: Row, words: Words, said: Said) -> Letter:
    topic = _TOPICS.get(row.kind, "all")
    away = _away(context, address, topic)
    blocks = [*said.blocks, *_footer(context, site, address, words, topic)]
    # The same for each attempt to tell the same, so that a mailbox which got it twice may show it once.
    message_id = hashlib.sha256(" ".join(sorted(said.told)).encode()).hexdigest()[:32]
    headers = {
        # RFC 2369 and RFC 8058.
        "List-Unsubscribe": f"<{away}>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    if row.kind == "reply":
        headers["References"] = f"<{row.thread_id}@{context.settings.sender.domain}>"
    draft = Draft(
        subject=said.subject,
        from_name=site.name,
        plain=as_plain(blocks),
        html=as_html(words, said.subject, blocks),
        language=words.language,
        message_id=message_id,
        headers=headers,
    )
    to = context.box.open(address.address_sealed).decode()
    return compose(draft, sender=context.settings.sender, to=to, at=context.now())


def _footer(context: Context, site: Row, address: Row, words: Words, topic: MailTopic) -> list[Block]:
    if topic == "all":
        return [Block("small", words("not_me"), _away(context, address, topic))]
    return [
        Block("small", words("why", site=site.name)),
        Block("small", words(f"away_{topic}"), _away(context, address, topic)),
        Block("small", words("away_all"), _away(context, address, "all")),
    ]


def _away(context: Context, address: Row, topic: MailTopic) -> str:
    return f"{context.settings.url}{_UNSUBSCRIBE}?token={unsubscribing(context.box, address.id, topic)}"
