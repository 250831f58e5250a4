"""The parts of a text that are judged besides the whole, so that civil sentences cannot drown an abusive one."""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby, islice, pairwise

import msgspec

from moderation.vocabulary import english

MOST = 160
"""Parts of one text; of more, so many are taken from all over it."""
WORDS = 28
"""Words of one part; a longer sentence is cut into as few as do, equally long."""
FEWEST_WORDS = 3
"""Under so many words a part is a name, a greeting or a number more often than anything else."""
FRAME_WORDS = 5
"""So few words around a quotation do not change what is said in it; what stands in more of them is read with them."""

_STARTS = (
    "A|An|And|Are|As|At|But|Can|Do|For|From|Good|Great|He|Her|His|How|If|In|Is|It|Its|Let|Many|More|My|No|Nobody|Not|"
    "Of|On|One|Or|Our|Please|She|So|Some|Thank|Thanks|That|The|Their|There|These|They|This|Those|To|We|Well|What|When|"
    "Where|Which|Who|Why|With|You|Your"
)
# An address stands between sentences, and so does a capital where the full stop was left out.
_BREAK = re.compile(
    r"[\n\r]+|(?<!\S)(?:https?://|www\.)\S+|(?<=[.!?…;])[\"”'’)\]]*\s+"
    rf"|(?<=[a-z0-9)])\s+(?=(?:{_STARTS})\s)"
)
_FRAME = re.compile(
    r"[\"“”„«»]+|:\s+|,\s+(?=(?:\S+\s+){1,4}(?:said|says|wrote|writes|shouted|told|added|claimed|claims)\b)"
)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_RUN = re.compile(r"\S+")
_ENDS = ".!?…"

Place = tuple[int, int]
"""The characters [start, end) of a text."""


class Weighing(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a part's raw logit counts beside the whole text's: less a margin, and never more than `most`.

    A part is read without what stands around it, so it may call for a person and should not decide alone.
    """

    margin: float
    most: float


def parts_of(text: str) -> list[Place]:
    """Return the places of the parts of a normalised text, none where it is one part; linear in the text.

    They are its sentences, without a short frame around a quotation, and neighbours that are one part's length.
    """
    pieces = [piece for sentence in _sentences(text) for piece in _pieces(text, sentence)]
    told = [place for place in _with_neighbours(text, pieces) if _tells(text[slice(*place)])]
    whole = text.strip()
    distinct = {text[slice(*place)]: place for place in reversed(told)}
    distinct.pop(whole, None)
    kept = sorted(distinct.values())
    return [kept[at * len(kept) // MOST] for at in range(MOST)] if len(kept) > MOST else kept


def is_no_sentence(text: str) -> bool:
    """Answer whether a text has one word at most: a name, a greeting, a number or a sign."""
    return next(islice(_WORD.finditer(text), 1, None), None) is None


def as_sentence(part: str) -> str:
    """Return a part with a full stop at its end: a model may hear more where one is missing than is said."""
    return part if part[-1:] in _ENDS else f"{part.rstrip(' ,;:-')}."


def _sentences(text: str) -> Iterator[Place]:
    start = 0
    for found in [*_BREAK.finditer(text), None]:
        end = len(text) if found is None else found.start()
        yield from _unframed(text, start, end)
        start = len(text) if found is None else found.end()


def _unframed(text: str, start: int, end: int) -> Iterator[Place]:
    """Yield a sentence, or what is quoted and what says so, each by itself."""
    marks = list(_FRAME.finditer(text, start, end))
    edges = [start, *(edge for mark in marks for edge in mark.span()), end]
    segments = list(zip(edges[::2], edges[1::2], strict=True))
    if len(segments) > 1:
        counts = [_count(text[slice(*segment)]) for segment in segments]
        if sum(counts) - max(counts) > FRAME_WORDS:
            segments = [(start, end)]
    yield from segments


def _pieces(text: str, sentence: Place) -> Iterator[Place]:
    runs = [found.span() for found in _RUN.finditer(text, *sentence)]
    count = -(-len(runs) // WORDS)
    for number in range(count):
        piece = runs[number * len(runs) // count : (number + 1) * len(runs) // count]
        yield piece[0][0], piece[-1][1]


def _with_neighbours(text: str, pieces: Sequence[Place]) -> Iterator[Place]:
    """Yield the pieces, each two neighbours that are short enough together, and runs of very short ones."""
    counts = [_count(text[slice(*piece)]) for piece in pieces]
    yield from pieces
    for (first, one), (second, other) in pairwise(zip(pieces, counts, strict=True)):
        if one + other <= WORDS:
            yield first[0], second[1]
    for short, run in groupby(zip(pieces, counts, strict=True), lambda pair: pair[1] < FEWEST_WORDS):
        joined = [piece for piece, _ in run]
        if short and len(joined) > 2:
            yield joined[0][0], joined[-1][1]


def _count(part: str) -> int:
    return sum(1 for _ in _WORD.finditer(part))


def _tells(part: str) -> bool:
    """True for a part of a few words one of which is known, or of any number where one is harsh."""
    words = [word.casefold() for word in _WORD.findall(part)]
    if any(map(english().is_harsh, words)):
        return True
    return len(words) >= FEWEST_WORDS and any(map(english().is_common, words))
