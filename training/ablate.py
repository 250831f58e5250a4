"""What each part of the hashed model helps: python -m training.ablate --data DIR prints the card's table.

Every line adds one thing to the line before and is measured on the development part, which no line was trained on.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
from scipy.sparse import csr_matrix, diags
from sklearn.metrics import roc_auc_score

from moderation.scorers.hashed import weight_of_count
from moderation.scorers.ngrams import FEATURES, TABLE, slots_of, tokens
from moderation.scores import Attribute
from moderation.text import normalise
from moderation.vocabulary import english
from training.calibrating import CALIBRATED_ON
from training.corpus import load_corpus
from training.evasions import DISGUISES
from training.fitting import ROW_SCALE, Linear, Numbers, fit_linear
from training.hashed import share_of
from training.sources import Example
from training.weighting import FOR_HASHED, importance_of

_FALSE_POSITIVES = 0.05
_HARSH, _HARSH_AT_SOMEONE, _COLUMNS = FEATURES, FEATURES + 1, FEATURES + 2
_POINTING = frozenset({"you", "your", "he", "his", "she", "her", "they", "their", "them", "these"})
_REACH = 4
_WRITTEN = ("composed", "written-")


class Variant(msgspec.Struct, frozen=True):
    """One line of the table: what of the whole is used."""

    name: str
    pieces: bool = False
    normaliser: bool = False
    soft: bool = False
    weights: bool = False
    written: bool = False
    sentences: bool = False
    harsh: bool = False


VARIANTS = (
    Variant("words and pairs of words"),
    Variant("+ pieces of words", pieces=True),
    Variant("+ normaliser", pieces=True, normaliser=True),
    Variant("+ soft targets", pieces=True, normaliser=True, soft=True),
    Variant("+ weights of sources", pieces=True, normaliser=True, soft=True, weights=True),
    Variant("+ written sentences", pieces=True, normaliser=True, soft=True, weights=True, written=True),
    Variant("+ sentences of news", True, True, True, True, True, True),
    Variant("+ harsh-word signals", True, True, True, True, True, True, True),
)


def _counts_of(texts: Sequence[str], read: Callable[[str], str]) -> csr_matrix:
    ends, slots, values = [0], list[int](), list[float]()
    for text in texts:
        words = tokens(read(text))
        counts = Counter([*slots_of(words), *_harsh_slots(words)])
        slots.extend(counts)
        values.extend(map(weight_of_count, counts.values()))
        ends.append(len(slots))
    return csr_matrix((values, slots, ends), shape=(len(texts), _COLUMNS))


def _harsh_slots(words: Sequence[str]) -> Iterator[int]:
    """Yield one feature for each harsh word, and one more for it close behind a word that points at somebody."""
    for at, word in enumerate(words):
        if english().is_harsh(word):
            yield _HARSH
            if _POINTING.intersection(words[max(at - _REACH, 0) : at]):
                yield _HARSH_AT_SOMEONE


def _rows_of(counts: csr_matrix, variant: Variant) -> csr_matrix:
    kept = np.zeros(_COLUMNS)
    kept[:TABLE] = 1
    kept[TABLE:FEATURES] = variant.pieces
    kept[FEATURES:] = variant.harsh
    rows = counts @ diags(kept)
    lengths = np.sqrt(np.sqrt(np.asarray(rows.multiply(rows).sum(axis=1)).ravel())) / ROW_SCALE
    return (diags(1 / np.maximum(lengths, 1e-9)) @ rows).tocsr()


def _used(example: Example, variant: Variant) -> bool:
    if example.source.startswith(_WRITTEN):
        return variant.written
    return variant.sentences or example.source != "news-sentences"


def _fit(examples: Sequence[Example], counts: csr_matrix, variant: Variant) -> Linear:
    used = [number for number, one in enumerate(examples) if _used(one, variant)]
    targets = np.array([share_of(examples[number], Attribute.TOXICITY) for number in used])
    importance = np.array([importance_of(examples[number], FOR_HASHED) if variant.weights else 1.0 for number in used])
    shares = targets if variant.soft else (targets > 0.5).astype(float)
    return fit_linear(_rows_of(counts[used], variant), shares, importance)


def _scores(linear: Linear, rows: csr_matrix) -> Numbers:
    scores: Numbers = rows @ np.frombuffer(linear.table, dtype=np.int8).astype(float)
    return scores


def _measures(linear: Linear, variant: Variant, parts: dict[str, tuple[list[Example], csr_matrix]]) -> Iterator[str]:
    dev, counts = parts["dev"]
    scores = _scores(linear, _rows_of(counts, variant))
    labels = np.array([one.toxic for one in dev])
    for name, chosen in (
        ("in domain", [one.source in CALIBRATED_ON for one in dev]),
        ("talk pages", [one.source == "context-toxicity" for one in dev]),
        ("written", [one.source.startswith("written-") for one in dev]),
    ):
        at = np.flatnonzero(chosen)
        yield f"{name} {roc_auc_score(labels[at], scores[at]):.3f}"
    at = np.flatnonzero([one.source in CALIBRATED_ON for one in dev])
    threshold = np.quantile(scores[at][~labels[at]], 1 - _FALSE_POSITIVES)
    for name in ("clean", "disguised"):
        _, hidden = parts[name]
        yield f"{name} {np.mean(_scores(linear, _rows_of(hidden, variant)) >= threshold):.3f}"


def main() -> None:
    """Print the table: areas under the curve, and recall at 5% false positives, clean and over all disguises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    corpus = load_corpus(parser.parse_args().data)
    toxic = [one for one in corpus.dev if one.toxic and one.source in CALIBRATED_ON][:200]
    hidden = [msgspec.structs.replace(one, text=hide(one.text)) for one in toxic for hide in DISGUISES.values()]
    parts = {"train": corpus.train, "dev": corpus.dev, "clean": toxic, "disguised": hidden}
    kept: dict[bool, dict[str, tuple[list[Example], csr_matrix]]] = {}
    for variant in VARIANTS:
        if variant.normaliser not in kept:
            read: Callable[[str], str] = (lambda text: normalise(text).text) if variant.normaliser else str
            kept[variant.normaliser] = {
                name: (part, _counts_of([one.text for one in part], read)) for name, part in parts.items()
            }
        of_variant = kept[variant.normaliser]
        linear = _fit(*of_variant["train"], variant)
        print(f"{variant.name:26}", " | ".join(_measures(linear, variant, of_variant)), flush=True)


if __name__ == "__main__":
    main()
