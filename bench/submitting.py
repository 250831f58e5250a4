"""The cells of submits: until they are answered, and until they are decided."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from bench import asked
from bench.cells import USUAL_CLIENTS, Cell, Pace, Side, measured
from bench.field import Isso, Ours
from bench.running import Running, wait_for

#: More than any side can answer in a second.
_SUBMITS_A_SECOND = 1_500
_PATIENCE_SECONDS = 120


def submits(
    ours: Ours, issos: dict[str, Isso], sizes: tuple[int, ...], scorer: str, pace: Pace
) -> list[dict[str, Any]]:
    """Comments of 8 clients: until they are answered, and until they are decided."""
    number, cells = _SUBMITS_A_SECOND * pace.seconds, list[Cell]()

    def add(side: Side, size: int, what: str, status: int, one: Submitting) -> None:
        cells.append(Cell("submits", f"{what}, {scorer}", side, size, USUAL_CLIENTS, one.make, status, one.wait))

    for size in sizes:
        add(ours.side, size, "answered", 202, Submitting(asked.submits(size, number, wait=False), ours.service))
        add(ours.side, size, "decided", 201, Submitting(asked.submits(size, number, wait=True), ours.service))
        if str(size) in issos:
            add(issos[str(size)].side, size, "answered", 201, Submitting(asked.isso_submits(size, number), None))
    return measured(cells, pace._replace(rounds=min(pace.rounds, 2)))


class Submitting:
    """New comments for each round, and a wait until the worker has decided them; isso decides nothing."""

    def __init__(self, make: asked.Make, service: Running | None) -> None:
        self._make, self._service = make, service
        self._before = 0.0

    def make(self) -> Sequence[bytes]:
        """Answer the requests, and note what was decided before them."""
        self._before = self._decided()
        return self._make()

    def wait(self, number: int) -> dict[str, Any]:
        """Wait until so many more are decided, and what was under way with them; answer how long it took."""
        if self._service is None:
            return {}
        began = time.monotonic()
        try:
            wait_for(lambda: self._decided() >= self._before + number, _PATIENCE_SECONDS)
        except TimeoutError:
            return {}
        seconds, last = time.monotonic() - began, -1.0
        while last < (last := self._decided()):
            time.sleep(0.3)
        return {"drained_seconds": seconds}

    def _decided(self) -> float:
        metrics = self._service.worker_metrics() if self._service else {}
        return metrics.get("colloquy_batch_comments_sum", 0.0)
