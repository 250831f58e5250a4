"""Marks inside a word, in the place of letters or between them: f*ck, stu.pid; only ever read as a harsh word."""

import re
from collections.abc import Iterator
from itertools import product

from moderation.vocabulary import Vocabulary

_MARKS = r"*#.\-_'’,~^|/\\+=:;·•"
_MARKED = re.compile(rf"(?<![^\W_])[A-Za-z]{{1,16}}(?:[{_MARKS}]{{1,3}}[A-Za-z]{{1,16}}){{1,8}}(?![^\W_])")
_STARRED = re.compile(r"(?<![\w*#])([A-Za-z]{2,10})([*#]{1,2})(?![\w*#])")
_GAP = re.compile(rf"[{_MARKS}]+")
# A single dash or point stands between whole words; stars never do, and two dashes seldom.
_HIDING = re.compile(r"[*#]{1,2}|[-_]{2}")
_MOST_HIDDEN = 2
_LONGEST_STEM = 2
# Vowels first, since they are what is hidden most.
_LETTERS = "uiaeobcdfghjklmnpqrstvwxyz"
_MOST_GUESSES = 64
"""Words with two letters hidden that are tried in one text: each costs 676 looks."""


class _Reader:
    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._left = _MOST_GUESSES

    def read(self, match: re.Match[str]) -> str:
        token = match.group()
        parts = [part.casefold() for part in _GAP.split(token)]
        joined = "".join(parts)
        whole = all(len(part) > 1 and self._vocabulary.is_common(part) for part in parts)
        if uncovered := self._uncover(token.casefold()):
            return uncovered
        return joined if self._vocabulary.is_harsh(joined) and not whole else token

    def read_starred(self, match: re.Match[str]) -> str:
        token = match.group()
        stem = match.group(1).casefold()
        if len(stem) > _LONGEST_STEM and self._vocabulary.knows(stem):
            return token
        return self._uncover(token.casefold()) or token

    def _uncover(self, token: str) -> str | None:
        gaps = _GAP.findall(token)
        hidden = sum(map(len, gaps))
        if hidden > _MOST_HIDDEN or not all(_HIDING.fullmatch(gap) for gap in gaps):
            return None
        if hidden == _MOST_HIDDEN:
            if not self._left:
                return None
            self._left -= 1
        return next(filter(self._vocabulary.is_harsh, _fillings(token, hidden)), None)


def _fillings(token: str, hidden: int) -> Iterator[str]:
    pattern = re.sub(rf"[{_MARKS}]", "\0", token)
    pieces = pattern.split("\0")
    for letters in product(_LETTERS, repeat=hidden):
        yield "".join(piece + letter for piece, letter in zip(pieces, (*letters, ""), strict=True))


def read_masked(text: str, vocabulary: Vocabulary) -> tuple[str, bool]:
    """Return the text with marked words read as the harsh words they stand for, and whether any was."""
    reader = _Reader(vocabulary)
    read = _STARRED.sub(reader.read_starred, _MARKED.sub(reader.read, text))
    return read, read != text
