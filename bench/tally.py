"""What became of requests, by kind and by minute."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from typing import Any

from bench.measures import summary


class Tally:
    """Latencies in milliseconds and errors; a request belongs to the minute in which it was due."""

    def __init__(self) -> None:
        self._took: defaultdict[tuple[str, int], array[float]] = defaultdict(lambda: array("d"))
        self._failed: dict[str, Counter[int]] = defaultdict(Counter)

    def note(self, kind: str, due_seconds: float, milliseconds: float) -> None:
        """Note an answer as it was wanted, and when it was due from the start."""
        self._took[kind, int(due_seconds // 60)].append(milliseconds)

    def fail(self, kind: str, status: int) -> None:
        """Note another answer; status 0 is a connection that broke off or an answer that never came."""
        self._failed[kind][status] += 1

    @property
    def answered(self) -> int:
        """Answer how many were answered as wanted."""
        return sum(len(some) for some in self._took.values())

    def kinds(self) -> dict[str, dict[str, Any]]:
        """Answer the figures of each kind over the whole time, with errors by status."""
        names = dict.fromkeys([*(kind for kind, _ in self._took), *self._failed])
        return {kind: self._whole(kind) for kind in names}

    def _whole(self, kind: str) -> dict[str, Any]:
        took = array("d")
        for (other, _), some in self._took.items():
            if other == kind:
                took.extend(some)
        failed = {str(status): number for status, number in self._failed[kind].items()}
        return summary(took) | {"errors": sum(failed.values()), "statuses": failed}

    def minutes(self) -> list[dict[str, Any]]:
        """Answer the figures of each kind in each minute, the first one being 1."""
        found = []
        for minute in sorted({minute for _, minute in self._took}):
            kinds = {kind: summary(some) for (kind, at), some in self._took.items() if at == minute}
            found.append({"minute": minute + 1, "kinds": kinds})
        return found
