"""Closed-loop load, the same for every side: `wrk` where it is installed, else a process of our own.

    python -m bench.generator PORT FILE CLIENTS SECONDS

wrk's percentiles make up for what a slow answer kept a client from asking (it repeats long latencies); our own are of
the requests as they were. Which of both made a table stands beside it.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

from bench.kept import Kept, connected
from bench.report import percentile

_SCRIPT = Path(__file__).parent / "wrk.lua"
_PATIENCE_SECONDS = 30


class Load(NamedTuple):
    """What was seen: whole requests, over how many seconds, errors among them, and their latencies."""

    requests: int
    seconds: float
    errors: int
    p50_ms: float | None
    p99_ms: float | None


def name() -> str:
    """Answer which generator there is."""
    return "wrk" if shutil.which("wrk") else "bench.generator"


def drive(port: int, requests: Sequence[bytes], *, clients: int, seconds: int, cores: set[int]) -> Load:
    """Let so many clients send the requests in turn, one after the other, from cores of their own."""
    with tempfile.NamedTemporaryFile(prefix="colloquy-bench-") as file:
        for request in requests:
            file.write(b"%d\n%b" % (len(request), request))
        file.flush()
        done = subprocess.run(
            _command(port, file.name, clients, seconds),
            stdout=subprocess.PIPE,
            check=True,
            timeout=seconds + 2 * _PATIENCE_SECONDS,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
        )
    found = json.loads(done.stdout.splitlines()[-1])
    load = Load(**found)
    return load if load.requests else load._replace(p50_ms=None, p99_ms=None)


def _command(port: int, file: str, clients: int, seconds: int) -> list[str]:
    if name() != "wrk":
        return [sys.executable, "-m", "bench.generator", str(port), file, str(clients), str(seconds)]
    options = ["-t1", f"-c{clients}", f"-d{seconds}s", "--timeout", f"{_PATIENCE_SECONDS}s"]
    return ["wrk", *options, "-s", str(_SCRIPT), f"http://127.0.0.1:{port}/", "--", file]


def main() -> None:
    """Be the generator where there is no wrk."""
    port, file, clients, seconds = sys.argv[1:]
    print(json.dumps(_run(int(port), _read(Path(file)), int(clients), float(seconds))))


def _read(path: Path) -> list[bytes]:
    found, whole, at = [], path.read_bytes(), 0
    while at < len(whole):
        end = whole.index(b"\n", at)
        length = int(whole[at:end])
        found.append(whole[end + 1 : end + 1 + length])
        at = end + 1 + length
    return found


def _run(port: int, requests: list[bytes], clients: int, seconds: float) -> dict[str, Any]:
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_drive(port, requests, clients, seconds))


async def _drive(port: int, requests: list[bytes], clients: int, seconds: float) -> dict[str, Any]:
    following, took, failed = cycle(requests), list[float](), [0]
    connections = [await connected(port) for _ in range(clients)]
    began = time.perf_counter()
    end = began + seconds

    def ask(connection: Kept) -> None:
        sent = time.perf_counter()

        def done(status: int, _body: bytes) -> None:
            now = time.perf_counter()
            if now >= end:
                return
            took.append(now - sent)
            if not 200 <= status < 400:
                failed[0] += 1
            if connection.is_open:
                ask(connection)

        connection.send(next(following), done)

    for connection in connections:
        ask(connection)
    await asyncio.sleep(seconds)
    lasted = time.perf_counter() - began
    for connection in connections:
        connection.close()
    return {
        "requests": len(took),
        "seconds": lasted,
        "errors": failed[0],
        **{f"p{of}_ms": percentile(took, of / 100) * 1000 if took else None for of in (50, 99)},
    }


if __name__ == "__main__":
    main()
