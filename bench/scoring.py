"""Comments per second of one model run five ways, each in a process of its own, on the same made-up comments.

    python -m bench.scoring [--shape bert-base] [--texts 48] [--threads 2] [--device cpu] [--json]

Weights are random, in the shapes of Detoxify's models, since only their sizes set the speed. Compared are detoxify's
`predict` one by one and on lists, our scorer on torch, and our exports, whole and in eight bits. Texts are not
normalised here, so that all read the same tokens. The ways take turns, the fastest turn of each counts. The last run's
figures are in bench/results/scoring.json. Needs `make model`; with `--device cuda` the exports are read only where
onnxruntime-gpu is installed, and all products are in fp32, as torch makes them unless it is told otherwise.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.random_models import LABELS, SHAPES, make_checkpoint, texts_of_lengths
from bench.report import percentile, table, write
from moderation.scorers import Scorer
from moderation.text import normalise
from service.cores import cores_present
from service.scorers import BATCH_TOKENS

LIST = 32
"""Texts that detoxify gets at once; a list of all of them would be one batch, padded to the longest."""
WAYS = ("detoxify one by one", f"detoxify lists of {LIST}", "ours torch", "ours onnx fp32", "ours onnx int8")
ON_TORCH = WAYS[:3]
Values = list[list[float]]
_PEAK_SIZES = {"cpu": 2048, "cuda": 8192}


def main() -> None:
    """Run one shape or all, print the tables and write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=(*SHAPES, "all"), default="all")
    parser.add_argument("--texts", type=int, default=48)
    parser.add_argument("--rounds", type=int, default=2, help="turns of every way; the fastest counts")
    parser.add_argument("--threads", type=int, default=cores_present())
    parser.add_argument("--device", choices=tuple(_PEAK_SIZES), default="cpu")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON instead of tables")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        print(json.dumps(_step(options)))
        return
    if _ways_at_hand(options.device) != WAYS:
        print("without onnxruntime-gpu: the exports are left out", file=sys.stderr)
    shapes = {}
    for name in SHAPES if options.shape == "all" else [options.shape]:
        shapes[name] = _shape(options, name)
        if not options.json:
            _print(name, shapes[name])
    figures = {
        "device": _device_name(options.device),
        "threads": options.threads,
        "texts": options.texts,
        "shapes": shapes,
    }
    if options.json:
        print(json.dumps(figures))
    else:
        write("scoring", figures)


def _ways_at_hand(device: str) -> tuple[str, ...]:
    import onnxruntime

    found = device == "cpu" or "CUDAExecutionProvider" in onnxruntime.get_available_providers()
    return WAYS if found else ON_TORCH


def _device_name(device: str) -> str:
    import torch

    return device if device == "cpu" else f"{device}: {torch.cuda.get_device_name(device)}, torch {torch.__version__}"


def _print(name: str, shape: dict[str, Any]) -> None:
    table(
        f"{name}: {shape['tokens_median']} tokens in the median, {shape['tokens_longest']} in the longest; "
        f"peak {shape['peak_gflops']:.0f} GFLOP/s in fp32; the normaliser, left out, takes "
        f"{shape['normalise_ms']:.2f} ms a comment",
        [
            "",
            "comments/s",
            "ratio",
            "CPU ms",
            "CPU ratio",
            "of peak %",
            "largest diff.",
            "start s",
            "MiB loaded",
            "MiB peak",
        ],
        [[way, *(_cell(run[key]) for key in _COLUMNS)] for way, run in shape["ways"].items()],
    )


_COLUMNS = (
    "per_second",
    "ratio",
    "cpu_ms",
    "cpu_ratio",
    "peak_percent",
    "largest_difference",
    "start_seconds",
    "mib_loaded",
    "mib_peak",
)


def _cell(value: float) -> str | float:
    return f"{value:.1e}" if 0 < value < 0.005 else value


def _shape(options: argparse.Namespace, name: str) -> dict[str, Any]:
    """Make the model and its exports, then let every way read the texts."""
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-") as folder:
        work = Path(folder)
        made = _run(options, name, work, "make")
        ways = _ways_at_hand(options.device)
        turns = [{way: _run(options, name, work, way) for way in ways} for _ in range(options.rounds)]
        runs = {way: _best([turn[way] for turn in turns]) for way in ways}
        peak = max(made["peak_gflops"], _run(options, name, work, "peak")["peak_gflops"])
    texts = texts_of_lengths(options.texts)
    began = time.perf_counter()
    for text in texts:
        normalise(text)
    return {
        "tokens_median": percentile(made["tokens"], 0.5),
        "tokens_longest": max(made["tokens"]),
        "tokens_mean": sum(made["tokens"]) / len(made["tokens"]),
        "peak_gflops": peak,
        "normalise_ms": (time.perf_counter() - began) * 1000 / len(texts),
        "ways": {way: _judged(name, run, runs[WAYS[0]], made["tokens"], peak) for way, run in runs.items()},
    }


def _best(turns: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The machine may be busy with other things in any one turn."""
    fastest = {name: min(turn[name] for turn in turns) for name in ("seconds", "cpu_seconds", "start_seconds")}
    return {**turns[0], **fastest, "mib_peak": max(turn["mib_peak"] for turn in turns)}


def _judged(
    name: str, run: dict[str, Any], first: dict[str, Any], tokens: Sequence[int], peak: float
) -> dict[str, float]:
    operations = sum(map(SHAPES[name].operations, tokens)) / 1e9
    apart = [
        abs(one - other)
        for row, same in zip(run["values"], first["values"], strict=True)
        for one, other in zip(row, same, strict=True)
    ]
    return {
        "per_second": len(tokens) / run["seconds"],
        "ratio": first["seconds"] / run["seconds"],
        "cpu_ms": run["cpu_seconds"] * 1000 / len(tokens),
        "cpu_ratio": first["cpu_seconds"] / run["cpu_seconds"],
        "peak_percent": 100 * operations / run["seconds"] / peak,
        "largest_difference": max(apart),
        "start_seconds": run["start_seconds"],
        "mib_loaded": run["mib_loaded"],
        "mib_peak": run["mib_peak"],
    }


def _run(options: argparse.Namespace, shape: str, work: Path, step: str) -> dict[str, Any]:
    """Run one step in a process of its own, so that its start and its memory are its own."""
    told = {"shape": shape, "texts": options.texts, "threads": options.threads}
    told |= {"device": options.device, "work": work, "step": step, "began": time.monotonic()}
    command = [sys.executable, "-m", "bench.scoring", *(f"--{name}={value}" for name, value in told.items())]
    print(f"{shape}: {step} ...", file=sys.stderr, flush=True)
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    answer: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return answer


def _step(options: argparse.Namespace) -> dict[str, Any]:
    if options.step == "make":
        return _make(options)
    if options.step == "peak":
        return {"peak_gflops": _peak_gflops(options)}
    texts = texts_of_lengths(options.texts)
    score = _ways(options)[options.step]()
    score(texts[:1])
    start, loaded = time.monotonic() - options.began, _mib("VmRSS")
    began, spent = time.perf_counter(), time.process_time()
    values = score(texts)
    return {
        "seconds": time.perf_counter() - began,
        "cpu_seconds": time.process_time() - spent,
        "start_seconds": start,
        "mib_loaded": loaded,
        "mib_peak": _mib("VmHWM"),
        "values": values,
    }


def _mib(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    return 0.0


def _make(options: argparse.Namespace) -> dict[str, Any]:
    """Write the checkpoint and, where they can be read, both exports, and measure what the machine can do at most."""
    import msgspec

    from moderation.scorers.detoxify_opening import open_model
    from moderation.scorers.export import export_module, quantise_folder, source_of

    path = make_checkpoint(options.work, options.shape)
    source = source_of(open_model(path, models_home=options.work))
    if _ways_at_hand(options.device) == WAYS:
        manifest = msgspec.structs.replace(source.manifest, name=options.shape)
        export_module(source.module, source.tokenizer_json, manifest, options.work / "fp32")
        quantise_folder(options.work / "fp32", options.work / "int8", manifest)
    tokens = [len(source.tokenise(text)) for text in texts_of_lengths(options.texts)]
    return {"tokens": tokens, "peak_gflops": _peak_gflops(options)}


def _peak_gflops(options: argparse.Namespace) -> float:
    """Return the fastest of some large products of fp32 matrices, in 10^9 operations per second."""
    import torch

    torch.set_num_threads(options.threads)
    size = _PEAK_SIZES[options.device]
    one = torch.rand(size, size, device=options.device)
    fastest = float("inf")
    for _ in range(8):
        began = time.perf_counter()
        (one @ one)[0, 0].item()
        fastest = min(fastest, time.perf_counter() - began)
    return 2 * size**3 / fastest / 1e9


def _ways(options: argparse.Namespace) -> dict[str, Callable[[], Callable[[Sequence[str]], Values]]]:
    checkpoint = next(options.work.glob("*.ckpt"), None)
    batch_tokens = BATCH_TOKENS[options.device]

    def detoxify(size: int) -> Callable[[Sequence[str]], Values]:
        import torch
        from detoxify import Detoxify

        torch.set_num_threads(options.threads)
        package = Detoxify(checkpoint=str(checkpoint), device=options.device)

        def score(texts: Sequence[str]) -> Values:
            parts = [texts[start : start + size] for start in range(0, len(texts), size)]
            answers = [package.predict(list(part) if size > 1 else part[0]) for part in parts]
            columns = {label: [_listed(answer[label]) for answer in answers] for label in LABELS}
            flat = [[value for part in columns[label] for value in part] for label in LABELS]
            return [list(row) for row in zip(*flat, strict=True)]

        return score

    def torch_scorer() -> Callable[[Sequence[str]], Values]:
        from moderation.scorers.detoxify import DetoxifyScorer

        return _values_of(
            DetoxifyScorer.load(
                str(checkpoint),
                models_home=options.work,
                device=options.device,
                threads=options.threads,
                batch_tokens=batch_tokens,
                normalise=False,
            )
        )

    def onnx_scorer(variant: str) -> Callable[[Sequence[str]], Values]:
        from moderation.scorers.onnx import OnnxScorer

        return _values_of(
            OnnxScorer.load(
                options.work / variant,
                device=options.device,
                threads=options.threads,
                batch_tokens=batch_tokens,
                normalise=False,
            )
        )

    makers = (
        lambda: detoxify(1),
        lambda: detoxify(LIST),
        torch_scorer,
        lambda: onnx_scorer("fp32"),
        lambda: onnx_scorer("int8"),
    )
    return dict(zip(WAYS, makers, strict=True))


def _listed(value: float | list[float]) -> list[float]:
    """The package answers a number, not a list, for a single text."""
    return value if isinstance(value, list) else [value]


def _values_of(scorer: Scorer) -> Callable[[Sequence[str]], Values]:
    def score(texts: Sequence[str]) -> Values:
        by_name = [{str(label): value for label, value in one.values.items()} for one in scorer.score(texts)]
        return [[one[label] for label in LABELS] for one in by_name]

    return score


if __name__ == "__main__":
    main()
