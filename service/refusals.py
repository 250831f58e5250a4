"""Networks that are over a limit, remembered for as long as that is sure: a flood is refused before it is routed."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from service import limits
from service.errors import Problem
from service.queue.limits import Taken

_MOST_SECONDS = 5.0
"""A limit that an admin raises counts after so long at the latest."""
_MOST_KEPT = 50_000


class Asked(NamedTuple):
    """What a request asks for, as far as its head tells: the site's slug, the kind, and the client's network."""

    slug: str
    kind: str
    network: str


class Refusals:
    """Until when each network is refused; a bucket without a token has none before the time that it told."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[Asked, tuple[float, float, Taken]] = {}

    def note(self, asked: Asked, refused: Taken) -> None:
        """Remember a refusal by the limit of a network; other limits are of others too."""
        now = self._clock()
        if len(self._until) >= _MOST_KEPT:
            # The oldest go, over or not: they are refused by the route itself then.
            self._until = dict(list(self._until.items())[_MOST_KEPT // 2 :])
        again_at = now + refused.retry_after_seconds
        self._until[asked] = (min(again_at, now + _MOST_SECONDS), again_at, refused)

    def find(self, asked: Asked) -> tuple[Taken, Problem] | None:
        """Answer the refusal that still holds, with the time that is left."""
        kept = self._until.get(asked)
        if kept is None:
            return None
        until, again_at, refused = kept
        now = self._clock()
        if now >= until:
            del self._until[asked]
            return None
        spent = refused._replace(retry_after_seconds=again_at - now)
        problem = limits.refusal_of([spent])
        assert problem is not None
        return spent, problem


def kind_of(method: str, path: str) -> str | None:
    """Answer the kind of a reader's or author's request by its head, None where the route alone knows."""
    if method in ("GET", "HEAD"):
        return limits.READ
    if method == "POST":
        return limits.SUBMIT if path.endswith("/comments") else None
    # Not OPTIONS: a browser that is refused its question never learns of the answer.
    return limits.CHANGE if method in ("PATCH", "PUT", "DELETE") else None
