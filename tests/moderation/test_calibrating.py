"""The calibration that ships: steps where there are rows, a line without an end where there are few."""

import math
import random

from training.calibrating import fit_rising, fit_smooth


def disputed() -> tuple[list[float], list[bool]]:
    """Raw scores from -4 to 4, of which even the highest are called harmful by only some nine in ten."""
    chance = random.Random(1)
    raw = [chance.uniform(-4, 4) for _ in range(4000)]
    return raw, [chance.random() < min(max(0.5 + 0.2 * value, 0.02), 0.84 + 0.01 * value) for value in raw]


def test_worse_scores_stay_apart_beyond_the_last_rows() -> None:
    """The line rises on where the steps have ended, and never falls on the way."""
    fitted = fit_rising(*disputed())
    shares = [fitted.apply(value / 10) for value in range(-40, 70)]
    assert shares == sorted(shares)
    assert fitted.apply(4.0) < fitted.apply(5.0) < fitted.apply(6.0) < 1.0


def test_what_is_held_is_not_moved_by_the_line() -> None:
    """Below three in four both maps are the same."""
    raw, labels = disputed()
    rising, steps = fit_rising(raw, labels), fit_smooth(raw, labels)
    low = [value for value, share in zip(steps.raw, steps.probability, strict=True) if share < 0.75]
    assert [rising.apply(value) for value in low] == [steps.apply(value) for value in low]


def test_scores_that_tell_nothing_keep_their_steps() -> None:
    """Where worse scores are not more often harmful, no line goes on by a guess."""
    raw = [value / 100 for value in range(-300, 300)]
    labels = [number % 3 == 0 for number in range(600)]
    assert fit_rising(raw, labels) == fit_smooth(raw, labels)


def test_a_rare_harm_rises_beyond_the_last_rows_too() -> None:
    """Of a harm whose steps end far below three in four, a far worse score is still more probable."""
    chance = random.Random(2)
    raw = [chance.uniform(-4, 4) for _ in range(4000)]
    labels = [chance.random() < 1 / (1 + math.exp(2.5 - 0.6 * value)) for value in raw]
    fitted, steps = fit_rising(raw, labels), fit_smooth(raw, labels)
    assert steps.probability[-1] < 0.6
    assert fitted.apply(6.0) > max(steps.probability) + 0.1
