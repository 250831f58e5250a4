"""Digits and signs in the place of letters, letters set apart, letters drawn out: ways to write past a word list."""

import re

_LETTERS = str.maketrans("0134578@$!", "oieastbasi")
_SIGNS = "0134578@$"
_TOKEN = re.compile(r"\S+")
# An address or a number with a unit carries digits and signs by right.
_BY_RIGHT = re.compile(r"://|www\.|\w@\w[\w-]*\.\w|^#\w|^@(?!ss|rse\b|nal\b|nus\b)\w", re.IGNORECASE)
_INSIDE = re.compile(f"(?<=[A-Za-z])[{re.escape(_SIGNS)}]{{1,2}}(?=[A-Za-z])")
# A mark between two whole words is a missing space; only a short word can hide a letter behind it.
_EXCLAIMED = re.compile(
    r"(?<![^\W\d_])(?!(?:no|oh|so|hi|ok|ha|ah|go|do|it|is|me|we|he|up)!)"
    r"(?:[a-z]!(?=[a-z]{2,5}(?![^\W\d_]))|[a-z]{2}!(?=[a-z]{1,3}(?![^\W\d_])))",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"(?<![\w@$])(?:@(?=ss|rse\b|nal\b|nus\b)|\$(?=[a-z]{3}))", re.IGNORECASE)
_AFTER = re.compile(r"(?<=[a-z])\${1,2}(?![\w$])")
_TAIL = re.compile(r"(?<=[A-Za-z])[013@$](?![\w$])")
_LATIN = "A-Za-zÀ-ÖØ-öø-ɏ\u0370-\u03ff\u0400-\u052f"
_SPACED = re.compile(
    rf"(?<![\w'’]) (?=\S) (?P<first>[{_LATIN}]) (?P<gap>[ ]{{1,2}}|[ ]?[.\-_*,|/][ ]?)"
    rf"(?:[{_LATIN}0134@$!](?P=gap)){{2,40}} [{_LATIN}](?![\w'’])",
    re.VERBOSE,
)
_LONG_RUN = re.compile(r"([^\W\d_])\1{2,}", re.IGNORECASE)
_DOUBLED = frozenset("bcdefglmnoprstz")
_KEPT_RUN = frozenset({"www", "xxx"})
_ALPHABET = "abcdefghijklmnopqrstuvwxyz"


def _read_token(match: re.Match[str]) -> str:
    token = match.group()
    letters = sum(map(str.isalpha, token))
    if letters < 2 or token.isalpha() or _BY_RIGHT.search(token):
        return token
    read = token
    for place in (_INSIDE, _EXCLAIMED, _BEFORE, _AFTER):
        read = place.sub(_translate, read)
    return _TAIL.sub(_translate, read) if read != token else token


def _translate(match: re.Match[str]) -> str:
    return match.group().translate(_LETTERS)


def read_leet(text: str) -> tuple[str, bool]:
    """Return the text with signs inside words read as the letters they stand for, and whether any was."""
    read = _TOKEN.sub(_read_token, text)
    return read, read != text


def _join(match: re.Match[str]) -> str:
    run = match.group()
    gap = match.group("gap")
    word = "".join(run[:: len(gap) + 1])
    if word.casefold() in _ALPHABET or (word[:-1].isupper() and "." in gap):
        return run
    # Whether "a" or "i" before the run belongs to it cannot be known, so both readings are kept.
    readings = [word]
    if len(word) > 4 and word[0] in "aAiI":
        readings.append(word[1:])
    if len(word) > 4 and word[-1] in "aAiIuU":
        readings.append(word[:-1])
    return " ".join(readings)


def join_spaced(text: str) -> tuple[str, bool]:
    """Return the text with runs of four and more single letters joined into a word, and whether any was."""
    joined = _SPACED.sub(_join, text)
    return joined, joined != text


def _squeeze_run(match: re.Match[str]) -> str:
    run = match.group()
    if run.casefold() in _KEPT_RUN:
        return run
    return run[:2] if run[0].casefold() in _DOUBLED else run[0]


def squeeze_repeats(text: str) -> str:
    """Return the text with runs of three and more of one letter cut to what a word can have."""
    return _LONG_RUN.sub(_squeeze_run, text)
