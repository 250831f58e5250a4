"""What is asked from outside: the address that readers use, the API on this machine, and the mail server."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import closing
from typing import Final
from urllib.parse import urlsplit

import certifi

from service.doctor.findings import Finding, ok, problem, span, warning
from service.doctor.of_settings import is_here
from service.mail.attempt import Outcome
from service.mail.probe import probe
from service.settings import Settings

_TIMEOUT_SECONDS: Final = 5.0
_MAIL_SECONDS: Final = 15.0
_EXPIRES_SECONDS: Final = 14 * 86_400
_WHY_NO_MAIL: Final = {
    "auth": "check user and password in SMTP_URL",
    "tls": "check its certificate, or the port of SMTP_URL",
    "connect": "check host and port of SMTP_URL, and the firewall",
    "timeout": "check host and port of SMTP_URL, and the firewall",
}


async def look_outside(settings: Settings) -> AsyncIterator[Finding]:
    """Yield whether the API answers here and at its public address, and whether the mail server takes us."""
    yield await asyncio.to_thread(_here, settings)
    if settings.public_url and not is_here(settings):
        yield await asyncio.to_thread(_public, settings.url)
    yield await _mail(settings)


def _here(settings: Settings) -> Finding:
    check = "api"
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)  # noqa: S104
    try:
        with closing(http.client.HTTPConnection(host, settings.port, timeout=_TIMEOUT_SECONDS)) as connection:
            connection.request("GET", "/health/ready")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException):
        said = f"nothing answers at {host}:{settings.port} on this machine"
        return warning(check, said, "start it, or leave it so where the API runs elsewhere")
    if status != http.HTTPStatus.OK:
        return problem(check, f"answers {status} at /health/ready", "see docs/operations.md, Health")
    return ok(check, f"answers at {host}:{settings.port}")


def _public(url: str) -> Finding:
    """Ask as a reader's browser would; what does not answer may only not be reachable from this machine."""
    check, parts = "public_url", urlsplit(url)
    host, is_tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if is_tls else 80)
    try:
        with socket.create_connection((host, port), timeout=_TIMEOUT_SECONDS) as raw:
            if not is_tls:
                return _answer(check, raw, parts.netloc, None)
            context = ssl.create_default_context(cafile=certifi.where())
            with context.wrap_socket(raw, server_hostname=host) as wrapped:
                certificate = wrapped.getpeercert() or {}
                left = ssl.cert_time_to_seconds(str(certificate["notAfter"])) - time.time()
                return _answer(check, wrapped, parts.netloc, left)
    except socket.gaierror:
        return problem(check, f"{host} is no name that can be resolved", "make the DNS record, or mend PUBLIC_URL")
    except ssl.SSLCertVerificationError as error:
        return problem(check, f"its certificate is not good ({error.verify_message})", "renew it, with the whole chain")
    except (OSError, http.client.HTTPException):
        said = f"{host}:{port} does not answer from this machine"
        return warning(check, said, "try it from outside; start the proxy, or open the firewall")


def _answer(check: str, connected: socket.socket, host: str, left_seconds: float | None) -> Finding:
    connection = http.client.HTTPConnection(host)
    connection.sock = connected
    connection.request("GET", "/health/live", headers={"Host": host})
    status = connection.getresponse().status
    if status != http.HTTPStatus.OK:
        said = f"answers {status} at /health/live"
        return warning(
            check, said, "unless you keep /health/ off the public side: the proxy must pass Host and path on"
        )
    if left_seconds is not None and left_seconds < _EXPIRES_SECONDS:
        return warning(check, f"its certificate ends in {span(left_seconds)}", "renew it")
    return ok(check, "answers, with a good certificate" if left_seconds is not None else "answers")


async def _mail(settings: Settings) -> Finding:
    check, server = "mail", settings.mail_server
    if server is None:
        return ok(check, "none is set up")
    result = await probe(server, settings.sender.address, timeout_seconds=_MAIL_SECONDS)
    if result.outcome is Outcome.SENT:
        return ok(check, f"{server.host}:{server.port} answers" + (" and lets us in" if server.user else ""))
    remedy = _WHY_NO_MAIL.get(result.code, "see docs/mail.md for this code")
    return problem(check, f"{server.host}:{server.port} does not take us ({result.code})", remedy)
