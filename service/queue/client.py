"""Redis clients that give up quickly, and the one exception by which this room says that Redis did not serve."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from importlib.resources import files
from typing import Any, Final, ParamSpec, TypeVar

from redis.asyncio import BlockingConnectionPool, ConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.commands.core import AsyncScript
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

MAX_BLOCK_MS: Final = 2000
CONNECT_SECONDS: Final = 0.25
REPLY_SECONDS: Final = 0.5
# Enough to keep a core busy, and few enough that a burst after an outage connects within its time.
MAX_CONNECTIONS: Final = 16

P = ParamSpec("P")
T = TypeVar("T")


class QueueUnavailable(Exception):  # noqa: N818 - It states a condition that callers expect, not a defect.
    """Redis is down, slow, loading, read-only or full; nothing that SQL records is lost."""


def only_unavailable(call: Callable[P, Awaitable[T]]) -> Callable[P, Coroutine[Any, Any, T]]:
    """Let a method of this room fail with `QueueUnavailable` alone."""

    @wraps(call)
    async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
        cancelled_before = _times_cancelled()
        try:
            result = await call(*args, **kwargs)
        except (RedisError, OSError) as error:
            _heed_cancellation(cancelled_before)
            raise QueueUnavailable(type(error).__name__) from error
        _heed_cancellation(cancelled_before)
        return result

    return guarded


def _times_cancelled() -> int:
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _heed_cancellation(before: int) -> None:
    # The Redis client sends by `asyncio.wait_for`, which swallows a cancellation now and then before Python 3.12:
    # a loop that lives through errors would never end.
    if _times_cancelled() > before:
        raise asyncio.CancelledError


def connect(url: str) -> Redis:
    """Return the client for short commands: redis://, rediss:// or unix://, at most about a second for any call."""
    # A command that timed out may have run, so only a broken connection is tried a second time.
    retry = Retry(NoBackoff(), 1, supported_errors=(RedisConnectionError,))
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=MAX_CONNECTIONS,
        timeout=REPLY_SECONDS,
        retry=retry,
        socket_timeout=REPLY_SECONDS,
        socket_connect_timeout=CONNECT_SECONDS,
        decode_responses=True,
        legacy_responses=False,
    )
    return Redis.from_pool(pool)


def connect_blocking(url: str) -> Redis:
    """Return the client for reads that block for up to `MAX_BLOCK_MS` and for the subscription to live news."""
    # No retry: a reader must learn of every break, because what was said meanwhile is gone.
    pool = ConnectionPool.from_url(
        url,
        retry=Retry(NoBackoff(), 0),
        socket_timeout=MAX_BLOCK_MS / 1000 + 1,
        socket_connect_timeout=1.0,
        decode_responses=True,
        legacy_responses=False,
    )
    return Redis.from_pool(pool)


def load_script(client: Redis, name: str) -> AsyncScript:
    """Return the Lua script of that name, called by its hash and sent again when the server has forgotten it."""
    source = files("service.queue").joinpath("lua", f"{name}.lua").read_text(encoding="utf-8")
    return AsyncScript(client, source)
