"""What is only scored is remembered nowhere: every cache of the process is searched for its words."""

import functools
import gc
from collections.abc import Iterable, Iterator
from typing import Any

from moderation.language import detect_language
from moderation.places import places
from moderation.scorers.hashed import HashedScorer
from moderation.sentences import sentences
from moderation.signals import read_signals
from moderation.sketch import sketch_of
from moderation.words import WordList
from service.workers.scorer_child import HEADER, Scored, _answer, framed

NAME = "Quaxelbrint"
TEXT = f"{NAME} is an idiot, they say, and so are all the others of the house of {NAME} at the end of the street. " * 3
_HOLDERS = (list, tuple, dict, set, frozenset)


def remembered() -> Iterator[str]:
    """Every text in a cache of functools', as an argument or in a result.

    An object is asked for nothing: some of other libraries' warn, or raise, when they are asked what they are.
    """
    for one in gc.get_objects():
        if issubclass(type(one), functools._lru_cache_wrapper):
            yield from _texts(gc.get_referents(one), depth=4)


def _texts(found: Iterable[Any], *, depth: int) -> Iterator[str]:
    for one in found:
        kind = type(one)
        if issubclass(kind, bytes):
            yield one.decode(errors="replace")
        elif issubclass(kind, str):
            yield one
        elif depth and (issubclass(kind, _HOLDERS) or hasattr(kind, "__struct_fields__")):
            yield from _texts(gc.get_referents(one), depth=depth - 1)


def is_remembered(word: str) -> bool:
    """Whether a word stands in any cache, in any case."""
    return any(word.casefold() in text.casefold() for text in remembered())


def test_the_search_finds() -> None:
    """What these tests rest on: a text in a cache is found, as a key and as a value."""

    @functools.lru_cache(maxsize=4)
    def kept(text: str) -> str:
        return text[::-1]

    kept("Mirabilind")
    assert is_remembered("mirabilind")
    assert is_remembered("mirabilind"[::-1])
    kept.cache_clear()
    assert not is_remembered("mirabilind")


def test_a_child_that_scored_remembers_nothing() -> None:
    """After a call of the very function that the scorer's child answers by, no word that is nobody's is in memory."""
    scorer = HashedScorer.load()
    answer = _answer(scorer, framed([TEXT, NAME])[HEADER.size :])
    assert Scored.__name__.encode() in answer
    assert not is_remembered(NAME)


def test_reading_a_text_remembers_nothing() -> None:
    """Neither do signals, sketch, language, sentences or the places of words, which an API process reads."""
    words = WordList(["idiot"])
    found = read_signals(TEXT, words)
    assert found.words == ("idiot",)
    sketch_of(TEXT)
    detect_language(TEXT)
    sentences(TEXT)
    places(TEXT, found.words, words)
    assert not is_remembered(NAME)
