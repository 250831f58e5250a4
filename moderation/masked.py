"""Marks inside a word, in the place of letters or between them: f*ck, stu.pid, poli.tics."""

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
# Marks that no ordinary word has between its letters, as don't and co-operate have theirs.
_CUTTING = re.compile(r"[*#._~^|+·•]+")
_SHORTEST_CUT = 5
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
        self.was_masked = False

    def read(self, match: re.Match[str]) -> str:
        token = match.group()
        parts = [part.casefold() for part in _GAP.split(token)]
        joined = "".join(parts)
        whole = all(len(part) > 1 and self._vocabulary.is_common(part) for part in parts)
        if uncovered := self._uncover(token.casefold()):
            return self._masked(uncovered)
        if self._vocabulary.is_harsh(joined) and not whole:
            return self._masked(joined)
        return _GAP.sub("", token) if self._is_cut(token, parts, joined) else token

    def read_starred(self, match: re.Match[str]) -> str:
        token = match.group()
        stem = match.group(1).casefold()
        if len(stem) > _LONGEST_STEM and self._vocabulary.knows(stem):
            return token
        uncovered = self._uncover(token.casefold())
        return self._masked(uncovered) if uncovered else token

    def _masked(self, read: str) -> str:
        self.was_masked = True
        return read

    def _is_cut(self, token: str, parts: list[str], joined: str) -> bool:
        """Tell an ordinary word with a mark inside it, by a half that is no word, from two words and a full stop."""
        return (
            len(joined) >= _SHORTEST_CUT
            and all(_CUTTING.fullmatch(gap) for gap in _GAP.findall(token))
            and self._vocabulary.is_common(joined)
            and not all(self._vocabulary.knows(part) for part in parts)
        )

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
    """Return the text with marked words read as what they stand for, and whether one of them is a harsh word."""
    reader = _Reader(vocabulary)
    return _STARRED.sub(reader.read_starred, _MARKED.sub(reader.read, text)), reader.was_masked
