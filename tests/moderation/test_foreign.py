"""Parts of a text that an English model cannot read are told, and English with names and learned words is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.foreign import UNDETERMINED, foreign_parts
from moderation.signals import read_signals
from moderation.words import WordList
from tests.moderation.samples import LANGUAGES

NONE = WordList([])
CIVIL = "The council met on Tuesday to discuss the budget for the new library, and everyone was there."


def parts(text: str) -> tuple[str, ...]:
    """Answer the foreign parts of a raw text."""
    return read_signals(text, NONE).foreign


SHORT = (
    "Du Hurensohn.", "Scheiß Juden.", "Tod den Juden.", "Dood aan de Joden.", "Tötet sie alle.", "putang ina mo.",
    "jebem ti mater.", "Moskaljaku na hiljaku.", "Yahudilere ölüm.", "Drecksau :)", "sporco ebreo, bye.",
    "Kanaken raus Thanks.", "amına koyayım", "Juden ins Gas.", "Dö alla judar.", "Smierc Zydom.",
)  # fmt: skip


@pytest.mark.parametrize("text", SHORT)
def test_a_short_text_of_no_english_words_is_foreign(text: str) -> None:
    """A few words that no English reader knows are told, with a suffix that one does know too."""
    assert parts(text)


@pytest.mark.parametrize(
    "text",
    [
        "Great article, 操你妈",
        "I agree with this author: 杀光所有犹太人",
        "I like the article, thanks a lot. сдохни тварь",
        "I agree with this article and the author: اقتلوا كل اليهود",
        "Nice work. כל הערבים צריכים למות",
        "Well said! 유대인을 모두 죽여라",
        f"{CIVIL} Fick dich du Hurensohn",
        f"{CIVIL} Tod den Juden. {CIVIL}",
        "the budget is fine with me, but tu es une grosse merde et une salope",
        "Good morning to you all. Todos los moros deben morir, hijos de puta",
        "You are a ꓰꓢꓢꓳ",
    ],
)
def test_a_part_in_another_language_is_told(text: str) -> None:
    """A few words of another script or language inside English are enough."""
    assert set(parts(text)) - {"en"}


@pytest.mark.parametrize("code", [code for code in LANGUAGES if code != "en"])
def test_each_language_is_told_after_a_long_english_text(code: str) -> None:
    """What follows thousands of English characters is read as well as what comes first."""
    assert parts(f"{CIVIL} " * 40 + LANGUAGES[code])


@pytest.mark.parametrize(
    "text",
    [
        CIVIL, CIVIL * 50, "", "ok", "lol", "👍", "❤️❤️", "¯\\_(ツ)_/¯", "ಠ_ಠ", "ㅋㅋㅋㅋ", "Yup.", "Thanks!", "hahaha",
        "Volodymyr Zelenskyy", "Xi Jinping", "Recep Tayyip Erdogan", "Eid Mubarak!", "Merci beaucoup",
        "Touché.", "Woohoo!", "Exactly!!!",
        "Volodymyr Zelenskyy met Recep Tayyip Erdogan and Kylian Mbappe in Kraków.", "Spectacular.", "Absolutely.",
        "My grandmother, Wilhelmina Oosterhuis, came from Leeuwarden.", "She said merci and left, c'est la vie.",
        "A café, a jalapeño and a naïve fiancée: very déjà vu.", "The pH is 7 and α is small, 5 μm at most.",
        "It's a quid pro quo, de facto a carte blanche, prima facie.",
        "See https://example.de/die-ganze-wahrheit please",
        "Don't, can't, won't and shouldn't've", "The neighbours' reunification was unthinkable.",
    ],
)  # fmt: skip
def test_english_with_names_and_borrowed_words_is_not_foreign(text: str) -> None:
    """Names inside sentences, courtesies, faces, pictures, addresses and learned phrases make no part foreign."""
    assert parts(text) == ()


def test_words_whose_language_nobody_can_tell_are_undetermined() -> None:
    """Letters that are no words of any known language are said to be in none."""
    assert parts("xqzt vrkp plmf gthn") == (UNDETERMINED,)


def test_more_doubtful_parts_than_are_looked_at_are_undetermined() -> None:
    """A text with so many strange sentences that not each is looked at is not taken for read."""
    known = f"{CIVIL} {CIVIL} "
    assert UNDETERMINED in parts("".join(f"{known} pelto mokar den ziburo {letter}. " for letter in "abcdefgh" * 20))


@given(st.text(st.characters(exclude_categories=()), max_size=200))
def test_parts_of_any_text_are_told(text: str) -> None:
    """Any text, normalised or not, gives codes without repeats."""
    for found in (parts(text), foreign_parts(text)):
        assert len(set(found)) == len(found)
        assert all(found)


@pytest.mark.parametrize(
    "piece", ["du hurensohn. ", "xqz ", "操你 ", "ab", "é. ", "'a", "https://a ", "@", "привет и "]
)
def test_a_huge_text_of_strange_words_is_read(piece: str) -> None:
    """Of what costs most three times what a body may hold is read without trouble."""
    assert len(parts(piece * (200_000 // len(piece)))) <= 3
