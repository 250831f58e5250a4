"""How far models agree with real Perspective scores: python -m bench.perspective_agreement --data DIR --scorer NAME ...

Measured on the 500 held-back rows of perspective-wikipedia-2k, as the model says it (before) and on Perspective's scale
(after). A model without shipped maps is put on that scale by maps fitted now, on the other rows.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.report import seen_on, table
from moderation.agreement import Agreement, AtThreshold
from moderation.scale import SHIPPED, read_maps
from moderation.scorers import Scorer, ScorerError
from service.scorers import build_named, threads_of
from service.settings import Settings, SettingsError
from training.perspective import TRAINED_HERE, Compared, Rated, compare, fit, read_rated

Say = Callable[[int], None]


def measure(name: str, scorer: Scorer, rows: Sequence[Rated], say: Say) -> dict[str, Any]:
    """Return the figures of one scorer."""
    shipped = {one.model_id: one for one in read_maps(SHIPPED)}.get(scorer.model_id)
    maps = fit(scorer, rows, say) if shipped is None else shipped
    return {
        "scorer": name,
        "model_id": scorer.model_id,
        "maps": maps.version,
        "maps_are": "fitted now" if shipped is None else "shipped",
        "rows": sum(row.held_back for row in rows),
        "attributes": {one.attribute.value: _figures(one) for one in compare(scorer, rows, maps, say)},
    }


def _figures(one: Compared) -> dict[str, Any]:
    return {"before": _agreement(one.before), "after": _agreement(one.after)}


def _agreement(one: Agreement) -> dict[str, Any]:
    return {
        "spearman": round(one.spearman, 4),
        "mean_absolute_error": round(one.mean_distance, 4),
        "at": {f"{at.threshold:g}": _at(at) for at in one.at},
    }


def _at(one: AtThreshold) -> dict[str, Any]:
    return {"agree": round(one.agree, 4), "ours": one.ours, "theirs": one.theirs, "both": one.both}


def print_tables(figures: dict[str, Any]) -> None:
    """Print one table for a scorer: each harm before and after."""
    found = figures["attributes"]
    thresholds = list(next(iter(found.values()))["before"]["at"])
    header = ["harm", "", "Spearman", "mean error"]
    for threshold in thresholds:
        header += [f"agree at {threshold}", "ours", "theirs", "both"]
    rows = [[name, when, *_cells(one[when], thresholds)] for name, one in found.items() for when in ("before", "after")]
    title = f"{figures['model_id']}: {figures['rows']} held-back rows, maps {figures['maps']} ({figures['maps_are']})"
    table(title, header, rows)


def _cells(one: dict[str, Any], thresholds: Sequence[str]) -> list[Any]:
    cells: list[Any] = [f"{one['spearman']:.3f}", f"{one['mean_absolute_error']:.3f}"]
    for threshold in thresholds:
        at = one["at"][threshold]
        cells += [f"{at['agree']:.3f}", at["ours"], at["theirs"], at["both"]]
    return cells


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.perspective_agreement", description=__doc__)
    add = parser.add_argument
    add("--data", type=Path, required=True, help="the folder that holds the public data folders")
    add("--scorer", action="append", required=True, metavar="NAME",
        help="hashed, compact, detoxify:NAME or onnx:PATH; may be repeated")  # fmt: skip
    add("--device", default="cpu", choices=["cpu", "cuda"])
    add("--threads", type=int, default=0, help="0: the cores present")
    add("--json", action="store_true")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure each scorer and print; answer the exit code."""
    options = _parser().parse_args(arguments)
    found = []
    try:
        settings = Settings.from_environment(os.environ)
        for name in options.scorer:
            threads = options.threads or threads_of(settings)
            scorer = build_named(name, device=options.device, threads=threads, models_home=settings.models)
            rows = read_rated(options.data, trained_here=name in TRAINED_HERE)
            found.append(measure(name, scorer, rows, _saying(name)))
    except (SettingsError, ScorerError, FileNotFoundError) as error:
        print(f"bench.perspective_agreement: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps({"seen": seen_on(), "scorers": found}, indent=2))
    else:
        for figures in found:
            print_tables(figures)
    return 0


def _saying(name: str) -> Say:
    def say(count: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{name}: {count} texts scored ", end="", file=sys.stderr, flush=True)

    return say


if __name__ == "__main__":
    sys.exit(main())
