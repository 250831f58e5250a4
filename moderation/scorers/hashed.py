"""Hashed n-grams and a linear model, shipped with the code: needs no dependency, takes microseconds."""

import math
from array import array
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Self

from moderation.scorers.ngrams import slots_of, tokens
from moderation.scorers.weights import Head, Weights, read_weights
from moderation.scores import Attribute, Scores, checked
from moderation.text import normalise

SHIPPED = Path(__file__).parent.parent / "models" / "hashed.bin"
"""The weights that come with the code."""
WINDOW = 80
"""Words judged at once; of a longer text the worst window counts, so that civil words cannot drown an insult."""
CHANCE = 0.5
"""Taken off the worst of n windows per ln(n), since the worst of many looks worse by chance alone."""
_STRIDE = WINDOW // 2
_LOGS = [math.log1p(count) for count in range(256)]


def weight_of_count(count: int) -> float:
    """Return how much a feature seen so many times in a window counts."""
    return _LOGS[count] if count < len(_LOGS) else math.log1p(count)


def length_norm(logs: Sequence[float]) -> float:
    """Return what a window's sum is divided by: the square root of the length of the window as a vector."""
    return math.sqrt(math.sqrt(sum(log * log for log in logs))) or 1.0


def windows(words: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield half-overlapping runs of at most WINDOW words that cover them all; at least one, maybe empty."""
    yield words[:WINDOW]
    for start in range(_STRIDE, len(words) - _STRIDE, _STRIDE):
        yield words[start : start + WINDOW]


class HashedScorer:
    """A Scorer over a weights file; English only, one linear model per attribute."""

    def __init__(self, weights: Weights) -> None:
        """Take weights that were already checked."""
        self.model_id, self.digest = weights.model_id, weights.digest
        self.languages = frozenset(weights.header.languages)
        self.attributes: tuple[Attribute, ...] = tuple(head.attribute for head in weights.header.heads)
        signed = (array("b", table) for table in weights.tables)
        self._heads = tuple(zip(weights.header.heads, signed, strict=True))

    @classmethod
    def load(cls, path: Path | None = None) -> Self:
        """Load a weights file, the shipped one by default; ScorerError when it is absent or not whole."""
        return cls(read_weights(SHIPPED if path is None else path))

    def score(self, texts: Sequence[str]) -> list[Scores]:
        """Return the calibrated scores of each raw text, in order."""
        return [checked(self.model_id, self._values(text), calibrated=True) for text in texts]

    def raw(self, text: str) -> dict[Attribute, float]:
        """Return the score of a raw text before calibration, on an open scale around zero."""
        words = tokens(normalise(text).text)
        counted = [Counter(slots_of(window)) for window in windows(words)]
        chance = CHANCE * math.log(len(counted))
        return {
            head.attribute: max(_linear(head, table, counts) for counts in counted) - chance
            for head, table in self._heads
        }

    def _values(self, text: str) -> dict[Attribute, float]:
        raw = self.raw(text)
        return {head.attribute: head.calibration.apply(raw[head.attribute]) for head, _ in self._heads}


def _linear(head: Head, table: Sequence[int], counts: Counter[int]) -> float:
    logs = [weight_of_count(count) for count in counts.values()]
    total = sum(table[slot] * log for slot, log in zip(counts, logs, strict=True))
    return head.bias + head.scale * total / length_norm(logs)
