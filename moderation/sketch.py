"""What is kept of a text so that it is known when it comes again: a hash, and a sketch by which near repeats are found.

The sketch is a MinHash over runs of three words of the text with its disguises off. Neither gives the text back.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec
from rensa import RMinHash

from moderation.text import normalise

LEAST_WORDS: Final = 8
"""Of a shorter text only the very same comes again: "I agree with you" is nobody's."""
SKETCH_NUMBERS: Final = 64
BANDS: Final = 16
_RUN: Final = 3
_SEED: Final = 20_180_829
_WORD = re.compile(r"\w+")


class Sketch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hash that the same words share, and numbers of which near repeats share most; none for a short text."""

    text_hash: str
    numbers: tuple[int, ...] = ()

    @property
    def bands(self) -> tuple[str, ...]:
        """Parts of the numbers: two texts that are alike share at least one of them almost surely."""
        rows = SKETCH_NUMBERS // BANDS
        parts = (self.numbers[at : at + rows] for at in range(0, len(self.numbers), rows))
        return tuple(f"{place}:{_digest(repr(part))[:24]}" for place, part in enumerate(parts))


def sketch_of(text: str) -> Sketch:
    """Return what is kept of a text; case, spacing, punctuation and disguises do not matter."""
    words = _WORD.findall(normalise(text).text.casefold())
    text_hash = _digest(" ".join(words))
    if len(words) < LEAST_WORDS:
        return Sketch(text_hash)
    minhash = RMinHash(num_perm=SKETCH_NUMBERS, seed=_SEED)
    minhash.update([" ".join(words[at : at + _RUN]) for at in range(len(words) - _RUN + 1)])
    return Sketch(text_hash, tuple(minhash.digest()))


def likeness(one: Sketch, other: Sketch) -> float:
    """Return the share in [0, 1] of runs of words that two texts have in common, as far as their sketches tell."""
    if one.text_hash == other.text_hash:
        return 1.0
    return likeness_of(one.numbers, other.numbers)


def likeness_of(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the same for the numbers alone; 0 where one of the texts was too short for a sketch."""
    if not one or len(one) != len(other):
        return 0.0
    return sum(a == b for a, b in zip(one, other, strict=True)) / len(one)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
