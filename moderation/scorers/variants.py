"""Writes a model's exported folders: each in a place of its own first, and under its name only when it is proven."""

import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

import msgspec

from moderation.scorers.export import Source, export_module, quantise_folder
from moderation.scorers.onnx import OnnxScorer, encoder_of, framing_of, read_tokenizer
from moderation.scorers.onnx_folder import TOKENIZER, Manifest
from moderation.scorers.proof import Bound, Difference, differences
from moderation.scores import ScorerError

Kept = tuple[str, ...]
_NONE: Kept = ()
LADDER: tuple[Kept, ...] = (_NONE, ("head",), ("head", "embeddings"), ("head", "embeddings", "narrowing"))
"""What the eight-bit variant leaves as it is, from nothing on, until it is within its bound."""


class Variant(StrEnum):
    """How the weights are stored."""

    FP32 = "fp32"
    INT8 = "int8"


BOUNDS = {Variant.FP32: Bound(1e-4), Variant.INT8: Bound(0.05)}
"""What each variant may differ by where nothing else is asked for."""


class Attempt(msgspec.Struct, frozen=True):
    """One way of writing a variant, what of it was left as it is, and what it differed by."""

    variant: Variant
    kept: tuple[str, ...]
    bound: Bound
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """True when every label is within the bound."""
        return all(one.within(self.bound) for one in self.differences)


Tell = Callable[[Attempt], None]
"""Is told of every attempt, passed or not."""


def folder_for(out: Path, manifest: Manifest, variant: Variant) -> Path:
    """Return where a variant of a model is written."""
    return out / f"{manifest.name}-{variant}"


def write_variants(
    source: Source, out: Path, bounds: Mapping[Variant, Bound], texts: Sequence[str], tell: Tell
) -> dict[Variant, Path]:
    """Write each variant of `bounds` that is within its bound and return where; ScorerError where a folder is there.

    What is not proven is gone when this returns.
    """
    for variant in bounds:
        if (target := folder_for(out, source.manifest, variant)).exists():
            raise ScorerError(f"{target} is there already; move it away, or name another folder")
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out) as work:
        whole = Path(work) / Variant.FP32.value
        export_module(source.module, source.tokenizer_json, _named(source.manifest, Variant.FP32), whole)
        check_tokens(source, whole, texts)
        made: dict[Variant, Path] = {}
        if Variant.FP32 in bounds and _passes(source, whole, Variant.FP32, _NONE, bounds[Variant.FP32], texts, tell):
            made[Variant.FP32] = whole
        if Variant.INT8 in bounds and (small := _small(source, whole, bounds[Variant.INT8], texts, tell)):
            made[Variant.INT8] = small
        return {variant: path.rename(folder_for(out, source.manifest, variant)) for variant, path in made.items()}


def _named(manifest: Manifest, variant: Variant) -> Manifest:
    return msgspec.structs.replace(manifest, name=f"{manifest.name}-{variant}")


def _small(source: Source, whole: Path, bound: Bound, texts: Sequence[str], tell: Tell) -> Path | None:
    small = whole.with_name(Variant.INT8.value)
    for kept in LADDER:
        quantise_folder(whole, small, _named(source.manifest, Variant.INT8), **dict.fromkeys(kept, False))
        if _passes(source, small, Variant.INT8, kept, bound, texts, tell):
            return small
        shutil.rmtree(small)
    return None


def _passes(
    source: Source, folder: Path, variant: Variant, kept: Kept, bound: Bound, texts: Sequence[str], tell: Tell
) -> bool:
    copy = OnnxScorer.load(folder)
    attempt = Attempt(variant, kept, bound, tuple(differences(source.scorer, copy, texts)))
    tell(attempt)
    return attempt.passed


def check_tokens(source: Source, folder: Path, texts: Sequence[str]) -> None:
    """Raise ScorerError when the written tokenizer reads any text otherwise than the model's own."""
    manifest = source.manifest
    tokenizer = read_tokenizer(folder / TOKENIZER)
    framing = framing_of(tokenizer, pad_id=manifest.pad_id, longest=manifest.longest)
    read = encoder_of(tokenizer)(texts)
    for number, (text, one) in enumerate(zip(texts, read, strict=True)):
        if [*framing.before, *one.ids, *framing.after] != list(source.tokenise(text)):
            raise ScorerError(f"the tokenizer of {manifest.name} reads text {number} otherwise once it is exported")
