"""Facts about a comment that are read without a model: links, shouting, repeats, listed words, disguises."""

import re
from itertools import groupby

import msgspec

from moderation.foreign import foreign_parts
from moderation.language import detect_language
from moderation.text import normalise, plain
from moderation.words import WordList

LEAST_LETTERS = 12
"""Under so many letters capitals are not shouting."""
_ENDINGS = "com|net|org|info|biz|io|co|ru|xyz|top|shop|online|site|club|me|ly|gl|link|click|app|dev|eu|uk|de|fr|cn"
_LINK = re.compile(
    rf"(?:h(?:tt|xx)ps?://|www\.)(?:(?!h(?:tt|xx)ps?://)\S)+|(?<![\w@.\-])[a-z0-9][a-z0-9\-.]{{0,62}}\.(?:{_ENDINGS})(?![\w@\-])(?:/\S*)?",
    re.IGNORECASE,
)
_RUN = re.compile(r"(\S)\1+")


class Signals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was read off one text; shouting is a share in [0, 1], the rest are counts and names.

    `language` is that of most of the text; `foreign` holds the languages of parts of it that are not English.
    """

    links: int
    shouting: float
    repeats: int
    words: tuple[str, ...]
    evasions: tuple[str, ...]
    language: str | None
    characters: int
    foreign: tuple[str, ...] = ()


def _shouting(text: str) -> float:
    read = _LINK.sub(" ", text)
    capitals, small = sum(map(str.isupper, read)), sum(map(str.islower, read))
    return 0.0 if capitals + small < LEAST_LETTERS else capitals / (capitals + small)


def _repeats(text: str) -> int:
    found = text.casefold().split()
    characters = max((len(run.group()) for run in _RUN.finditer(text)), default=1)
    words = max((sum(1 for _ in run) for _, run in groupby(found)), default=0)
    return max(characters, words) if found else 0


def read_signals(text: str, words: WordList) -> Signals:
    """Read every signal of a raw text; words are found in it as written and with its disguises off."""
    shown = plain(text)
    read = normalise(text)
    return Signals(
        links=sum(1 for _ in _LINK.finditer(shown)),
        shouting=_shouting(shown),
        repeats=_repeats(shown),
        words=words.find(shown, read.text),
        evasions=read.evasions,
        language=detect_language(text).code,
        characters=len(text),
        foreign=foreign_parts(read.text),
    )
