"""Train the compact model: python -m training.compact --data DIR --work DIR, then export with training.ship.

Runs on a CPU or, with `--device cuda`, on a graphics card; `--bf16` is for one that multiplies bfloat16 in hardware.
An epoch's weights are kept in the work folder.
"""

import argparse
import random
from pathlib import Path

import torch
from tokenizers import Tokenizer

from training.corpus import SEED, load_corpus
from training.disguising import with_disguised
from training.encoder import load_encoder
from training.learning import Plan, fit, logits_of, report
from training.rows import Rows
from training.sources import ATTRIBUTES, Example
from training.weighting import chosen


def train(examples: list[Example], dev: list[Example], work: Path, plan: Plan) -> None:
    """Fine-tune all weights and keep those of each epoch."""
    torch.manual_seed(plan.seed)
    model, tokenizer_json = load_encoder(len(ATTRIBUTES))
    (work / "tokenizer.json").write_text(tokenizer_json, encoding="utf-8")
    tokenizer = Tokenizer.from_str(tokenizer_json)
    rows, asked = Rows(examples, tokenizer), Rows(dev, tokenizer)
    print(f"{len(rows.ids)} rows, vocabulary {tokenizer.get_vocab_size()}", flush=True)
    model.to(plan.device)

    def after(epoch: int) -> None:
        torch.save(model.state_dict(), work / f"epoch{epoch}.pt")
        report(logits_of(model, asked, plan), asked)

    fit(model, rows, plan, after)


def main() -> None:
    """Train, and print what the development part says after each epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    parser.add_argument("--work", type=Path, required=True, help="a folder for the weights of each epoch")
    parser.add_argument("--epochs", type=int, default=Plan().epochs)
    parser.add_argument("--disguised", type=float, default=0.0, help="the share of rows that stand in disguise too")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    corpus, chance = load_corpus(arguments.data), random.Random(SEED)
    examples = with_disguised(chosen(corpus.train, chance), chance, share=arguments.disguised)
    plan = Plan(epochs=arguments.epochs, device=arguments.device, bf16=arguments.bf16)
    train(examples, corpus.dev, arguments.work, plan)


if __name__ == "__main__":
    main()
