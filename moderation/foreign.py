"""Parts of a text that are in another language than English, or in none that can be told; mostly there are none.

English is what the word list knows; a model that reads more takes the languages that it knows out of the answer.
"""

import re
from collections.abc import Iterator, Sequence
from enum import Enum

from moderation.language import (
    LEAST_CONFIDENCE,
    guess_language,
    language_of_script,
    likely_language_of,
    script_of,
    without_addresses,
)
from moderation.vocabulary import english

UNDETERMINED = "und"
"""ISO 639-2 for words that are in no language that can be told, and not in English."""
_MOST_GUESSES = 64
"""Doubtful parts of one text that the model is asked about; a text with more of them is undetermined."""
_LONGEST_PART = 500
_SENTENCES = re.compile(r"[.!?…;:\n\r]+")
# What stands behind an apostrophe is the end of a word.
_WORDS = re.compile(r"([^\W\d_]+)(?:['’][^\W\d_]+)*")
# All letters but the Latin ones, its phonetic signs, and signs that stand like letters in any script.
_NOT_LATIN = re.compile(
    "[^\\W\\d_\x00-\u036f\u1ab0-\u1aff\u1d00-\u1dff\u1e00-\u1eff\u2000-\u2bff\u2c60-\u2c7f\ua700-\ua7ff\uab30-\uab6f]{2,}"
)
_FEWEST_LETTERS = 3
# In these scripts a letter is a syllable or a word; two of Korean's are a name more often than anything else.
_SYLLABLES = frozenset({"CJK", "HIRAGANA", "KATAKANA", "ETHIOPIC"})
# Words of English that are small words of its neighbours too: they tell nothing.
_SHARED = frozenset({
    "al", "con", "da", "das", "de", "del", "dem", "den", "der", "des", "di", "die", "du", "ein", "el", "em",
    "en", "es", "est", "et", "fick", "git", "ich", "il", "ina", "la", "las", "le", "les", "los", "ma", "mein",
    "mi", "mo", "na", "ne", "non", "op", "pack", "par", "per", "que", "rot", "sale", "se", "ses", "si", "sie",
    "sur", "ta", "te", "ti", "tu", "ty", "um", "un", "una", "une", "van", "von", "y",
})  # fmt: skip
# Words that hold an English sentence together, and hardly one of another language.
_SMALL = frozenset({
    "and", "are", "be", "been", "for", "has", "have", "he", "his", "is", "it", "my", "not", "of", "our", "she", "that",
    "the", "their", "these", "they", "this", "to", "we", "were", "with", "you", "your",
})  # fmt: skip
# Courtesies, learned phrases and exclamations that stand in English as they are.
_BORROWED = re.compile(
    r"\b(?:ad (?:hoc|hominem|infinitum|nauseam)|a (?:priori|posteriori)|allahu akbar|alma mater|avant garde|"
    r"bon (?:appetit|voyage)|bona fide|brav[ao]|caf[eé]s?|clich[eé]s?|fa[cç]ades?|fianc[eé]e?s?|jalape[nñ]os?|na[iï]ve|"
    r"pi[nñ]atas?|r[eé]sum[eé]s?|c'?est la vie|carpe diem|carte blanche|ciao|danke|d[eé]j[aà] vu|"
    r"de (?:facto|jure)|deus ex machina|eid|et (?:al|cetera)|fait accompli|faux pas|fleur de lis|gr+|gracias|grazie|"
    r"habeas corpus|hallelujah|ikr|in vitro|inshallah|je ne sais quoi|joie de vivre|kareem|kudos|laissez faire|"
    r"mashallah|mazel tov|mea culpa|merci(?: beaucoup)?|modus operandi|mubarak|namaste|non sequitur|"
    r"persona non grata|post hoc|ergo propter hoc|prima facie|pro (?:bono|forma|rata)|quid pro quo|ramadan|"
    r"reductio ad absurdum|sala+m|schadenfreude|shabbat|shalom|shana tova|sine qua non|slava ukraini|status quo|"
    r"tabula rasa|terra firma|touch[eé]|vice versa|viva|voil[aà]|vox populi|whoop|woo ?hoo|yay|zeitgeist)\b",
    re.IGNORECASE,
)


class _Kind(Enum):
    """What a word tells by itself; the value is how much it speaks for another language than English."""

    KNOWN = -2.0
    SHARED = -0.5
    LETTER = -0.3
    INITIALS = 0.5
    NAME = 1.2
    UNKNOWN = 2.0
    ACCENTED = 2.5


_Word = tuple[str, _Kind]
_STRANGE = frozenset({_Kind.INITIALS, _Kind.NAME, _Kind.UNKNOWN, _Kind.ACCENTED})
_WORDLIKE = frozenset({_Kind.UNKNOWN, _Kind.ACCENTED})
# A part that is names alone says nothing about the language that the names stand in.
_TELLING = _WORDLIKE | {_Kind.SHARED}
_LONGEST_INITIALS = 5
_LEAST_SHARE = 0.5
_LEAST_STRETCH = 3.0
_SHORTEST_STRETCH = 10
_FEWEST_WORDS = 2
# Under these probabilities of English a text, by what is strange in it, and a part are not English.
_ENGLISH_OF_WORDS, _ENGLISH_OF_NAMES, _ENGLISH_OF_PARTS = 0.6, 0.2, 0.1
# So sure must the model be of a strange sentence, of a stretch of words, and of one with the marks of its language.
_LEAST_OF_SENTENCES, _LEAST_OF_STRETCHES, _LEAST_OF_MARKED = 0.3, 0.8, 0.6


def foreign_parts(text: str) -> tuple[str, ...]:
    """Return the languages, each once, of the parts of a normalised text that are not English.

    Such a part is a run of letters of another script, or a whole text, a sentence or a stretch of words of which no
    English list knows enough. One whose language cannot be told is `und`. Linear in the text.
    """
    return tuple(dict.fromkeys((*_scripts(text), *_strange_words(text))))


def _scripts(text: str) -> Iterator[str]:
    if text.isascii():
        return
    of_script: dict[str, list[str]] = {}
    for run in _NOT_LATIN.findall(text):
        # One letter again and again is a face or a laugh.
        if len(set(run)) > 1:
            of_script.setdefault(script_of(run[0]), []).append(run)
    for script, runs in of_script.items():
        if script in _SYLLABLES or sum(map(len, runs)) >= _FEWEST_LETTERS:
            told = language_of_script(script) or _told(" ".join(runs)) or likely_language_of(script)
            yield told or f"{UNDETERMINED}-{script.title()}"


def _told(letters: str) -> str | None:
    guess = guess_language(letters[:_LONGEST_PART])
    return guess.code if guess.confidence >= LEAST_CONFIDENCE and guess.code != "en" else None


def _strange_words(text: str) -> Iterator[str]:
    sentences = _read(text)
    if all(kind not in _STRANGE for sentence in sentences for _, kind in sentence):
        return
    if _BORROWED.search(text):
        sentences = _read(_BORROWED.sub(" ", text))
    words = [word for sentence in sentences for word in sentence]
    if _is_strange(words) and not _is_english(words):
        yield _told(_joined(words)) or UNDETERMINED
        return
    parts = [(one, _least_confidence(one)) for one in _stretches(words)]
    if len(sentences) > 1:
        parts += [(one, _LEAST_OF_SENTENCES) for one in sentences if _is_strange_sentence(one)]
    if len(parts) > _MOST_GUESSES:
        yield UNDETERMINED
    for part, least in parts[:_MOST_GUESSES]:
        guess = guess_language(_joined(part))
        if guess.english < _ENGLISH_OF_PARTS and guess.confidence >= least:
            yield guess.code or UNDETERMINED


def _read(text: str) -> list[list[_Word]]:
    read = ([(word, _kind(word)) for word in _WORDS.findall(one)] for one in _SENTENCES.split(without_addresses(text)))
    return [sentence for sentence in read if sentence]


def _kind(word: str) -> _Kind:
    if len(word) == 1:
        return _Kind.LETTER
    small = word.casefold()
    if english().knows_form(small):
        return _Kind.SHARED if small in _SHARED else _Kind.KNOWN
    if word.isupper() and len(word) <= _LONGEST_INITIALS:
        return _Kind.INITIALS
    if word[0].isupper():
        return _Kind.NAME
    return _Kind.UNKNOWN if word.isascii() else _Kind.ACCENTED


def _joined(words: Sequence[_Word]) -> str:
    return " ".join(word for word, _ in words)[:_LONGEST_PART]


def _is_strange(words: Sequence[_Word]) -> bool:
    strange = sum(kind in _STRANGE for _, kind in words)
    known = sum(kind is _Kind.KNOWN for _, kind in words)
    least = _LEAST_SHARE * (strange + known)
    if strange != least or not strange:
        return strange > least
    # Of as many known words as strange ones, the small ones tell: "Mahir is a neat latinx" is built as English is.
    # One strange word of two is a rare word, unless a small one of another language stands beside it.
    is_more = strange > 1 or any(kind is _Kind.SHARED for _, kind in words)
    return is_more and _SMALL.isdisjoint(word.casefold() for word, _ in words)


def _is_english(words: Sequence[_Word]) -> bool:
    strange = [word for word in words if word[1] in _STRANGE]
    least = _ENGLISH_OF_WORDS if any(kind in _WORDLIKE for _, kind in strange) else _ENGLISH_OF_NAMES
    return all(guess_language(_joined(part)).english >= least for part in (words, strange))


def _is_strange_sentence(words: Sequence[_Word]) -> bool:
    kinds = [kind for _, kind in words]
    telling = sum(kind in _TELLING or kind is _Kind.NAME for kind in kinds)
    return telling >= _FEWEST_WORDS and not _TELLING.isdisjoint(kinds) and _is_strange(words)


def _stretches(words: Sequence[_Word]) -> Iterator[Sequence[_Word]]:
    """Yield the runs in which strange words outweigh known ones most, each as far as its weight grows."""
    weight = most = 0.0
    start = end = 0
    for at, (_, kind) in enumerate([*words, ("", _Kind.KNOWN)]):
        if weight <= 0 or at == len(words):
            if most >= _LEAST_STRETCH and _is_stretch(words[start:end]):
                yield words[start:end]
            weight = most = 0.0
            start = end = at
        weight += kind.value
        if weight > most:
            most, end = weight, at + 1


def _least_confidence(words: Sequence[_Word]) -> float:
    marked = any(kind in (_Kind.SHARED, _Kind.ACCENTED) for _, kind in words)
    return _LEAST_OF_MARKED if marked else _LEAST_OF_STRETCHES


def _is_stretch(words: Sequence[_Word]) -> bool:
    strange = {word for word, kind in words if kind in _STRANGE and kind is not _Kind.INITIALS}
    telling = any(kind in _TELLING for _, kind in words)
    return len(strange) >= _FEWEST_WORDS and telling and len(_joined(words)) >= _SHORTEST_STRETCH
