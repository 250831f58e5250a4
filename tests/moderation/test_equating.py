"""Maps onto another scale: as many texts pass each line as there, in the order that our model gives them."""

import csv
import random
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.agreement import at_threshold
from moderation.calibration import Calibration, PiecewiseMap, log_odds
from moderation.scale import read_maps
from moderation.scorers.hashed import HashedScorer
from moderation.scores import Attribute
from training.equating import link
from training.perspective import COLUMNS, Rated, compare, fit, lines_of, put, read_rated, weights_of
from training.sources import PERSPECTIVE

VALUES = st.floats(0.0, 1.0)
RUDE = ("You are an idiot.", "You stupid moron, shut up.", "I will kill you, you pathetic loser.")
CIVIL = ("The trams should run later.", "I agree with the author.", "Thank you for this article.", "What a day!")


def drawn(rows: int) -> tuple[list[float], list[float]]:
    """Our values and theirs of texts whose true harm both see through some noise, theirs drawn towards the top."""
    chance = random.Random(3)
    harm = [chance.random() ** 3 for _ in range(rows)]
    ours = [min(max(0.6 * one + chance.gauss(0, 0.05), 0.0), 1.0) for one in harm]
    theirs = [round(min(max(one**0.5 + chance.gauss(0, 0.05), 0.0), 1.0), 2) for one in harm]
    return ours, theirs


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.7, 0.8, 0.9])
def test_as_many_texts_pass_each_line(threshold: float) -> None:
    """On their scale ours puts as many texts above a threshold as they do, within one in fifty of all."""
    ours, theirs = drawn(4000)
    fitted = link(ours, theirs)
    one = at_threshold([fitted.apply(log_odds(value)) for value in ours], theirs, threshold)
    assert abs(one.ours - one.theirs) <= 0.02 * one.rows
    assert one.agree > 0.85


@given(st.lists(st.tuples(VALUES, VALUES), min_size=2, max_size=60))
def test_a_map_always_rises(pairs: list[tuple[float, float]]) -> None:
    """Whatever the values are, the map rises strictly from 0 to 1 or is refused for want of two values."""
    ours, theirs = [one for one, _ in pairs], [other for _, other in pairs]
    if min(len(set(ours)), len(set(theirs))) < 2:
        with pytest.raises(ValueError, match="cannot be put on the scale"):
            link(ours, theirs)
        return
    found = link(ours, theirs)
    for points in (found.raw, found.probability):
        assert list(points) == sorted(set(points))
    assert (found.apply(log_odds(0.0)), found.apply(log_odds(1.0))) == (0.0, 1.0)


def test_equal_weights_change_nothing() -> None:
    """A row that counts twice is a row that is there twice, for both sides."""
    ours, theirs = drawn(500)
    assert link(ours, theirs, [3.0] * 500) == link(ours, theirs)
    assert link(ours, theirs) != link(ours, theirs, [1.0 + 9.0 * (value > 0.3) for value in ours])


def test_rows_that_were_not_trained_on_are_half_of_the_whole() -> None:
    """What the model has not learned by heart counts as much as all that it has."""
    rows = [Rated("text", {}, held_back=False, trained=number < 80) for number in range(100)]
    weights = weights_of(rows)
    assert sum(weights[80:]) == pytest.approx(sum(weights[:80]))
    assert set(weights_of(rows[:80])) == set(weights_of(rows[80:])) == {1.0}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Forty rated comments in the form of the published file, one of which equals a held-back one."""
    path = tmp_path / PERSPECTIVE
    path.parent.mkdir()
    chance = random.Random(5)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["id", "comment_text", *COLUMNS.values()])
        writer.writeheader()
        for number in range(40):
            rude = chance.random() < 0.4
            text = "The same, twice!" if number in (4, 7) else f"{chance.choice(RUDE if rude else CIVIL)} {number}"
            score = {column: f"{(0.5 if rude else 0.0) + chance.random() / 2:.2f}" for column in COLUMNS.values()}
            writer.writerow({"id": number, "comment_text": text} | score)
    return tmp_path


def test_every_fourth_row_is_held_back(data: Path) -> None:
    """Positions that 4 divides are for measuring, and no row of the others equals one of them."""
    rows = read_rated(data, trained_here=False)
    assert (sum(row.held_back for row in rows), len(rows)) == (10, 39)
    assert [row.held_back for row in rows if row.text == "The same, twice!"] == [True]
    assert set(rows[0].scores) == set(COLUMNS)


def test_no_held_back_row_is_fitted_on(data: Path) -> None:
    """With other scores, and other words, in every held-back row the maps are the same."""
    rows, scorer = read_rated(data, trained_here=False), HashedScorer.load()
    others = [
        msgspec.structs.replace(row, text="Something else.", scores=dict.fromkeys(COLUMNS, 0.77))
        if row.held_back
        else row
        for row in rows
    ]
    assert fit(scorer, rows) == fit(scorer, others)


def test_what_is_measured(data: Path) -> None:
    """The held-back rows alone are measured, before and after, in a line each; an order never changes."""
    rows, scorer = read_rated(data, trained_here=False), HashedScorer.load()
    compared = compare(scorer, rows, fit(scorer, rows))
    assert [one.attribute for one in compared] == list(scorer.attributes)
    assert {(one.before.rows, one.after.rows) for one in compared} == {(10, 10)}
    assert all(one.before.spearman == pytest.approx(one.after.spearman) for one in compared)
    lines = list(lines_of(compared))
    assert len(lines) == 1 + 2 * len(compared)
    assert not any(part in line for line in lines for part in ("idiot", "trams"))


def test_maps_are_put_in_the_place_of_the_models_former_ones(tmp_path: Path) -> None:
    """Maps of another model stay, and a file is the same whichever came first."""
    one, other = (
        Calibration(name, {Attribute.TOXICITY: PiecewiseMap(raw=(0.0, 1.0), probability=(0.1, 0.9))})
        for name in ("a@1", "b@1")
    )
    former = Calibration("a@1", {Attribute.INSULT: PiecewiseMap(raw=(0.0,), probability=(0.5,))})
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    for maps in (former, other, one):
        put(first, maps)
    for maps in (one, other):
        put(second, maps)
    assert read_maps(first) == (one, other)
    assert first.read_bytes() == second.read_bytes()
