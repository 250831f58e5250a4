"""`shadow`: replay recorded Perspective traffic through the model here and tell how far both agree; nothing is sent."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from service.bulk.progress import Progress
from service.bulk.score import PERSPECTIVE, PROBABILITY
from service.bulk.shadow import Shadow
from service.scorers import build_scorer
from service.settings import Settings, SettingsError

_HEADS = ("threshold", "texts", "agree", "both", "only here", "only there", "as many from")


def add_shadow(subparsers: Any) -> None:
    """Add `shadow` to the command line."""
    text = "compare the model's scores with recorded answers of the Perspective API, before switching"
    parser = subparsers.add_parser("shadow", help=text, description=text)
    add = parser.add_argument
    add("--file", type=Path, required=True, metavar="FILE", help='JSON lines of {"request": ..., "response": ...}')
    add("--scorer", metavar="NAME", help="a name that SCORER takes, in place of it")
    add("--scale", choices=[PERSPECTIVE, PROBABILITY], default=PERSPECTIVE,
        help="how scores are read: as the endpoint gives them by default, or as the model says them")  # fmt: skip
    add("--json", action="store_true", help="print one object in place of tables")
    parser.set_defaults(run=_shadow)


def _shadow(options: argparse.Namespace, settings: Settings) -> int:
    path = options.file
    try:
        with path.open("rb") as file:
            total = sum(1 for line in file if line.strip())
            file.seek(0)
            shadow = Shadow(build_scorer(settings, options.scorer), options.scale)
            progress = Progress(sys.stderr, time.monotonic, total=total, unit="calls")
            shadow.take(file, progress.reach)
            progress.end()
    except OSError as error:
        raise SettingsError(f"{path}: it cannot be read ({error.strerror})") from None
    report = shadow.report()
    lines = [json.dumps(report, indent=2)] if options.json else report_lines(report)
    for line in lines:
        sys.stdout.write(f"{line}\n")
    return 0


def report_lines(report: Mapping[str, Any]) -> Iterator[str]:
    """Yield the report as text: what was compared, what was not and why, and a table for each attribute."""
    yield f"{report['compared']:,} of {report['lines']:,} calls compared with {report['model_id']}, on {_scale(report)}"
    for reason, count in report["skipped"].items():
        yield f"skipped {count:,}: {reason}"
    for name, count in report["not_measured"].items():
        yield f"{name}: not measured by this model ({count:,} calls)"
    for name in report["without_a_map"]:
        yield f"{name}: this model has no map onto Perspective's scale; its own values are compared"
    for name, figures in report["attributes"].items():
        yield ""
        yield from _table(name, figures)


def _scale(report: Mapping[str, Any]) -> str:
    return "Perspective's scale" if report["scale"] == PERSPECTIVE else "the model's own scale"


def _table(name: str, figures: Mapping[str, Any]) -> Iterator[str]:
    hidden = figures["rows_under_a_threshold"]
    more = f", and {hidden:,} known to be under the threshold of their request" if hidden else ""
    yield f"{name}: {figures['rows']:,} texts with a score{more}"
    yield f"  Spearman {_cell(figures['spearman'])}, mean absolute error {_cell(figures['mean_absolute_error'])}"
    yield "  " + "".join(f"{head:>14}" for head in _HEADS)
    for threshold, at in figures["at"].items():
        apart = (at["ours"] - at["both"], at["theirs"] - at["both"])
        cells = (threshold, at["rows"], at["agree"], at["both"], *apart, at["same_share_from"])
        yield "  " + "".join(f"{_cell(cell):>14}" for cell in cells)


def _cell(value: float | str | None) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    return "-" if value is None else value if isinstance(value, str) else f"{value:,}"
