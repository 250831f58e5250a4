"""Detoxify checkpoints with random weights in the shapes of the published models, and comments for them to read."""

from __future__ import annotations

import hashlib
import math
import random
from pathlib import Path
from statistics import NormalDist
from typing import Any

import msgspec

from bench.texts import comments

MEDIAN_WORDS, SPREAD, SHORTEST, LONGEST = 40, 0.9, 3, 440
"""A word is a token here and a full stop one more: a median of about 45 tokens, a tail to the models' 512."""
LABELS = ("toxicity", "severe_toxicity", "obscene", "identity_attack", "insult", "threat", "sexual_explicit")


class Shape(msgspec.Struct, frozen=True):
    """The sizes of a published model."""

    prefix: str
    tokens: int
    positions: int
    layers: int = 12
    width: int = 768
    inner: int = 3072
    heads: int = 12

    def operations(self, tokens: int) -> float:
        """Return the floating-point operations of the layers for one text of so many tokens, padding not counted."""
        products = 2.0 * tokens * (4 * self.width * self.width + 2 * self.width * self.inner)
        attention = 4.0 * tokens * tokens * self.width
        return self.layers * (products + attention)


SHAPES = {
    "bert-base": Shape("Bert", 30522, 512),
    "roberta-base": Shape("Roberta", 50265, 514),
    "xlm-roberta-base": Shape("XLMRoberta", 250002, 514),
}


def texts_of_lengths(number: int, *, seed: int = 11) -> list[str]:
    """Return distinct made-up comments whose lengths in words are the quantiles of a log-normal distribution."""
    chosen = random.Random(seed)
    words = " ".join(comments(2000, seed=seed)).split()
    texts = []
    for place in range(number):
        spread = math.exp(SPREAD * NormalDist().inv_cdf((place + 0.5) / number))
        length = round(min(max(MEDIAN_WORDS * spread, SHORTEST), LONGEST))
        start = chosen.randrange(len(words) - length)
        texts.append(" ".join(words[start : start + length]))
    chosen.shuffle(texts)
    return texts


def make_checkpoint(folder: Path, name: str) -> Path:
    """Write a checkpoint of a shape with config and tokenizer beside it; the same weights for every run."""
    import torch
    import transformers

    shape = SHAPES[name]
    tokenizer = _tokenizer(name)
    torch.manual_seed(3)
    kind = getattr(transformers, f"{shape.prefix}ForSequenceClassification")
    config = kind.config_class(
        vocab_size=shape.tokens,
        hidden_size=shape.width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=shape.inner,
        max_position_embeddings=shape.positions,
        type_vocab_size=2 if shape.prefix == "Bert" else 1,
        num_labels=len(LABELS),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
    )
    tokenizer.save_pretrained(folder)
    config.save_pretrained(folder)
    model = kind(config)
    # The library's own start makes logits so small that every score would be a half.
    torch.nn.init.normal_(list(model.classifier.parameters())[-2], std=0.1)
    arguments = {
        "num_classes": len(LABELS),
        "model_type": str(folder.resolve()),
        "model_name": kind.__name__,
        "tokenizer_name": f"{shape.prefix}Tokenizer",
    }
    described = {"arch": {"type": "BERT", "args": arguments}, "dataset": {"args": {"classes": list(LABELS)}}}
    part = folder / "part"
    torch.save({"config": described, "state_dict": model.state_dict()}, part)
    with part.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return part.rename(folder / f"{name}-{digest[:8]}.ckpt")


def _words() -> list[str]:
    words = {word.strip(".()").lower() for word in " ".join(comments(2000)).split()}
    return sorted(word for word in words if word.isalpha())


def _filled(tokens: list[str], size: int) -> list[str]:
    """Tokens up to the size of the published vocabulary, since the table of embeddings is most of some models."""
    return [*tokens, *(f"<unused{number}>" for number in range(size - len(tokens)))]


def _tokenizer(name: str) -> Any:
    import transformers
    from tokenizers.pre_tokenizers import ByteLevel

    size, words = SHAPES[name].tokens, _words()
    if name == "bert-base":
        characters = [chr(code) for code in range(33, 127)]
        tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{one}" for one in characters)]
        known = _filled([*tokens, *(word for word in words if len(word) > 1)], size)
        return transformers.BertTokenizer(vocab=_numbered(known), model_max_length=512)
    if name == "roberta-base":
        merges: dict[tuple[str, str], None] = {}
        for word in [*words, *(word.capitalize() for word in words)]:
            # Only words after a space, else a merge inside one word would come before those of another.
            merges.update({(f"Ġ{word[:end]}", word[end]): None for end in range(len(word))})
        joined = dict.fromkeys("".join(pair) for pair in merges)
        tokens = ["<s>", "<pad>", "</s>", "<unk>", *sorted(ByteLevel.alphabet()), *joined, "<mask>"]
        vocabulary = _numbered(_filled(list(dict.fromkeys(tokens)), size))
        return transformers.RobertaTokenizer(vocab=vocabulary, merges=list(merges), model_max_length=512)
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *map(chr, range(33, 127))]
    pieces += [f"▁{form}" for word in words for form in (word, word.capitalize())]
    scored = [(piece, -9.0 if len(piece) == 1 else -6.0) for piece in _filled(list(dict.fromkeys(pieces)), size - 1)]
    return transformers.XLMRobertaTokenizer(vocab=[*scored, ("<mask>", 0.0)], model_max_length=512)


def _numbered(tokens: list[str]) -> dict[str, int]:
    return {token: number for number, token in enumerate(tokens)}
