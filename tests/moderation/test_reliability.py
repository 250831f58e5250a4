"""A calibration is chosen by rows that it was not fitted on, and says what it stands on."""

import math
import random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.calibration import (
    Calibration,
    CalibrationMap,
    PiecewiseMap,
    PlattMap,
    expected_calibration_error,
    log_odds,
    sigmoid,
)
from moderation.reliability import CalibrationError, Kind, fit_map, log_loss, quality_of, reliability_table
from moderation.scores import Attribute, Scores

PAIRS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def drawn(rows: int, bend: float, *, seed: int = 3) -> tuple[list[float], list[bool]]:
    """Draw labels at true probabilities, and values whose log-odds are the true ones times a bend."""
    chance = random.Random(seed)
    true = [sigmoid(chance.gauss(-1, 2)) for _ in range(rows)]
    return [sigmoid(bend * log_odds(one)) for one in true], [chance.random() < one for one in true]


def stepped(rows: int) -> tuple[list[float], list[bool]]:
    """Draw labels whose rate jumps at two values, which no logistic curve follows."""
    chance = random.Random(5)
    values = [chance.random() for _ in range(rows)]
    return values, [chance.random() < (0.05 if value < 0.3 else 0.5 if value < 0.9 else 0.95) for value in values]


def test_an_overconfident_model_is_mended() -> None:
    """A model that doubles its log-odds is brought back by a line of half the slope, better on held-out rows."""
    fitted, report = fit_map(*drawn(900, 2.0))
    assert isinstance(fitted, PlattMap)
    assert fitted.slope == pytest.approx(0.5, abs=0.1)
    assert (report.kind, report.rows) == (Kind.PLATT, 900)
    assert report.improves
    assert report.after.ece < report.before.ece / 2
    assert report.after.log_loss < report.before.log_loss


def test_steps_are_followed_by_an_isotonic_map() -> None:
    """With enough rows a shape that no logistic curve has is fitted by steps."""
    fitted, report = fit_map(*stepped(4000))
    assert report.kind is Kind.ISOTONIC
    assert isinstance(fitted, PiecewiseMap)
    assert fitted.apply(log_odds(0.2)) == pytest.approx(0.05, abs=0.05)
    assert fitted.apply(log_odds(0.6)) == pytest.approx(0.5, abs=0.1)
    assert 0 < fitted.probability[0] <= fitted.probability[-1] < 1


def test_few_rows_are_never_fitted_by_steps() -> None:
    """The same shape with fewer rows than an isotonic map needs gets a logistic curve."""
    _, report = fit_map(*stepped(999))
    assert report.kind is Kind.PLATT


def test_the_same_rows_give_the_same_map() -> None:
    """The folds come from a fixed seed: two runs agree in every digit."""
    assert fit_map(*drawn(2000, 1.7)) == fit_map(*drawn(2000, 1.7))


def test_what_cannot_be_bettered_is_not_called_better() -> None:
    """Of a model whose probabilities are the true ones, a fit says that it does not improve."""
    _, report = fit_map(*drawn(300, 1.0))
    assert not report.improves


@pytest.mark.parametrize(
    ("values", "labels", "counts"),
    [
        ([0.1, 0.9] * 30, [False, True] * 30, "60 rows, 30 with label 1 and 30 with label 0"),
        ([0.1] * 181 + [0.9] * 19, [False] * 181 + [True] * 19, "200 rows, 19 with label 1 and 181 with label 0"),
        ([0.1, 0.9] * 100, [True] * 200, "200 rows, 200 with label 1 and 0 with label 0"),
        ([], [], "0 rows"),
    ],
)
def test_too_few_rows_are_refused_in_counts(values: list[float], labels: list[bool], counts: str) -> None:
    """Too few rows, too few of one label, or one label only: the refusal names all three numbers."""
    with pytest.raises(CalibrationError, match=counts):
        fit_map(values, labels)


def test_a_model_that_says_one_thing_is_refused() -> None:
    """Nothing can be fitted on one value."""
    with pytest.raises(CalibrationError, match="the same of all 200 rows"):
        fit_map([0.5] * 200, [True, False] * 100)


def test_a_model_that_is_upside_down_is_refused() -> None:
    """A map that falls would turn every threshold around, so it is refused."""
    values, labels = drawn(500, 1.0)
    with pytest.raises(CalibrationError, match="does not become likelier"):
        fit_map(values, [not label for label in labels])


@given(PAIRS)
def test_the_table_adds_up(pairs: list[tuple[float, bool]]) -> None:
    """Every row is in one bin, the bins' weighted gaps are the calibration error, and means lie in their bins."""
    probabilities, labels = [one for one, _ in pairs], [label for _, label in pairs]
    table = reliability_table(probabilities, labels)
    filled = [(one, one.mean, one.rate) for one in table if one.mean is not None and one.rate is not None]
    assert sum(one.count for one in table) == len(pairs)
    assert [one.count for one, _, _ in filled] == [one.count for one in table if one.count]
    gap = sum(one.count * abs(mean - rate) for one, mean, rate in filled) / len(pairs)
    assert gap == pytest.approx(expected_calibration_error(probabilities, labels), abs=1e-9)
    assert all(one.low - 1e-9 <= mean <= one.high + 1e-9 for one, mean, _ in filled)


def test_log_loss_is_the_surprise() -> None:
    """Halves cost ln 2, certainty that is right nothing, and certainty that is wrong a finite number."""
    assert log_loss([0.5, 0.5], [True, False]) == pytest.approx(math.log(2))
    assert log_loss([1.0, 0.0], [True, False]) == 0.0
    assert 10 < log_loss([1.0], [False]) < 100


def test_a_quality_crosses_as_json() -> None:
    """The figures survive their way to the database, empty bins with them."""
    found = quality_of([0.05, 0.95], [False, True])
    assert msgspec.convert(msgspec.to_builtins(found), type(found)) == found


HALVED: dict[Attribute, CalibrationMap] = {Attribute.TOXICITY: PlattMap(slope=0.5, offset=0.0)}


def test_a_calibration_replaces_what_it_maps() -> None:
    """A value becomes the map of its log-odds and the scores are calibrated; model and window stay."""
    scores = Scores("model@1", False, {Attribute.TOXICITY: 0.9})
    found = Calibration("model@1", HALVED).apply(scores)
    assert found.values == {Attribute.TOXICITY: pytest.approx(0.75)}
    assert (found.model_id, found.calibrated) == ("model@1", True)


@pytest.mark.parametrize("before", [True, False])
def test_what_is_not_mapped_is_not_called_calibrated(before: bool) -> None:
    """With an attribute that has no map, the scores stay what they were called."""
    scores = Scores("model@1", before, {Attribute.TOXICITY: 0.9, Attribute.INSULT: 0.2})
    found = Calibration("model@1", HALVED).apply(scores)
    assert found.values[Attribute.INSULT] == 0.2
    assert found.calibrated is before


def test_another_models_scores_are_refused() -> None:
    """A calibration is never applied to the scores of another model."""
    with pytest.raises(ValueError, match="model@1"):
        Calibration("model@1", HALVED).apply(Scores("model@2", False, {Attribute.TOXICITY: 0.9}))


@given(st.floats(0, 1), st.floats(0.01, 50), st.floats(-50, 50))
def test_any_rising_line_keeps_to_probabilities(value: float, slope: float, offset: float) -> None:
    """Whatever the model says, 0 and 1 too, a stored line answers a number in [0, 1]."""
    scores = Scores("m", False, {Attribute.TOXICITY: value})
    found = Calibration("m", {Attribute.TOXICITY: PlattMap(slope=slope, offset=offset)}).apply(scores)
    assert 0.0 <= found.values[Attribute.TOXICITY] <= 1.0


def test_a_version_names_the_maps() -> None:
    """The same maps in another order have the same version; another number, however small, has another."""
    insult = PlattMap(slope=1.0, offset=0.0)
    one = Calibration("m", HALVED | {Attribute.INSULT: insult})
    other = Calibration("m", {Attribute.INSULT: insult, **HALVED})
    moved = Calibration("m", HALVED | {Attribute.INSULT: PlattMap(slope=1.0000001, offset=0.0)})
    assert one.version == other.version != moved.version
    assert one.version.startswith("sha256:")
    assert len(one.version) == len("sha256:") + 16


def test_a_calibration_survives_the_database() -> None:
    """Both kinds of maps come back from JSON as they were."""
    one = Calibration("m", HALVED | {Attribute.INSULT: PiecewiseMap(raw=(-1.0, 2.0), probability=(0.1, 0.8))})
    assert msgspec.json.decode(msgspec.json.encode(one), type=Calibration) == one
