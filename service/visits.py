"""What is known of one request: whom it comes from, what its guards found, and the parts of the process it is in."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from litestar.connection import ASGIConnection

from service.addresses import Network, client_address, network_of
from service.flow.context import Context, Row
from service.flow.identify import Commenter, Principal
from service.flow.page_cache import Shown
from service.flow.sessions import Session
from service.queue.limits import Taken

Connection = ASGIConnection[Any, Any, Any, Any]


class Ready(NamedTuple):
    """An answer that everybody is given who asks the same, and may be given again while nothing has changed.

    `varies` names the request's headers that it depends on, beside what is negotiated of every such answer; a request
    with one of `apart` is answered by itself.
    """

    shown: Shown
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()
    varies: tuple[str, ...] = ()
    apart: frozenset[bytes] = frozenset()


class Visit:
    """What the guards found out about one request."""

    __slots__ = (
        "administered",
        "began",
        "commenter",
        "cors_origin",
        "network",
        "principal",
        "ready",
        "refused",
        "session",
        "site",
        "spent",
    )

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.network: str | None = None
        self.spent: list[Taken] = []
        self.refused: tuple[str, Taken] | None = None
        self.ready: Ready | None = None
        self.site: Row | None = None
        self.cors_origin: str | None = None
        self.commenter: Commenter | None = None
        self.principal: Principal | None = None
        self.session: Session | None = None
        self.administered: frozenset[str] | None = None


def seconds_since(visit: Visit) -> float:
    """Answer for how long a request is being answered."""
    return time.monotonic() - visit.began


def visit_of(connection: Connection) -> Visit:
    """Answer the visit of this request, kept in the ASGI scope so that error answers know it too."""
    visit: Visit = connection.scope.setdefault("colloquy.visit", Visit())  # type: ignore[typeddict-item]
    return visit


def context_of(connection: Connection) -> Context:
    """Answer the parts of this process."""
    context: Context = connection.app.state.context
    return context


def network_of_client(connection: Connection) -> str:
    """Answer the network that a request comes from, whatever an untrusted peer says of itself."""
    visit = visit_of(connection)
    if visit.network is None:
        visit.network = network_in(connection.scope, connection.app.state.trusted_proxies)
    return visit.network


def network_in(scope: Any, trusted: Sequence[Network]) -> str:
    """Answer the network of an ASGI scope."""
    client = scope.get("client")
    return network_of(client_address(client[0] if client else None, scope["headers"], trusted))


async def network_hash_of(connection: Connection) -> str:
    """Answer the keyed hash of the network, which is all that is kept of it."""
    context = context_of(connection)
    return await context.networks.hash_of(network_of_client(connection), now=context.now())
