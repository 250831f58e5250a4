"""Which texts a model may judge, by what their sender says of the language and what was found."""

import pytest

from moderation.language import SURE, UNKNOWN, Language, detect_language, may_judge
from moderation.text import plain

SURELY_GERMAN, MAYBE_GERMAN = Language("de", SURE), Language("de", SURE - 0.01)
ENGLISH = Language("en", 0.5)


@pytest.mark.parametrize(
    ("said", "found", "may"),
    [
        ([], UNKNOWN, True),
        (["en"], UNKNOWN, True),
        (["de"], UNKNOWN, False),
        (["de", "en"], UNKNOWN, True),
        ([], ENGLISH, True),
        (["de"], ENGLISH, True),
        ([], MAYBE_GERMAN, False),
        (["en"], MAYBE_GERMAN, True),
        (["EN_us"], MAYBE_GERMAN, True),
        (["en-GB"], MAYBE_GERMAN, True),
        (["en"], SURELY_GERMAN, False),
        (["de"], MAYBE_GERMAN, False),
    ],
)
def test_who_may_judge(said: list[str], found: Language, may: bool) -> None:
    """What is found counts; a sender's word outweighs a doubtful finding, and decides where nothing is found."""
    assert may_judge(frozenset({"en"}), said, found) is may


def test_of_a_long_text_a_sample_is_folded() -> None:
    """No more of 20 KB is read than tells the language, also where one character becomes a whole sentence."""
    read: list[int] = []

    def counting(text: str) -> str:
        read.append(len(text))
        return plain(text)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("moderation.language.plain", counting)
        assert detect_language("\ufdfa" * 6_800).code == "ar"
        english = "The trams should run later in the evening, and so should the buses. " * 300
        assert detect_language(english).code == "en"
    assert max(read) <= 2_000
