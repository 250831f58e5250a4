"""The calibration that ships with a model: isotonic regression, thinned to a few points that rise smoothly.

Where few rows are left it may go on by a logistic line, so that worse scores stay apart.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

from moderation.calibration import Block, CalibrationMap, PiecewiseMap, fit_platt, pooled
from moderation.scores import Attribute
from training.sources import ATTRIBUTES, Example

CALIBRATED_ON = frozenset({"toxic-spans", "context-toxicity", "perspective-wikipedia-2k"})
"""Comments under news and on talk pages; tweets, templates and written sentences are not what sites receive."""
POINTS = 16
ROW_BINS = 40
_PRIOR = 1.0
_APART = 1e-6
_LINE_FROM = 0.75
"""From this probability on the steps of the shipped data rest on few rows, and end before the worst that is written."""
_LINE_POINTS = 16
_LINE_STEP = 0.5


def fit_smooth(raw: Sequence[float], labels: Sequence[bool]) -> PiecewiseMap:
    """Fit a rising piecewise map through bins of like size; ValueError unless both labels occur.

    Each bin is drawn towards the rate of the whole by one row, so that no score is ever certain.
    """
    if not any(labels) or all(labels):
        raise ValueError("a calibration needs examples of both labels")
    pairs = sorted(zip(raw, labels, strict=True))
    rate = sum(labels) / len(labels)
    # The ends matter most: bins get smaller towards high scores, where few rows decide.
    blocks = pooled(
        Block(
            raw=sum(value for value, _ in part),
            rows=len(part),
            positive=sum(label for _, label in part) + _PRIOR * rate,
            weight=len(part) + _PRIOR,
        )
        for part in _bins(pairs)
    )
    points = [(block.mean_raw, block.rate) for block in blocks]
    apart = [points[0], *(high for low, high in pairwise(points) if high[0] - low[0] > _APART)]
    return PiecewiseMap(raw=tuple(value for value, _ in apart), probability=tuple(share for _, share in apart))


def fit_rising(raw: Sequence[float], labels: Sequence[bool]) -> PiecewiseMap:
    """Fit the same, gone on from where it reaches 0.75 by Platt's line through the rows above, which has no end.

    Of a rare harm, whose steps end lower, the line begins at half of what they reach. The rows above may rise little,
    since people disagree on them; where they do not rise at all the steps stay.
    """
    steps = fit_smooth(raw, labels)
    top = steps.probability[-1]
    begins = _LINE_FROM if top >= _LINE_FROM else top / 2
    low = [point for point in zip(steps.raw, steps.probability, strict=True) if point[1] < begins]
    above = [(value, label) for value, label in zip(raw, labels, strict=True) if low and value >= low[-1][0]]
    if len(low) == len(steps.raw) or len({label for _, label in above}) < 2:
        return steps
    line = fit_platt([value for value, _ in above], [label for _, label in above])
    start, reached = low[-1]
    tail = [(value, line.apply(value)) for value in (start + _LINE_STEP * step for step in range(1, _LINE_POINTS + 1))]
    points = [*low, *((value, share) for value, share in tail if share > reached)]
    if line.slope <= 0 or len(points) == len(low):
        return steps
    return PiecewiseMap(raw=tuple(value for value, _ in points), probability=tuple(share for _, share in points))


def fit_maps(
    examples: Sequence[Example],
    raw_of: Callable[[Sequence[str]], Sequence[Mapping[Attribute, float]]],
    fit: Callable[[Sequence[float], Sequence[bool]], PiecewiseMap] = fit_smooth,
) -> dict[Attribute, CalibrationMap]:
    """Fit a map for each attribute on the comments among the examples in which it is known."""
    used = [example for example in examples if example.source in CALIBRATED_ON]
    raw = raw_of([example.text for example in used])
    maps: dict[Attribute, CalibrationMap] = {}
    for attribute in ATTRIBUTES:
        known = [
            (one[attribute], example) for one, example in zip(raw, used, strict=True) if attribute in example.targets
        ]
        harms = [example.targets[attribute] > 0.5 for _, example in known]
        maps[attribute] = fit([value for value, _ in known], harms)
    return maps


def _bins(pairs: Sequence[tuple[float, bool]]) -> list[Sequence[tuple[float, bool]]]:
    """Cut by equal numbers of rows, and of harmful rows where those are dense, so that neither end is one step."""
    harms = sum(label for _, label in pairs)
    least, most = max(harms // POINTS, 5), max(len(pairs) // ROW_BINS, 1)
    bins: list[Sequence[tuple[float, bool]]] = []
    start = seen = 0
    for at, (_, label) in enumerate(pairs, 1):
        seen += label
        if seen >= least or at - start >= most:
            bins.append(pairs[start:at])
            start, seen = at, 0
    if start < len(pairs):
        bins.append(pairs[start:])
    return bins
