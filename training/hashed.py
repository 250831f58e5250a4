"""Train the shipped hashed model: python -m training.hashed --data DIR --out moderation/models/."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np

from moderation.calibration import PlattMap
from moderation.scorers.hashed import HashedScorer
from moderation.scorers.weights import Head, Header, pack, unpack
from moderation.scores import Attribute
from training.calibrating import fit_maps
from training.corpus import Corpus, load_corpus
from training.fitting import Linear, fit_linear, matrix_of
from training.sources import ATTRIBUTES, Example
from training.weighting import FOR_HASHED, importance_of

NAME = "hashed-2"
_IDENTITY = PlattMap(slope=1.0, offset=0.0)


def share_of(example: Example, attribute: Attribute) -> float:
    """Return how much of a harm is taught: of the few votes on a news comment's toxicity the majority's word."""
    if attribute is Attribute.TOXICITY and example.source == "toxic-spans":
        return float(example.toxic)
    return example.targets[attribute]


def fit_heads(examples: Sequence[Example]) -> dict[Attribute, Linear]:
    """Fit one regression for each attribute on the examples in which it is known."""
    rows = matrix_of([example.text for example in examples])
    importance = np.array([importance_of(example, FOR_HASHED) for example in examples])
    heads = {}
    for attribute in ATTRIBUTES:
        known = [number for number, example in enumerate(examples) if attribute in example.targets]
        shares = np.array([share_of(examples[number], attribute) for number in known])
        heads[attribute] = fit_linear(rows[known], shares, importance[known])
    return heads


def file_of(heads: dict[Attribute, Linear], examples: Sequence[Example]) -> bytes:
    """Return the weights file, calibrated on examples that were not trained on."""
    bare = [Head(attribute=one, bias=head.bias, scale=head.scale, calibration=_IDENTITY) for one, head in heads.items()]
    tables = tuple(head.table for head in heads.values())
    scorer = HashedScorer(unpack(pack(Header(name=NAME, languages=("en",), heads=tuple(bare)), tables)))
    maps = fit_maps(examples, lambda texts: [scorer.raw(text) for text in texts])
    fitted = tuple(msgspec.structs.replace(head, calibration=maps[head.attribute]) for head in bare)
    return pack(Header(name=NAME, languages=("en",), heads=fitted), tables)


def train(corpus: Corpus) -> bytes:
    """Return the weights file for a corpus; the same corpus gives the same bytes."""
    return file_of(fit_heads(corpus.train), corpus.calibrate)


def main() -> None:
    """Write hashed.bin into the folder given by --out and print its model id."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write hashed.bin into")
    arguments = parser.parse_args()
    data = train(load_corpus(arguments.data))
    (arguments.out / "hashed.bin").write_bytes(data)
    print(unpack(data).model_id)


if __name__ == "__main__":
    main()
