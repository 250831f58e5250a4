"""Whether the mail server would take letters from us: everything but a letter."""

from __future__ import annotations

import asyncio
import ssl

import aiosmtplib

from service.mail.attempt import Outcome, Result, result_of
from service.mail_server import MailServer


async def probe(server: MailServer, sender: str, *, timeout_seconds: float) -> Result:
    """Connect, encrypt, sign in and leave; whatever goes wrong is a Result."""
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls,
        start_tls=True if server.must_encrypt else None,
        username=server.user,
        password=server.password,
        validate_certs=not server.is_loopback,
        local_hostname=sender.rpartition("@")[2],
        timeout=timeout_seconds,
    )
    try:
        async with asyncio.timeout(timeout_seconds):
            await client.connect(timeout=timeout_seconds)
            await client.noop()
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ssl.SSLError, ValueError) as error:
        return result_of(error)
    finally:
        client.close()
    return Result(Outcome.SENT, "answers")
