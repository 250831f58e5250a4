"""The loop that fine-tunes an encoder, on a processor or a graphics card, and what the development part says of it."""

import random
import time
from collections.abc import Callable

import msgspec
import numpy as np
import torch
from sklearn.metrics import roc_auc_score as auc
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from training.encoder import Encoder
from training.rows import Rows
from training.sources import ATTRIBUTES

WARM_UP = 0.06
DECAY = 0.01
# Toxicity decides what is held, so it counts as much as the four others together.
_SHARES = (4.0, 1.0, 1.0, 1.0, 1.0)
_REPORT_EVERY = 200


class Plan(msgspec.Struct, frozen=True):
    """How to train: passes over the rows, rows in a step, learning rates of the encoder and of the heads, where."""

    epochs: int = 2
    batch: int = 32
    rate: float = 8e-5
    head_rate: float = 1e-3
    seed: int = 20180829
    device: str = "cpu"
    bf16: bool = False

    def autocast(self) -> torch.autocast:
        """Return the context in which the encoder computes."""
        return torch.autocast(self.device, dtype=torch.bfloat16, enabled=self.bf16)


def loss_of(logits: Tensor, targets: Tensor, importance: Tensor) -> Tensor:
    """Return the mean cross-entropy over the attributes that are known, weighted by row."""
    known = ~torch.isnan(targets)
    each = binary_cross_entropy_with_logits(logits, torch.nan_to_num(targets), reduction="none")
    weight = known * torch.tensor(_SHARES, device=logits.device) * importance.unsqueeze(1)
    return (each * weight).sum() / weight.sum()


def fit(model: Encoder, rows: Rows, plan: Plan, after: Callable[[int], None]) -> None:
    """Fine-tune all weights; `after` is called with the number of each epoch that is over."""
    chance = random.Random(plan.seed)
    # Products of fp32 matrices on a card may round their factors to TF32.
    torch.set_float32_matmul_precision("high")
    steps = plan.epochs * -(-len(rows.ids) // plan.batch)
    optimiser = torch.optim.AdamW(
        [
            {"params": model.bert.parameters(), "lr": plan.rate},
            {"params": model.heads.parameters(), "lr": plan.head_rate},
        ],
        weight_decay=DECAY,
        fused=True,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimiser, lambda step: min((step + 1) / (WARM_UP * steps), (steps - step) / ((1 - WARM_UP) * steps), 1.0)
    )
    targets, importance = rows.targets.to(plan.device), rows.importance.to(plan.device)
    for epoch in range(plan.epochs):
        began, losses = time.monotonic(), list[Tensor]()
        model.train()
        for number, at in enumerate(rows.shuffled(chance, plan.batch)):
            with plan.autocast():
                logits = model(*rows.batch(at, plan.device)).float()
            loss = loss_of(logits, targets[at], importance[at])
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            schedule.step()
            losses.append(loss.detach())
            if number % _REPORT_EVERY == 0:
                mean = torch.stack(losses[-_REPORT_EVERY:]).mean().item()
                print(f"epoch {epoch} step {number} of {steps} loss {mean:.4f}", flush=True)
        print(f"epoch {epoch} took {time.monotonic() - began:.0f} s", flush=True)
        after(epoch)


@torch.no_grad()  # type: ignore[untyped-decorator]
def logits_of(model: Encoder, rows: Rows, plan: Plan) -> np.ndarray:
    """Return the logits [rows, attributes] of all rows, in order."""
    model.eval()
    order = sorted(range(len(rows.ids)), key=lambda number: len(rows.ids[number]))
    found = np.zeros((len(order), len(ATTRIBUTES)), dtype=np.float32)
    for start in range(0, len(order), 64):
        at = order[start : start + 64]
        with plan.autocast():
            found[at] = model(*rows.batch(at, plan.device)).float().cpu().numpy()
    return found


def report(logits: np.ndarray, rows: Rows) -> None:
    """Print how well a part is ranked, by source and by attribute."""
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
