"""Choose a calibration map by held-out folds, and show how far probabilities and rates lie apart before and after.

Reliability tables: A. Niculescu-Mizil and R. Caruana, "Predicting good probabilities with supervised learning" (2005),
who also found isotonic regression better than Platt scaling only from about a thousand rows on. Expected calibration
error: M. Naeini, G. Cooper and M. Hauskrecht, "Obtaining well calibrated probabilities using Bayesian binning" (2015).
Log loss decides, because as a proper score it is best for the true probability; the calibration error alone is not.
"""

import math
import random
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec

from moderation.calibration import (
    CalibrationMap,
    PiecewiseMap,
    PlattMap,
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    log_odds,
)

FEWEST_ROWS = 100
"""Rows under which nothing is fitted."""
FEWEST_OF_A_LABEL = 20
"""Rows of the rarer label under which nothing is fitted."""
ISOTONIC_ROWS = 1000
"""Rows under which an isotonic map is not tried."""
FOLDS = 5
BINS = 10
SEED = 7
_SMALLEST = 1e-9


class CalibrationError(ValueError):
    """The rows do not allow a calibration; the message says why, in counts."""


class Kind(StrEnum):
    """Which family of maps was chosen."""

    PLATT = "platt"
    ISOTONIC = "isotonic"


class Bin(msgspec.Struct, frozen=True):
    """The rows whose probability lies in [low, high): how many, their mean probability and the rate of the label."""

    low: float
    high: float
    count: int
    mean: float | None
    rate: float | None


class Quality(msgspec.Struct, frozen=True):
    """How good probabilities are: log loss, expected calibration error, and the table behind it."""

    log_loss: float
    ece: float
    table: tuple[Bin, ...]


class Report(msgspec.Struct, frozen=True):
    """What a fit stands on; before and after are of the same rows, each held out of the map that it was read by."""

    kind: Kind
    rows: int
    positive: int
    before: Quality
    after: Quality

    @property
    def improves(self) -> bool:
        """True when neither log loss nor calibration error got worse on held-out rows."""
        return self.after.log_loss <= self.before.log_loss and self.after.ece <= self.before.ece


def reliability_table(probabilities: Sequence[float], labels: Sequence[bool], *, bins: int = BINS) -> tuple[Bin, ...]:
    """Return equal-width bins from 0 to 1, the empty ones too."""
    held: list[list[tuple[float, bool]]] = [[] for _ in range(bins)]
    for probability, label in zip(probabilities, labels, strict=True):
        held[min(int(probability * bins), bins - 1)].append((probability, label))
    return tuple(_bin(number / bins, (number + 1) / bins, rows) for number, rows in enumerate(held))


def _bin(low: float, high: float, rows: Sequence[tuple[float, bool]]) -> Bin:
    count = len(rows)
    if not count:
        return Bin(low, high, 0, None, None)
    return Bin(low, high, count, math.fsum(row[0] for row in rows) / count, sum(row[1] for row in rows) / count)


def log_loss(probabilities: Sequence[float], labels: Sequence[bool]) -> float:
    """Return the mean negative log-likelihood of the labels."""
    said = (one if label else 1.0 - one for one, label in zip(probabilities, labels, strict=True))
    return -math.fsum(math.log(max(one, _SMALLEST)) for one in said) / len(labels)


def quality_of(probabilities: Sequence[float], labels: Sequence[bool]) -> Quality:
    """Return the figures of probabilities against labels."""
    ece = expected_calibration_error(probabilities, labels, bins=BINS)
    return Quality(log_loss(probabilities, labels), ece, reliability_table(probabilities, labels))


def fit_map(values: Sequence[float], labels: Sequence[bool]) -> tuple[CalibrationMap, Report]:
    """Fit a map from the log-odds of values in [0, 1] on all rows, of the kind that held-out folds prefer.

    CalibrationError when the rows are too few, of one label only, or not ranked by the values at all.
    """
    _check(values, labels)
    raw = [log_odds(value) for value in values]
    fits: dict[Kind, Callable[[Sequence[float], Sequence[bool]], CalibrationMap]] = {Kind.PLATT: _rising_platt}
    if len(labels) >= ISOTONIC_ROWS:
        fits[Kind.ISOTONIC] = _careful_isotonic
    folds = _folds(labels)
    held_out = {kind: _held_out(raw, labels, folds, fit) for kind, fit in fits.items()}
    kind = min(held_out, key=lambda one: log_loss(held_out[one], labels))
    report = Report(kind, len(labels), sum(labels), quality_of(values, labels), quality_of(held_out[kind], labels))
    return fits[kind](raw, labels), report


def _check(values: Sequence[float], labels: Sequence[bool]) -> None:
    positive = sum(labels)
    negative = len(labels) - positive
    if len(labels) < FEWEST_ROWS or min(positive, negative) < FEWEST_OF_A_LABEL:
        raise CalibrationError(
            f"{len(labels)} rows, {positive} with label 1 and {negative} with label 0, are too few: "
            f"at least {FEWEST_ROWS} are needed, with {FEWEST_OF_A_LABEL} of each label"
        )
    if len(set(values)) == 1:
        raise CalibrationError(f"the model says the same of all {len(labels)} rows")


def _folds(labels: Sequence[bool]) -> list[int]:
    """Deal the rows of each label to the folds in turn, in an order that a fixed seed shuffles."""
    chance, folds = random.Random(SEED), [0] * len(labels)  # noqa: S311
    for wanted in (True, False):
        rows = [row for row, label in enumerate(labels) if bool(label) is wanted]
        chance.shuffle(rows)
        for turn, row in enumerate(rows):
            folds[row] = turn % FOLDS
    return folds


def _held_out(
    raw: Sequence[float],
    labels: Sequence[bool],
    folds: Sequence[int],
    fit: Callable[[Sequence[float], Sequence[bool]], CalibrationMap],
) -> list[float]:
    """Return each row's probability by a map that was fitted without its fold."""
    maps = []
    for fold in range(FOLDS):
        kept = [row for row, its in enumerate(folds) if its != fold]
        maps.append(fit([raw[row] for row in kept], [labels[row] for row in kept]))
    return [maps[fold].apply(value) for fold, value in zip(folds, raw, strict=True)]


def _rising_platt(raw: Sequence[float], labels: Sequence[bool]) -> PlattMap:
    fitted = fit_platt(raw, labels)
    if fitted.slope <= 0 or not (math.isfinite(fitted.slope) and math.isfinite(fitted.offset)):
        raise CalibrationError(f"in {len(labels)} rows the label does not become likelier as the score rises")
    return fitted


def _careful_isotonic(raw: Sequence[float], labels: Sequence[bool]) -> PiecewiseMap:
    """Fit, but claim no certainty that so many rows cannot show (Laplace's rule of succession)."""
    fitted = fit_isotonic(raw, labels)
    least = 1.0 / (len(labels) + 2)
    kept = tuple(min(max(value, least), 1.0 - least) for value in fitted.probability)
    return PiecewiseMap(raw=fitted.raw, probability=kept)
