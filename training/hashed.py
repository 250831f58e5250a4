"""Train the shipped hashed model: python -m training.hashed --data DIR --out moderation/models/."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from moderation.calibration import PlattMap, fit_platt
from moderation.scorers.hashed import HashedScorer
from moderation.scorers.weights import Head, Header, pack, unpack
from moderation.scores import Attribute
from training.corpus import Corpus, Example, load_corpus
from training.fitting import Linear, fit_linear

NAME = "hashed-1"
CALIBRATED_ON = frozenset({"toxic-spans", "context-toxicity", "perspective-wikipedia-2k"})
"""Comments under news and on talk pages; tweets and templates are not what sites receive."""
_IDENTITY = PlattMap(slope=1.0, offset=0.0)


def file_of(linear: Linear, calibration: PlattMap) -> bytes:
    """Return the weights file of a fitted model."""
    head = Head(attribute=Attribute.TOXICITY, bias=linear.bias, scale=linear.scale, calibration=calibration)
    return pack(Header(name=NAME, languages=("en",), heads=(head,)), (linear.table,))


def calibrate(linear: Linear, examples: Sequence[Example]) -> PlattMap:
    """Fit the map from raw scores to probabilities on examples that were not trained on."""
    scorer = HashedScorer(unpack(file_of(linear, _IDENTITY)))
    used = [example for example in examples if example.source in CALIBRATED_ON]
    raw = [scorer.raw(example.text)[Attribute.TOXICITY] for example in used]
    return fit_platt(raw, [example.toxic for example in used])


def train(corpus: Corpus) -> bytes:
    """Return the weights file for a corpus; the same corpus gives the same bytes."""
    linear = fit_linear(corpus.train)
    return file_of(linear, calibrate(linear, corpus.calibrate))


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
