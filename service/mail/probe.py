"""Whether the mail server would take letters from us: everything but a letter."""

from __future__ import annotations

import asyncio
import ssl

import aiosmtplib

from service.mail.attempt import Outcome, Result, client_of, result_of
from service.mail_server import MailServer


async def probe(server: MailServer, sender: str, *, timeout_seconds: float) -> Result:
    """Connect, encrypt, sign in and leave; whatever goes wrong is a Result."""
    client = client_of(server, sender, timeout_seconds)
    try:
        async with asyncio.timeout(timeout_seconds):
            await client.connect(timeout=timeout_seconds)
            await client.noop()
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ssl.SSLError, ValueError) as error:
        return result_of(error)
    finally:
        client.close()
    return Result(Outcome.SENT, "answers")
