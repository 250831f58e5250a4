"""Clients that send slowly or not at all are cut off, and others do not notice."""

import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.journey.harness import Installation

pytestmark = [pytest.mark.anyio, pytest.mark.slow]
PATIENCE_SECONDS = 30.0


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    """A running installation that waits a second for a request."""
    async with Installation(tmp_path / "home", HEADER_SECONDS="1", BODY_SECONDS="1") as running:
        await running.start()
        yield running


def all_of(connection: socket.socket) -> bytes:
    """Answer everything that comes until the other side closes; TimeoutError when it never does."""
    connection.settimeout(PATIENCE_SECONDS)
    return b"".join(iter(lambda: connection.recv(65536), b""))


async def test_a_body_that_does_not_come_is_answered_408_and_the_connection_closed(installation: Installation) -> None:
    """Of a body of 1,000 bytes one comes: the client is told, and its connection is given back."""
    path = f"/v1/sites/demo/threads/{'x'}/comments"
    head = (
        f"POST {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{{"
    )
    with socket.create_connection(("127.0.0.1", installation.port)) as connection:
        connection.sendall(head.encode())
        answer = all_of(connection)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b'"code":"request.timeout"' in answer
    assert (await installation.client.get("/health/ready")).status_code == 200


async def test_headers_that_do_not_end_are_cut_off(installation: Installation) -> None:
    """A client that never ends its headers loses its connection."""
    with socket.create_connection(("127.0.0.1", installation.port)) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nhost: 127.0.0.1\r\nx-slow: ")
        all_of(connection)
    assert (await installation.client.get("/health/ready")).status_code == 200
