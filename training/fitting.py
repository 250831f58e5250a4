"""Examples as a sparse matrix, a logistic regression over it, and its weights as signed bytes."""

from collections import Counter
from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, vstack
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from moderation.scorers.hashed import length_norm, weight_of_count
from moderation.scorers.ngrams import FEATURES, slots_of, tokens
from moderation.text import normalise
from training.corpus import Example

REGULARISATION = 0.3
"""The C of the regression over rows divided by the root of their length; chosen on the development part."""
_ROW_SCALE = 10.0**0.5
_STEPS = 200
_TOLERANCE = 1e-3
_CLIPPED_SHARE = 0.9999
_LARGEST = 127
_LEAST_WEIGHT = 0.003
_PEOPLE_SHARE = 0.8
_IMPORTANCE = {
    # Comments that were picked as toxic and then voted not toxic are close calls: they teach little and hurt elsewhere.
    ("toxic-spans", False): 0.3,
    ("perspective-wikipedia-2k", False): 4.0,
    ("perspective-wikipedia-2k", True): 4.0,
    ("context-toxicity", False): 2.0,
    ("context-toxicity", True): 2.0,
    # Templates and lists repeat few words very often, so each row counts for less than a real comment.
    ("unintended-ml-bias", False): 0.15,
    ("unintended-ml-bias", True): 0.15,
    ("surge-profanity", True): 0.5,
    ("written", False): 0.7,
    ("written", True): 0.5,
}

Numbers = NDArray[np.float64]


class Linear(msgspec.Struct, frozen=True):
    """A fitted model: raw score = bias + scale * sum(weight * log(1 + count)) / length norm."""

    bias: float
    scale: float
    table: bytes


def share_of(example: Example) -> float:
    """Return how toxic an example is taught to be, in [0, 1]: Perspective's score where known, else the label."""
    if example.perspective is None:
        return float(example.toxic)
    if example.source == "context-toxicity":
        return max(example.perspective, _PEOPLE_SHARE * example.toxic)
    return example.perspective


def importance_of(example: Example) -> float:
    """Return how much an example counts in training, 1 unless its source asks for less or more."""
    return _IMPORTANCE.get((example.source, example.toxic), 1.0)


def matrix_of(texts: Sequence[str]) -> csr_matrix:
    """Return one row of FEATURES columns per text, scaled as the scorer scales."""
    ends, slots, values = [0], list[int](), list[float]()
    for text in texts:
        counts = Counter(slots_of(tokens(normalise(text).text)))
        logs = [weight_of_count(count) for count in counts.values()]
        norm = length_norm(logs) / _ROW_SCALE
        slots.extend(counts)
        values.extend(one / norm for one in logs)
        ends.append(len(slots))
    return csr_matrix((values, slots, ends), shape=(len(texts), FEATURES))


def fit_linear(examples: Sequence[Example]) -> Linear:
    """Fit the regression to examples: each counts as toxic and as not, by its share; one thread, so bytes repeat."""
    rows = matrix_of([example.text for example in examples])
    shares = np.array([share_of(example) for example in examples])
    importance = np.array([importance_of(example) for example in examples])
    weights = np.concatenate([shares * importance, (1 - shares) * importance])
    labels = np.concatenate([np.ones(len(examples)), np.zeros(len(examples))])
    used = np.flatnonzero(weights > _LEAST_WEIGHT)
    model = LogisticRegression(C=REGULARISATION, max_iter=_STEPS, tol=_TOLERANCE)
    with threadpool_limits(limits=1):
        model.fit(vstack([rows, rows]).tocsr()[used], labels[used], sample_weight=weights[used])
    return _as_bytes(model.coef_[0], float(model.intercept_[0]))


def _as_bytes(coefficients: Numbers, bias: float) -> Linear:
    step = float(np.quantile(np.abs(coefficients), _CLIPPED_SHARE)) / _LARGEST
    table = np.clip(np.rint(coefficients / step), -_LARGEST, _LARGEST).astype(np.int8)
    return Linear(bias=bias, scale=step * _ROW_SCALE, table=table.tobytes())
