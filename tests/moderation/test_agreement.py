"""Agreement says what two scorers have in common, in counts that anybody can check by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.agreement import AtThreshold, agreement, area_under_curve, at_threshold, same_share_from

VALUES = st.floats(0.0, 1.0)


def test_counts_at_a_threshold() -> None:
    """Who is at or above it is counted on each side and on both."""
    one = at_threshold([0.9, 0.7, 0.2, 0.1], [0.8, 0.3, 0.7, 0.0], 0.7)
    assert one == AtThreshold(0.7, rows=4, ours=2, theirs=2, both=1)
    assert (one.agree, one.found, one.shared) == (0.5, 0.5, 0.5)


def test_a_rounded_score_is_at_its_threshold() -> None:
    """0.7 is at 0.7, also as a sum of tenths."""
    assert at_threshold([0.1 * 7 - 1e-12], [0.7], 0.7).both == 1


def test_nothing_above_has_no_share() -> None:
    """Where a side puts nothing above, no share of it can be told."""
    one = at_threshold([0.1, 0.2], [0.3, 0.1], 0.5)
    assert (one.agree, one.found, one.shared) == (1.0, None, None)


def test_figures_of_two_lists() -> None:
    """Order, distance and thresholds come together."""
    found = agreement([0.0, 0.5, 1.0], [0.1, 0.2, 0.9])
    assert found.rows == 3
    assert found.spearman == pytest.approx(1.0)
    assert found.mean_distance == pytest.approx(0.5 / 3)
    assert [one.threshold for one in found.at] == [0.5, 0.7, 0.8]


@pytest.mark.parametrize("ours", [[], [0.1, 0.2, 0.3]])
def test_lists_that_do_not_belong_together(ours: list[float]) -> None:
    """Lists of different lengths, or of none, are refused."""
    with pytest.raises(ValueError, match="cannot be compared"):
        agreement(ours, [0.1] * 2 if ours else [])


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=30), VALUES)
def test_agreement_equals_a_count(pairs: list[tuple[float, float]], threshold: float) -> None:
    """The share is what counting row by row gives, and turning the sides changes nothing but their names."""
    ours, theirs = [one for one, _ in pairs], [other for _, other in pairs]
    one, turned = at_threshold(ours, theirs, threshold), at_threshold(theirs, ours, threshold)
    above = np.array(pairs) >= threshold - 1e-9
    assert one.agree == pytest.approx((above[:, 0] == above[:, 1]).mean())
    assert (one.ours, one.theirs, one.both, one.agree) == (turned.theirs, turned.ours, turned.both, turned.agree)
    assert -1.0 - 1e-9 <= agreement(ours, theirs).spearman <= 1.0 + 1e-9


def test_where_as_many_pass() -> None:
    """From the answer on, as many of ours stand as of theirs from the threshold on."""
    ours, theirs = [0.4, 0.3, 0.2, 0.1], [0.9, 0.8, 0.1, 0.0]
    assert same_share_from(ours, theirs, 0.7) == 0.3
    assert same_share_from(ours, theirs, 0.95) is None
    assert same_share_from(ours, theirs, 0.0) is None


@given(st.lists(st.tuples(VALUES, st.booleans()), min_size=1, max_size=20))
def test_the_area_is_the_share_of_pairs_in_order(rows: list[tuple[float, bool]]) -> None:
    """Of all pairs of a text with the label and one without, the share that is ranked right, ties counting half."""
    high, low = ([value for value, label in rows if label is wanted] for wanted in (True, False))
    found = area_under_curve([value for value, _ in rows], [label for _, label in rows])
    if not high or not low:
        assert found is None
        return
    right = sum(1.0 if one > other else 0.5 if one == other else 0.0 for one in high for other in low)
    assert found == pytest.approx(right / (len(high) * len(low)))
