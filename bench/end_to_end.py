"""How much of a model's own speed the whole service keeps, and how long a comment waits for its decision at half load.

    python -m bench.end_to_end [--precision int8|fp32] [--scorer onnx:FOLDER] [--comments 400] [--seconds 30]

Without --scorer a model of bert-base's shape with random weights is made and exported (needs `make model`). In one
run: the scorer alone in one process, on all texts at once and in calls of the service's batch size; the service on the
same texts, all submitted at the start; of both the CPU time too, which a busy machine blurs less. Then comments that
arrive at random, at half of that speed, whatever became of those before. The figures are in
bench/results/end_to_end_PRECISION.json.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.client import Connection
from bench.pipeline import cpu_seconds
from bench.random_models import make_checkpoint, texts_of_lengths
from bench.report import percentile, table, write
from bench.running import Running, running_service

SHARE_OF_LOAD = 0.5
BATCH = 32
_SUBMITTERS = 4
_WARM_UP = 32


def main() -> None:
    """Run every part and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scorer", default="", help="any SCORER; without it a random model of bert-base's shape")
    parser.add_argument("--precision", choices=("int8", "fp32"), default="int8", help="of the random model")
    parser.add_argument("--comments", type=int, default=400)
    parser.add_argument("--seconds", type=float, default=30.0, help="of arrivals at half load")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument(
        "--rounds", type=int, default=2, help="raw and service in turn, so that both see the same noise"
    )
    parser.add_argument("--raw", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.raw:
        print(json.dumps(_score_raw(options)))
        return
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-") as folder:
        scorer = options.scorer or f"onnx:{random_model(Path(folder), options.precision)}"
        _measure(options, scorer, Path(folder))


def _measure(options: argparse.Namespace, scorer: str, folder: Path) -> None:
    count = options.comments
    # Every text is new to the service, so that no score comes from memory; one pool, so that lengths are alike.
    texts = texts_of_lengths(count * options.rounds + _WARM_UP)
    settings = {"SCORER": scorer, "SCORER_THREADS": str(options.threads), "SCORER_TIMEOUT_SECONDS": "120"}
    raws, services = [], []
    with running_service(**settings) as service:
        for number in range(options.rounds):
            part = texts[number * count : (number + 1) * count]
            raws.append(_raw_in_a_child(options, scorer, part, folder))
            if number == 0:
                _put_policy(service, raws[0]["model_id"])
                asyncio.run(_submit_all(service, texts[-_WARM_UP:], "warm-up"))
            services.append(asyncio.run(_submit_all(service, part, f"round-{number}")))
        raw = statistics.median(one["per_second"] for one in raws)
        whole = statistics.median(one["per_second"] for one in services)
        rate = whole * SHARE_OF_LOAD
        arriving = texts_of_lengths(max(1, round(rate * options.seconds)), seed=12)
        waits = asyncio.run(_arrive(service, arriving, rate))
    kept = [one["per_second"] / alone["per_second"] for one, alone in zip(services, raws, strict=True)]
    table(
        f"{raws[0]['model_id']}, {options.threads} threads, {count} comments a round",
        [
            "round",
            "alone/s",
            f"in calls of {BATCH}/s",
            "service/s",
            "kept",
            "CPU ms alone",
            "CPU ms scorer",
            "CPU ms all",
        ],
        [
            [
                number,
                alone["per_second"],
                alone["per_second_in_calls"],
                one["per_second"],
                share,
                alone["cpu_ms"],
                one["cpu_ms"]["scorer"],
                sum(one["cpu_ms"].values()),
            ]
            for number, (alone, one, share) in enumerate(zip(raws, services, kept, strict=True))
        ],
    )
    late = {name: percentile(waits, share) * 1000 for name, share in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99))}
    table(
        f"Submit to decision at {SHARE_OF_LOAD:.0%} load: {len(waits)} comments arrive at random, {rate:.1f} a second",
        [f"{name} ms" for name in late],
        [list(late.values())],
    )
    write(
        "end_to_end" if options.scorer else f"end_to_end_{options.precision}",
        {
            "model": raws[0]["model_id"],
            "threads": options.threads,
            "raw": raws,
            "service": services,
            "share_kept": kept,
            "median_share_kept": whole / raw,
            "median_cpu_share": statistics.median(
                alone["cpu_ms"] / sum(one["cpu_ms"].values()) for one, alone in zip(services, raws, strict=True)
            ),
            "load_per_second": rate,
            "waits_ms": late,
        },
    )


def random_model(folder: Path, precision: str) -> Path:
    """Make a checkpoint of bert-base's shape with random weights, export it, and answer the folder of a precision."""
    import msgspec

    from moderation.scorers.detoxify_opening import open_model
    from moderation.scorers.export import export_module, quantise_folder, source_of

    source = source_of(open_model(make_checkpoint(folder / "made", "bert-base"), models_home=folder))
    manifest = msgspec.structs.replace(source.manifest, name="random-bert-base")
    export_module(source.module, source.tokenizer_json, manifest, folder / "fp32")
    quantise_folder(folder / "fp32", folder / "int8", manifest)
    return folder / precision


def _raw_in_a_child(options: argparse.Namespace, scorer: str, texts: list[str], folder: Path) -> dict[str, Any]:
    """Score in a process of its own, as the service does, while the service is idle."""
    (folder / "texts.json").write_text(json.dumps(texts))
    threads = str(options.threads)
    command = [sys.executable, "-m", "bench.end_to_end", "--scorer", scorer, "--threads", threads]
    done = subprocess.run(
        [*command, "--raw", str(folder / "texts.json")],
        env={**os.environ, "OMP_NUM_THREADS": threads},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _score_raw(options: argparse.Namespace) -> dict[str, Any]:
    from service.scorers import build_named

    texts: list[str] = json.loads(options.raw.read_text())
    scorer = build_named(options.scorer, threads=options.threads)
    scorer.score(texts[:8])
    began, spent = time.perf_counter(), time.process_time()
    scorer.score(texts)
    at_once, spent = time.perf_counter() - began, time.process_time() - spent
    began = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        scorer.score(texts[start : start + BATCH])
    in_calls = time.perf_counter() - began
    return {
        "model_id": scorer.model_id,
        "per_second": len(texts) / at_once,
        "per_second_in_calls": len(texts) / in_calls,
        "cpu_ms": spent * 1000 / len(texts),
    }


def _put_policy(service: Running, model_id: str) -> None:
    """Put a policy in force that judges by this model and holds nothing: what is measured is the way, not people."""

    async def put() -> int:
        connection = Connection(service.port)
        headers = f"content-type: application/json\r\nauthorization: Bearer {service.demo['admin_token']}\r\n"
        body = json.dumps({"name": "bench", "model": model_id, "rules": []}).encode()
        answer = await connection.request("PUT", "/v1/admin/sites/demo/policy", body, headers)
        await connection.close()
        return answer.status

    status = asyncio.run(put())
    assert status == 200, f"the policy was answered {status}"


async def _submit_all(service: Running, texts: list[str], page: str) -> dict[str, Any]:
    """Submit without waiting, then wait until all are published; the time is that of the whole."""
    waiting = list(enumerate(texts))
    cpu, began = cpu_seconds(service), time.perf_counter()

    async def one_client() -> None:
        connection = Connection(service.port)
        while waiting:
            number, text = waiting.pop(0)
            assert await _submit(connection, page, number, text, wait=False) == 202
        await connection.close()

    await asyncio.gather(*(one_client() for _ in range(_SUBMITTERS)))
    submitted = time.perf_counter() - began
    await _all_published(service, page, len(texts))
    seconds = time.perf_counter() - began
    spent = {part: (after - cpu[part]) * 1000 / len(texts) for part, after in cpu_seconds(service).items()}
    return {"per_second": len(texts) / seconds, "submitted_after_seconds": submitted, "cpu_ms": spent}


async def _all_published(service: Running, page: str, count: int) -> None:
    """Ask seldom and on one connection, for the asking takes time from what is measured."""
    connection = Connection(service.port)
    while True:
        answer = await connection.request("GET", f"/v1/sites/demo/counts?page={page}")
        if json.loads(answer.body)["counts"].get(page) == count:
            break
        await asyncio.sleep(0.1)
    await connection.close()


async def _arrive(service: Running, texts: list[str], rate: float) -> list[float]:
    """Submit at random times, exponentially far apart; answer the seconds from each due time to its decision."""
    chosen = random.Random(5)
    free: list[Connection] = []
    due, began = 0.0, time.perf_counter()
    tasks = []

    async def one(number: int, text: str, due_at: float) -> float:
        connection = free.pop() if free else Connection(service.port)
        status = await _submit(connection, "arrivals", number, text, wait=True)
        # One that was not decided within its wait stands in the figures with what it had waited, which is too little.
        assert status in (201, 202), f"a comment was answered {status}"
        free.append(connection)
        return time.perf_counter() - began - due_at

    for number, text in enumerate(texts):
        due += chosen.expovariate(rate)
        await asyncio.sleep(max(0.0, due - (time.perf_counter() - began)))
        tasks.append(asyncio.create_task(one(number, text, due)))
    waits = list(await asyncio.gather(*tasks))
    for connection in free:
        await connection.close()
    return waits


async def _submit(connection: Connection, page: str, number: int, text: str, *, wait: bool) -> int:
    headers = "content-type: application/json\r\n" + ("prefer: wait=10\r\n" if wait else "")
    body = json.dumps({"body": text, "author": {"name": f"Reader {number}"}}).encode()
    return (await connection.request("POST", f"/v1/sites/demo/threads/{page}/comments", body, headers)).status


if __name__ == "__main__":
    main()
