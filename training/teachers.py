"""Train larger models to judge the training texts: python -m training.teachers --data DIR --work DIR --pretrained DIR.

Each of the teachers leaves one fold out and judges it, so that no row is judged by a teacher that has seen its label;
texts without labels are judged by all of them. What they said is left in the work folder for training.compact. They
start from all-mpnet-base-v2 (Reimers and Gurevych, 2019; Song et al., 2020; Apache-2.0).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from zlib import crc32

import numpy as np
import torch

from moderation.calibration import sigmoid
from moderation.scores import Attribute
from training.corpus import Corpus, key_of, load_corpus, load_unlabelled
from training.encoder import load_teacher
from training.learning import Plan, fit, logits_of, report
from training.rows import Rows
from training.sources import ATTRIBUTES, Example

FOLDS = 5
PLAN = Plan(epochs=3, batch=64, rate=3e-5)
Judged = dict[str, dict[Attribute, float]]
"""What teachers said, as probabilities, by the key of the text."""


def fold_of(example: Example) -> int:
    """Return which teacher does not see an example; the sentences of a comment are in its fold."""
    return crc32(f"fold {key_of(example.whole or example.text)}".encode()) % FOLDS


def _keep(work: Path, fold: int, examples: Sequence[Example], logits: np.ndarray) -> None:
    keys = np.array([key_of(one.text) for one in examples])
    np.savez_compressed(work / f"teacher{fold}.npz", keys=keys, logits=logits)


def read_taught(work: Path) -> Judged:
    """Return the mean of what the teachers in a folder said of each text that they did not train on."""
    said: dict[str, list[np.ndarray]] = {}
    for path in sorted(work.glob("teacher*.npz")):
        with np.load(path) as file:
            for key, logits in zip(file["keys"], file["logits"], strict=True):
                said.setdefault(str(key), []).append(logits)
    means = {key: np.mean(rows, axis=0) for key, rows in said.items()}
    return {
        key: {attribute: sigmoid(float(value)) for attribute, value in zip(ATTRIBUTES, mean, strict=True)}
        for key, mean in means.items()
    }


def taught(examples: Sequence[Example], judged: Judged, *, share: float) -> list[Example]:
    """Return the examples with the teachers' word mixed into their targets; what nobody judged keeps its own."""
    return [_mixed(one, judged[key_of(one.text)], share) if key_of(one.text) in judged else one for one in examples]


def _mixed(example: Example, said: dict[Attribute, float], share: float) -> Example:
    targets = {
        attribute: value + share * (said[attribute] - value) if value is not None else said[attribute]
        for attribute in ATTRIBUTES
        for value in [example.targets.get(attribute)]
    }
    return Example(example.text, targets, example.source, whole=example.whole)


def teach(data: Path, work: Path, corpus: Corpus, pretrained: Path, plan: Plan, fold: int) -> None:
    """Train the teacher of one fold and keep what it says of texts that it did not train on."""
    torch.manual_seed(plan.seed + fold)
    model, tokenizer = load_teacher(pretrained, len(ATTRIBUTES))
    model.to(plan.device)
    seen = Rows([one for one in corpus.train if fold_of(one) != fold], tokenizer)
    unseen = [one for one in corpus.train if fold_of(one) == fold] + load_unlabelled(data, corpus)
    dev = Rows(corpus.dev, tokenizer)
    fit(model, seen, plan, lambda _: report(logits_of(model, dev, plan), dev))
    _keep(work, fold, unseen, logits_of(model, Rows(unseen, tokenizer), plan))


def main() -> None:
    """Train one teacher, or all of them one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    parser.add_argument("--work", type=Path, required=True, help="a folder for what the teachers say")
    parser.add_argument("--pretrained", type=Path, required=True, help="the folder of all-mpnet-base-v2")
    parser.add_argument("--fold", type=int, choices=range(FOLDS), help="only this one")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    corpus = load_corpus(arguments.data)
    plan = Plan(epochs=PLAN.epochs, batch=PLAN.batch, rate=PLAN.rate, device=arguments.device, bf16=arguments.bf16)
    for fold in range(FOLDS) if arguments.fold is None else [arguments.fold]:
        teach(arguments.data, arguments.work, corpus, arguments.pretrained, plan, fold)


if __name__ == "__main__":
    main()
