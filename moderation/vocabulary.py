"""Which English words are common in comments and which are harsh, learned from public data and kept as hashes."""

import hashlib
from array import array
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from zlib import crc32

_SHIPPED = Path(__file__).parent / "models" / "words.bin"
_MAGIC = b"CLQWORDS1"
_DIGEST = 32
_SIZE = 4
# Endings of English words, and what may have stood in their place; prefixes, before a word of at least four letters.
_ENDINGS = (
    ("s", ("",)), ("es", ("",)), ("ed", ("", "e")), ("ing", ("", "e")), ("ly", ("", "le")), ("er", ("", "e")),
    ("ers", ("", "e")), ("est", ("", "e")), ("ness", ("",)), ("less", ("",)), ("ful", ("",)), ("able", ("", "e")),
    ("ies", ("y",)), ("ied", ("y",)), ("ier", ("y",)), ("ism", ("",)), ("ist", ("",)), ("ists", ("",)),
    ("ity", ("", "e")), ("ally", ("",)), ("ization", ("e", "ize")),
)  # fmt: skip
_PREFIXES = ("un", "re", "non", "anti", "over", "pre", "dis", "mis", "out", "sub", "inter", "super")
_SHORTEST_STEM = 3
_LONGEST_FORM = 32


def _hashes(words: Iterable[str]) -> bytes:
    numbers = array("I", sorted({crc32(word.encode()) for word in words}))
    return b"".join(number.to_bytes(_SIZE, "big") for number in numbers)


def pack_words(common: Iterable[str], harsh: Iterable[str]) -> bytes:
    """Return the bytes of a vocabulary file: two sorted tables of 32-bit hashes and a SHA-256 of all before it."""
    tables = [_hashes(common), _hashes(harsh)]
    body = _MAGIC + b"".join(len(table).to_bytes(_SIZE, "big") + table for table in tables)
    return body + hashlib.sha256(body).digest()


class Vocabulary:
    """Two sets of lower-case words; a word that is in neither is unknown."""

    def __init__(self, data: bytes) -> None:
        """Read a vocabulary file; ValueError when any byte of it is missing, added or changed."""
        body, digest = data[:-_DIGEST], data[-_DIGEST:]
        if not body.startswith(_MAGIC) or hashlib.sha256(body).digest() != digest:
            raise ValueError("the vocabulary is truncated or damaged")
        at, tables = len(_MAGIC), []
        for _ in range(2):
            size = int.from_bytes(body[at : at + _SIZE], "big")
            table = body[at + _SIZE : at + _SIZE + size]
            tables.append(frozenset(int.from_bytes(table[n : n + _SIZE], "big") for n in range(0, size, _SIZE)))
            at += _SIZE + size
        self._common, self._harsh = tables

    def is_common(self, word: str) -> bool:
        """True for an ordinary word, in lower case."""
        return crc32(word.encode()) in self._common

    def is_harsh(self, word: str) -> bool:
        """True for an insult, an obscenity or a slur, in lower case."""
        return crc32(word.encode()) in self._harsh

    def knows(self, word: str) -> bool:
        """True for a word of either kind, in lower case."""
        number = crc32(word.encode())
        return number in self._common or number in self._harsh

    def knows_form(self, word: str) -> bool:
        """True for a word of either kind, in lower case, also with an English ending or prefix."""
        return self.knows(word) or (
            word.isascii() and len(word) <= _LONGEST_FORM and any(map(self.knows, _stems(word)))
        )


def _stems(word: str) -> Iterator[str]:
    for ending, replaced in _ENDINGS:
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= _SHORTEST_STEM:
            yield from (stem + one for one in replaced)
            if len(stem) > _SHORTEST_STEM and stem[-1] == stem[-2]:
                yield stem[:-1]
    for prefix in _PREFIXES:
        stem = word.removeprefix(prefix)
        if stem != word and len(stem) > _SHORTEST_STEM:
            yield stem


@cache
def english() -> Vocabulary:
    """Return the shipped vocabulary, read once."""
    return Vocabulary(_SHIPPED.read_bytes())
