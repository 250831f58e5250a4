"""What honest readers and writers notice while one network floods the service with spoofed headers.

    python -m bench.flood [--clients 50] [--seconds 10] [--flooders 8]

Honest clients have an address each (127.0.1.N), read a page and write a comment now and then. Then the same, while
the flood sends from one address, each request with another made-up `X-Forwarded-For`. The site has its default limits.
The figures are in bench/results/flood.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
import urllib.parse
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, NamedTuple

from bench.client import Answer, Connection
from bench.report import percentile, table, write
from bench.running import Running, running_service

_ABUSER = "127.9.9.9"
_PAUSE_SECONDS = (0.2, 0.6)
_WRITES = 0.1


class Seen(NamedTuple):
    """What a group of clients met: milliseconds and status of each request."""

    reads: list[float]
    writes: list[float]
    statuses: Counter[int]


def main() -> None:
    """Run both parts and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--flooders", type=int, default=8)
    options = parser.parse_args()
    with running_service(SCORER="hashed") as running:
        found = asyncio.run(_measure(running, options))
    write("flood", found)


async def _measure(running: Running, options: argparse.Namespace) -> dict[str, Any]:
    await _default_limits(running)
    quiet, _ = await _part(running, options, flooders=0)
    stormy, flood = await _part(running, options, flooders=options.flooders)
    rows, found = [], {}
    for name, before, during in (("read", quiet.reads, stormy.reads), ("write", quiet.writes, stormy.writes)):
        for share in (0.5, 0.95):
            calm, stress = percentile(before, share), percentile(during, share)
            rows.append((f"{name} p{share * 100:.0f} ms", f"{calm:.1f}", f"{stress:.1f}", f"{stress / calm:.2f}"))
            found[f"{name}_p{share * 100:.0f}"] = {"quiet_ms": calm, "flood_ms": stress, "ratio": stress / calm}
    table("honest clients", ("", "quiet", "under flood", "ratio"), rows)
    sent = sum(flood.statuses.values())
    refused = flood.statuses[429] / sent
    table(
        "the flood",
        ("requests", "a second", "answered 429", "let in"),
        [(f"{sent:,}", f"{sent / options.seconds:,.0f}", f"{refused:.1%}", f"{flood.statuses[202]:,}")],
    )
    honest = {str(status): number for status, number in stormy.statuses.items()}
    print(f"statuses of the honest under flood: {honest}")
    return found | {"flood": {str(k): v for k, v in flood.statuses.items()}, "refused": refused, "honest": honest}


async def _default_limits(running: Running) -> None:
    """The demo site has generous limits, which are not what is measured."""
    connection = Connection(running.port)
    token = running.demo["admin_token"]
    headers = f"authorization: Bearer {token}\r\ncontent-type: application/json\r\n"
    answer = await connection.request("PUT", f"/v1/admin/sites/{running.demo['site']}/limits", b"{}", headers)
    assert answer.status == 200, answer
    await connection.close()


async def _part(running: Running, options: argparse.Namespace, *, flooders: int) -> tuple[Seen, Seen]:
    honest = Seen([], [], Counter())
    # In a process of its own: the clients' event loop must not be what is measured.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        arguments = (running.port, running.demo["site"], running.demo["page"], flooders, options.seconds)
        flood = asyncio.get_running_loop().run_in_executor(pool, flood_for, *arguments)
        end = time.monotonic() + options.seconds
        await asyncio.gather(*(_honest(running, number, end, honest) for number in range(options.clients)))
        return honest, Seen([], [], await flood)


def flood_for(port: int, site: str, page: str, flooders: int, seconds: float) -> Counter[int]:
    """Send as fast as the answers come, and answer how many of which status came."""

    async def flood() -> Counter[int]:
        statuses: Counter[int] = Counter()
        end = time.monotonic() + seconds
        path = f"/v1/sites/{site}/threads/{urllib.parse.quote(page, safe='')}"
        await asyncio.gather(*(_flood(port, path, number, end, statuses) for number in range(flooders)))
        return statuses

    return asyncio.run(flood())


async def _honest(running: Running, number: int, end: float, seen: Seen) -> None:
    chance = random.Random(number)
    connection = Connection(running.port, f"127.0.1.{number + 1}")
    page = urllib.parse.quote(running.demo["page"], safe="")
    path = f"/v1/sites/{running.demo['site']}/threads/{page}"
    await asyncio.sleep(chance.uniform(0, _PAUSE_SECONDS[1]))
    while time.monotonic() < end:
        began = time.perf_counter()
        if chance.random() < _WRITES:
            answer = await _submit(connection, path, f"A civil opinion {number} at {time.time()}.")
            seen.writes.append((time.perf_counter() - began) * 1000)
        else:
            answer = await connection.request("GET", path)
            seen.reads.append((time.perf_counter() - began) * 1000)
        seen.statuses[answer.status] += 1
        await asyncio.sleep(chance.uniform(*_PAUSE_SECONDS))
    await connection.close()


async def _flood(port: int, path: str, number: int, end: float, statuses: Counter[int]) -> None:
    chance = random.Random(1_000 + number)
    connection = Connection(port, _ABUSER)
    while time.monotonic() < end:
        spoofed = f"x-forwarded-for: 203.0.113.{chance.randrange(256)}\r\n"
        answer = await _submit(connection, path, f"Buy now {chance.random()}.", spoofed)
        statuses[answer.status] += 1
    await connection.close()


async def _submit(connection: Connection, path: str, text: str, headers: str = "") -> Answer:
    body = json.dumps({"body": text}).encode()
    return await connection.request("POST", f"{path}/comments", body, f"content-type: application/json\r\n{headers}")


if __name__ == "__main__":
    main()
