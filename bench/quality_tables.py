"""The figures of bench.quality as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from bench.report import table

_PLAIN = ("auc", "average_precision", "ece", "hold_threshold", "recall_at_hold", "false_positive_rate_at_hold")
_AREAS = ("subgroup_auc", "bpsn_auc", "bnsp_auc")


def print_tables(figures: Mapping[str, Any]) -> None:
    """Print one table for each part that was measured."""
    title = f"{figures['model_id']}, {figures['attribute']}: {figures['rows']:,} rows, {figures['positive']:,} are 1"
    calibrated = "calibrated" if figures["calibrated"] else "not calibrated"
    rows = [(name.replace("_", " "), _text(figures[name])) for name in _PLAIN]
    rows += [(f"recall at {float(limit):.0%} FPR", _text(one)) for limit, one in figures["recall_at_fpr"].items()]
    rows.append(("microseconds per text", f"{figures['microseconds_per_text']:,.0f}"))
    table(f"{title} ({calibrated})", ("figure", "value"), rows)
    if "groups" in figures:
        _print_groups(figures)
    if "evasions" in figures:
        cases = [(name.replace("_", " "), _text(one)) for name, one in figures["evasions"].items()]
        table(f"recall at {figures['hold_threshold']:g} under disguises", ("disguise", "recall"), cases)
    if "review" in figures:
        _print_review(figures["review"])
    if "policy" in figures:
        title = f"the default policy, written for {figures['policy_written_for']}"
        shares = [(label, *map(_text, one.values())) for label, one in figures["policy"].items()]
        table(title, ("label", "published", "held", "rejected"), shares)
    if "functionality" in figures:
        classes = [(name, one["rows"], _text(one["pass_rate"])) for name, one in figures["functionality"].items()]
        table(f"pass rate per class at {figures['hold_threshold']:g}", ("class", "rows", "passed"), classes)


def _print_groups(figures: Mapping[str, Any]) -> None:
    header = ("group", "rows", "label 1", "FPR", "subgroup AUC", "BPSN AUC", "BNSP AUC")
    rows = [
        (name, one["rows"], one["positive"], *_texts(one, ("false_positive_rate", *_AREAS)))
        for name, one in figures["groups"].items()
    ]
    worst = ("power mean", "", "", "", *_texts(figures["groups_power_mean"], _AREAS))
    table(f"groups, false positives at {figures['hold_threshold']:g}", header, [*rows, worst])


def _print_review(review: Mapping[str, Mapping[str, float]]) -> None:
    shares = list(review["by_uncertainty"])
    rows = [(f"{float(share):.0%}", *(_text(review[order][share]) for order in review)) for share in shares]
    table("accuracy after a person reviewed a share", ("reviewed", "most uncertain", "highest"), rows)


def _texts(figures: Mapping[str, Any], names: Iterable[str]) -> list[str]:
    return [_text(figures[name]) for name in names]


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
