"""Make the shipped folder of a trained compact model: python -m training.ship --data DIR --work DIR --out DIR.

Exports the weights of an epoch, quantises them, says how far that moved the scores, and calibrates what was written,
with its parts weighed as they will be.
With `--again` in the place of `--work` a folder that is there is only calibrated anew.
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

from moderation.calibration import log_odds
from moderation.parts import Weighing
from moderation.scorers.export import export_module, quantise_folder
from moderation.scorers.onnx import OnnxScorer
from moderation.scorers.onnx_folder import FILES, MANIFEST, Manifest, read_manifest, write_manifest
from moderation.scores import Attribute
from training.calibrating import CALIBRATED_ON, fit_maps, fit_rising
from training.corpus import Corpus, load_corpus
from training.encoder import LONGEST, load_encoder
from training.sources import ATTRIBUTES, Example

NAME = "compact-1"
PARTS = Weighing(margin=0.75, most=1.6)
"""Chosen on the development part: with a larger margin civil sentences hide abuse again, with a smaller one, or without
a bound, quotations are held, and what is worst by a sentence alone is rejected."""
_THREADS = 2


def bare_manifest() -> Manifest:
    """Return what is true of the model before it is calibrated."""
    return Manifest(
        name=NAME,
        architecture="bert",
        languages=("en",),
        labels=ATTRIBUTES,
        longest=LONGEST,
        pad_id=0,
        inputs=("input_ids", "attention_mask"),
        normalise=True,
        parts=PARTS,
    )


def logits_of(folder: Path, texts: Sequence[str]) -> list[dict[Attribute, float]]:
    """Return the raw logits that a folder without calibration gives, of each text the worst window or part."""
    scores = OnnxScorer.load(folder, threads=_THREADS).score(texts)
    return [{attribute: log_odds(value) for attribute, value in one.values.items()} for one in scores]


def _print_drift(whole: Path, small: Path, texts: Sequence[str]) -> None:
    before, after = (OnnxScorer.load(folder, threads=_THREADS).score(texts) for folder in (whole, small))
    for attribute in ATTRIBUTES:
        gaps = [abs(a.values[attribute] - b.values[attribute]) for a, b in zip(before, after, strict=True)]
        print(f"int8 against fp32, {attribute.value}: largest {max(gaps):.4f}, mean {sum(gaps) / len(gaps):.4f}")


def calibrated(folder: Path, examples: Sequence[Example]) -> Manifest:
    """Return the folder's manifest with a map for each attribute, fitted on examples that were not trained on.

    Written abuse and lists, which no map is fitted on, are among those that say how high an attribute can go.
    """
    maps = fit_maps(examples, lambda texts: logits_of(folder, texts), fit_rising)
    worst = logits_of(folder, [one.text for one in examples if one.toxic and one.source not in CALIBRATED_ON])
    highest = {attribute: max(fitted.apply(one[attribute]) for one in worst) for attribute, fitted in maps.items()}
    return msgspec.structs.replace(read_manifest(folder), calibration=maps, highest=highest)


def exported(weights: Path, corpus: Corpus, out: Path) -> None:
    """Write the weights of an epoch in eight bits into a folder, without a calibration."""
    model, tokenizer_json = load_encoder(len(ATTRIBUTES))
    model.load_state_dict(torch.load(weights, weights_only=True))
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole", Path(folder) / "small"
        manifest = export_module(model, tokenizer_json, bare_manifest(), whole)
        quantise_folder(whole, small, manifest)
        _print_drift(whole, small, [one.text for one in corpus.dev[:300]])
        _copy(small, out)


def _copy(source: Path, to: Path) -> None:
    to.mkdir(parents=True, exist_ok=True)
    for name in (*FILES, MANIFEST):
        shutil.copyfile(source / name, to / name)


def main() -> None:
    """Write the folder given by --out and print its model id."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument("--work", type=Path, help="the folder that training.compact wrote")
    kind.add_argument("--again", action="store_true", help="only fit the calibration of the folder given by --out")
    parser.add_argument("--epoch", type=int, default=1, help="which epoch's weights")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write the model into")
    arguments = parser.parse_args()
    corpus = load_corpus(arguments.data)
    if arguments.work:
        exported(arguments.work / f"epoch{arguments.epoch}.pt", corpus, arguments.out)
    with tempfile.TemporaryDirectory() as folder:
        bare = Path(folder)
        _copy(arguments.out, bare)
        again = msgspec.structs.replace(read_manifest(bare), calibration=None, highest=msgspec.UNSET, parts=PARTS)
        write_manifest(bare, again)
        fitted = calibrated(bare, corpus.calibrate)
    print(write_manifest(arguments.out, fitted).model_id)


if __name__ == "__main__":
    main()
