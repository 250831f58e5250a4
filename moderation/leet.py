"""Digits, signs and letters of the same shape in the place of letters: a way to write past a word list."""

import re

from moderation.vocabulary import Vocabulary

_LETTERS = str.maketrans("0134578@$!", "oieastbasi")
_OTHER_LETTERS = str.maketrans("0134578@$!", "oleastbasl")
_SIGNS = "0134578@$"
_RARE = re.compile("[qQ]|[vV]{2}")
_ANY_SIGN = re.compile(f"[{re.escape(_SIGNS)}!]")
_TOKEN = re.compile(r"\S+")
# An address or a number with a unit carries digits and signs by right.
_BY_RIGHT = re.compile(r"://|www\.|\w@\w[\w-]*\.\w|^#\w|^@(?!ss|rse\b|nal\b|nus\b)\w", re.IGNORECASE)
_INSIDE = re.compile(f"(?<=[A-Za-z])[{re.escape(_SIGNS)}]{{1,2}}(?=[A-Za-z])")
_INSIDE_LONG = re.compile(f"(?<=[A-Za-z])[{re.escape(_SIGNS)}]{{3,6}}(?=[A-Za-z])")
_EDGES = re.compile(r"^[^A-Za-z]+|[^A-Za-z]+$")
# A mark between two whole words is a missing space; only a short word can hide a letter behind it.
_EXCLAIMED = re.compile(
    r"(?<![^\W\d_])(?!(?:no|oh|so|hi|ok|ha|ah|go|do|it|is|me|we|he|up)!)"
    r"(?:[a-z]!(?=[a-z]{2,5}(?![^\W\d_]))|[a-z]{2}!(?=[a-z]{1,3}(?![^\W\d_])))",
    re.IGNORECASE,
)
_BEFORE = re.compile(r"(?<![\w@$])(?:@(?=ss|rse\b|nal\b|nus\b)|\$(?=[a-z]{3}))", re.IGNORECASE)
_AFTER = re.compile(r"(?<=[a-z])\${1,2}(?![\w$])")
# English has no q without a u, and no two v: g and w look alike.
_MISTAKEN = re.compile(r"(?<![^\W_])[A-Za-z]*(?:q(?!u)|vv)[A-Za-z]*(?![^\W_])", re.IGNORECASE)
# FAQs is a word that people write.
_SHORTEST_MISTAKEN = 5
_TAIL = re.compile(r"(?<=[A-Za-z])[013@$](?![\w$])")


def _read_with(token: str, letters: dict[int, int]) -> str:
    def translate(match: re.Match[str]) -> str:
        return match.group().translate(letters)

    read = token
    for place in (_INSIDE, _EXCLAIMED, _BEFORE, _AFTER):
        read = place.sub(translate, read)
    return _TAIL.sub(translate, read) if read != token else token


def _known(token: str, vocabulary: Vocabulary) -> bool:
    return vocabulary.knows(_EDGES.sub("", token).casefold())


def _read_token(token: str, vocabulary: Vocabulary) -> str:
    letters = sum(map(str.isalpha, token))
    if letters < 2 or token.isalpha() or _BY_RIGHT.search(token):
        return token
    readings = [_read_with(token, table) for table in (_LETTERS, _OTHER_LETTERS)]
    # Many signs in a row are a number, unless reading them all gives a word.
    wider = [_INSIDE_LONG.sub(lambda match, t=table: match.group().translate(t), read)  # type: ignore[misc]
             for read, table in zip(readings, (_LETTERS, _OTHER_LETTERS), strict=True)]  # fmt: skip
    for reading in (*readings, *wider):
        if reading != token and _known(reading, vocabulary):
            return reading
    return readings[0]


def read_leet(text: str, vocabulary: Vocabulary) -> tuple[str, bool]:
    """Return the text with signs inside words read as the letters they stand for, and whether any was."""
    read = _MISTAKEN.sub(lambda match: _read_mistaken(match.group(), vocabulary), text) if _RARE.search(text) else text
    if _ANY_SIGN.search(read):
        read = _TOKEN.sub(lambda match: _read_token(match.group(), vocabulary), read)
    return read, read != text


def _read_mistaken(word: str, vocabulary: Vocabulary) -> str:
    if len(word) < _SHORTEST_MISTAKEN:
        return word
    reading = word.lower().replace("q", "g").replace("vv", "w")
    return reading if vocabulary.is_harsh(reading) and not vocabulary.knows(word.lower()) else word
