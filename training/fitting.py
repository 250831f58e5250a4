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

REGULARISATION = 0.1
"""The C of the regression over rows divided by the root of their length; chosen on the development part."""
ROW_SCALE = 10.0**0.5
"""Rows are so much longer while fitting, so that the regularisation has a handy size."""
_STEPS = 200
_TOLERANCE = 1e-4
_CLIPPED_SHARE = 0.9999
_LARGEST = 127
_LEAST_WEIGHT = 0.003

Numbers = NDArray[np.float64]


class Linear(msgspec.Struct, frozen=True):
    """A fitted model: raw score = bias + scale * sum(weight * log(1 + count)) / length norm."""

    bias: float
    scale: float
    table: bytes


def matrix_of(texts: Sequence[str]) -> csr_matrix:
    """Return one row of FEATURES columns per text, scaled as the scorer scales."""
    ends, slots, values = [0], list[int](), list[float]()
    for text in texts:
        counts = Counter(slots_of(tokens(normalise(text).text)))
        logs = [weight_of_count(count) for count in counts.values()]
        norm = length_norm(logs) / ROW_SCALE
        slots.extend(counts)
        values.extend(one / norm for one in logs)
        ends.append(len(slots))
    return csr_matrix((values, slots, ends), shape=(len(texts), FEATURES))


def fit_linear(rows: csr_matrix, shares: Numbers, importance: Numbers) -> Linear:
    """Fit the regression: each row counts as harm and as none, by its share; one thread, so bytes repeat."""
    weights = np.concatenate([shares * importance, (1 - shares) * importance])
    labels = np.concatenate([np.ones(len(shares)), np.zeros(len(shares))])
    used = np.flatnonzero(weights > _LEAST_WEIGHT)
    model = LogisticRegression(C=REGULARISATION, max_iter=_STEPS, tol=_TOLERANCE)
    with threadpool_limits(limits=1):
        model.fit(vstack([rows, rows]).tocsr()[used], labels[used], sample_weight=weights[used])
    return _as_bytes(model.coef_[0], float(model.intercept_[0]))


def _as_bytes(coefficients: Numbers, bias: float) -> Linear:
    step = float(np.quantile(np.abs(coefficients), _CLIPPED_SHARE)) / _LARGEST
    table = np.clip(np.rint(coefficients / step), -_LARGEST, _LARGEST).astype(np.int8)
    return Linear(bias=bias, scale=step * ROW_SCALE, table=table.tobytes())
