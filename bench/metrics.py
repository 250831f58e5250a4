"""What is measured of a model's scores against labels, on numpy alone; equal scores are one threshold throughout.

Area under the ROC curve as the chance that a positive outranks a negative, ties counting half: J. Hanley and
B. McNeil (1982). Subgroup, BPSN and BNSP areas: D. Borkan and others, "Nuanced metrics for measuring unintended bias
with real data for text classification" (2019). Accuracy after review: I. Kivlichan and others, "Measuring and improving
model-moderator collaboration using uncertainty estimation" (2021), with a reviewer who is always right.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


def auc(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the area under the ROC curve; None where a label is missing."""
    values, truths = _arrays(scores, labels)
    positive = int(truths.sum())
    negative = len(truths) - positive
    if not positive or not negative:
        return None
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    beaten = mean_rank[places][truths].sum() - positive * (positive + 1) / 2
    return float(beaten / (positive * negative))


def average_precision(scores: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the mean of precision over the steps of recall; None without a positive."""
    steps = _steps(*_arrays(scores, labels))
    if not steps.positive:
        return None
    gained = np.diff(steps.true, prepend=0) / steps.positive
    return float((gained * steps.true / (steps.true + steps.false)).sum())


def recall_at_fpr(scores: ArrayLike, labels: ArrayLike, limit: float) -> float | None:
    """Return the best recall of a threshold whose share of false positives is at most a limit."""
    steps = _steps(*_arrays(scores, labels))
    if not steps.positive or not steps.negative:
        return None
    within = steps.false <= limit * steps.negative + 1e-9
    return float(steps.true[within].max(initial=0) / steps.positive)


class _Steps(NamedTuple):
    """Positives and negatives at or above each distinct score, from the highest down."""

    true: NDArray[np.int64]
    false: NDArray[np.int64]
    positive: int
    negative: int


def _steps(values: Floats, truths: Flags) -> _Steps:
    order = np.argsort(-values, kind="stable")
    ordered, found = values[order], truths[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1) if len(ordered) else np.array([], dtype=int)
    true = np.cumsum(found)[last]
    return _Steps(true, last + 1 - true, int(truths.sum()), int((~truths).sum()))


def recall_at(scores: ArrayLike, labels: ArrayLike, threshold: float) -> float | None:
    """Return the share of positives at or above a threshold."""
    values, truths = _arrays(scores, labels)
    return _share(values[truths] >= threshold)


def false_positive_rate_at(scores: ArrayLike, labels: ArrayLike, threshold: float) -> float | None:
    """Return the share of negatives at or above a threshold."""
    values, truths = _arrays(scores, labels)
    return _share(values[~truths] >= threshold)


def group_figures(scores: ArrayLike, labels: ArrayLike, inside: ArrayLike, threshold: float) -> dict[str, Any]:
    """Return false positives within a group, and the three areas that tell how a model treats it.

    `subgroup_auc` ranks within the group, `bpsn_auc` its negatives against the positives of all others (low: it is
    falsely accused), `bnsp_auc` its positives against the negatives of all others (low: harm to it is missed).
    """
    values, truths = _arrays(scores, labels)
    group = np.asarray(inside, dtype=bool)
    accused, missed = np.where(truths, ~group, group), np.where(truths, group, ~group)
    return {
        "rows": int(group.sum()),
        "positive": int(truths[group].sum()),
        "false_positive_rate": false_positive_rate_at(values[group], truths[group], threshold),
        "subgroup_auc": auc(values[group], truths[group]),
        "bpsn_auc": auc(values[accused], truths[accused]),
        "bnsp_auc": auc(values[missed], truths[missed]),
    }


def accuracy_after_review(
    scores: ArrayLike, labels: ArrayLike, order: ArrayLike, share: float, *, threshold: float = 0.5
) -> float:
    """Return the accuracy when a person has answered the share of rows that stand highest in an order.

    Rows that tie at the end of that share are taken as any of them, so the expected accuracy is returned.
    """
    values, truths = _arrays(scores, labels)
    wrong = ((values >= threshold) != truths).astype(float)
    ranks = np.asarray(order, dtype=float)
    budget = share * len(values)
    left = wrong.sum()
    places = np.unique(-ranks, return_inverse=True)[1]
    counts, errors = np.bincount(places), np.bincount(places, weights=wrong)
    before = np.cumsum(counts) - counts
    left -= (errors * np.clip((budget - before) / counts, 0.0, 1.0)).sum()
    return float(1.0 - left / len(values))


def power_mean(areas: Sequence[float], power: float = -5.0) -> float | None:
    """Return the generalised mean by which the worst groups count most; None without an area."""
    if not areas:
        return None
    return float(np.mean(np.power(np.asarray(areas, dtype=float), power)) ** (1.0 / power)) if min(areas) > 0 else 0.0


def _share(held: NDArray[np.bool_]) -> float | None:
    return float(held.mean()) if len(held) else None


def _arrays(scores: ArrayLike, labels: ArrayLike) -> tuple[Floats, Flags]:
    values, truths = np.asarray(scores, dtype=np.float64), np.asarray(labels, dtype=np.bool_)
    if values.shape != truths.shape or values.ndim != 1:
        raise ValueError(f"{values.size} scores and {truths.size} labels")
    if not all(map(math.isfinite, (values.min(initial=0.0), values.max(initial=0.0)))):
        raise ValueError("a score is not a finite number")
    return values, truths
