"""Akismet, where a site's admin gave a key for it: asked by the worker, for a moment, and never trusted alone."""

from __future__ import annotations

import logging
from urllib.parse import urlencode

from service.egress import EgressFailed, EgressRefused
from service.flow.context import Context
from service.flow.sealing import SealBroken
from service.flow.spam_settings import spam_of
from service.store.types import Row

TIMEOUT_SECONDS = 2.0
_AGENT = "Colloquy/0.1"

logger = logging.getLogger(__name__)


async def is_spam(context: Context, row: Row) -> bool | None:
    """Answer what the service says of a text, None where it says nothing in time.

    It is sent the text, the shown name and the site; no address, for there is none, and no other fact of the author.
    """
    sealed = spam_of(row.spam).akismet_sealed
    if sealed is None or not context.akismet_patience.may_ask(context.now()):
        return None
    form = {
        "blog": context.settings.url,
        # The protocol wants an address, and none is kept of anybody.
        "user_ip": "0.0.0.0",  # noqa: S104
        "comment_type": "reply" if row.parent_id else "comment",
        "comment_content": row.body or "",
        "comment_author": row.author_name or "",
    }
    try:
        form["api_key"] = context.box.open(sealed).decode()
        answer = await context.egress.request(
            "POST",
            context.akismet_url,
            headers={"content-type": "application/x-www-form-urlencoded", "user-agent": _AGENT},
            content=urlencode(form, errors="replace").encode(),
            timeout_seconds=TIMEOUT_SECONDS,
            most_bytes=1024,
        )
    except (EgressFailed, EgressRefused) as error:
        context.akismet_patience.failed(context.now())
        logger.warning("the spam service does not answer", extra={"reason": error.reason})
        return None
    except SealBroken:
        logger.error("SECRET_KEY does not open the key of the spam service")
        return None
    context.akismet_patience.answered()
    said = answer.body.strip()
    if answer.status != 200 or said not in (b"true", b"false"):
        logger.warning("the spam service refuses", extra={"status": answer.status})
        return None
    return said == b"true"
