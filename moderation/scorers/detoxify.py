"""Detoxify, run by the package's own class; with detoxify_opening the only file that imports torch, and only on use."""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from moderation.scorers.detoxify_opening import Opened, open_model
from moderation.scorers.transformer import BATCH_TOKENS, Encoded, Logits, Outputs, Tokens, Transformer, forget_words
from moderation.scores import ScorerError, Scores


class DetoxifyScorer:
    """A Scorer over one of the package's models or a checkpoint of its format; raw probabilities."""

    def __init__(self, opened: Opened, *, batch_tokens: int = BATCH_TOKENS, normalise: bool = True) -> None:
        """Take a model that was opened and checked."""
        self.model_id, self.languages, self.attributes = opened.model_id, opened.languages, opened.labels
        self.digest = opened.digest
        self.opened = opened
        self._transformer = Transformer(
            self.model_id,
            Outputs(opened.labels),
            opened.framing,
            encode=self._encode,
            forward=self._forward,
            normalised=normalise,
            batch_tokens=batch_tokens,
        )

    @classmethod
    def load(
        cls,
        name_or_path: str | Path,
        *,
        models_home: Path,
        device: str = "cpu",
        threads: int = 1,
        batch_tokens: int = BATCH_TOKENS,
        normalise: bool = True,
        trusted_digest: str = "",
    ) -> Self:
        """Load `original`, `unbiased` or `multilingual` from models_home, or a checkpoint by its path.

        Only of a checkpoint whose whole sha256 is `trusted_digest` is more than weights read, which runs code from it.
        Raise ScorerError, which says what to do, for anything that is absent, damaged or does not fit together, and
        ModuleNotFoundError where torch or the package is not installed.
        """
        opened = open_model(
            name_or_path, models_home=models_home, device=device, threads=threads, trusted_digest=trusted_digest
        )
        return cls(opened, batch_tokens=batch_tokens, normalise=normalise)

    def score(self, texts: Sequence[str]) -> list[Scores]:
        """Return the raw scores of each raw text, in order."""
        return self._transformer.score(texts)

    def _encode(self, texts: Sequence[str]) -> list[Encoded]:
        tokenizer = self.opened.package.tokenizer
        # `verbose` would warn of texts that are longer than the model, which is what windows are for; a `[SEP]` that
        # somebody writes is text like any other.
        found = tokenizer(
            list(texts),
            add_special_tokens=False,
            return_offsets_mapping=True,
            split_special_tokens=True,
            verbose=False,
        )
        forget_words(getattr(tokenizer, "backend_tokenizer", None))
        return [Encoded(ids, offsets) for ids, offsets in zip(found["input_ids"], found["offset_mapping"], strict=True)]

    def _forward(self, ids: Tokens, mask: Tokens) -> Logits:
        import torch

        model = self.opened.package.model
        try:
            with torch.inference_mode():
                given = (torch.from_numpy(array).to(model.device) for array in (ids, mask))
                logits = model(**dict(zip(("input_ids", "attention_mask"), given, strict=True))).logits
                kept: Logits = logits[:, self.opened.recipe.columns].float().cpu().numpy()
        except RuntimeError as error:
            raise ScorerError(f"{self.model_id} could not compute on {model.device} ({type(error).__name__})") from None
        return kept
