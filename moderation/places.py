"""Where in a raw text the listed words stand: places for whoever wrote it, counted in its own code points."""

import re
import unicodedata
from collections.abc import Callable, Sequence

from moderation.invisible import is_invisible
from moderation.text import normalise, plain
from moderation.words import WordList

MOST = 20
"""Places of one text."""
Place = tuple[int, int]
_MOST_LOOKED_FOR = 5
_MOST_READ = 20_000
_UNIT = re.compile(r"\S+")


def places(text: str, entries: Sequence[str], words: WordList, *, most: int = MOST) -> tuple[Place, ...]:
    """Return [start, end) of entries that were found in a raw text, in order, without overlaps.

    What is written as it is listed is found wherever it stands; of a disguised entry the first place, and none in a
    text that would take too long to look through.
    """
    folded, at = _folded(text)
    found: list[Place] = []
    seen: set[str] = set()
    for start, end, matching in words.matches(folded):
        if seen_here := set(entries).intersection(matching):
            seen |= seen_here
            found.append((at[start], at[end - 1] + 1))
    hidden = [entry for entry in entries if entry not in seen][:_MOST_LOOKED_FOR]
    return joined([*found, *_hidden(text, hidden, words)])[:most]


def joined(found: Sequence[Place]) -> tuple[Place, ...]:
    """Return places in order, those that touch or overlap as one."""
    kept: list[Place] = []
    for start, end in sorted(found):
        if kept and start <= kept[-1][1]:
            kept[-1] = kept[-1][0], max(kept[-1][1], end)
        else:
            kept.append((start, end))
    return tuple(kept)


def _folded(text: str) -> tuple[str, list[int]]:
    """Fold character by character, which keeps the place of each; runs of white space become one space."""
    folded: list[str] = []
    at: list[int] = []
    for place, character in enumerate(text):
        shown = character if character.isascii() else unicodedata.normalize("NFKC", character)
        if is_invisible(character):
            continue
        if shown.isspace():
            shown = "" if folded and folded[-1] == " " else " "
        for one in shown.casefold():
            folded.append(one)
            at.append(place)
    return "".join(folded), at


def _hidden(text: str, entries: Sequence[str], words: WordList) -> list[Place]:
    units = [match.span() for match in _UNIT.finditer(text)]
    left = _MOST_READ

    def holds(entry: str, first: int, behind: int) -> bool:
        nonlocal left
        part = text[units[first][0] : units[behind - 1][1]]
        left -= len(part)
        return left > 0 and entry in words.find(plain(part), normalise(part).text)

    narrowed = (_narrowed(entry, len(units), holds) for entry in entries)
    return [(units[place[0]][0], units[place[1] - 1][1]) for place in narrowed if place]


def _narrowed(entry: str, units: int, holds: Callable[[str, int, int], bool]) -> Place | None:
    """Halve the text from behind and then from the front, as long as the entry is still in it."""
    low, high = 1, units
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(entry, 0, middle) else (middle + 1, high)
    behind = high
    low, high = 0, behind - 1
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if holds(entry, middle, behind) else (low, middle - 1)
    # A disguise may be read only with what stands around it; then nothing is said of its place.
    return (low, behind) if behind > low and holds(entry, low, behind) else None
