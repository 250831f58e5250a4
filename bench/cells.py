"""Cells of a table: what is asked of which side, measured in rounds that take turns, so that noise falls on all."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bench import generator
from bench.kept import connected
from bench.measures import median_of_rounds
from bench.processes import cores_apart, cpu_seconds, pin, tree

#: Enough for a slow side to answer each client a few times, and an end for one that takes seconds.
_ANSWERS, _LONGEST_SECONDS = 3, 10
_SLOW_MS = 10
#: Of CPU within a fifth of a second; a worker that waits for work takes some.
_IDLE_SECONDS = 0.03
USUAL_CLIENTS = 8


class Side(NamedTuple):
    """Who answers: a name, a port, and the process at the root of all that it runs."""

    name: str
    port: int
    process: int


class Cell(NamedTuple):
    """What so many clients ask of a side; `over` is the size that the row is about.

    `wait` lets a side finish what it has taken; a cell that has one is measured with all cores for everybody.
    """

    part: str
    what: str
    side: Side
    over: int
    clients: int
    make: Callable[[], Sequence[bytes]]
    status: int = 200
    wait: Callable[[int], dict[str, Any]] | None = None


class Pace(NamedTuple):
    """How long a cell is asked and how often all are."""

    seconds: int
    rounds: int


def measured(cells: Sequence[Cell], pace: Pace) -> list[dict[str, Any]]:
    """Measure every cell in each round, one after the other; answer a row for each with its medians."""
    seen: list[list[dict[str, Any]]] = [[] for _ in cells]
    for number in range(pace.rounds):
        for cell, rounds in zip(cells, seen, strict=True):
            if not rounds or not rounds[0]["slow"]:
                rounds.append(_round(cell, pace, is_first=number == 0))
                _tell(cell, rounds[-1], number)
    return [_row(cell, rounds) for cell, rounds in zip(cells, seen, strict=True)]


def _row(cell: Cell, rounds: Sequence[dict[str, Any]]) -> dict[str, Any]:
    named = {"part": cell.part, "what": cell.what, "side": cell.side.name, "over": cell.over, "clients": cell.clients}
    return named | median_of_rounds(rounds) | {"rounds": [one["per_second"] for one in rounds]}


def _round(cell: Cell, pace: Pace, *, is_first: bool) -> dict[str, Any]:
    servers, clients = cores_apart()
    pin(tree(cell.side.process), servers if cell.wait is None else servers | clients)
    requests = cell.make()
    one = _one_answer(cell, requests) if is_first else 0.0
    if one is None:
        return {"per_second": None, "errors": 1, "slow": True}
    seconds = min(max(pace.seconds, math.ceil(one * cell.clients * _ANSWERS)), max(_LONGEST_SECONDS, pace.seconds))
    before = cpu_seconds(tree(cell.side.process))
    asked = requests[:-2] or requests
    load = generator.drive(cell.side.port, asked, clients=cell.clients, seconds=seconds, cores=clients)
    more = cell.wait(load.requests) if cell.wait else {}
    spent = cpu_seconds(tree(cell.side.process)) - before
    if load.p50_ms is None or load.p50_ms > _SLOW_MS:
        until_idle(cell.side.process)
    return {
        "per_second": load.requests / load.seconds,
        "p50_ms": load.p50_ms,
        "p99_ms": load.p99_ms,
        "cpu_us": spent / load.requests * 1e6 if load.requests else None,
        "errors": load.errors,
        "slow": one * cell.clients > 1,
        "decided_per_second": load.requests / (load.seconds + more["drained_seconds"]) if more else None,
    }


def _one_answer(cell: Cell, requests: Sequence[bytes]) -> float | None:
    """Answer how long one takes, None where the answer is not what the row claims; that leaves the row empty."""
    # The second is as quick as all that follow; the first may have had something to load.
    two = requests[-2:] if len(requests) > 1 else [requests[0]] * 2
    found = [asyncio.run(_asked_once(cell.side.port, request)) for request in two]
    for status, _ in found:
        if status != cell.status:
            print(f"  {cell.side.name} answered {status} and not {cell.status} to {cell.part}: {cell.what}", flush=True)
            return None
    return min(took for _, took in found)


async def _asked_once(port: int, request: bytes) -> tuple[int, float]:
    connection = await connected(port)
    began = time.perf_counter()
    status, _ = await connection.ask(request)
    took = time.perf_counter() - began
    connection.close()
    return status, took


def until_idle(process: int, seconds: float = 60.0) -> None:
    """Wait until a side is through with what clients that have gone had asked of it."""
    deadline, before = time.monotonic() + seconds, -1.0
    while time.monotonic() < deadline:
        now = cpu_seconds(tree(process))
        if now - before < _IDLE_SECONDS:
            return
        before = now
        time.sleep(0.2)


def _tell(cell: Cell, seen: dict[str, Any], number: int) -> None:
    named = f"{cell.part}: {cell.what}, {cell.over:,}, {cell.clients} clients"
    print(f"  {number + 1}  {named:60}{cell.side.name:12}{seen['per_second'] or 0:12,.1f}/s", flush=True)
