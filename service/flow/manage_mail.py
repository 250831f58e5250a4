"""An author says where mail goes and which; an address counts only once whoever reads its mail has agreed."""

from __future__ import annotations

import hashlib
import hmac
import logging
from datetime import timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from service import schemas
from service.errors import Problem
from service.flow.context import Context
from service.flow.identify import Commenter, hash_token
from service.flow.mail_tokens import new_confirmation
from service.flow.mail_words import language_of
from service.flow.sanctions import refuse_restricted
from service.mail_server import mailbox, one_mailbox
from service.queue.limits import Bucket
from service.store import commenters, mail_addresses, mails, sanctions
from service.store.types import Row

logger = logging.getLogger(__name__)
CONFIRM_WITHIN: Final = timedelta(hours=48)
#: Confirmations to one mailbox, whoever asks for them and on whichever site.
PER_ADDRESS: Final = 3
_PER_ADDRESS_SECONDS: Final = 86_400


async def read(context: Context, site: Row, author: Commenter) -> schemas.MailView:
    """Answer whether an author gets mail, never where to."""
    async with context.database.reading() as connection:
        row = await mail_addresses.of_commenter(connection, site.id, author.commenter_id)
    if row is None or not _counts(row, context):
        return schemas.MailView("none", False, False)
    return schemas.MailView(row.state, row.replies, row.decisions)


async def put(context: Context, site: Row, author: Commenter, wanted: schemas.MailInput) -> None:
    """Keep what an author wants, and send a confirmation to a new address.

    A mailbox that was asked too often gets none, and nothing says so: it would tell that others asked for it.
    """
    if not context.settings.smtp_url:
        raise Problem("mail.off", "This installation sends no mail.")
    if not (wanted.replies or wanted.decisions):
        message = "choose replies, decisions or both; DELETE ends it"
        raise Problem("request.invalid", f"replies: {message}.", fields=[("replies", message)])
    address = _mailbox(wanted.email) if wanted.email is not None else None
    is_to_be_asked = address is not None and await _may_be_asked(context, address)
    async with context.database.writing() as connection:
        # Whoever is erased or shut out at this moment holds the same lock.
        await sanctions.lock_commenter(connection, site.id, author.commenter_id)
        known = await commenters.commenter(connection, site.id, author.commenter_id)
        if known is None or known.erased_at is not None:
            raise Problem("auth.invalid", "The author token was revoked.")
        await refuse_restricted(connection, site, author.commenter_id, now=context.now())
        if address is None:
            await _change(connection, context, site, author, wanted)
        else:
            await _replace(connection, context, site, author, wanted, address, is_to_be_asked)


async def end(context: Context, site: Row, author: Commenter) -> None:
    """Forget an author's address."""
    async with context.database.writing() as connection:
        await mail_addresses.forget(connection, site.id, author.commenter_id)


def _counts(row: Row, context: Context) -> bool:
    if row.state == mail_addresses.WAITING:
        return bool(row.token_expires_at > context.now())
    return bool(row.state == mail_addresses.CONFIRMED)


def _mailbox(text: str) -> str:
    try:
        return mailbox(text)
    except ValueError:
        message = "must be a mail address, as ada@daily.example"
        raise Problem("request.invalid", f"email: {message}.", fields=[("email", message)]) from None


async def _may_be_asked(context: Context, address: str) -> bool:
    whose = one_mailbox(address).encode()
    key = hmac.new(context.box.key_for("mail addresses in limits"), whose, hashlib.sha256).hexdigest()[:32]
    bucket = Bucket("mail_per_address", f"mail_per_address:{key}", PER_ADDRESS, _PER_ADDRESS_SECONDS)
    [taken] = await context.limiter.take([bucket])
    return taken.allowed


async def _change(
    connection: AsyncConnection, context: Context, site: Row, author: Commenter, wanted: schemas.MailInput
) -> None:
    row = await mail_addresses.of_commenter(connection, site.id, author.commenter_id)
    if row is None or not _counts(row, context):
        message = "is needed: no address is known"
        raise Problem("request.invalid", f"email: {message}.", fields=[("email", message)])
    await mail_addresses.change(connection, site.id, row.id, _wanted(wanted))


async def _replace(
    connection: AsyncConnection,
    context: Context,
    site: Row,
    author: Commenter,
    wanted: schemas.MailInput,
    address: str,
    is_to_be_asked: bool,
) -> None:
    now, token, address_id = context.now(), new_confirmation(context.box), context.new_id()
    row = {
        "id": address_id,
        "address_sealed": context.box.seal(address.encode()),
        "state": mail_addresses.WAITING,
        "token_hash": hash_token(token),
        "token_expires_at": now + CONFIRM_WITHIN,
        "created_at": now,
    }
    await mail_addresses.replace(connection, site.id, author.commenter_id, row | _wanted(wanted))
    if not is_to_be_asked:
        logger.warning("a mailbox is asked to confirm too often", extra={"site_id": site.id})
        return
    owed = {
        "id": context.new_id(), "site_id": site.id, "commenter_id": author.commenter_id, "address_id": address_id,
        "kind": "confirm", "key": f"confirm:{address_id}", "token_sealed": context.box.seal(token.encode()),
        "state": "owed", "next_attempt_at": now, "created_at": now,
    }  # fmt: skip
    await mails.insert(connection, [owed])


def _wanted(wanted: schemas.MailInput) -> dict[str, Any]:
    return {"replies": wanted.replies, "decisions": wanted.decisions, "locale": language_of(wanted.locale)}
