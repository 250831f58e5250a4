"""How good a model is on labelled texts: python -m bench.quality --scorer NAME --csv FILE --text COLUMN --label COLUMN.

Prints tables, or with --json one object. Thresholds are those of the default policy, whichever model it is written for.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import msgspec
import numpy as np

from bench import metrics
from bench.identities import groups_in
from bench.quality_tables import print_tables
from moderation.calibration import expected_calibration_error
from moderation.policy import Outcome, Policy, default_policy
from moderation.scorers import Scorer, ScorerError
from moderation.scores import Attribute, Scores
from moderation.signals import read_signals
from moderation.verdict import judge
from moderation.words import WordList
from service.labelled import Labelled, read_labelled
from service.scorers import build_named, threads_of
from service.settings import Settings, SettingsError
from training.evasions import EVASIONS

LIMITS = (0.01, 0.02, 0.05)
REVIEWED = (0.01, 0.05, 0.10, 0.20)
FUNCTIONALITY = "functionality"
_BATCH, _WARM_UP, _SEED = 512, 8, 7
_SAY_EVERY_SECONDS = 10.0
_STATUS = {Outcome.PUBLISH: "published", Outcome.HOLD: "held", Outcome.REJECT: "rejected"}


class Measured:
    """A scorer, its scores of labelled rows, and what can be told of them."""

    def __init__(self, scorer: Scorer, rows: Sequence[Labelled], attribute: Attribute, threshold: float | None) -> None:
        """Score the rows, timed; ScorerError when the model cannot, or does not know the attribute."""
        if attribute not in scorer.attributes:
            known = ", ".join(scorer.attributes)
            raise ScorerError(f"{scorer.model_id} does not score {attribute}; it scores {known}")
        self.scorer, self.rows, self.attribute = scorer, rows, attribute
        self.policy = default_policy()
        self.threshold = hold_threshold(self.policy, attribute) if threshold is None else threshold
        texts = [row.text for row in rows]
        scorer.score(texts[:_WARM_UP])
        start = perf_counter()
        self.scores = self._score(texts)
        self.seconds = perf_counter() - start
        self.values = self._values(self.scores)
        self.labels = [row.label for row in rows]

    def _score(self, texts: Sequence[str]) -> list[Scores]:
        found: list[Scores] = []
        said_at = perf_counter()
        for first in range(0, len(texts), _BATCH):
            found += self.scorer.score(texts[first : first + _BATCH])
            if perf_counter() - said_at > _SAY_EVERY_SECONDS:
                said_at = perf_counter()
                print(f"{len(found)} of {len(texts)} texts", file=sys.stderr)
        return found

    def _values(self, scores: Sequence[Scores]) -> list[float]:
        return [one.values[self.attribute] for one in scores]

    def figures(self) -> dict[str, Any]:
        """Return what every run tells."""
        values, labels = self.values, self.labels
        return {
            "model_id": self.scorer.model_id,
            "attribute": self.attribute.value,
            "calibrated": all(one.calibrated for one in self.scores),
            "rows": len(labels),
            "positive": sum(labels),
            "auc": metrics.auc(values, labels),
            "average_precision": metrics.average_precision(values, labels),
            "recall_at_fpr": {f"{limit:.2f}": metrics.recall_at_fpr(values, labels, limit) for limit in LIMITS},
            "ece": expected_calibration_error(values, labels),
            "microseconds_per_text": self.seconds / len(labels) * 1e6,
            "hold_threshold": self.threshold,
            "recall_at_hold": metrics.recall_at(values, labels, self.threshold),
            "false_positive_rate_at_hold": metrics.false_positive_rate_at(values, labels, self.threshold),
        }

    def groups(self, column: str) -> dict[str, Any]:
        """Return the figures of each group that a column names, `;` between several, or that the texts name."""
        named = [self._groups_of(row, column) for row in self.rows]
        figures = {
            group: metrics.group_figures(self.values, self.labels, [group in one for one in named], self.threshold)
            for group in sorted(set().union(*named))
        }
        areas = ("subgroup_auc", "bpsn_auc", "bnsp_auc")
        worst = {
            area: metrics.power_mean([one[area] for one in figures.values() if one[area] is not None]) for area in areas
        }
        return {"groups": figures, "groups_power_mean": worst}

    def _groups_of(self, row: Labelled, column: str) -> set[str]:
        if not column:
            return groups_in(row.text)
        return {name.strip() for name in row.more[column].split(";") if name.strip()}

    def evasions(self) -> dict[str, Any]:
        """Return the recall at the hold threshold of positive texts as written, and under each disguise."""
        texts = [row.text for row in self.rows if row.label]
        found = {"clean": metrics.recall_at(self.values, self.labels, self.threshold)}
        for name, disguise in EVASIONS.items():
            values = self._values(self._score([disguise(text) for text in texts]))
            found[name] = metrics.recall_at(values, [True] * len(values), self.threshold)
        return {"evasions": found}

    def review(self) -> dict[str, Any]:
        """Return the accuracy at one half after a person answered the most uncertain, or highest, rows."""
        uncertain = -np.abs(np.asarray(self.values) - 0.5)
        orders = {"by_uncertainty": uncertain, "by_score": np.asarray(self.values)}
        return {
            "review": {
                name: {
                    f"{share:.2f}": metrics.accuracy_after_review(self.values, self.labels, order, share)
                    for share in (0.0, *REVIEWED)
                }
                for name, order in orders.items()
            }
        }

    def functionalities(self) -> dict[str, Any]:
        """Return per class of a functional test how many rows stand on their label's side of the hold threshold."""
        passed: dict[str, list[bool]] = {}
        for row, value in zip(self.rows, self.values, strict=True):
            passed.setdefault(row.more[FUNCTIONALITY], []).append((value >= self.threshold) is row.label)
        return {
            "functionality": {
                name: {"rows": len(ones), "pass_rate": sum(ones) / len(ones)} for name, ones in sorted(passed.items())
            }
        }

    def statuses(self) -> dict[str, Any]:
        """Return the shares that the default policy publishes, holds and rejects, per label."""
        policy = msgspec.structs.replace(self.policy, model=self.scorer.model_id)
        words = WordList(policy.words)
        languages = self.scorer.languages
        found: dict[bool, list[Outcome]] = {True: [], False: []}
        for row, scores in zip(self.rows, self.scores, strict=True):
            found[row.label].append(judge(scores, read_signals(row.text, words), policy, languages=languages).outcome)
        shares = {
            name: {_STATUS[one]: outcomes.count(one) / len(outcomes) for one in Outcome}
            for name, outcomes in (("1", found[True]), ("0", found[False]))
            if outcomes
        }
        return {"policy": shares, "policy_written_for": self.policy.model}


def hold_threshold(policy: Policy, attribute: Attribute) -> float:
    """Return from where on a policy holds by this attribute alone, or by toxicity where no rule names it."""
    for wanted in (attribute, Attribute.TOXICITY):
        alone = [rule.when[0] for rule in policy.rules if len(rule.when) == 1]
        if found := [condition.threshold for condition in alone if condition.attribute is wanted]:
            return min(found)
    raise ScorerError("the default policy has no rule over toxicity alone; give a --threshold")


def measure(options: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    """Return every figure that was asked for; SettingsError or ScorerError with one line where it cannot be had."""
    column = options.groups or ""
    more = [FUNCTIONALITY, *([column] if column else [])]
    rows = read_labelled(options.csv, text=options.text, label=options.label, more=more)
    if column and column not in rows[0].more:
        raise SettingsError(f"{options.csv}: has no column {column}")
    if options.sample and options.sample < len(rows):
        rows = random.Random(_SEED).sample(rows, options.sample)
    scorer = build_named(
        options.scorer, device=options.device, threads=options.threads or threads_of(settings),
        models_home=settings.models,
    )  # fmt: skip
    measured = Measured(scorer, rows, Attribute(options.attribute), options.threshold)
    figures = {"scorer": options.scorer, **measured.figures()}
    for part in _parts(options, measured):
        figures |= part
    return figures


def _parts(options: argparse.Namespace, measured: Measured) -> Iterator[Mapping[str, Any]]:
    if options.groups is not None:
        yield measured.groups(options.groups)
    if options.evasions:
        yield measured.evasions()
    if options.review:
        yield measured.review()
    if options.policy:
        yield measured.statuses()
    if FUNCTIONALITY in measured.rows[0].more:
        yield measured.functionalities()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.quality", description="Measure a model on labelled texts.")
    add = parser.add_argument
    add("--scorer", required=True, metavar="NAME", help="hashed, compact, embedded, detoxify:NAME or onnx:PATH")
    add("--csv", required=True, type=Path, metavar="FILE")
    add("--text", default="text", metavar="COLUMN")
    add("--label", default="label", metavar="COLUMN", help="0 or 1, false or true")
    add("--attribute", default="toxicity", choices=[one.value for one in Attribute])
    add("--threshold", type=float, help="in place of the default policy's hold threshold")
    add("--groups", nargs="?", const="", metavar="COLUMN", help="per group; without a column by words in the text")
    add("--evasions", action="store_true", help="recall under each disguise")
    add("--review", action="store_true", help="accuracy after a person reviews a share of the rows")
    add("--policy", action="store_true", help="shares published, held and rejected by the default policy")
    add("--sample", type=int, metavar="ROWS", help="only so many rows, drawn with a fixed seed")
    add("--device", default="cpu", choices=["cpu", "cuda"])
    add("--threads", type=int, default=0, help="0: the cores present")
    add("--json", action="store_true")
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; answer the exit code."""
    options = _parser().parse_args(arguments)
    try:
        figures = measure(options, Settings.from_environment(os.environ))
    except (SettingsError, ScorerError) as error:
        print(f"bench.quality: {error}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        print_tables(figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
