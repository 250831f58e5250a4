"""Facts are read off the raw text: links, capitals, runs, listed words and language."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.language import detect_language
from moderation.signals import read_signals
from moderation.words import WordList
from tests.moderation.samples import LANGUAGES

NONE = WordList([])
LIST = WordList(["badger", "honey badger", "Straße", "c++", "坏词", "ass", "idiot"])


@pytest.mark.parametrize(
    ("text", "links"),
    [
        ("no link here. And none here", 0),
        ("see https://a.example/x and http://b.example", 2),
        ("www.example.com and example.org/path?q=1", 2),
        ("hxxp://evil.example", 1),
        ("exam\u200bple.com", 1),
        ("ｅｘａｍｐｌｅ．ｃｏｍ", 1),
        ("write to bob@example.com", 0),
        ("e.g. this, i.e. that, 3.14 and U.S.A.", 0),
        ("https://a.com,https://b.com;http://c.com", 3),
    ],
)
def test_links_are_counted(text: str, links: int) -> None:
    """Addresses count once each, also disguised; mail addresses and abbreviations do not."""
    assert read_signals(text, NONE).links == links


@pytest.mark.parametrize(
    ("text", "share"),
    [("THIS IS REALLY BAD NEWS", 1.0), ("OK", 0.0), ("", 0.0), ("自転車専用道路にもっと投資すべきだと思います", 0.0)],
)
def test_shouting_is_a_share_of_capitals(text: str, share: float) -> None:
    """Capitals are measured against letters that have a case, and short texts never shout."""
    assert read_signals(text, NONE).shouting == share


def test_links_do_not_count_as_shouting() -> None:
    """Capitals inside an address say nothing about the voice of the author."""
    assert read_signals("please read https://example.com/ABCDEFGHIJKLMNOPQRSTUVWXYZ now thanks", NONE).shouting == 0.0


@pytest.mark.parametrize(("text", "repeats"), [("aaaa b", 4), ("no no No NO", 4), ("😂😂😂", 3), ("", 0), ("ab", 1)])
def test_repeats_are_the_longest_run(text: str, repeats: int) -> None:
    """The longest run of one character or one word is told."""
    assert read_signals(text, NONE).repeats == repeats


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Badger!", ("badger",)),
        ("badgers badgered", ()),
        ("honey\n  BADGER", ("badger", "honey badger")),
        ("die STRASSE", ("Straße",)),
        ("I write C++ daily", ("c++",)),
        ("这是坏词吗", ("坏词",)),
        ("a class of bass players", ()),
        ("b a d g e r", ("badger",)),
        ("b\u200badger", ("badger",)),
        ("bаdgеr", ("badger",)),
        ("b4dger", ("badger",)),
        ("baaaadger", ("badger",)),
        ("what an iiidiooooot", ("idiot",)),
        ("you a i d i o t", ("idiot",)),
        ("badger_x x_badger 1badger", ()),
    ],
)
def test_words_are_found_whole_and_through_disguise(text: str, words: tuple[str, ...]) -> None:
    """Listed words and phrases are found at word boundaries, folded, and with disguises off."""
    assert read_signals(text, LIST).words == words


def test_an_empty_list_finds_nothing() -> None:
    """A site without words, or with blank ones, gets no finding."""
    assert WordList(["", "  ", "\u200b"]).find("anything") == ()
    assert len(WordList(["", "a", "a"])) == 1


@given(st.lists(st.text(max_size=8), max_size=8), st.text(max_size=60))
def test_word_search_is_total(words: list[str], text: str) -> None:
    """Any list over any text gives entries of the list, each once."""
    found = read_signals(text, WordList(words)).words
    assert set(found) <= set(words)
    assert len(set(found)) == len(found)


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_reading_signals_is_total(text: str) -> None:
    """Any text has signals within their bounds."""
    signals = read_signals(text, LIST)
    assert signals.characters == len(text)
    assert 0.0 <= signals.shouting <= 1.0
    assert signals.links >= 0
    assert signals.repeats <= len(text) + 1


@pytest.mark.parametrize("piece", ["a.", "www.", "A ", "badger ", "aaa", "-a.co", "http://", "é", "a-", "👍"])
def test_a_megabyte_has_signals(piece: str) -> None:
    """A million characters of patterns that trouble searches are read without trouble."""
    assert read_signals(piece * (1_000_000 // len(piece)), LIST).characters > 900_000


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_sentence_tells_its_language(code: str) -> None:
    """A plain sentence is told to be in its language, or at the least not in English when it is not."""
    found = detect_language(LANGUAGES[code]).code
    assert found == code or (code != "en" and found not in {None, "en"})


@pytest.mark.parametrize("text", ["", "ok", "👍👍👍", "12345", "https://example.com/the-long-path", "lol", "\ud800"])
def test_too_little_text_has_no_language(text: str) -> None:
    """What has hardly a letter is in no known language, and confidence is then nothing."""
    assert detect_language(text).code is None
    assert detect_language(text).confidence == 0.0


@pytest.mark.parametrize("text", ["да нет", "مرحبا", "你好", "안녕", "γεια", "नमस्ते"])
def test_a_short_text_in_another_script_is_not_english(text: str) -> None:
    """A few letters of another script are enough to know that an English model cannot read them."""
    assert detect_language(text).code not in {None, "en"}
