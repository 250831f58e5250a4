"""Redis and who reports there: kept on disk, never evicting, on time, and with workers that score."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import quote

from service.doctor.findings import Finding, ok, problem, span, warning
from service.doctor.of_database import SKEW_SECONDS, of_clock
from service.queue.client import QueueUnavailable, connect
from service.queue.inspection import RedisFacts, Report, facts, reports
from service.queue.scorer_status import ScorerState
from service.redis_home import RedisHome
from service.settings import Settings

OLDEST: Final = (6, 2)
_FULL_SHARE: Final = 0.8
_STARTING_SECONDS: Final = 120.0


async def look_at_redis(settings: Settings) -> AsyncIterator[Finding]:
    """Yield what is to be said of Redis and of the workers; where it cannot be reached, only that."""
    url = settings.redis_url or _embedded(settings)
    if url is None:
        yield warning("redis", "`serve` starts its own, and it does not run now", "start the service, or set REDIS_URL")
        return
    client = connect(url)
    try:
        told = await facts(client)
        for one in _server(told):
            yield one
        for one in _workers(await reports(client, settings.redis_prefix), told.now):
            yield one
    except QueueUnavailable as away:
        remedy = "start it, or set REDIS_URL to where it is; comments are accepted and wait meanwhile"
        yield problem("redis", f"cannot be used ({away})", remedy)
    finally:
        await client.aclose()


def _embedded(settings: Settings) -> str | None:
    home = RedisHome(settings.home)
    return f"unix://{quote(str(home.socket))}" if home.socket.exists() and home.is_locked() else None


def _server(told: RedisFacts) -> list[Finding]:
    return [_version(told), _persistence(told), _memory(told), of_clock("redis.clock", told.now - time.time(), "Redis")]


def _version(told: RedisFacts) -> Finding:
    numbers = tuple(int(part) for part in told.version.split(".")[:2] if part.isdecimal())
    if numbers < OLDEST:
        return problem("redis", f"is of version {told.version}", "upgrade to Redis 6.2 or newer, or to Valkey")
    return ok("redis", f"version {told.version} answers")


def _persistence(told: RedisFacts) -> Finding:
    check = "redis.persistence"
    if not told.is_append_only:
        said = "there is no append-only file: after a restart of Redis the sweep puts everything back, which takes time"
        return warning(check, said, "set `appendonly yes` in redis.conf")
    if not told.is_last_write_ok:
        return problem(check, "the last write to the append-only file failed", "make room on the disk of Redis")
    return ok(check, "the append-only file is on and was written")


def _memory(told: RedisFacts) -> Finding:
    check = "redis.memory"
    if told.policy != "noeviction":
        said = f"maxmemory-policy is {told.policy}: Redis may drop work, and the sweep puts it back again and again"
        return problem(check, said, "set `maxmemory-policy noeviction` in redis.conf")
    if told.most_bytes and told.used_bytes > told.most_bytes * _FULL_SHARE:
        said = f"{told.used_bytes >> 20} of {told.most_bytes >> 20} MiB are used; a full Redis takes no more work"
        return warning(check, said, "raise maxmemory")
    return ok(check, f"{told.used_bytes >> 20} MiB are used, and nothing is evicted")


def _workers(found: list[Report], now: float) -> list[Finding]:
    """Judge each by its own words; ages are by Redis's clock, which all share."""
    live = [report for report in found if report.is_live]
    if not live:
        remedy = "start one: `python -m service work`, or `serve`, which has one"
        return [problem("workers", "none reports: comments are accepted and stay hidden", remedy)]
    return [_worker(report, now) for report in live]


def _worker(report: Report, now: float) -> Finding:
    check, status, age = "workers", report.status, now - report.status.since
    said = f"{report.worker} has been {status.state} for {span(max(age, 0.0))}"
    if age < -SKEW_SECONDS:
        skewed = f"the clock of {report.worker} is {span(-age)} ahead of that of Redis"
        return warning("workers.clock", skewed, "keep both by NTP (systemd-timesyncd, chrony)")
    if status.state is ScorerState.UP and status.reason is None:
        return ok(check, f"{said}, with {status.model_id}")
    if status.state is ScorerState.UP:
        return warning(
            check, f"{said}, and by the fallback ({status.reason})", "read the worker's log: the model failed"
        )
    if status.state is ScorerState.STARTING and age < _STARTING_SECONDS:
        return warning(check, said, "wait a moment and ask again")
    return problem(check, f"{said} ({status.reason})", "see docs/operations.md, Health, for this reason")
