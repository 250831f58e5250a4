"""What an operator asks of a Redis: whether it keeps what it is given, what time it is there, who works."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec
from redis.asyncio import Redis

from service.queue.client import only_unavailable
from service.queue.scorer_status import ScorerStatus


class RedisFacts(NamedTuple):
    """A server's own words on itself; `now` is its time in Unix seconds."""

    version: str
    is_append_only: bool
    is_last_write_ok: bool
    policy: str
    used_bytes: int
    most_bytes: int
    now: float


class Report(NamedTuple):
    """The last report of one worker, and whether it still counts."""

    worker: str
    status: ScorerStatus
    is_live: bool


@only_unavailable
async def facts(client: Redis) -> RedisFacts:
    """Answer version, persistence, memory and time; raise QueueUnavailable."""
    server: dict[str, Any] = await client.info()
    seconds, microseconds = await client.time()
    return RedisFacts(
        version=str(server.get("redis_version", "0")),
        is_append_only=str(server.get("aof_enabled", "0")) == "1",
        is_last_write_ok=server.get("aof_last_write_status", "ok") == "ok",
        policy=str(server.get("maxmemory_policy", "noeviction")),
        used_bytes=int(server.get("used_memory", 0)),
        most_bytes=int(server.get("maxmemory", 0)),
        now=int(seconds) + int(microseconds) / 1_000_000,
    )


@only_unavailable
async def reports(client: Redis, prefix: str) -> list[Report]:
    """Answer what each worker said last, by name; raise QueueUnavailable."""
    board: dict[Any, Any] = await client.hgetall(f"{prefix}:scorers")
    seconds, _ = await client.time()
    found = []
    for worker, said in sorted(board.items()):
        ends, _, body = str(said).partition(" ")
        found.append(Report(str(worker), msgspec.json.decode(body, type=ScorerStatus), int(ends) > int(seconds) * 1000))
    return found
