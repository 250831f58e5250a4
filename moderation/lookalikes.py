"""Letters of other scripts, and rare Latin ones, that stand for plain Latin letters; genuine words are left alone.

The pairs are a small hand-made part of Unicode's confusables (UTS 39); other single letters fall back to anyascii.
"""

import re
from collections.abc import Callable

from anyascii import anyascii

from moderation.vocabulary import Vocabulary

_LOOKALIKES = str.maketrans(
    "аеорсухіїѕјԁһӏԛԝкмтнвгпиьзцшщяАЕОРСУХІЇЅЈКМТНВԚԜҺΑΒΕΖΗΙΚΜΝΟΡΤΥΧαβγεηικνορτυχωςϲϳ",
    "aeopcyxiisjdhlqwkmthbrnubzuwwrAEOPCYXIISJKMTHBQWHABEZHIKMNOPTYXabyenikvoptuxwccj",
)
# Cherokee and Lisu, whose letters sound quite another way.
_LOOKALIKES |= str.maketrans(
    "\u13a0\u13a1\u13a2\u13a5\u13a9\u13aa\u13ab\u13ac\u13b3\u13b7\u13bb\u13bd\u13be\u13c0\u13c2\u13c3"
    "\u13cc\u13cf\u13d2\u13d4\u13d5\u13d9\u13da\u13de\u13df\u13e2\u13e6\u13e7\u13f3\u13f4"
    "\ua4d0\ua4d1\ua4d2\ua4d3\ua4d4\ua4d6\ua4d7\ua4d9\ua4da\ua4dc\ua4dd\ua4df\ua4e0\ua4e1"
    "\ua4e2\ua4e3\ua4e5\ua4e6\ua4e7\ua4ea\ua4eb\ua4ec\ua4ee\ua4f0\ua4f2\ua4f3\ua4f4",
    "DRTiYAJEWMHYOGhZUbRWSVSLCPKdGBBPdDTGKJCZFMNLSRAVHWXYAEIOU",
)
# What else a letter may stand for: a sigma looks like an o, and who types by sound writes р for r.
_ROUND = str.maketrans("σб", "ob")
_BY_SOUND = re.compile("[\u0370-\u04ff]")
# Scripts whose letters look like Latin ones: Greek, Cyrillic, Armenian, Cherokee, Coptic, Lisu, Old Italic.
_RARE = "\u13a0-\u13ff\uab70-\uabbf\u2c80-\u2cf3\ua4d0-\ua4f7\U00010300-\U0001032f"
_FOREIGN = re.compile(f"[\u0370-\u058f\ua640-\ua69f{_RARE}]")
_RARE_ALONE = re.compile(f"[{_RARE}]{{2,}}")
# Small capitals and the letters of phonetics, and Latin letters with a stroke or without a dot.
_PHONETIC = "\u0250-\u02af\u1d00-\u1dbf\ua730\ua731\ua787\ua77a\ua7af"
_ODD = re.compile(f"[{_PHONETIC}ØøĐđĦħıŁłŦŧƀƁƗɨȷɃʉꝺ]")
_FOLDABLE = re.compile(f"{_FOREIGN.pattern}|{_ODD.pattern}")
_CAPITALS = "ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘꞯʀꜱᴛᴜᴠᴡʏᴢ"
# A small capital of these letters looks like the small letter, which is written in its place.
_SMALL_CAPITALS = re.compile(f"(?=(?:.*?[{_CAPITALS}]){{2}})[{_CAPITALS}cosvwxz]+")
_WORD = re.compile(r"[^\W\d_]+")
_LATIN = re.compile("[A-Za-z]")
# Only these letters look so Latin that a word made of nothing else, in a Latin text, is taken for a disguise.
_DISGUISE = re.compile("[аеорсухіѕјԁһӏԛԝ]{3,}")
_FOREIGN_WORD = re.compile(f"{_FOREIGN.pattern}{{2,}}")
# Units, angles and particles: 5 μm, Δt, pKα.
_SYMBOL = re.compile("[ΑΒΔΣΩαβγδεθλμπρστφψω][A-Za-z]{1,2}|[A-Za-z]{1,2}[αβγδεθλμπρστφψω]")
_SHORTEST = 3
_FEWEST_CAPITALS = 2


def _fold_letter(letter: str) -> str:
    known = letter.upper().translate(_LOOKALIKES) if "\uab70" <= letter <= "\uabbf" else letter.translate(_LOOKALIKES)
    if known != letter and known.isascii():
        return known
    ascii_form = anyascii(letter)
    return ascii_form if len(ascii_form) == 1 and ascii_form.isalpha() else letter


class _Letters(dict[int, str]):
    """A table for str.translate that is filled as letters of a pattern come, so at most with all of them."""

    def __init__(self, pattern: re.Pattern[str], read: Callable[[str], str]) -> None:
        super().__init__({ordinal: chr(ordinal) for ordinal in range(128)})
        self._pattern, self._read = pattern, read

    def __missing__(self, ordinal: int) -> str:
        letter = chr(ordinal)
        if not self._pattern.match(letter):
            raise LookupError
        return self.setdefault(ordinal, self._read(letter))


_FOLDED = _Letters(_FOLDABLE, _fold_letter)
_SOUNDED = _Letters(_BY_SOUND, anyascii)


class _Folder:
    """Folds the words of one text; what stands alone in another script depends on the rest of it."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self.found = False
        alone = [word for word in _FOREIGN_WORD.findall(_mixed_out(text)) if not _DISGUISE.fullmatch(word)]
        known = all(map(self._is_known, alone))
        self._in_latin = known and bool(_LATIN.search(text))
        self._all_rare = known and not self._in_latin and bool(alone) and all(map(_RARE_ALONE.fullmatch, alone))

    def read(self, match: re.Match[str]) -> str:
        word = match.group()
        if word.isascii() or not _FOLDABLE.search(word):
            return word
        folded = self._foreign(word) if _FOREIGN.search(word) else self._odd(word)
        self.found = self.found or folded != word
        return folded

    def _foreign(self, word: str) -> str:
        mixed = _LATIN.search(word) or _ODD.search(word)
        if not mixed and not self._in_latin and not self._all_rare:
            return word
        folded = self._best(word)
        if mixed:
            if _SYMBOL.fullmatch(word) and not self._vocabulary.is_harsh(folded.casefold()):
                return word
            # Two scripts in one word are a disguise even where a letter looks like none of ours.
            self.found = True
            return word if _FOREIGN.search(folded) else folded
        return folded if _DISGUISE.fullmatch(word) or self._is_known(word) else word

    def _odd(self, word: str) -> str:
        """Fold a word of Latin letters alone: Søren and Işık are written with some that look like others."""
        folded = word.translate(_FOLDED)
        small = folded.casefold()
        if _SMALL_CAPITALS.fullmatch(word) or self._vocabulary.is_harsh(small):
            return folded
        capitals = sum(one in _CAPITALS for one in word)
        return folded if capitals >= _FEWEST_CAPITALS and self._vocabulary.knows_form(small) else word

    def _best(self, word: str) -> str:
        shaped = word.translate(_FOLDED)
        if not self._knows(shaped):
            for other in (word.translate(_SOUNDED).translate(_FOLDED), word.translate(_ROUND).translate(_FOLDED)):
                if self._knows(other):
                    return other
        return shaped

    def _knows(self, reading: str) -> bool:
        return reading.isascii() and self._vocabulary.knows_form(reading.casefold())

    def _is_known(self, word: str) -> bool:
        """Tell a word that hides an English one; a short one may be a word of its own language by chance."""
        folded = word.translate(_FOLDED)
        if len(word) < _SHORTEST or not folded.isascii():
            return False
        small = folded.casefold()
        by_chance = len(word) == _SHORTEST and not _RARE_ALONE.fullmatch(word)
        return self._vocabulary.is_harsh(small) if by_chance else self._vocabulary.knows_form(small)


def fold_lookalikes(text: str, vocabulary: Vocabulary) -> tuple[str, bool]:
    """Return the text with look-alike letters read as Latin ones, and whether any was or two scripts share a word."""
    if text.isascii() or not _FOLDABLE.search(text):
        return text, False
    folder = _Folder(text, vocabulary)
    return _WORD.sub(folder.read, text), folder.found


def _mixed_out(text: str) -> str:
    return _WORD.sub(lambda match: "" if _LATIN.search(match.group()) else match.group(), text)
