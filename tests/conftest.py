"""Fixtures for the whole suite: real Redis, real SQLite and PostgreSQL, the real application."""

import signal

import pytest

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell's background job ignores it, and so would every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.leaks", "tests.redis_fixture", "tests.database_fixture", "tests.service_fixture"]


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the service runs on."""
    return "asyncio"
