"""Hashed features of a text: words, pairs of words and pieces of words; training and scoring share them."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

from moderation.vocabulary import english

TABLE = 1 << 16
"""Slots for words and pairs of words; as many again follow for the pieces."""
FEATURES = 2 * TABLE
_Features = tuple[bytes, int, tuple[int, ...]]
_LONGEST_WORD = 32
_TOKEN = re.compile(r"[^\W_]+(?:['’*]+[^\W_]+)*\**|[!?]+")
_DIGITS = re.compile(r"\d+")


def _slot(value: int) -> int:
    return (value ^ (value >> 16)) % TABLE


def _pieces(word: str) -> list[int]:
    padded = f" {word} "
    spans = (padded[start : start + size] for size in (2, 3, 4) for start in range(len(padded) - size + 1))
    return [TABLE + _slot(crc32(span.encode())) for span in spans]


def word_features(word: str) -> _Features:
    """Return the bytes of a word, the hash that pairs it with a next word, and the slots of it and its pieces."""
    # Remembered are common words alone: of a name or a number would be known that somebody had it scored.
    return _remembered(word) if english().knows(word) else _features(word)


def _features(word: str) -> _Features:
    raw = word.encode()
    slots = [_slot(crc32(raw))]
    if word[0].isalnum():
        slots.extend(_pieces(word))
    return raw, crc32(raw + b" "), tuple(slots)


_remembered = lru_cache(maxsize=32768)(_features)


def tokens(text: str) -> list[str]:
    """Split a normalised text into folded words, numbers as 0 and marks of emphasis."""
    lowered = text.casefold()
    if not lowered.isascii():
        split = unicodedata.normalize("NFD", lowered)
        lowered = "".join(character for character in split if not unicodedata.combining(character))
    return [word[:_LONGEST_WORD] for word in _TOKEN.findall(_DIGITS.sub("0", lowered).replace("’", "'"))]


def slots_of(words: Sequence[str]) -> list[int]:
    """Return the slots, with repetition, of a run of words: each in [0, FEATURES)."""
    slots: list[int] = []
    pair = 0
    for word in words:
        raw, next_pair, own = word_features(word)
        slots += own
        if pair:
            slots.append(_slot(crc32(raw, pair)))
        pair = next_pair
    return slots
