"""One POST of one event to one receiver, and what came of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from service.egress import Egress, EgressFailed, EgressRefused, is_loopback
from service.tracing import HEADER
from service.webhooks.retries import Error, Result, error_of

logger = logging.getLogger(__name__)
USER_AGENT = "Colloquy-Webhooks"
CONTENT_TYPE = "application/json"
#: Names that are ours, the connection's, or that a receiver's proxy would take for its own business.
OWN_HEADERS = frozenset({
    "host", "content-type", "content-length", "content-encoding", "transfer-encoding", "connection", "keep-alive",
    "upgrade", "te", "trailer", "expect", "proxy-authorization", "proxy-connection", "user-agent", "accept",
    "accept-encoding", "traceparent", "tracestate",
})  # fmt: skip


class Letter(NamedTuple):
    """What is sent: the URL, the body's bytes, and every header but those of the connection; and for whom.

    `trace` is the place of what made the event, where that was traced.
    """

    endpoint_id: str
    url: str
    body: bytes
    headers: Mapping[str, str]
    trace: str | None = None

    def within(self, traceparent: str | None) -> Letter:
        """Answer the letter as it tells the receiver of the attempt's place in its trace, if there is one."""
        return self if traceparent is None else self._replace(headers={**self.headers, HEADER: traceparent})


async def attempt(egress: Egress, letter: Letter, *, at: datetime, timeout_seconds: float) -> Result:
    """Send a letter once; whatever happens is a Result and no exception."""
    began = time.monotonic()
    headers = {**letter.headers, "content-type": CONTENT_TYPE, "user-agent": USER_AGENT, "accept": "*/*"}
    try:
        answer = await egress.request(
            "POST", letter.url, headers=headers, content=letter.body, timeout_seconds=timeout_seconds,
            status_only=True, apart=letter.endpoint_id,
        )  # fmt: skip
    except EgressRefused as refused:
        is_ours = not egress.allows_loopback and is_loopback(letter.url)
        error = Error.LOOPBACK if is_ours else f"refused.{refused.reason}"
        return Result(None, error, None, at, time.monotonic() - began)
    except EgressFailed as failed:
        return Result(None, failed.reason, None, at, time.monotonic() - began)
    except Exception as error:
        # Whatever else it is, it must not keep what is sent to others.
        logger.error("an attempt broke", extra={"error": type(error).__name__})
        return Result(None, Error.INTERNAL, None, at, time.monotonic() - began)
    seconds = time.monotonic() - began
    return Result(answer.status, error_of(answer.status), answer.headers.get("retry-after"), at, seconds)
