"""Fixtures for the whole suite: real Redis, real SQLite and PostgreSQL, the real application."""

import pytest

pytest_plugins = ["tests.leaks", "tests.redis_fixture", "tests.database_fixture", "tests.service_fixture"]


@pytest.fixture
def anyio_backend() -> str:
    """The event loop that the service runs on."""
    return "asyncio"
