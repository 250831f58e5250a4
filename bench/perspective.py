"""How fast `comments:analyze` answers, by whom, and what that costs the comments that are decided beside it.

    python -m bench.perspective [--scorer compact] [--scorer bert-base] [--seconds 10] [--comments 2]

For each model a service of its own: first the comments alone, arriving at random, then 1, 8 and 64 clients that each
send one request after the other, with short texts and with texts of 20 KB, while comments arrive as before. Every text
is new. A client that is answered 429 waits as it is told. *In .75 s* is the share of scored requests that the API had
answered by then by its own clock (`colloquy_http_seconds`), since the clients share the machine and wait for it too.
`bert-base` is a model of that shape with random weights (int8, made now; needs `make model`). The figures are in
bench/results/perspective.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import count, cycle
from pathlib import Path
from typing import Any

from bench.client import Answer, Connection
from bench.end_to_end import random_model
from bench.random_models import texts_of_lengths
from bench.report import percentile, table, write
from bench.running import Running, running_service
from bench.texts import comments

CLIENTS = (1, 8, 64)
LONG_BYTES = 20_000
_WAIT_SECONDS = 10
"""The longest that a submit waits for its decision; one that takes longer counts as so long."""
_JSON = "content-type: application/json\r\n"
_HEADER = [
    "model", "texts", "clients", "answers/s", "p50 ms", "p99 ms", "slowest", "in .75 s", "by the model",
    "by the quick one", "429", "comments p50 ms", "p99 ms",
]  # fmt: skip


def main() -> None:
    """Measure every model and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scorer", action="append", help="any SCORER, or bert-base; compact and bert-base without it")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each row")
    parser.add_argument("--comments", type=float, default=2.0, help="that arrive a second beside it")
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-") as folder:
        for name in options.scorer or ["compact", "bert-base"]:
            scorer = f"onnx:{random_model(Path(folder), 'int8')}" if name == "bert-base" else name
            with running_service(SCORER=scorer, SCORER_TIMEOUT_SECONDS="120") as service:
                rows += asyncio.run(_measure(service, name, options))
    title = f"{options.comments:g} comments a second arrive beside it; {options.seconds:g} s a row"
    table(title, _HEADER, [_cells(row) for row in rows])
    write("perspective", {"comments_per_second": options.comments, "load_before": os.getloadavg(), "rows": rows})


def _cells(row: dict[str, Any]) -> list[Any]:
    shares = [f"{row[name]:.1%}" for name in ("in_time", "by_model", "by_quick", "refused")]
    waits = [row["comments_ms"]["p50"], row["comments_ms"]["p99"]]
    told = [row["answers_per_second"], row["ms"]["p50"], row["ms"]["p99"], row["ms"]["slowest"]]
    return [row["model"], row["texts"], row["clients"], *told, *shares, *waits]


async def _measure(service: Running, name: str, options: argparse.Namespace) -> list[dict[str, Any]]:
    key = await _key(service)
    texts = {"short": _short(), "20 KB": _long()}
    await _load(service, key, texts["short"], 1, 2.0)
    rows = [await _row(service, key, name, "none", texts["short"], 0, options)]
    for kind, source in texts.items():
        for clients in CLIENTS:
            rows.append(await _row(service, key, name, kind, source, clients, options))
            await _until_idle(service, key, texts["short"])
    return rows


async def _row(
    service: Running, key: str, name: str, kind: str, texts: Iterator[str], clients: int, options: argparse.Namespace
) -> dict[str, Any]:
    arriving = asyncio.create_task(_arrive(service, options.comments, options.seconds))
    before = await _answered(service)
    answers = await _load(service, key, texts, clients, options.seconds)
    in_time, all_of_them = (now - then for now, then in zip(await _answered(service), before, strict=True))
    waits = await arriving
    taken = [seconds for seconds, answer in answers if answer.status == 200]
    whose = Counter(_whose(answer) for _, answer in answers)
    odd = {answer.status for _, answer in answers} - {200, 429}
    assert not odd, f"answered {odd}"
    total = max(len(answers), 1)
    return {
        "model": name,
        "texts": kind,
        "clients": clients,
        "requests": len(answers),
        "answers_per_second": len(taken) / options.seconds,
        "ms": _percentiles(taken) | {"slowest": max(taken, default=float("nan")) * 1000},
        "in_time": in_time / max(all_of_them, 1),
        "refused_ms": _percentiles([seconds for seconds, answer in answers if answer.status == 429]),
        "by_model": whose["model"] / total,
        "by_quick": sum(number for who, number in whose.items() if who not in ("model", "refused")) / total,
        "quick_for": {who: number for who, number in whose.items() if who not in ("model", "refused")},
        "refused": whose["refused"] / total,
        "comments": len(waits),
        "comments_ms": _percentiles(waits),
    }


def _percentiles(seconds: list[float]) -> dict[str, float]:
    return {name: percentile(seconds, share) * 1000 for name, share in (("p50", 0.5), ("p99", 0.99))}


def _whose(answer: Answer) -> str:
    if answer.status != 200:
        return "refused"
    return answer.header("x-colloquy-quick") or "model"


async def _load(
    service: Running, key: str, texts: Iterator[str], clients: int, seconds: float
) -> list[tuple[float, Answer]]:
    """Let so many clients send one request after the other; answer how long each took and what it was answered."""
    deadline = time.perf_counter() + seconds
    found: list[tuple[float, Answer]] = []

    async def client() -> None:
        connection = Connection(service.port)
        while time.perf_counter() < deadline:
            began = time.perf_counter()
            answer = await _analyze(connection, key, next(texts))
            found.append((time.perf_counter() - began, answer))
            if answer.status == 429:
                # As it is told, which costs the row nothing when that is after its end.
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(asyncio.get_running_loop().time() + deadline - time.perf_counter()):
                        await asyncio.sleep(float(answer.header("retry-after") or 1))
        await connection.close()

    if clients:
        await asyncio.gather(*(client() for _ in range(clients)))
    else:
        await asyncio.sleep(seconds)
    return found


async def _analyze(connection: Connection, key: str, text: str) -> Answer:
    body = json.dumps({"comment": {"text": text}, "requestedAttributes": {"TOXICITY": {}}, "doNotStore": True})
    return await connection.request("POST", f"/v1alpha1/comments:analyze?key={key}", body.encode(), _JSON)


async def _arrive(service: Running, per_second: float, seconds: float) -> list[float]:
    """Submit comments at random times; answer how long each waited for its decision."""
    chosen, waits, under_way = random.Random(5), list[float](), set[asyncio.Task[None]]()

    async def submit(text: str) -> None:
        connection = Connection(service.port)
        began = time.perf_counter()
        body = json.dumps({"body": text}).encode()
        headers = f"{_JSON}prefer: wait={_WAIT_SECONDS}\r\n"
        answer = await connection.request("POST", "/v1/sites/demo/threads/bench/comments", body, headers)
        assert answer.status in (201, 202), f"a comment was answered {answer.status}"
        waits.append(time.perf_counter() - began)
        await connection.close()

    end = time.perf_counter() + seconds
    while (pause := chosen.expovariate(per_second)) < end - time.perf_counter():
        await asyncio.sleep(pause)
        under_way.add(asyncio.create_task(submit(f"{next(_COMMENTS)} {time.monotonic_ns()}")))
    await asyncio.gather(*under_way)
    return waits


async def _answered(service: Running) -> tuple[float, float]:
    """Answer how many scored requests the API answered within .75 s, by its own clock, and how many in all."""
    connection = Connection(service.port)
    page = (await connection.request("GET", "/metrics")).body.decode()
    await connection.close()
    found = dict(line.rsplit(" ", 1) for line in page.splitlines() if line.startswith("colloquy_http_seconds"))
    of = 'method="POST",route="/v1alpha1/comments:analyze",status="200"'
    in_time = float(found.get(f'colloquy_http_seconds_bucket{{le="0.75",{of}}}', 0))
    return in_time, float(found.get(f"colloquy_http_seconds_count{{{of}}}", 0))


async def _until_idle(service: Running, key: str, texts: Iterator[str]) -> None:
    """Wait until what the row before left is done: the model answers a short text again."""
    connection = Connection(service.port)
    for _ in range(120):
        if _whose(await _analyze(connection, key, next(texts))) == "model":
            break
        await asyncio.sleep(0.5)
    await connection.close()


async def _key(service: Running) -> str:
    connection = Connection(service.port)
    headers = f"{_JSON}authorization: Bearer {service.demo['admin_token']}\r\n"
    wanted = json.dumps({"name": "bench", "scopes": ["analyze"], "per_minute": 1_000_000}).encode()
    answer = await connection.request("POST", "/v1/admin/sites/demo/keys", wanted, headers)
    await connection.close()
    return str(json.loads(answer.body)["token"])


def _short() -> Iterator[str]:
    """Texts of comments' lengths, each new."""
    for text in cycle(texts_of_lengths(500, seed=31)):
        yield f"{text} ({time.monotonic_ns()})"


def _long() -> Iterator[str]:
    """Texts of almost as many bytes as Perspective takes, each new."""
    words = " ".join(comments(2000, seed=32)) * 2
    for number in count():
        start = number * 997 % LONG_BYTES
        yield f"({number} {time.monotonic_ns()}) {words[start : start + LONG_BYTES - 40]}"


_COMMENTS = cycle(texts_of_lengths(500, seed=33))


if __name__ == "__main__":
    main()
