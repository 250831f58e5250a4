"""What the workers say about their scorer, so that nobody waits for a score that will not come."""

from enum import StrEnum
from typing import Final

import msgspec
from redis.asyncio import Redis

from service.queue.client import load_script, only_unavailable


class ScorerState(StrEnum):
    """How scoring fares, best first."""

    UP = "up"
    STARTING = "starting"
    STALLED = "stalled"
    DOWN = "down"
    UNKNOWN = "unknown"


class ScorerStatus(msgspec.Struct, frozen=True):
    """One report: the state, a stable reason code, the model, and the Unix time since when it holds."""

    state: ScorerState
    reason: str | None = None
    model_id: str | None = None
    since: float = 0.0

    @property
    def is_up(self) -> bool:
        """Whether texts are scored now."""
        return self.state is ScorerState.UP

    @property
    def accepts_waiting(self) -> bool:
        """Whether a request may wait for its score: one is given now, or as soon as the model is loaded."""
        return self.state in (ScorerState.UP, ScorerState.STARTING)


NOBODY_REPORTED: Final = ScorerStatus(ScorerState.UNKNOWN, reason="scorer.silent")
BEST_FIRST: Final = tuple(ScorerState)


class ScorerBoard:
    """Keeps the last report of each worker for as long as it asked, and shows the best of them."""

    def __init__(self, client: Redis, prefix: str = "colloquy") -> None:
        self._key = f"{prefix}:scorers"
        self._report = load_script(client, "scorers_report")
        self._read = load_script(client, "scorers_read")

    @only_unavailable
    async def report(self, worker: str, status: ScorerStatus, ttl_seconds: float) -> None:
        """Put up a worker's status, in the place of its last one, for `ttl_seconds`."""
        body = msgspec.json.encode(status).decode()
        await self._report([self._key], [worker, body, max(1, round(ttl_seconds * 1000))])

    @only_unavailable
    async def read(self) -> ScorerStatus:
        """Return the best live report, the one of longest standing among equals; unknown when there is none."""
        live = [msgspec.json.decode(body, type=ScorerStatus) for body in await self._read([self._key])]
        return min(live, key=_rank, default=NOBODY_REPORTED)


def _rank(status: ScorerStatus) -> tuple[int, bool, float]:
    return BEST_FIRST.index(status.state), status.reason is not None, status.since
