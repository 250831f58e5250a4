"""Places of listed words are those of the raw text, whatever stands before them and however they are written."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from moderation.places import joined, places
from moderation.signals import read_signals
from moderation.words import WordList

LIST = WordList(["idiot", "utter fool", "straße", "馬鹿"])


def shown(text: str) -> list[str]:
    """What the places of a text's listed words cover."""
    return [text[start:end] for start, end in places(text, read_signals(text, LIST).words, LIST)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("You idiot.", ["idiot"]),
        ("🚋🚋 Dear   IDIOT, and you, idiot!", ["IDIOT", "idiot"]),
        ("an utter\n\n  fool", ["utter\n\n  fool"]),
        ("an idi\u200bot he is", ["idi\u200bot"]),
        ("ｉｄｉｏｔ", ["ｉｄｉｏｔ"]),
        ("Die STRASSE ist lang.", ["STRASSE"]),
        ("ﬁne, \ufb03 and an idiot", ["idiot"]),
        ("あなたは馬鹿です", ["馬鹿"]),
        ("idiotic idioten", []),
        ("", []),
    ],
)
def test_a_place_is_of_the_text_as_written(text: str, expected: list[str]) -> None:
    """A listed word stands where its writer put it, in the writer's own code points."""
    assert shown(text) == expected


@pytest.mark.parametrize(
    "disguised",
    ["id10t", "i d i o t", "id*ot", "iiidiooot", "іdіоt"],
    ids=["leet", "spaced", "masked", "long", "alike"],
)
def test_a_disguise_is_shown_with_what_it_stands_in(disguised: str) -> None:
    """A disguised word is found as the fewest words of the text in which it is still read."""
    found = shown(f"We waited for the trams today. You {disguised} again and again!")
    assert len(found) == 1, found
    assert disguised in found[0]
    assert len(found[0]) <= len(disguised) + 8


def test_a_long_text_is_not_looked_through_for_disguises() -> None:
    """What would take long is not done: a word written as listed is shown, a disguised one is not."""
    assert shown("word " * 8_000 + "id10t idiot") == ["idiot"]
    assert shown("word " * 8_000 + "id10t") == []


def test_places_that_touch_are_one() -> None:
    """Places come in order, and none overlaps the next."""
    assert joined([(5, 8), (0, 2), (7, 9), (9, 10), (2, 3)]) == ((0, 3), (5, 10))
    assert places("idiot " * 30, ["idiot"], LIST, most=3) == ((0, 5), (6, 11), (12, 17))


PARTS = st.sampled_from(["idiot", "utter  fool", "id10t", " ", "\n", ".", "ﬁ", "🚋", "\u200b", "e\u0301", "straße"])


@settings(deadline=None, max_examples=100)
@given(st.lists(PARTS | st.text(max_size=5), max_size=20).map("".join))
def test_places_of_any_text_are_places_in_it(text: str) -> None:
    """Whatever is written, places lie in the text, in order, none overlaps another, and none covers nothing."""
    found = places(text, read_signals(text, LIST).words, LIST)
    ends = [0, *(end for _, end in found)]
    assert all(before <= start < end <= len(text) for before, (start, end) in zip(ends, found, strict=False))


def test_no_list_has_no_places() -> None:
    """A site without listed words has none to show."""
    assert places("You idiot.", [], WordList([])) == ()
