"""Comments per second from HTTP submit to decision, where the time goes, and what a stopped scorer does.

    python -m bench.pipeline [--comments 1500] [--clients 1,8,32]

Starts the whole service as `make run` does. Every submit asks `Prefer: wait=10`, so a latency ends with the decision.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from typing import Any
from urllib.parse import quote

from bench.client import Connection
from bench.report import percentile, table, write
from bench.running import Running, running_service, wait_for
from bench.texts import comments

STAGES = ("read", "score", "record", "acknowledge")


def main() -> None:
    """Run every part and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--comments", type=int, default=1500, help="comments for each number of clients")
    parser.add_argument("--clients", default="1,8,32")
    parser.add_argument("--database-url", default="", help="PostgreSQL instead of the embedded SQLite")
    options = parser.parse_args()
    environment = {"DATABASE_URL": options.database_url} if options.database_url else {}
    with running_service(**environment) as service:
        print(f"up with a scoring worker after {service.started_seconds:.2f} s")
        texts = comments(options.comments * 4 + 200)
        asyncio.run(submit_all(service, texts[-200:], 8, "warm-up", wait=True))
        runs = []
        for number, clients in enumerate(int(part) for part in options.clients.split(",")):
            few = options.comments // 3 if clients == 1 else options.comments
            runs.append(_run(service, texts[number * options.comments :][:few], clients))
        table(
            "Submit to decision",
            ["clients", "comments/s", "p50 ms", "p99 ms", "API CPU ms", "worker CPU ms", "scorer CPU ms"],
            [[r["clients"], r["per_second"], r["p50_ms"], r["p99_ms"], *r["cpu_ms"].values()] for r in runs],
        )
        table(
            "Worker: milliseconds for each comment, by stage",
            ["clients", "comments in a batch", *STAGES],
            [[r["clients"], r["batch"], *(r["stages_ms"][stage] for stage in STAGES)] for r in runs],
        )
        stopped = asyncio.run(_with_scorer_stopped(service, texts[-600:-200]))
        table("Scorer stopped (SIGSTOP)", ["what", "seen"], [[key, value] for key, value in stopped.items()])
    write("pipeline", {"start_seconds": service.started_seconds, "runs": runs, "scorer_stopped": stopped})


async def submit_all(
    service: Running, texts: list[str], clients: int, page: str, *, wait: bool
) -> list[tuple[float, int]]:
    """Submit texts over `clients` connections; answer (seconds, status) of each."""
    path = f"/v1/sites/demo/threads/{quote(page, safe='')}/comments"
    headers = "content-type: application/json\r\n" + ("prefer: wait=10\r\n" if wait else "")
    waiting, seen = list(enumerate(texts)), []

    async def one_client() -> None:
        connection = Connection(service.port)
        while waiting:
            number, text = waiting.pop()
            body = json.dumps({"body": text, "author": {"name": f"Reader {number}"}}).encode()
            began = time.perf_counter()
            answer = await connection.request("POST", path, body, headers)
            seen.append((time.perf_counter() - began, answer.status))
        await connection.close()

    await asyncio.gather(*(one_client() for _ in range(clients)))
    return seen


def _run(service: Running, texts: list[str], clients: int) -> dict[str, Any]:
    metrics, cpu, began = service.worker_metrics(), cpu_seconds(service), time.perf_counter()
    seen = asyncio.run(submit_all(service, texts, clients, f"bench-{clients}", wait=True))
    seconds = time.perf_counter() - began
    spent = {part: (after - cpu[part]) * 1000 / len(texts) for part, after in cpu_seconds(service).items()}
    late = [status for _, status in seen if status != 201]
    assert not late, f"{len(late)} submits were not decided in time"
    after = service.worker_metrics()
    latencies = [latency * 1000 for latency, _ in seen]
    change = {name: value - metrics.get(name, 0.0) for name, value in after.items()}
    return {
        "clients": clients,
        "comments": len(texts),
        "per_second": len(texts) / seconds,
        "p50_ms": percentile(latencies, 0.5),
        "p99_ms": percentile(latencies, 0.99),
        "cpu_ms": spent,
        "batch": change["colloquy_batch_comments_sum"] / change["colloquy_batch_comments_count"],
        "stages_ms": {
            stage: change[f'colloquy_stage_seconds_sum{{stage="{stage}"}}'] * 1000 / len(texts) for stage in STAGES
        },
    }


def cpu_seconds(service: Running) -> dict[str, float]:
    """Answer the CPU seconds of API, worker and scorer so far."""
    tick = os.sysconf("SC_CLK_TCK")
    spent = {"api": 0.0, "work": 0.0, "scorer": 0.0}
    pids = service.children()
    for part in spent:
        for pid in _with_descendants(pids[part]) if part == "api" else [pids[part]]:
            with open(f"/proc/{pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            spent[part] += (int(fields[11]) + int(fields[12])) / tick
    return spent


def _with_descendants(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [pid, *(found for child in file.read().split() for found in _with_descendants(int(child)))]


async def _with_scorer_stopped(service: Running, texts: list[str]) -> dict[str, Any]:
    """Stop the scorer as a hanging model would, submit, read, then let it go on."""
    scorer = service.children()["scorer"]
    os.kill(scorer, signal.SIGSTOP)
    seen = await submit_all(service, texts, 8, "stopped", wait=False)
    latencies = [latency * 1000 for latency, _ in seen]
    published = service.get("/v1/sites/demo/counts?page=stopped")[1]["counts"]["stopped"]
    wait_for(lambda: service.get("/health/workers")[0] == 503, 60)
    reason = service.get("/health/workers")[1]["parts"][0]["reason"]
    reads = service.get("/v1/sites/demo/threads/bench-8")[0]
    began = time.perf_counter()
    os.kill(scorer, signal.SIGCONT)
    wait_for(lambda: service.get("/v1/sites/demo/counts?page=stopped")[1]["counts"]["stopped"] == len(texts), 120)
    return {
        "submits answered 202": sum(status == 202 for _, status in seen),
        "p50 ms": percentile(latencies, 0.5),
        "p99 ms": percentile(latencies, 0.99),
        "published meanwhile": published,
        "reads answered": reads,
        "/health/workers says": reason,
        "all decided after, s": time.perf_counter() - began,
    }


if __name__ == "__main__":
    main()
