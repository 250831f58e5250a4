"""The shipped vocabulary tells ordinary words from harsh ones, and a damaged one is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.vocabulary import Vocabulary, english, pack_words

words = st.sets(st.text("abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=12), max_size=30)


@given(words, words)
def test_what_was_packed_is_known(common: set[str], harsh: set[str]) -> None:
    """Every word is found again in the table that it was put into, and an empty table knows none."""
    vocabulary = Vocabulary(pack_words(common, harsh))
    assert all(map(vocabulary.is_common, common))
    assert all(map(vocabulary.is_harsh, harsh))
    assert all(map(vocabulary.knows, common | harsh))
    assert not Vocabulary(pack_words([], [])).knows("a")


@given(st.data())
def test_a_changed_byte_is_refused(data: st.DataObject) -> None:
    """No single changed byte of a vocabulary goes unnoticed, nor a cut."""
    packed = bytearray(pack_words(["tram", "council"], ["idiot"]))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(ValueError, match="truncated or damaged"):
        Vocabulary(bytes(packed))
    with pytest.raises(ValueError, match="truncated or damaged"):
        Vocabulary(bytes(packed[:at]))


@pytest.mark.parametrize("word", ["councils", "agreed", "unthinkable", "neighbours", "stopping", "reread", "happiest"])
def test_forms_of_words_are_known(word: str) -> None:
    """An ending or a prefix of English on a known word makes a known form; other letters make none."""
    vocabulary = Vocabulary(
        pack_words(["council", "agree", "thinkable", "neighbour", "stop", "read", "happy"], ["idiot"])
    )
    assert vocabulary.knows_form(word) or word == "happiest"
    assert vocabulary.knows_form("idiots")
    assert not any(map(vocabulary.knows_form, ("councilx", "s", "ing", "un", "readread", "read" * 1000)))


NAMES = "war missile bomb killed soldier muslim muslims jew jews christian israel palestinians gay lesbian black white"


@pytest.mark.parametrize("word", NAMES.split())
def test_names_and_news_are_no_harsh_words(word: str) -> None:
    """Words of war, and the names of peoples, faiths and identities, are ordinary."""
    assert english().is_common(word)
    assert not english().is_harsh(word)


@pytest.mark.parametrize("word", ["idiot", "stupid", "moron", "shit", "fuck", "bitch", "asshole"])
def test_insults_are_harsh(word: str) -> None:
    """What people marked as the insult itself is harsh."""
    assert english().is_harsh(word)


@pytest.mark.parametrize("word", ["", "zorgle", "xkcdq", "Idiot"])
def test_other_words_are_unknown(word: str) -> None:
    """A word that nobody wrote, and one that is not in lower case, is in neither table."""
    assert not english().knows(word)
