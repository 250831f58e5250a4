"""Put one scorer's numbers on another's scale: equipercentile linking, by which equally many texts pass each line.

M. Kolen and R. Brennan, "Test Equating, Scaling, and Linking" (3rd edition, 2014), chapter 2. A regression would be
nearer to each single score and draw all of them to the middle: where the two often disagree, hardly a text would reach
.8 any more, and a site that keeps its thresholds would stop finding what it looks for.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from moderation.calibration import PiecewiseMap, log_odds

SHARES = np.concatenate([np.linspace(0.02, 0.8, 9), 1.0 - np.geomspace(0.2, 0.0025, 14)[1:]])
"""The shares of texts below a point of the map: dense where few texts are and thresholds lie."""
_DIGITS = 4
Floats = NDArray[np.float64]


def link(ours: Sequence[float], theirs: Sequence[float], weights: Sequence[float] | None = None) -> PiecewiseMap:
    """Return a strictly rising map from the log-odds of our values in [0, 1] to their values.

    A row counts by its weight on both sides. 0 stays 0 and 1 stays 1, so that the map has no flat end and keeps the
    order of any two texts. ValueError unless there are as many values on each side, at least two different ones.
    """
    if len(ours) != len(theirs) or min(len(set(ours)), len(set(theirs))) < 2:
        raise ValueError(f"{len(ours)} values cannot be put on the scale of {len(theirs)}")
    weighed = np.ones(len(ours)) if weights is None else np.asarray(weights, dtype=np.float64)
    raw = quantiles(np.array([log_odds(value) for value in ours]), weighed)
    values = quantiles(np.asarray(theirs, dtype=np.float64), weighed)
    points = _rising([(log_odds(0.0), 0.0), *zip(raw.tolist(), values.tolist(), strict=True), (log_odds(1.0), 1.0)])
    return PiecewiseMap(raw=tuple(one for one, _ in points), probability=tuple(value for _, value in points))


def quantiles(values: Floats, weights: Floats, shares: Floats = SHARES) -> Floats:
    """Return the values below which the given shares of all weight lie, read by straight lines between the rows."""
    order = np.argsort(values, kind="stable")
    below = (np.cumsum(weights[order]) - weights[order] / 2.0) / weights.sum()
    found: Floats = np.interp(shares, below, values[order])
    return found


def _rising(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Join what lies at one place on either side, at its mean on the other; the two ends stay as they are."""
    first, last = points[0], points[-1]
    rounded = [(round(one, _DIGITS), round(value, _DIGITS)) for one, value in points[1:-1]]
    kept = _joined(_joined(rounded, 0), 1)
    return [first, *(point for point in kept if first < point and point[1] < last[1] and point[1] > 0.0), last]


def _joined(points: Sequence[tuple[float, float]], side: int) -> list[tuple[float, float]]:
    groups: dict[float, list[tuple[float, float]]] = {}
    for point in points:
        groups.setdefault(point[side], []).append(point)
    return [
        (
            round(sum(one for one, _ in same) / len(same), _DIGITS),
            round(sum(value for _, value in same) / len(same), _DIGITS),
        )
        for same in groups.values()
    ]
