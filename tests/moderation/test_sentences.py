"""Sentences as places in a text, and places as JavaScript and Java count them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.sentences import sentences, utf16_places


def parts(text: str, most: int = 100) -> list[str]:
    """The sentences of a text."""
    return [text[begin:end] for begin, end in sentences(text, most=most)]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("One. Two! Three?", ["One.", "Two!", "Three?"]),
        ("  Mr. Smith went.\n\nHe came back.  ", ["Mr. Smith went.", "He came back."]),
        ("🚋 One. 🚋🚋 Two.", ["🚋 One.", "🚋🚋 Two."]),
        ("no end", ["no end"]),
        ("你好。世界！", ["你好。", "世界！"]),
        ("   ", ["   "]),
        ("", [""]),
    ],
)
def test_sentences_are_what_a_reader_takes_for_them(text: str, wanted: list[str]) -> None:
    """Abbreviations end no sentence, space is in none, and a text without any is one."""
    assert parts(text) == wanted


def test_very_many_are_told_together() -> None:
    """Beyond the bound neighbours become one part, all of about the same number, and none is lost."""
    found = parts("So it is. " * 1_000, most=7)
    assert len(found) == 7
    assert sum(part.count("So it is.") for part in found) == 1_000
    assert max(map(len, found)) - min(map(len, found)) <= 10


@given(st.text(max_size=200))
def test_places_are_in_order_and_in_the_text(text: str) -> None:
    """Whatever the text, places rise, do not overlap, and their UTF-16 places cut out the same parts."""
    found = sentences(text)
    borders = [border for place in found for border in place]
    assert borders == sorted(borders)
    assert 0 <= borders[0] <= borders[-1] <= len(text)
    units = text.encode("utf-16-le", "surrogatepass")
    for (begin, end), (first, last) in zip(found, utf16_places(text, found), strict=True):
        assert units[2 * first : 2 * last].decode("utf-16-le", "surrogatepass") == text[begin:end]


@pytest.mark.parametrize("unit", [".", "a. ", "\n", "(", '"a. ', "(\"'[", "1. ", "Mr. ", "http://a.b ", "。"])
def test_no_text_takes_long(unit: str) -> None:
    """What would make a splitter look back again and again has an answer of bounded size."""
    assert 1 <= len(sentences((unit * 20_480)[:20_480])) <= 100


KAZAKH = (
    "Қазақстан Республикасы — Орталық Азиядағы мемлекет. Оның астанасы Астана қаласы болып табылады және халқы көп. "
    "A. \u2028. "
)


def test_where_the_rules_of_a_language_break_those_of_english_cut() -> None:
    """The library panics on this one, which is no Exception: sentences are told all the same."""
    found = [KAZAKH[begin:end] for begin, end in sentences(KAZAKH, language="kk")]
    assert found[0] == "Қазақстан Республикасы — Орталық Азиядағы мемлекет."
    assert found == [KAZAKH[begin:end] for begin, end in sentences(KAZAKH)]


class Panic(BaseException):
    """As the library's own, which cannot be made here."""


@pytest.mark.parametrize(("error", "is_told"), [(Panic, False), (KeyboardInterrupt, True), (ValueError, True)])
def test_only_a_panic_is_no_end(monkeypatch: pytest.MonkeyPatch, error: type[BaseException], *, is_told: bool) -> None:
    """A text that no rules can cut is one sentence; what else is wrong is not hidden."""

    def broken(_language: str, _text: str) -> list[Any]:
        raise error

    monkeypatch.setattr("moderation.sentences.get_sentence_boundaries", broken)
    if is_told:
        with pytest.raises(error):
            sentences("One. Two.", language="kk")
    else:
        assert sentences("One. Two.", language="kk") == [(0, 9)]
