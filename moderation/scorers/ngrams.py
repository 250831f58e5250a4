"""Hashed features of a text: words, pairs and pieces of words, and harsh words; training and scoring share them."""

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from zlib import crc32

from moderation.vocabulary import english

TABLE = 1 << 16
"""Slots for words and pairs of words; as many again follow for the pieces, and after them those of harsh words."""
HARSH = 2 * TABLE
"""The slot of every word that the vocabulary calls harsh."""
HARSH_AT_SOMEONE = HARSH + 1
"""The slot of a harsh word close behind a word that points at somebody."""
FEATURES = 2 * TABLE + 2
_REACH = 4
_POINTING = frozenset(
    (
        "you", "your", "you're", "youre", "ur", "u", "yourself", "he", "he's", "she", "she's", "they", "they're",
        "these", "those", "them", "him", "his", "her", "their",
    )
)  # fmt: skip
_LONGEST_WORD = 32
_TOKEN = re.compile(r"[^\W_]+(?:['’*]+[^\W_]+)*\**|[!?]+")
_DIGITS = re.compile(r"\d+")


def _slot(value: int) -> int:
    return (value ^ (value >> 16)) % TABLE


def _pieces(word: str) -> list[int]:
    padded = f" {word} "
    spans = (padded[start : start + size] for size in (2, 3, 4) for start in range(len(padded) - size + 1))
    return [TABLE + _slot(crc32(span.encode())) for span in spans]


@lru_cache(maxsize=32768)
def word_features(word: str) -> tuple[bytes, int, tuple[int, ...], bool]:
    """Return a word's bytes, the hash that pairs it with a next word, the slots of its parts, and its harshness."""
    raw = word.encode()
    slots = [_slot(crc32(raw))]
    harsh = english().is_harsh(word)
    if harsh:
        slots.append(HARSH)
    if word[0].isalnum():
        slots.extend(_pieces(word))
    return raw, crc32(raw + b" "), tuple(slots), harsh


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
    pair = pointed = 0
    for at, word in enumerate(words, 1):
        raw, next_pair, own, harsh = word_features(word)
        slots += own
        if pair:
            slots.append(_slot(crc32(raw, pair)))
        pair = next_pair
        if word in _POINTING:
            pointed = at
        elif harsh and pointed and at - pointed <= _REACH:
            slots.append(HARSH_AT_SOMEONE)
    return slots
