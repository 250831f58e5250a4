"""A site's list of words and phrases, found at word boundaries in any number of texts at once."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

import ahocorasick

from moderation.text import normalise, plain

_SPACE = re.compile(r"\s+")
_DRAWN_OUT = re.compile(r"([^\W\d_])\1{2,}")
# Scripts that put no space between words have no boundary to check.
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")


def _folded(text: str) -> str:
    return _SPACE.sub(" ", text.casefold()).strip()


def _joins(left: str, right: str) -> bool:
    """True when two neighbouring characters belong to one word."""
    if _UNSPACED.match(left) or _UNSPACED.match(right):
        return False
    return (left.isalnum() or left == "_") and (right.isalnum() or right == "_")


class WordList:
    """Words and phrases compiled for search, regardless of case, disguise and line breaks."""

    def __init__(self, words: Iterable[str]) -> None:
        """Compile the entries; empty ones are ignored."""
        self._entries: list[str] = []
        self._automaton: Any = ahocorasick.Automaton()
        for entry in dict.fromkeys(words):
            self._add(entry)
        if self._entries:
            self._automaton.make_automaton()

    def _add(self, entry: str) -> None:
        forms = {_folded(plain(entry)), _folded(normalise(entry).text)} - {""}
        if not forms:
            return
        for form in forms:
            _, known = self._automaton.get(form, (0, ()))
            self._automaton.add_word(form, (len(form), (*known, len(self._entries))))
        self._entries.append(entry)

    def __len__(self) -> int:
        """Return how many entries can be found."""
        return len(self._entries)

    def find(self, *texts: str) -> tuple[str, ...]:
        """Return the entries that occur as whole words in any of the texts, in the order of the list."""
        if not self._entries:
            return ()
        forms = dict.fromkeys(form for text in texts for form in self._forms(text))
        found = {number for form in forms for number in self._numbers(form)}
        return tuple(self._entries[number] for number in sorted(found))

    def matches(self, folded: str) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Yield [start, end) of each place where entries stand as whole words in a text that was folded already."""
        for last, (length, numbers) in self._automaton.iter(folded) if self._entries else ():
            start, end = last + 1 - length, last + 1
            if _stands_alone(folded, start, end):
                yield start, end, tuple(self._entries[number] for number in numbers)

    def _forms(self, text: str) -> Iterator[str]:
        folded = _folded(text)
        yield folded
        yield _DRAWN_OUT.sub(r"\1", folded)

    def _numbers(self, text: str) -> Iterator[int]:
        for last, (length, numbers) in self._automaton.iter(text):
            if _stands_alone(text, last + 1 - length, last + 1):
                yield from numbers


def _stands_alone(text: str, start: int, end: int) -> bool:
    joins_before = start > 0 and _joins(text[start - 1], text[start])
    joins_after = end < len(text) and _joins(text[end - 1], text[end])
    return not joins_before and not joins_after
