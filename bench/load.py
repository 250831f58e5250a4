"""Ten minutes of load at a constant rate of arrivals, at half and at nine tenths of what the machine can do.

    python -m bench.load [--minutes 10] [--shares 50,90] [--clients 32] [--capacity-seconds 30]

All parts are on: PostgreSQL (started here, keeping what it commits), Redis, one API process, one worker with the
compact model, a receiver of webhooks, twenty live streams, a moderator who decides, and a mix of requests of which 94.5
in 100 read pages. First the mix is asked by so many clients as fast as they are answered, which is the capacity; then
it arrives at random at a share of that rate. A latency counts from the planned moment. Everything shares the machine.
The figures are in bench/results/load.json; `python -m bench.run --write-docs` writes them into docs.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench import field
from bench.cells import until_idle
from bench.kept import connected, written
from bench.load_docs import load_section
from bench.postgresql import running_postgresql
from bench.processes import memory_mib, parts, tree
from bench.report import seen_on, write
from bench.running import Running, running_service
from bench.same_comments import fill_ours, large, small
from bench.webhooks import Receivers

LARGE, SMALL = 10_000, 200
_PATIENCE_SECONDS = 300


def main() -> None:
    """Measure the capacity, then the latencies and the memory at shares of it."""
    options, load = _options(), os.getloadavg()[0]
    with running_postgresql() as (url, database), _receiver() as (port, receivers):
        settings = {"DATABASE_URL": url, "WEBHOOKS_ALLOW_LOOPBACK": "1", "LIVE_STREAMS": "100"}
        with running_service(**settings) as service:
            asyncio.run(_prepared(service, url, port))
            found = _measure(options, service, database)
        found |= {"load_before": load, "webhook_requests": receivers.asked}
    print("\n" + load_section({"seen": seen_on()} | found, []))
    write(options.name, found)


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--shares", default="50,90", help="of the capacity, in hundredths, by commas")
    parser.add_argument("--clients", type=int, default=32, help="while the capacity is measured")
    parser.add_argument("--capacity-seconds", type=float, default=30)
    parser.add_argument("--name", default="load", help="of the file of results")
    return parser.parse_args()


@contextmanager
def _receiver() -> Iterator[tuple[int, Receivers]]:
    """Take webhooks until the block ends."""
    receivers, loop = Receivers(), asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(receivers.serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield server.sockets[0].getsockname()[1], receivers
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _prepared(service: Running, url: str, receiver: int) -> None:
    """Fill the threads, take the limits out of the way, and add a webhook for everything."""
    await fill_ours(url, [LARGE], SMALL)
    headers = {"authorization": f"Bearer {service.demo['admin_token']}", "content-type": "application/json"}
    connection = await connected(service.port)
    await field.without_limits(service)
    body = json.dumps({"url": f"http://127.0.0.1:{receiver}/", "events": ["*"]}).encode()
    status, _ = await connection.ask(written("POST", "/v1/admin/sites/demo/webhooks", headers, body))
    connection.close()
    assert status == 201, f"the webhook was answered {status}"


def _measure(options: Any, service: Running, database: int) -> dict[str, Any]:
    closed = _traffic(service, database, rate=0.0, seconds=options.capacity_seconds, clients=options.clients, seed=1)
    capacity = closed["answered"] / options.capacity_seconds
    print(f"capacity: {capacity:,.0f} requests/s of the mix by {options.clients} clients", flush=True)
    runs = []
    for share in (int(part) / 100 for part in options.shares.split(",")):
        # What the run before has left to decide is no load of this one.
        until_idle(service.process.pid, _PATIENCE_SECONDS)
        rate, seconds = capacity * share, options.minutes * 60
        seen = _traffic(service, database, rate=rate, seconds=seconds, clients=0, seed=int(share * 100))
        runs.append({"share": share, "rate": rate, **seen})
        print(f"{share:.0%}: {seen['answered']:,} answered in {seen['seconds']:.0f} s", flush=True)
    return {
        "minutes": options.minutes,
        "clients": options.clients,
        "capacity_per_second": capacity,
        "capacity_kinds": closed["kinds"],
        "runs": runs,
    }


def _traffic(service: Running, database: int, **order: Any) -> dict[str, Any]:
    """Let a process send the traffic, and look at everybody's memory each minute."""
    given = {
        "port": service.port,
        "pages": [large(LARGE), *small(SMALL)],
        "moderator_token": service.demo["moderator_token"],
        **order,
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file, tempfile.TemporaryFile("w+") as answer:
        json.dump(given, file)
        file.flush()
        process = subprocess.Popen([sys.executable, "-m", "bench.traffic", file.name], stdout=answer)
        memory = list(_watched(process, service, database))
        assert process.returncode == 0, "the traffic ended with an error"
        answer.seek(0)
        found: dict[str, Any] = json.load(answer)
    return found | {"memory": memory}


def _watched(process: subprocess.Popen[bytes], service: Running, database: int) -> Iterator[dict[str, Any]]:
    began = time.monotonic()
    yield {"minute": 0.0, "parts": _held(service, database)}
    for minute in range(1, 10_000):
        try:
            process.wait(max(0.1, began + 60 * minute - time.monotonic()))
        except subprocess.TimeoutExpired:
            yield {"minute": float(minute), "parts": _held(service, database)}
        else:
            yield {"minute": round((time.monotonic() - began) / 60, 1), "parts": _held(service, database)}
            return


def _held(service: Running, database: int) -> dict[str, dict[str, float]]:
    found = {name: memory_mib(some) for name, some in parts(service.process.pid).items()}
    return found | {"postgresql": memory_mib(tree(database))}


if __name__ == "__main__":
    main()
