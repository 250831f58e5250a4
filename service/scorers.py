"""Plug in the model that the settings name. The only place outside the domain that names an implementation."""

from __future__ import annotations

from pathlib import Path

import moderation
from moderation.scorers import Scorer, ScorerError
from service.cores import cores_present
from service.settings import Settings, SettingsError

COMPACT = Path(moderation.__file__).parent / "models" / "compact"
"""The folder of the compact transformer that comes with the code."""
EMBEDDED = "compact"
"""The shipped model that `embedded` stands for."""
BATCH_TOKENS = {"cpu": 256, "cuda": 16_384}
"""Padded tokens of one batch of a transformer by device: a processor pays for padding, an accelerator for each call."""


def build_scorer(settings: Settings, name: str | None = None) -> Scorer:
    """Answer the scorer of SCORER, or of --scorer in its place, loaded; raise SettingsError when it cannot be used."""
    chosen, told = (settings.scorer, "SCORER") if name is None else (name, "--scorer")
    try:
        return build_named(
            chosen,
            device=settings.scorer_device,
            threads=threads_of(settings),
            models_home=settings.models,
            batch_tokens=settings.scorer_batch_tokens,
            trusted_digest=settings.scorer_trusted_digest,
        )
    except ScorerError as error:
        raise SettingsError(f"{told}: {chosen} cannot be used: {error}") from None


def threads_of(settings: Settings) -> int:
    """Answer how many threads a scorer may use: SCORER_THREADS, or as many as there are cores."""
    return settings.scorer_threads or cores_present()


def digest_of(scorer: Scorer) -> str:
    """Answer the sha256 of the model, of which its id has the first digits; those alone for one that tells no more."""
    told: str | None = getattr(scorer, "digest", None)
    return scorer.model_id.rpartition("@")[2] if told is None else told


def build_named(
    name: str,
    *,
    device: str = "cpu",
    threads: int = 1,
    models_home: Path = Path("models"),
    batch_tokens: int = 0,
    trusted_digest: str = "",
) -> Scorer:
    """Answer a loaded scorer by name; raise ScorerError when there is none or it cannot be loaded.

    Names are `hashed`, `compact`, `embedded` (the shipped default), `detoxify:original|unbiased|multilingual|PATH` and
    `onnx:PATH`; `batch_tokens` 0 is what suits the device. Of a Detoxify checkpoint with `trusted_digest` code
    is run.
    """
    batch_tokens = batch_tokens or BATCH_TOKENS.get(device, BATCH_TOKENS["cpu"])
    kind, _, where = (EMBEDDED if name == "embedded" else name).partition(":")
    try:
        if (kind, where) == ("hashed", ""):
            from moderation.scorers.hashed import HashedScorer

            return HashedScorer.load()
        if (kind, where) == ("compact", ""):
            return _onnx(COMPACT, device, threads, batch_tokens)
        if kind == "onnx" and where:
            return _onnx(Path(where), device, threads, batch_tokens)
        if kind == "detoxify" and where:
            from moderation.scorers.detoxify import DetoxifyScorer

            return DetoxifyScorer.load(
                where,
                models_home=models_home,
                device=device,
                threads=threads,
                batch_tokens=batch_tokens,
                trusted_digest=trusted_digest,
            )
    except ModuleNotFoundError as missing:
        raise ScorerError(f"{missing.name} is not installed; run `make model` for it") from None
    raise ScorerError(f"{name!r} is no name of a model")


def _onnx(folder: Path, device: str, threads: int, batch_tokens: int) -> Scorer:
    from moderation.scorers.onnx import OnnxScorer

    return OnnxScorer.load(folder, device=device, threads=threads, batch_tokens=batch_tokens)
