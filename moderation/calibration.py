"""From a raw score to a probability: fit and apply monotone maps, and measure how far they are off.

Platt scaling: J. Platt, "Probabilistic outputs for support vector machines" (1999), with his smoothed targets.
Isotonic regression: pool adjacent violators, read between its points by straight lines.
"""

import hashlib
import math
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Self

import msgspec

from moderation.scores import Attribute, Scores

_VERSION_DIGITS = 16
_NEAREST = 1e-6
_STEPS = 100
_CLOSE = 1e-10
_FARTHEST = 700.0


def sigmoid(value: float) -> float:
    """Return the logistic function of any finite number, without overflow."""
    if value >= 0:
        return 1.0 / (1.0 + math.exp(-min(value, _FARTHEST)))
    grown = math.exp(max(value, -_FARTHEST))
    return grown / (1.0 + grown)


def log_odds(value: float) -> float:
    """Return the log-odds of a value in [0, 1], of one nearer to 0 or 1 than a millionth those of a millionth."""
    kept = min(max(value, _NEAREST), 1.0 - _NEAREST)
    return math.log(kept / (1.0 - kept))


class PlattMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="platt"):
    """A probability as the logistic function of slope * raw + offset."""

    slope: float
    offset: float

    def apply(self, raw: float) -> float:
        """Return the probability in [0, 1] for a raw score."""
        return sigmoid(self.slope * raw + self.offset)


class PiecewiseMap(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag="piecewise"):
    """A probability read off straight lines between points; flat before the first and after the last."""

    raw: tuple[float, ...]
    probability: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse points that do not make a rising map into [0, 1]."""
        rising = all(low < high for low, high in zip(self.raw, self.raw[1:], strict=False))
        values = (0.0, *self.probability, 1.0)
        if len(self.raw) != len(self.probability) or not self.raw or not rising or list(values) != sorted(values):
            raise ValueError("a piecewise map needs rising raw scores and rising probabilities in [0, 1]")

    def apply(self, raw: float) -> float:
        """Return the probability in [0, 1] for a raw score."""
        after = bisect_right(self.raw, raw)
        if after == 0:
            return self.probability[0]
        if after == len(self.raw):
            return self.probability[-1]
        low, high = self.raw[after - 1], self.raw[after]
        share = (raw - low) / (high - low)
        start, end = self.probability[after - 1], self.probability[after]
        return min(max(start + share * (end - start), start), end)


CalibrationMap = PlattMap | PiecewiseMap
"""What may be stored with a model for each of its attributes."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The maps of one model, per attribute, from the log-odds of what it says to a probability."""

    model_id: str
    maps: dict[Attribute, CalibrationMap]

    @property
    def version(self) -> str:
        """The name of exactly these maps: sha256: and the first 16 hex digits of their canonical JSON."""
        canonical = msgspec.json.encode(self.maps, order="sorted")
        return f"sha256:{hashlib.sha256(canonical).hexdigest()[:_VERSION_DIGITS]}"

    def apply(self, scores: Scores) -> Scores:
        """Return scores with every mapped value replaced; ValueError for scores of another model.

        They are calibrated when they were so before, or when every value has a map.
        """
        if scores.model_id != self.model_id:
            raise ValueError(f"a calibration of {self.model_id} is not one of {scores.model_id}")
        values = {name: self._probability(name, value) for name, value in scores.values.items()}
        calibrated = scores.calibrated or self.maps.keys() >= scores.values.keys()
        return msgspec.structs.replace(scores, calibrated=calibrated, values=values)

    def _probability(self, attribute: Attribute, value: float) -> float:
        found = self.maps.get(attribute)
        return value if found is None else found.apply(log_odds(value))


def _checked_pairs(raw: Sequence[float], labels: Sequence[bool]) -> None:
    if len(raw) != len(labels):
        raise ValueError(f"{len(raw)} scores and {len(labels)} labels")
    if not any(labels) or all(labels):
        raise ValueError("a calibration needs examples of both labels")


def fit_platt(raw: Sequence[float], labels: Sequence[bool]) -> PlattMap:
    """Fit a PlattMap by Newton's method; ValueError unless both labels occur."""
    _checked_pairs(raw, labels)
    positive = sum(labels)
    high, low = (positive + 1) / (positive + 2), 1 / (len(labels) - positive + 2)
    targets = [high if label else low for label in labels]
    slope, offset = 0.0, math.log((positive + 1) / (len(labels) - positive + 1))
    for _ in range(_STEPS):
        step_slope, step_offset = _newton_step(raw, targets, slope, offset)
        slope, offset = slope - step_slope, offset - step_offset
        if abs(step_slope) + abs(step_offset) < _CLOSE:
            break
    return PlattMap(slope=slope, offset=offset)


def _newton_step(raw: Sequence[float], targets: Sequence[float], slope: float, offset: float) -> tuple[float, float]:
    gradient_slope = gradient_offset = 0.0
    curve_ss = curve_oo = 1e-9
    curve_so = 0.0
    for value, target in zip(raw, targets, strict=True):
        probability = sigmoid(slope * value + offset)
        error, weight = probability - target, probability * (1.0 - probability)
        gradient_slope += error * value
        gradient_offset += error
        curve_ss += weight * value * value
        curve_so += weight * value
        curve_oo += weight
    determinant = curve_ss * curve_oo - curve_so * curve_so
    step_slope = (curve_oo * gradient_slope - curve_so * gradient_offset) / determinant
    step_offset = (curve_ss * gradient_offset - curve_so * gradient_slope) / determinant
    longest = max(abs(step_slope), abs(step_offset), 1.0)
    return step_slope / longest, step_offset / longest


def fit_isotonic(raw: Sequence[float], labels: Sequence[bool]) -> PiecewiseMap:
    """Fit a PiecewiseMap by pooling adjacent violators; ValueError unless both labels occur."""
    _checked_pairs(raw, labels)
    rows = sorted(zip(raw, labels, strict=True))
    blocks = pooled(Block(raw=value, rows=1, positive=float(label), weight=1.0) for value, label in rows)
    return PiecewiseMap(
        raw=tuple(block.mean_raw for block in blocks), probability=tuple(block.rate for block in blocks)
    )


class Block(msgspec.Struct, frozen=True):
    """Rows that share one probability: sums of their raw scores and positive labels, their number and weight."""

    raw: float
    rows: int
    positive: float
    weight: float

    @property
    def mean_raw(self) -> float:
        """The raw score that stands for the block."""
        return self.raw / self.rows

    @property
    def rate(self) -> float:
        """The share of positive labels."""
        return self.positive / self.weight

    def with_next(self, other: Self) -> Self:
        """Return both blocks as one."""
        return type(self)(
            self.raw + other.raw, self.rows + other.rows, self.positive + other.positive, self.weight + other.weight
        )


def pooled(blocks: Iterable[Block]) -> list[Block]:
    """Return blocks, given by rising raw score, joined until raw scores and rates rise strictly (Ayer et al., 1955)."""
    kept: list[Block] = []
    for block in blocks:
        kept.append(block)
        while len(kept) > 1 and (kept[-2].rate >= kept[-1].rate or kept[-2].mean_raw >= kept[-1].mean_raw):
            last = kept.pop()
            kept[-1] = kept[-1].with_next(last)
    return kept


def expected_calibration_error(probabilities: Sequence[float], labels: Sequence[bool], *, bins: int = 10) -> float:
    """Return the mean gap, weighted by count, between probability and rate over equal-width bins."""
    if len(probabilities) != len(labels) or not labels:
        raise ValueError("as many labels as probabilities are needed, and at least one")
    sums = [[0.0, 0.0] for _ in range(bins)]
    for probability, label in zip(probabilities, labels, strict=True):
        held = sums[min(int(probability * bins), bins - 1)]
        held[0] += probability
        held[1] += float(label)
    return sum(abs(expected - seen) for expected, seen in sums) / len(labels)
