"""Texts are known again, also disguised or changed a little, and different ones are told apart."""

import csv
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.sketch import BANDS, LEAST_WORDS, likeness, sketch_of
from training.evasions import EVASIONS

WAR = Path(__file__).parent / "war_and_politics.csv"
TEXT = (
    "The council has promised this bridge for eleven years and every spring there is another reason why it cannot be "
    "built, while the ferry breaks down twice a month and nobody on the other side gets to work in time."
)


def test_the_same_words_are_the_same_text() -> None:
    """Case, spaces, punctuation and lines do not matter; a sketch is always the same numbers."""
    other = TEXT.upper().replace(" ", "\n  ").replace(",", " -- ")
    assert likeness(sketch_of(TEXT), sketch_of(other)) == 1.0
    assert sketch_of("You are all the same.").text_hash == sketch_of("you are ALL the same").text_hash
    assert sketch_of(TEXT).numbers[:2] == (3242680507, 765418998)


@pytest.mark.parametrize(
    "name", ["zero_width", "soft_hyphens", "look_alikes", "full_width", "stacked_marks", "mixed_case"]
)
def test_a_disguise_does_not_make_it_new(name: str) -> None:
    """What the normaliser takes off is no difference."""
    assert likeness(sketch_of(TEXT), sketch_of(EVASIONS[name](TEXT))) == 1.0


@given(place=st.integers(0, 38), word=st.sampled_from(["tunnel", "however", "xyzzy"]))
def test_one_changed_word_of_forty_leaves_it_alike(place: int, word: str) -> None:
    """A text is known although a word of it was exchanged, and shares a band by which it is found."""
    words = TEXT.split()
    words[min(place, len(words) - 1)] = word
    one, other = sketch_of(TEXT), sketch_of(" ".join(words))
    assert likeness(one, other) >= 0.7
    assert set(one.bands) & set(other.bands)


def test_different_comments_are_far_apart() -> None:
    """Among all pairs of the sentences on war and politics none is taken for another."""
    with WAR.open(encoding="utf-8", newline="") as file:
        sketches = [sketch_of(row["text"]) for row in csv.DictReader(file)]
    assert max(likeness(one, other) for one, other in combinations(sketches, 2)) < 0.3


def test_a_short_text_is_known_only_word_by_word() -> None:
    """Agreement is nobody's property: under eight words nothing is nearly the same."""
    assert sketch_of("I agree with you").numbers == ()
    assert likeness(sketch_of("I agree with you"), sketch_of("I agree with you all")) == 0.0
    assert len(sketch_of(" ".join(["word"] * LEAST_WORDS)).bands) == BANDS


@given(st.text(max_size=300))
def test_any_text_has_a_sketch(text: str) -> None:
    """Whatever is written is like itself, and its sketch shows nothing of it."""
    found = sketch_of(text)
    assert likeness(found, sketch_of(text)) == 1.0
    assert len(found.text_hash) == 64
    assert all(0 <= number < 2**32 for number in found.numbers)
