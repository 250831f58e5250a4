"""Every measure equals its plain definition, counted pair by pair or threshold by threshold, ties included."""

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.metrics import (
    accuracy_after_review,
    auc,
    average_precision,
    false_positive_rate_at,
    group_figures,
    power_mean,
    recall_at,
    recall_at_fpr,
)

#: Few distinct values, so that most examples have ties.
SCORES = st.one_of(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.5000001, 0.9, 1.0]), st.floats(0, 1))
PAIRS = st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=25)
Pairs = list[tuple[float, bool]]


def split(pairs: Pairs) -> tuple[list[float], list[bool]]:
    """Answer scores and labels."""
    return [score for score, _ in pairs], [label for _, label in pairs]


def plain_auc(pairs: Pairs) -> float | None:
    """The share of pairs of a positive and a negative in which the positive is higher, an equal one counting half."""
    high = [score for score, label in pairs if label]
    low = [score for score, label in pairs if not label]
    won = [1.0 if one > other else 0.5 if one == other else 0.0 for one, other in product(high, low)]
    return sum(won) / len(won) if won else None


def plain_steps(pairs: Pairs) -> list[tuple[int, int]]:
    """True and false positives at each threshold that some row has, the highest first."""
    scores = sorted({score for score, _ in pairs}, reverse=True)
    return [
        (
            sum(label and score >= cut for score, label in pairs),
            sum(not label and score >= cut for score, label in pairs),
        )
        for cut in scores
    ]


@given(PAIRS)
def test_auc_is_the_share_of_pairs_won(pairs: Pairs) -> None:
    """The area by ranks equals the count over all pairs; with one label only there is none."""
    wanted = plain_auc(pairs)
    assert auc(*split(pairs)) == (None if wanted is None else pytest.approx(wanted))


@given(PAIRS)
def test_average_precision_sums_over_thresholds(pairs: Pairs) -> None:
    """Average precision is the sum over thresholds of precision times the recall gained there."""
    positive = sum(label for _, label in pairs)
    if not positive:
        assert average_precision(*split(pairs)) is None
        return
    total, before = 0.0, 0
    for true, false in plain_steps(pairs):
        total += (true - before) / positive * true / (true + false)
        before = true
    assert average_precision(*split(pairs)) == pytest.approx(total)


@given(PAIRS, st.sampled_from([0.0, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0]))
def test_recall_at_fpr_tries_every_threshold(pairs: Pairs, limit: float) -> None:
    """The recall at a share of false positives is the best of all thresholds that keep to it, or nothing found."""
    positive = sum(label for _, label in pairs)
    negative = len(pairs) - positive
    if not positive or not negative:
        assert recall_at_fpr(*split(pairs), limit) is None
        return
    kept = [true / positive for true, false in plain_steps(pairs) if false / negative <= limit + 1e-12]
    assert recall_at_fpr(*split(pairs), limit) == pytest.approx(max(kept, default=0.0))


@given(PAIRS, SCORES)
def test_rates_at_a_threshold_are_shares(pairs: Pairs, cut: float) -> None:
    """Recall and false positives count what is at or above the threshold, each among its own label."""
    high = [score >= cut for score, label in pairs if label]
    low = [score >= cut for score, label in pairs if not label]
    assert recall_at(*split(pairs), cut) == (pytest.approx(sum(high) / len(high)) if high else None)
    assert false_positive_rate_at(*split(pairs), cut) == (pytest.approx(sum(low) / len(low)) if low else None)


@given(PAIRS)
def test_only_the_order_counts(pairs: Pairs) -> None:
    """Any rising change of the scores leaves the ranking figures as they are."""
    scores, labels = split(pairs)
    bent = [math.floor(score * 1e6) for score in scores]
    again = [math.atan(value) for value in bent]
    assert auc(bent, labels) == auc(again, labels)
    assert average_precision(bent, labels) == average_precision(again, labels)


@given(st.lists(st.tuples(SCORES, st.booleans(), st.booleans()), min_size=1, max_size=20), SCORES)
def test_groups_are_told_as_borkan_defines_them(rows: list[tuple[float, bool, bool]], cut: float) -> None:
    """Subgroup, BPSN and BNSP areas are plain areas over the rows that their names say."""
    scores, labels, inside = ([row[place] for row in rows] for place in range(3))
    found = group_figures(scores, labels, inside, cut)
    chosen = {
        "subgroup_auc": [(score, label) for score, label, ours in rows if ours],
        "bpsn_auc": [(score, label) for score, label, ours in rows if ours is not label],
        "bnsp_auc": [(score, label) for score, label, ours in rows if ours is label],
    }
    for name, pairs in chosen.items():
        wanted = plain_auc(pairs)
        assert found[name] == (None if wanted is None else pytest.approx(wanted)), name
    low = [score >= cut for score, label, ours in rows if ours and not label]
    assert found["false_positive_rate"] == (pytest.approx(sum(low) / len(low)) if low else None)
    assert (found["rows"], found["positive"]) == (sum(inside), sum(label and ours for _, label, ours in rows))


def test_a_group_that_is_accused_has_a_low_bpsn() -> None:
    """A model that scores a group's civil rows like abuse loses there, and not where it misses nothing."""
    scores = [0.9, 0.9, 0.95, 0.1, 0.1, 0.8, 0.8]
    labels = [False, False, True, False, False, True, True]
    found = group_figures(scores, labels, [True] * 3 + [False] * 4, 0.5)
    assert (found["bpsn_auc"], found["bnsp_auc"], found["false_positive_rate"]) == (0.0, 1.0, 1.0)


@given(PAIRS, st.integers(0, 25))
def test_review_takes_the_highest_first(pairs: Pairs, reviewed: int) -> None:
    """Without ties the accuracy is that of the rows left to the model, with the reviewed ones all right."""
    scores, labels = split(pairs)
    order = list(range(len(pairs)))
    count = min(reviewed, len(pairs))
    found = accuracy_after_review(scores, labels, order, count / len(pairs))
    right = [(score >= 0.5) is label for score, label in pairs][: len(pairs) - count]
    assert found == pytest.approx((sum(right) + count) / len(pairs))


@given(PAIRS)
def test_ties_under_review_are_expected_values(pairs: Pairs) -> None:
    """With all rows alike in the order a reviewed half halves the errors, whichever rows stand first."""
    scores, labels = split(pairs)
    none = accuracy_after_review(scores, labels, [0] * len(pairs), 0.0)
    half = accuracy_after_review(scores, labels, [0] * len(pairs), 0.5)
    assert 1 - half == pytest.approx((1 - none) / 2)
    assert accuracy_after_review(scores, labels, [0] * len(pairs), 1.0) == pytest.approx(1.0)


def test_the_worst_group_rules_the_power_mean() -> None:
    """Equal areas keep their value; one bad group pulls the mean far below the plain one; none gives none."""
    assert power_mean([0.9, 0.9]) == pytest.approx(0.9)
    assert 0.5 < (power_mean([0.5, 1.0, 1.0]) or 0) < 0.65
    assert power_mean([0.0, 1.0]) == 0.0
    assert power_mean([]) is None


@pytest.mark.parametrize("scores", [[math.nan, 0.1], [math.inf, 0.1], [0.1]])
def test_what_cannot_be_ranked_is_refused(scores: list[float]) -> None:
    """Scores that are no numbers, or not as many as labels, give an error and never a figure."""
    for measure in (auc, average_precision):
        with pytest.raises(ValueError, match="score"):
            measure(np.array(scores), [True, False])
