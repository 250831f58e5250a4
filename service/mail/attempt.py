"""One attempt to hand a letter to the mail server, and what came of it: never with an address in it."""

from __future__ import annotations

import asyncio
import re
import ssl
from enum import StrEnum
from typing import Final, NamedTuple

import aiosmtplib

from service.mail.message import Letter
from service.mail_server import MailServer

#: An enhanced status (RFC 3463) that may be about us and not about the mailbox: 5.7.1 is "you may not relay here".
_POLICY: Final = re.compile(r"\s*[45]\.7\.\d")
_CONNECT_SECONDS: Final = 20.0
#: Replies to RCPT (RFC 5321, RFC 4954) that ask for something of ours first.
_OURS: Final = frozenset({503, 530, 535, 538})


class Outcome(StrEnum):
    """What came of an attempt."""

    SENT = "sent"
    #: The mailbox is not there, or takes nothing: asking again is no use.
    REFUSED = "refused"
    #: This letter could not be taken now; others may be.
    LATER = "later"
    #: The server cannot be reached, or takes nothing from us.
    DOWN = "down"


class Result(NamedTuple):
    """An outcome and its stable code."""

    outcome: Outcome
    code: str


async def attempt(server: MailServer, sender: str, letter: Letter, *, timeout_seconds: float) -> Result:
    """Hand over a letter on a connection of its own; whatever goes wrong is a Result."""
    try:
        async with asyncio.timeout(timeout_seconds):
            await _send(server, sender, letter, timeout_seconds)
    except (aiosmtplib.SMTPException, OSError, TimeoutError, ssl.SSLError, ValueError) as error:
        return result_of(error)
    return Result(Outcome.SENT, "sent")


def client_of(server: MailServer, sender: str, timeout_seconds: float) -> aiosmtplib.SMTP:
    """Answer a client of a mail server, not connected yet."""
    return aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        use_tls=server.tls,
        # None: where it is offered.
        start_tls=True if server.must_encrypt else None,
        username=server.user,
        password=server.password,
        # On this machine the certificate is mostly one that the machine made for itself, and nobody is in between.
        validate_certs=not server.is_loopback,
        # Else this machine's own name is looked up and told.
        local_hostname=sender.rpartition("@")[2],
        timeout=timeout_seconds,
    )


async def _send(server: MailServer, sender: str, letter: Letter, timeout_seconds: float) -> None:
    client = client_of(server, sender, timeout_seconds)
    try:
        await client.connect(timeout=min(_CONNECT_SECONDS, timeout_seconds))
        await client.sendmail(sender, [letter.to], letter.content)
        # It was taken; how the server says good-bye is of no matter, and nobody waits for it.
    finally:
        client.close()


def result_of(error: Exception) -> Result:
    """Answer what an error stands for: its message, which quotes addresses, goes no further."""
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            first = error.recipients[0]
            return _refused(first.code, first.message)
        case aiosmtplib.SMTPSenderRefused():
            return Result(Outcome.DOWN, f"sender_{error.code}")
        case aiosmtplib.SMTPDataError():
            return Result(Outcome.LATER, f"data_{error.code}")
        case aiosmtplib.SMTPAuthenticationError():
            return Result(Outcome.DOWN, "auth")
        case aiosmtplib.SMTPNotSupported():
            return Result(Outcome.DOWN, "not_supported")
        case aiosmtplib.SMTPResponseException():
            return Result(Outcome.DOWN, f"status_{error.code}")
        case TimeoutError():
            return Result(Outcome.DOWN, "timeout")
        case ssl.SSLError():
            return Result(Outcome.DOWN, "tls")
        case OSError():
            return Result(Outcome.DOWN, "connect")
        case aiosmtplib.SMTPException() if "tls" in str(error.message).lower():
            return Result(Outcome.DOWN, "tls")
        case aiosmtplib.SMTPException():
            return Result(Outcome.DOWN, "protocol")
    return Result(Outcome.LATER, "unwritable")


def _refused(code: int, message: str) -> Result:
    if code in _OURS:
        return Result(Outcome.DOWN, f"recipient_{code}")
    # For a policy one recipient may be refused, or all: neither ends the address, nor keeps other letters back.
    refused = 500 <= code < 600 and not _POLICY.match(message)
    return Result(Outcome.REFUSED if refused else Outcome.LATER, f"recipient_{code}")
