"""The parts of a text: whole sentences, none twice, and none where there is nothing to take apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.parts import FEWEST_WORDS, MOST, WORDS, as_sentence, parts_of

ABUSE = "Kill all badgers."
CIVIL = "The council meets on Tuesday at seven to vote on the budget."


def parts(text: str) -> list[str]:
    """Answer the words of each part."""
    return [text[start:end] for start, end in parts_of(text)]


@pytest.mark.parametrize(
    "text",
    [
        f"{ABUSE} {CIVIL}",
        f"{CIVIL} {ABUSE}",
        f"{CIVIL}\n{ABUSE}\n{CIVIL}",
        f'He said: "{ABUSE}"',
        f"“{ABUSE}”",
        f"The report quotes: {ABUSE}",
        f"{ABUSE} https://example.org/a/b",
    ],
)
def test_a_sentence_among_others_or_in_a_short_frame_is_a_part(text: str) -> None:
    """What stands before, after or around a sentence, an address among it, does not belong to it."""
    assert ABUSE in parts(text)


def test_a_missing_full_stop_does_not_join_sentences() -> None:
    """A small word with a capital begins a sentence."""
    assert "Kill all badgers" in parts(f"Kill all badgers {CIVIL}")
    assert "Kill all badgers" in parts("Kill all badgers, the minister said on Tuesday.")


def test_a_quotation_in_a_long_sentence_is_read_with_it() -> None:
    """What many words report is judged with what they say of it."""
    assert (
        parts('The court heard on Monday that he had shouted "kill all badgers" at the ranger and sentenced him.') == []
    )


@pytest.mark.parametrize(
    "text", ["", " ", CIVIL, f" {CIVIL} ", "Siobhan. Ngozi.", "👍 12345\n\n+1", "Merci. Shalom. Ok."]
)
def test_a_text_that_is_one_part_or_tells_nothing_has_none(text: str) -> None:
    """A single sentence costs nothing more, and names, greetings, numbers and faces are no parts."""
    assert [part for part in parts(text) if part == text.strip() or len(part.split()) < FEWEST_WORDS] == []


def test_two_harsh_words_are_a_part() -> None:
    """Of an insult a word is enough."""
    assert "You moron." in parts(f"You moron. {CIVIL}")


def test_neighbours_are_read_together_too() -> None:
    """Two sentences may say together what neither says alone."""
    assert parts("Dirt is dirt. They are dirt. I said so.") == [
        "Dirt is dirt.", "Dirt is dirt. They are dirt.", "They are dirt.", "They are dirt. I said so.", "I said so.",
    ]  # fmt: skip


def test_a_long_sentence_is_cut() -> None:
    """Without any stop a part still has at most so many words, and each word is in one."""
    words = [f"the{number}" for number in range(100)]
    found = parts(f"and {' '.join(words)}")
    assert all(len(part.split()) <= WORDS for part in found)


def test_equal_parts_are_one() -> None:
    """A sentence that is said a hundred times is judged once."""
    assert parts(f"{CIVIL} " * 100) == [CIVIL, f"{CIVIL} {CIVIL}"]


def test_the_parts_of_a_very_long_text_are_taken_from_all_over_it() -> None:
    """The number of parts is bounded, and neither the beginning nor the end is left out."""
    text = " ".join(f"The {number} badgers came to the town." for number in range(2000))
    places = parts_of(text)
    assert len(places) == MOST
    assert places[0][0] == 0
    assert places[-1][1] > len(text) * 0.98


@pytest.mark.parametrize(
    "piece",
    ["a. ", "the badger, ", '"the badger" ', "\n", "x", "The badger ", ", a b c d", "https://a ", "; ", " ", "a  "],
)
def test_a_text_longer_than_any_request_is_taken_apart(piece: str) -> None:
    """A hundred thousand characters of what costs most are read without trouble."""
    assert len(parts_of(piece * (100_000 // len(piece)))) <= MOST


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_parts_of_any_text_lie_in_it(text: str) -> None:
    """Any text has parts within its bounds, none empty and none twice."""
    found = parts(text)
    assert all(part.strip() for part in found)
    assert len(set(found)) == len(found)


def test_a_part_ends_as_a_sentence_does() -> None:
    """A full stop is put where none is, and none is put twice."""
    assert [as_sentence(part) for part in ("kill all", "No!", "so what,", "well…")] == [
        "kill all.",
        "No!",
        "so what.",
        "well…",
    ]
