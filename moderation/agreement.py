"""How far two scorers agree on the same texts: in order, in value, and on which side of a threshold they put them.

Rank agreement: C. Spearman, "The proof and measurement of association between two things" (1904).
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import ArrayLike, NDArray

THRESHOLDS = (0.5, 0.7, 0.8)
"""Where sites mostly draw a line."""
_EXACT = 1e-9
"""Scores come rounded to few digits, and 0.7 is at 0.7, however it was computed."""


class AtThreshold(msgspec.Struct, frozen=True):
    """Of so many rows: how many each side puts at or above a threshold, and how many both do."""

    threshold: float
    rows: int
    ours: int
    theirs: int
    both: int

    @property
    def agree(self) -> float:
        """The share of rows that both put on the same side."""
        return (self.rows - self.ours - self.theirs + 2 * self.both) / self.rows

    @property
    def found(self) -> float | None:
        """The share of what they put at or above it that ours does too; None where they put nothing there."""
        return self.both / self.theirs if self.theirs else None

    @property
    def shared(self) -> float | None:
        """The share of what ours puts at or above it that they do too; None where ours puts nothing there."""
        return self.both / self.ours if self.ours else None


class Agreement(msgspec.Struct, frozen=True):
    """What two scorers have in common: Spearman's correlation, the mean distance, and each threshold."""

    rows: int
    spearman: float
    mean_distance: float
    at: tuple[AtThreshold, ...]


def agreement(ours: ArrayLike, theirs: ArrayLike, thresholds: Sequence[float] = THRESHOLDS) -> Agreement:
    """Return how far two lists of scores agree; ValueError unless they are equally long and not empty."""
    first, second = np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or not first.size:
        raise ValueError(f"{first.size} scores here and {second.size} there cannot be compared")
    return Agreement(
        rows=first.size,
        spearman=rank_agreement(first, second),
        mean_distance=float(np.abs(first - second).mean()),
        at=tuple(at_threshold(first, second, threshold) for threshold in thresholds),
    )


def at_threshold(ours: ArrayLike, theirs: ArrayLike, threshold: float) -> AtThreshold:
    """Return who puts how many rows at or above a threshold."""
    first, second = (np.asarray(one, dtype=np.float64) >= threshold - _EXACT for one in (ours, theirs))
    return AtThreshold(threshold, first.size, int(first.sum()), int(second.sum()), int((first & second).sum()))


def same_share_from(ours: ArrayLike, theirs: ArrayLike, threshold: float) -> float | None:
    """Return from where on ours puts as many rows as they put from a threshold on; None where that is none or all."""
    count = at_threshold(ours, theirs, threshold).theirs
    falling = np.sort(np.asarray(ours, dtype=np.float64))[::-1]
    return float(falling[count - 1]) if 0 < count < falling.size else None


def area_under_curve(values: ArrayLike, labels: ArrayLike) -> float | None:
    """Return the chance that a text with the label outranks one without, ties counting half; None without both."""
    truths = np.asarray(labels, dtype=np.bool_)
    positive, negative = int(truths.sum()), int((~truths).sum())
    if not positive or not negative:
        return None
    beaten = float(_ranks(np.asarray(values, dtype=np.float64))[truths].sum()) - positive * (positive + 1) / 2
    return beaten / (positive * negative)


def rank_agreement(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Return Spearman's rank correlation, ties at their mean rank; 0.0 where one side has only ties."""
    first, second = _ranks(one), _ranks(other)
    spread = float(first.std() * second.std())
    if spread == 0.0:
        return 1.0 if first.std() == second.std() else 0.0
    return float(((first - first.mean()) * (second - second.mean())).mean() / spread)


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(count)
    ranks: NDArray[np.float64] = (ends - (count - 1) / 2.0)[group]
    return ranks
