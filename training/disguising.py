"""Disguised copies of training rows, so that words cut apart or full of marks are read as what they were.

Written apart from training/evasions.py, which measures: which words, where they are cut, and by which mark is left to
chance here.
"""

import random
from collections.abc import Callable, Sequence

import msgspec

from training.sources import Example

_MARKS = ".-_*~|/,: "
_LEET = str.maketrans("aeiost", "431057")
_SHORTEST = 4
_SHARES = (0.3, 0.6, 1.0)


def _cut(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word))
    return word[:at] + chance.choice(_MARKS) + word[at:]


def _strewn(word: str, chance: random.Random) -> str:
    return chance.choice(_MARKS).join(word)


def _leet(word: str, _: random.Random) -> str:
    return word[0] + word[1:].translate(_LEET)


def _doubled(word: str, chance: random.Random) -> str:
    at = chance.randrange(len(word))
    return word[:at] + word[at] * chance.randrange(2, 5) + word[at:]


def _swapped(word: str, chance: random.Random) -> str:
    at = chance.randrange(1, len(word) - 1)
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


_WAYS: tuple[Callable[[str, random.Random], str], ...] = (_cut, _cut, _cut, _strewn, _strewn, _leet, _doubled, _swapped)


def disguised(text: str, chance: random.Random) -> str:
    """Return a text in which some words, or all, are disguised in one way."""
    way, share = chance.choice(_WAYS), chance.choice(_SHARES)
    return " ".join(
        way(word, chance) if len(word) >= _SHORTEST and chance.random() < share else word for word in text.split()
    )


def with_disguised(examples: Sequence[Example], chance: random.Random, *, share: float) -> list[Example]:
    """Return the examples and, of a random share of them, toxic or civil, a disguised copy each."""
    copies = [one for one in examples if chance.random() < share]
    return [*examples, *(msgspec.structs.replace(one, text=disguised(one.text, chance)) for one in copies)]
