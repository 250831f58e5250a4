"""Calibration maps rise, stay in [0, 1], and bring numbers closer to rates."""

import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.calibration import (
    CalibrationMap,
    PiecewiseMap,
    PlattMap,
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    sigmoid,
)

_chance = random.Random(11)
RAW = [_chance.gauss(0, 2) for _ in range(3000)]
LABELS = [_chance.random() < sigmoid(1.5 * value - 1) for value in RAW]
FITS = (fit_platt, fit_isotonic)


def test_platt_finds_the_line_that_made_the_labels() -> None:
    """Labels drawn from a known logistic curve give its slope and offset back."""
    found = fit_platt(RAW, LABELS)
    assert found.slope == pytest.approx(1.5, abs=0.15)
    assert found.offset == pytest.approx(-1.0, abs=0.15)


@pytest.mark.parametrize("fit", FITS)
def test_a_fitted_map_is_close_to_the_rates(fit: type) -> None:
    """After fitting, probability and rate differ by less than four hundredths on average."""
    fitted = fit(RAW, LABELS)
    assert expected_calibration_error([fitted.apply(value) for value in RAW], LABELS) < 0.04


@pytest.mark.parametrize("fit", FITS)
def test_both_labels_are_needed(fit: type) -> None:
    """One kind of label, or none, is refused."""
    for labels in ([], [True, True], [False, False]):
        with pytest.raises(ValueError, match="both labels"):
            fit([0.0] * len(labels), labels)
    with pytest.raises(ValueError, match="scores"):
        fit([0.0], [True, False])


@pytest.mark.parametrize("fit", FITS)
@given(
    pairs=st.lists(st.tuples(st.floats(-20, 20), st.booleans()), min_size=2, max_size=30).filter(
        lambda pairs: len({label for _, label in pairs}) == 2
    ),
    probes=st.lists(st.floats(-50, 50), min_size=2, max_size=5),
)
def test_maps_stay_in_bounds(fit: type, pairs: list[tuple[float, bool]], probes: list[float]) -> None:
    """Any fit gives probabilities in [0, 1]; an isotonic one never falls."""
    fitted = fit([raw for raw, _ in pairs], [label for _, label in pairs])
    values = [fitted.apply(probe) for probe in sorted(probes)]
    assert all(0.0 <= value <= 1.0 for value in values)
    assert fit is fit_platt or values == sorted(values)


def test_piecewise_reads_between_its_points() -> None:
    """Between points the map is a line, outside them flat."""
    line = PiecewiseMap(raw=(0.0, 2.0), probability=(0.1, 0.5))
    assert [line.apply(at) for at in (-9.0, 1.0, 2.0, 9.0)] == pytest.approx([0.1, 0.3, 0.5, 0.5])


@pytest.mark.parametrize(
    ("raw", "probability"), [((), ()), ((1.0, 0.0), (0.1, 0.2)), ((0.0, 1.0), (0.5, 0.2)), ((0.0,), (1.5,))]
)
def test_a_falling_map_is_refused(raw: tuple[float, ...], probability: tuple[float, ...]) -> None:
    """Points that are empty, unsorted or outside [0, 1] make no map."""
    with pytest.raises(ValueError, match="piecewise"):
        PiecewiseMap(raw=raw, probability=probability)


@pytest.mark.parametrize("one", [PlattMap(1.0, 2.0), PiecewiseMap((0.0, 1.0), (0.0, 1.0))])
def test_maps_are_stored_as_data(one: CalibrationMap) -> None:
    """Each map survives JSON and comes back as its own kind."""
    assert msgspec.json.decode(msgspec.json.encode(one), type=CalibrationMap) == one


def test_calibration_error_is_the_weighted_gap() -> None:
    """A perfect model has none, a wrong one all, and empty input is refused."""
    assert expected_calibration_error([0.0, 1.0], [False, True]) == 0.0
    assert expected_calibration_error([1.0, 1.0], [False, False]) == 1.0
    assert expected_calibration_error([0.25] * 4, [True, False, False, False]) == 0.0
    with pytest.raises(ValueError, match="at least one"):
        expected_calibration_error([], [])


@given(st.floats(allow_nan=False))
def test_sigmoid_never_overflows(value: float) -> None:
    """Any number, infinity included, has a value in [0, 1]."""
    assert 0.0 <= sigmoid(value) <= 1.0
