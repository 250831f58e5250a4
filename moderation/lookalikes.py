"""Letters of other scripts that stand for Latin ones inside Latin words; genuine words are left alone.

The pairs are a small hand-made part of Unicode's confusables (UTS 39); other single letters fall back to anyascii.
"""

import re

from anyascii import anyascii

_LOOKALIKES = str.maketrans(
    "аеорсухіїѕјԁһӏԛԝкмтнвгпиьзАЕОРСУХІЇЅЈКМТНВԚԜҺΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβγεηικνορτυχωςϲϳ",
    "aeopcyxiisjdhlqwkmthbrnubzAEOPCYXIISJKMTHBQWHABEZHIKMNOPTYXabyenikvoptuxwccj",
)
_FOLDABLE = re.compile("[\u0370-\u058f\u13a0-\u13ff\uab70-\uabbf\u1d00-\u1dbf\u0251\u0261\ua731\u029f]")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile("[A-Za-z]")
_BOXED = re.compile("[\U0001f150-\U0001f169\U0001f170-\U0001f189]{2,}")
# Only these letters look so Latin that a word made of nothing else, in a Latin text, is taken for a disguise.
_DISGUISE = re.compile("[аеорсухіѕјԁһӏԛԝ]{3,}")
_FOREIGN_WORD = re.compile(r"[\u0370-\u052f]{2,}")


def _fold_letter(letter: str) -> str:
    if not _FOLDABLE.match(letter):
        return letter
    known = letter.translate(_LOOKALIKES)
    if known != letter:
        return known
    ascii_form = anyascii(letter)
    return ascii_form if len(ascii_form) == 1 and ascii_form.isalpha() else letter


def _unbox(match: re.Match[str]) -> str:
    return "".join(chr(ord("A") + (ord(box) - 0x1F150) % 32) for box in match.group())


def _has_genuine_word(text: str) -> bool:
    return any(not _DISGUISE.fullmatch(word) for word in _FOREIGN_WORD.findall(text))


def fold_lookalikes(text: str) -> tuple[str, bool]:
    """Return the text with foreign letters folded inside Latin words, and whether any was."""
    unboxed = _BOXED.sub(_unbox, text)
    if not _FOLDABLE.search(unboxed):
        return unboxed, unboxed != text
    may_disguise = bool(_LATIN.search(unboxed)) and not _has_genuine_word(_mixed_out(unboxed))

    def fold_word(match: re.Match[str]) -> str:
        word = match.group()
        if not _LATIN.search(word) and not (may_disguise and _DISGUISE.fullmatch(word)):
            return word
        folded = "".join(map(_fold_letter, word))
        return word if _FOLDABLE.search(folded) else folded

    folded = _WORD.sub(fold_word, unboxed)
    return folded, folded != text


def _mixed_out(text: str) -> str:
    return _WORD.sub(lambda match: "" if _LATIN.search(match.group()) else match.group(), text)
