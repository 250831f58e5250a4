"""Which texts a model may judge, by what their sender says of the language and what was found."""

import pytest

from moderation.language import SURE, UNKNOWN, Language, may_judge

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
