"""How far a copy of a model is from the model: label by label on the same texts, in probability and in order."""

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from moderation.agreement import rank_agreement
from moderation.scorers.protocol import Scorer
from moderation.scores import Attribute, ScorerError

FEWEST_TEXTS = 8
"""With fewer texts a proof proves nothing."""
_MEAN_SHARE = 0.2


class Bound(msgspec.Struct, frozen=True):
    """The differences in probability that a copy may have: the largest, and a mean of a fifth of it."""

    largest: float

    @property
    def mean(self) -> float:
        """The mean difference that is allowed."""
        return _MEAN_SHARE * self.largest


class Difference(msgspec.Struct, frozen=True):
    """What a copy makes of one label: differences in probability, and Spearman's rank correlation."""

    label: Attribute
    largest: float
    mean: float
    rank: float

    def within(self, bound: Bound) -> bool:
        """True when neither difference passes its bound."""
        return self.largest <= bound.largest and self.mean <= bound.mean


def differences(original: Scorer, copy: Scorer, texts: Sequence[str]) -> list[Difference]:
    """Return the differences of each label of the original; ScorerError when the copy has other labels."""
    if original.attributes != copy.attributes:
        raise ScorerError(f"{copy.model_id} does not have the labels of {original.model_id} in their order")
    if len(set(texts)) < FEWEST_TEXTS:
        raise ScorerError(f"{len(set(texts))} different texts prove nothing; give at least {FEWEST_TEXTS}")
    first, second = _table(original, texts), _table(copy, texts)
    return [
        Difference(label, float(apart.max()), float(apart.mean()), rank_agreement(one, other))
        for label, one, other, apart in zip(original.attributes, first, second, np.abs(first - second), strict=True)
    ]


def _table(scorer: Scorer, texts: Sequence[str]) -> NDArray[np.float64]:
    answers = scorer.score(texts)
    return np.array([[answer.values[label] for answer in answers] for label in scorer.attributes])
