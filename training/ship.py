"""Make the shipped folder of a trained compact model: python -m training.ship --data DIR --work DIR --out DIR.

Exports the weights of an epoch, quantises them, says how far that moved the scores, and calibrates what was written.
"""

import argparse
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
import torch

from moderation.calibration import log_odds
from moderation.scorers.export import export_module, quantise_folder
from moderation.scorers.onnx import OnnxScorer
from moderation.scorers.onnx_folder import FILES, Manifest, read_manifest, write_manifest
from moderation.scores import Attribute
from training.calibrating import fit_maps
from training.corpus import load_corpus
from training.encoder import LONGEST, load_encoder
from training.sources import ATTRIBUTES, Example

NAME = "compact-1"
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
    )


def logits_of(folder: Path, texts: Sequence[str]) -> list[dict[Attribute, float]]:
    """Return the raw logits that a folder without calibration gives, the worst window of each text."""
    scores = OnnxScorer.load(folder, threads=_THREADS).score(texts)
    return [{attribute: log_odds(value) for attribute, value in one.values.items()} for one in scores]


def _print_drift(whole: Path, small: Path, texts: Sequence[str]) -> None:
    before, after = (OnnxScorer.load(folder, threads=_THREADS).score(texts) for folder in (whole, small))
    for attribute in ATTRIBUTES:
        gaps = [abs(a.values[attribute] - b.values[attribute]) for a, b in zip(before, after, strict=True)]
        print(f"int8 against fp32, {attribute.value}: largest {max(gaps):.4f}, mean {sum(gaps) / len(gaps):.4f}")


def calibrated(folder: Path, examples: Sequence[Example]) -> Manifest:
    """Return the folder's manifest with a map for each attribute, fitted on examples that were not trained on."""
    maps = fit_maps(examples, lambda texts: logits_of(folder, texts))
    return msgspec.structs.replace(read_manifest(folder), calibration=maps)


def main() -> None:
    """Write the folder given by --out and print its model id."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    parser.add_argument("--work", type=Path, required=True, help="the folder that training.compact wrote")
    parser.add_argument("--epoch", type=int, default=1, help="which epoch's weights")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write the model into")
    arguments = parser.parse_args()
    model, tokenizer_json = load_encoder(len(ATTRIBUTES))
    model.load_state_dict(torch.load(arguments.work / f"epoch{arguments.epoch}.pt", weights_only=True))
    corpus = load_corpus(arguments.data)
    with tempfile.TemporaryDirectory() as folder:
        whole, small = Path(folder) / "whole", Path(folder) / "small"
        manifest = export_module(model, tokenizer_json, bare_manifest(), whole)
        quantise_folder(whole, small, manifest)
        _print_drift(whole, small, [one.text for one in corpus.dev[:300]])
        arguments.out.mkdir(parents=True, exist_ok=True)
        fitted = calibrated(small, corpus.calibrate)
        for name in FILES:
            shutil.copyfile(small / name, arguments.out / name)
    print(write_manifest(arguments.out, fitted).model_id)


if __name__ == "__main__":
    main()
