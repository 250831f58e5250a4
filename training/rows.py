"""Examples as a model reads them: token ids, targets, and what each row counts, in batches of like length."""

import random
from collections.abc import Iterator, Sequence

import torch
from tokenizers import Tokenizer
from torch import Tensor

from moderation.text import normalise
from training.encoder import LONGEST
from training.sources import ATTRIBUTES, Example
from training.weighting import FOR_COMPACT, importance_of

_CHUNK = 40


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

    def batch(self, at: Sequence[int], device: str = "cpu") -> tuple[Tensor, Tensor]:
        """Return padded ids and mask of some rows."""
        longest = max(len(self.ids[number]) for number in at)
        padded = [self.ids[number] + [0] * (longest - len(self.ids[number])) for number in at]
        mask = [[1] * len(self.ids[number]) + [0] * (longest - len(self.ids[number])) for number in at]
        return torch.tensor(padded).to(device), torch.tensor(mask).to(device)

    def shuffled(self, chance: random.Random, size: int) -> Iterator[list[int]]:
        """Yield batches of rows of like length in random order."""
        order = list(range(len(self.ids)))
        chance.shuffle(order)
        batches = []
        for start in range(0, len(order), size * _CHUNK):
            chunk = sorted(order[start : start + size * _CHUNK], key=lambda number: len(self.ids[number]))
            batches += [chunk[at : at + size] for at in range(0, len(chunk), size)]
        chance.shuffle(batches)
        yield from batches
