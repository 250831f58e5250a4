"""The sentences of a text as places in it, and places as clients count them that count in UTF-16."""

from collections.abc import Sequence

from sentencex import get_sentence_boundaries

from moderation.places import Place

_BY_DEFAULT = "en"
MOST_SENTENCES = 100
"""A text with more is told in so many parts of neighbouring sentences: each is scored by itself."""


def sentences(text: str, *, language: str = _BY_DEFAULT, most: int = MOST_SENTENCES) -> list[Place]:
    """Return [begin, end) of every sentence in code points, without the space around it; the whole text if none."""
    found = [place for begin, end in _boundaries(text, language) if (place := _trimmed(text, begin, end)) is not None]
    return _gathered(found, most) or [(0, len(text))]


def utf16_places(text: str, places: Sequence[Place]) -> list[Place]:
    """Return places in code points, in rising order, as places in UTF-16 code units."""
    counted: list[Place] = []
    at, units = 0, 0
    for begin, end in places:
        units += _units(text[at:begin])
        length = _units(text[begin:end])
        counted.append((units, units + length))
        at, units = end, units + length
    return counted


def _boundaries(text: str, language: str) -> list[Place]:
    """Return what the library cuts: by a language's rules, by English ones where those break, else nothing."""
    for code in dict.fromkeys((language, _BY_DEFAULT)):
        try:
            return [(one["start_index"], one["end_index"]) for one in get_sentence_boundaries(code, text)]
        except BaseException as error:
            # A panic of the library is no Exception; whatever else ends a program or tells of a mistake goes on.
            if isinstance(error, Exception | KeyboardInterrupt | SystemExit):
                raise
    return []


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _trimmed(text: str, begin: int, end: int) -> Place | None:
    part = text[begin:end]
    begin += len(part) - len(part.lstrip())
    end -= len(part) - len(part.rstrip())
    return (begin, end) if begin < end else None


def _gathered(places: Sequence[Place], most: int) -> list[Place]:
    """Return at most so many places, neighbours made one, as even in number as can be."""
    count = len(places)
    parts = min(count, most)
    groups = (places[count * part // parts : count * (part + 1) // parts] for part in range(parts))
    return [(group[0][0], group[-1][1]) for group in groups]
