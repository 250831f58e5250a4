"""Which words of a raw text made its score: words are left out, and what the score loses by that is their weight.

Occlusion (Zeiler and Fergus 2014) in log-odds, on the worst sentences only, so that it stays cheap for long texts.
"""

import math
import re
from collections.abc import Callable, Generator, Sequence
from itertools import pairwise

import msgspec

from moderation.scorers.protocol import Scorer
from moderation.scores import Attribute

MOST = 10
"""Spans of one text."""
LEAST_VALUE = 0.1
"""A sentence that the model gives less is not looked into: there is nothing to explain."""
_UNITS = 30
_PIECE, _LONGEST_UNIT = 8, 40
_SENTENCES, _ROUNDS = 3, 3
_CALL_CHARACTERS = 2_000
_LEAST_DROP, _LEAST_SHARE, _REST = 0.05, 0.4, 0.5
_UNIT = re.compile(r"\S+")
_OPENING, _CLOSING = "\"'([{<«“‘¿¡", "\"'.,;:!?…)]}>»”’"
_SENTENCE_END = re.compile(r"[.!?…。！？]+[\"'”’)\]]*$")

Steps = Generator[list[str], Sequence[float] | None, tuple["Span", ...]]
"""Yields texts to score and is sent their values in order, or None when the time is over; returns the spans."""


class Span(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the raw text, [start, end) in Unicode code points, and its weight: 1 for the strongest of the text."""

    start: int
    end: int
    weight: float


def explain(
    scorer: Scorer,
    text: str,
    attribute: Attribute,
    *,
    clock: Callable[[], float],
    budget_seconds: float,
    most: int = MOST,
) -> tuple[Span, ...]:
    """Return the words of a raw text that made its score of an attribute, in order of place, without overlaps.

    No call to the scorer begins after the budget; what was found by then is returned, in the worst case a sentence.
    """
    steps, deadline = occlusion(text, most=most), clock() + budget_seconds
    try:
        wanted = next(steps)
        while True:
            late = clock() >= deadline
            wanted = steps.send(None if late else [one.values[attribute] for one in scorer.score(wanted)])
    except StopIteration as done:
        found: tuple[Span, ...] = done.value
        return found


def occlusion(text: str, *, most: int = MOST) -> Steps:
    """Find the spans of a raw text for whoever can score: the caller scores, and decides when the time is over."""
    sentences = _sentences(text, _units(text))
    worst, in_time = yield from _worst(text, sentences)
    drops: dict[tuple[int, int], float] = {}
    for number, value in worst:
        if in_time:
            in_time = yield from _look_into(text, sentences[number], value, drops)
    if not drops and not in_time:
        # The time was enough to find the sentence, and a sentence is better than nothing.
        return tuple(Span(*_trimmed(text, _whole(sentences[number])), 1.0) for number, _ in worst[:1])
    return _spans(text, drops, most)


def _units(text: str) -> list[tuple[int, int]]:
    """What is left out at once: a word with all that clings to it, letters spelled out, or a piece of a long run."""
    units: list[tuple[int, int]] = []
    for match in _UNIT.finditer(text):
        start, end = match.span()
        if end - start > _LONGEST_UNIT:
            units += [(at, min(at + _PIECE, end)) for at in range(start, end, _PIECE)]
        else:
            units.append((start, end))
    return _with_spelled_words(units)


def _with_spelled_words(units: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    run: list[tuple[int, int]] = []
    for unit in [*units, None]:
        if unit is not None and unit[1] - unit[0] == 1:
            run.append(unit)
            continue
        joined += [(run[0][0], run[-1][1])] if len(run) > 2 else run
        run = []
        if unit is not None:
            joined.append(unit)
    return joined


def _sentences(text: str, units: Sequence[tuple[int, int]]) -> list[list[tuple[int, int]]]:
    """Runs of at most so many units; a longer text is cut where sentences end."""
    if len(units) <= _UNITS:
        return [list(units)] if units else []
    cut: list[list[tuple[int, int]]] = [[]]
    for unit, following in pairwise([*units, (len(text), len(text))]):
        cut[-1].append(unit)
        ends = _SENTENCE_END.search(text[unit[0] : unit[1]]) or "\n" in text[unit[1] : following[0]]
        if ends or len(cut[-1]) == _UNITS:
            cut.append([])
    return [sentence for sentence in cut if sentence]


def _whole(sentence: Sequence[tuple[int, int]]) -> tuple[int, int]:
    return sentence[0][0], sentence[-1][1]


Asked = Generator[list[str], Sequence[float] | None, tuple[list[float], bool]]


def _ask(texts: Sequence[str]) -> Asked:
    """Yield texts in calls of bounded size; return the values that came, and whether all did."""
    values: list[float] = []
    while len(values) < len(texts):
        call: list[str] = []
        size = 0
        for text in texts[len(values) :]:
            size += len(text)
            if call and size > _CALL_CHARACTERS:
                break
            call.append(text)
        answer = yield call
        if answer is None:
            return values, False
        values += answer
    return values, True


def _worst(
    text: str, sentences: Sequence[Sequence[tuple[int, int]]]
) -> Generator[list[str], Sequence[float] | None, tuple[list[tuple[int, float]], bool]]:
    """Score each sentence by itself; return the worst few with their values, worst first."""
    values, in_time = yield from _ask([text[slice(*_whole(sentence))] for sentence in sentences])
    ranked = sorted(enumerate(values), key=lambda pair: -pair[1])[:_SENTENCES]
    least = max(LEAST_VALUE, _REST * ranked[0][1]) if ranked else 1.0
    return [(number, value) for number, value in ranked if value >= least], in_time


def _look_into(
    text: str, sentence: list[tuple[int, int]], value: float, drops: dict[tuple[int, int], float]
) -> Generator[list[str], Sequence[float] | None, bool]:
    """Leave out unit by unit, then again without the strongest: of two insults either alone would hide the other."""
    left, now = list(sentence), value
    for _ in range(_ROUNDS):
        # Of a text of one unit nothing is left, so that unit is all there is to tell.
        without = [_text_of(text, [one for one in left if one != unit]) for unit in left]
        values, in_time = yield from _ask(without)
        lost = {unit: _log_odds(now) - _log_odds(rest) for unit, rest in zip(left, values, strict=False)}
        for unit, drop in lost.items():
            drops[unit] = max(drops.get(unit, 0.0), drop)
        strongest = max(lost.values(), default=0.0)
        if in_time and strongest < _LEAST_DROP and left == sentence:
            return (yield from _each_alone(text, sentence, drops))
        left = [unit for unit in left if lost.get(unit, 0.0) < _REST * strongest]
        if not in_time or strongest < _LEAST_DROP or not left:
            return in_time
        answer, in_time = yield from _ask([_text_of(text, left)])
        if not in_time or answer[0] < max(LEAST_VALUE, _REST * value):
            return in_time
        now = answer[0]
    return True


def _each_alone(
    text: str, sentence: Sequence[tuple[int, int]], drops: dict[tuple[int, int], float]
) -> Generator[list[str], Sequence[float] | None, bool]:
    """Where so much is bad that no single word is missed, a word weighs what it says without the others."""
    values, in_time = yield from _ask([text[start:end] for start, end in sentence])
    mildest = min(values, default=0.0)
    for unit, value in zip(sentence, values, strict=False):
        drops[unit] = max(drops.get(unit, 0.0), _log_odds(value) - _log_odds(mildest))
    return in_time


def _text_of(text: str, units: Sequence[tuple[int, int]]) -> str:
    """The units with what stood between those that are neighbours in the text."""
    parts: list[str] = []
    before = 0
    for start, end in units:
        between = text[before:start]
        if parts:
            parts.append(" " if between.strip() else between)
        parts.append(text[start:end])
        before = end
    return "".join(parts)


def _log_odds(value: float) -> float:
    bounded = min(max(value, 1e-6), 1 - 1e-6)
    return math.log(bounded / (1 - bounded))


def _spans(text: str, drops: dict[tuple[int, int], float], most: int) -> tuple[Span, ...]:
    strongest = max(drops.values(), default=0.0)
    if strongest < _LEAST_DROP:
        return ()
    kept = sorted((unit, drop / strongest) for unit, drop in drops.items() if drop >= _LEAST_SHARE * strongest)
    joined: list[tuple[int, int, float]] = []
    for (start, end), weight in kept:
        if joined and not text[joined[-1][1] : start].strip():
            joined[-1] = joined[-1][0], end, max(joined[-1][2], weight)
        else:
            joined.append((start, end, weight))
    chosen = sorted(joined, key=lambda one: -one[2])[:most]
    return tuple(Span(*_trimmed(text, (start, end)), round(weight, 3)) for start, end, weight in sorted(chosen))


def _trimmed(text: str, place: tuple[int, int]) -> tuple[int, int]:
    """Without the quotes and stops around it, unless it is made of nothing else."""
    start, end = place
    while start < end and text[start] in _OPENING:
        start += 1
    while end > start and text[end - 1] in _CLOSING:
        end -= 1
    return (start, end) if start < end else place
