"""Letters set apart, words cut in two, letters drawn out: what a word is once it stands together again."""

import re
from itertools import product

from moderation.vocabulary import Vocabulary

_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ\u0370-\u03ff\u0400-\u052f"
_SPACED = re.compile(
    rf"(?<![\w'’]) (?=\S) (?P<first>[{_LATIN}]) (?P<gap>[ ]{{1,2}}|[ ]?[.\-_*,|/][ ]?)"
    rf"(?:[{_LATIN}0134@$!](?P=gap)){{2,40}} [{_LATIN}](?![\w'’])",
    re.VERBOSE,
)
_WORD = re.compile(r"[^\W\d_]+")
_LONG_RUN = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)
_DOUBLED = frozenset("bcdefglmnoprstz")
_KEPT_RUN = frozenset({"www", "xxx"})
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_MOST_RUNS = 4
_CUT = re.compile(r"(?<![\w'’])([A-Za-z]{2,12}) (?=([A-Za-z]{2,12})(?![\w'’]))")
# Three letters are too few to be called a disguise, but are read as the word that they may be.
_THREE = re.compile(r"(?<![\w'’.*-])[a-z]([._-])[a-z]\1[a-z](?![\w'’]|[.*_-]\w)")
_SHORTEST_CUT = 5
_LONGEST_HALF = 3


def _join(match: re.Match[str], vocabulary: Vocabulary) -> str:
    run = match.group()
    gap = match.group("gap")
    word = "".join(run[:: len(gap) + 1])
    if word.casefold() in _ALPHABET or (word[:-1].isupper() and "." in gap):
        return run
    if len(word) <= 4 or vocabulary.knows(word.casefold()):
        return word
    # Whether "a" or "i" before the run belongs to it is told by what is a word; else both readings are kept.
    first, last = word[0] in "aAiI", word[-1] in "aAiIuU"
    if first and vocabulary.knows(word[1:].casefold()):
        return f"{word[0]} {word[1:]}"
    if last and vocabulary.knows(word[:-1].casefold()):
        return f"{word[:-1]} {word[-1]}"
    readings = [word]
    if first:
        readings.append(word[1:])
    if last:
        readings.append(word[:-1])
    return " ".join(readings)


def join_spaced(text: str, vocabulary: Vocabulary) -> tuple[str, bool]:
    """Return the text with runs of four and more single letters joined into a word, and whether any was."""
    joined = _SPACED.sub(lambda match: _join(match, vocabulary), text)
    was_harsh = False

    def join_three(match: re.Match[str]) -> str:
        nonlocal was_harsh
        word = match.group()[::2]
        was_harsh = was_harsh or vocabulary.is_harsh(word)
        return match.group() if word in _ALPHABET else word

    return _THREE.sub(join_three, joined), joined != text or was_harsh


def join_cut(text: str, vocabulary: Vocabulary) -> tuple[str, bool]:
    """Return the text with harsh words that a space cuts in two joined, where a half of each is no word itself."""

    def read(match: re.Match[str]) -> str:
        left, right = match.group(1).casefold(), match.group(2).casefold()
        if len(left) + len(right) < _SHORTEST_CUT or not vocabulary.is_harsh(left + right):
            return match.group()
        # Two words that happen to make a third stay; of a cut word one half may be a short word by chance.
        known = [half for half in (left, right) if vocabulary.knows(half)]
        return match.group() if len(known) > 1 or any(len(half) > _LONGEST_HALF for half in known) else match.group(1)

    joined = _CUT.sub(read, text)
    return joined, joined != text


def _squeeze_run(match: re.Match[str]) -> str:
    run = match.group()
    if run.casefold() in _KEPT_RUN:
        return run
    return run[:2] if run[0].casefold() in _DOUBLED else run[0]


def _squeeze_word(word: str, vocabulary: Vocabulary) -> str:
    runs = [match.span() for match in _LONG_RUN.finditer(word)]
    if not runs:
        return word
    if word.isascii() and len(runs) <= _MOST_RUNS:
        for kept in product((1, 2), repeat=len(runs)):
            read, at = "", 0
            for (start, end), length in zip(runs, kept, strict=True):
                read += word[at : start + length]
                at = end
            read += word[at:]
            if vocabulary.knows(read.casefold()):
                return read
    return _LONG_RUN.sub(_squeeze_run, word)


def squeeze_repeats(text: str, vocabulary: Vocabulary) -> str:
    """Return the text with runs of three and more of one letter cut to what makes a known word, or could make one."""
    if not _LONG_RUN.search(text):
        return text
    return _WORD.sub(lambda match: _squeeze_word(match.group(), vocabulary), text)
