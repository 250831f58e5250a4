"""Train the compact model: python -m training.compact --data DIR --work DIR, then export with training.ship.

Runs on a CPU; `--bf16` is for one that multiplies bfloat16 in hardware. An epoch's weights are kept in the work folder.
"""

import argparse
import random
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score as auc
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from moderation.text import normalise
from training.corpus import SEED, Corpus, load_corpus
from training.encoder import LONGEST, Encoder, load_encoder
from training.sources import ATTRIBUTES, Example
from training.weighting import FOR_COMPACT, chosen, importance_of

BATCH = 32
RATE, HEAD_RATE = 8e-5, 1e-3
WARM_UP = 0.06
DECAY = 0.01
_CHUNK = 40
_REPORT_EVERY = 100


class Rows:
    """Tokenised examples: ids, targets with NaN where nothing is known, and how much each counts."""

    def __init__(self, examples: Sequence[Example], tokenizer: Tokenizer) -> None:
        """Normalise and tokenise as the scorer will."""
        tokenizer.enable_truncation(LONGEST)
        tokenizer.no_padding()
        self.examples = examples
        self.ids = [one.ids for one in tokenizer.encode_batch([normalise(one.text).text for one in examples])]
        unknown = float("nan")
        targets = [[one.targets.get(attribute, unknown) for attribute in ATTRIBUTES] for one in examples]
        self.targets = torch.tensor(targets, dtype=torch.float32)
        self.importance = torch.tensor([importance_of(one, FOR_COMPACT) for one in examples], dtype=torch.float32)

    def batch(self, at: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return padded ids and mask of some rows."""
        longest = max(len(self.ids[number]) for number in at)
        ids = torch.zeros(len(at), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for place, number in enumerate(at):
            ids[place, : len(self.ids[number])] = torch.tensor(self.ids[number])
            mask[place, : len(self.ids[number])] = 1
        return ids, mask

    def shuffled(self, chance: random.Random) -> Iterator[list[int]]:
        """Yield batches of rows of like length in random order."""
        order = list(range(len(self.ids)))
        chance.shuffle(order)
        batches = []
        for start in range(0, len(order), BATCH * _CHUNK):
            chunk = sorted(order[start : start + BATCH * _CHUNK], key=lambda number: len(self.ids[number]))
            batches += [chunk[at : at + BATCH] for at in range(0, len(chunk), BATCH)]
        chance.shuffle(batches)
        yield from batches


def loss_of(logits: Tensor, targets: Tensor, importance: Tensor) -> Tensor:
    """Return the mean cross-entropy over the attributes that are known, weighted by row."""
    known = ~torch.isnan(targets)
    each = binary_cross_entropy_with_logits(logits, torch.nan_to_num(targets), reduction="none")
    # Toxicity decides what is held, so it counts as much as the four others together.
    share = torch.tensor([4.0, 1.0, 1.0, 1.0, 1.0])
    weight = known * share * importance.unsqueeze(1)
    return (each * weight).sum() / weight.sum()


@torch.no_grad()  # type: ignore[untyped-decorator]
def logits_of(model: Encoder, rows: Rows, *, bf16: bool = False) -> np.ndarray:
    """Return the logits [rows, attributes] of all rows, in order."""
    model.eval()
    order = sorted(range(len(rows.ids)), key=lambda number: len(rows.ids[number]))
    found = np.zeros((len(order), len(ATTRIBUTES)), dtype=np.float32)
    for start in range(0, len(order), 64):
        at = order[start : start + 64]
        ids, mask = rows.batch(at)
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            found[at] = model(ids, mask).float().numpy()
    return found


def report(model: Encoder, rows: Rows, *, bf16: bool) -> None:
    """Print how well a part is ranked, by source and by attribute."""
    logits = logits_of(model, rows, bf16=bf16)
    for source in sorted({one.source for one in rows.examples}):
        at = [number for number, one in enumerate(rows.examples) if one.source == source]
        labels = [rows.examples[number].toxic for number in at]
        over = float(np.mean(logits[at, 0] > 0))
        area = auc(labels, logits[at, 0].tolist()) if any(labels) and not all(labels) else float("nan")
        print(f"  {source:28} {len(at):5} rows  AUC {area:.4f}  over 0.5: {over:.3f}  toxic {np.mean(labels):.3f}")
    for number, attribute in enumerate(ATTRIBUTES):
        known = [at for at, one in enumerate(rows.examples) if attribute in one.targets]
        labels = [rows.examples[at].targets[attribute] >= 0.5 for at in known]
        print(f"  {attribute.value:28} AUC {auc(labels, logits[known, number].tolist()):.4f}")


def train(corpus: Corpus, work: Path, *, epochs: int, bf16: bool) -> None:
    """Fine-tune all weights and keep those of each epoch."""
    chance = random.Random(SEED)
    torch.manual_seed(SEED)
    model, tokenizer_json = load_encoder(len(ATTRIBUTES))
    (work / "tokenizer.json").write_text(tokenizer_json, encoding="utf-8")
    tokenizer = Tokenizer.from_str(tokenizer_json)
    rows, dev = Rows(chosen(corpus.train, chance), tokenizer), Rows(corpus.dev, tokenizer)
    steps = epochs * -(-len(rows.ids) // BATCH)
    print(f"{len(rows.ids)} rows, {steps} steps, vocabulary {tokenizer.get_vocab_size()}", flush=True)
    optimiser = torch.optim.AdamW(
        [{"params": model.bert.parameters(), "lr": RATE}, {"params": model.heads.parameters(), "lr": HEAD_RATE}],
        weight_decay=DECAY,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (WARM_UP * steps), (steps - step) / ((1 - WARM_UP) * steps), 1.0)
    )
    for epoch in range(epochs):
        began, losses = time.monotonic(), list[float]()
        model.train()
        for number, at in enumerate(rows.shuffled(chance)):
            ids, mask = rows.batch(at)
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
                logits = model(ids, mask).float()
            loss = loss_of(logits, rows.targets[at], rows.importance[at])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
            losses.append(loss.item())
            if number % _REPORT_EVERY == 0:
                print(f"epoch {epoch} step {number} loss {np.mean(losses[-100:]):.4f}", flush=True)
        torch.save(model.state_dict(), work / f"epoch{epoch}.pt")
        print(f"epoch {epoch} took {time.monotonic() - began:.0f} s", flush=True)
        report(model, dev, bf16=bf16)


def main() -> None:
    """Train, and print what the development part says after each epoch."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    parser.add_argument("--work", type=Path, required=True, help="a folder for the weights of each epoch")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--bf16", action="store_true", help="multiply in bfloat16")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    train(load_corpus(arguments.data), arguments.work, epochs=arguments.epochs, bf16=arguments.bf16)


if __name__ == "__main__":
    main()
