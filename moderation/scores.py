"""What a model said about one text: a number in [0, 1] for each harm it knows, and which model said it."""

import math
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec


class Attribute(StrEnum):
    """A named harm that a model may score."""

    TOXICITY = "toxicity"
    SEVERE_TOXICITY = "severe_toxicity"
    IDENTITY_ATTACK = "identity_attack"
    INSULT = "insult"
    THREAT = "threat"
    OBSCENE = "obscene"
    SEXUAL_EXPLICIT = "sexual_explicit"


class ScorerError(Exception):
    """A scorer could not be loaded, or answered with something that is not a list of scores."""


class Scores(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The numbers of one model for one text; calibrated values may be read as probabilities.

    Where not the whole of a text gave the highest value of the model's first attribute, since it was longer than the
    model reads at once or a part of it was worse, `window` is that part of the normalised text, [start, end) in
    characters.
    """

    model_id: str
    calibrated: bool
    values: dict[Attribute, float]
    window: tuple[int, int] | None = None


def is_sound(values: Mapping[Attribute, float]) -> bool:
    """True when there is at least one value and every one is a finite number in [0, 1]."""
    return bool(values) and all(math.isfinite(value) and 0.0 <= value <= 1.0 for value in values.values())


def checked(
    model_id: str, values: Mapping[Attribute, float], *, calibrated: bool, window: tuple[int, int] | None = None
) -> Scores:
    """Build Scores, or raise ScorerError when a value is missing, not finite or outside [0, 1]."""
    if not is_sound(values):
        raise ScorerError(f"{model_id} gave scores that are not finite numbers in [0, 1]")
    return Scores(model_id=model_id, calibrated=calibrated, values=dict(values), window=window)


def check_scores(texts: Sequence[str], scores: Sequence[Scores]) -> list[Scores]:
    """Return the scores as a list, or raise ScorerError when the count differs or a value is unsound."""
    if len(texts) != len(scores):
        raise ScorerError(f"{len(texts)} texts were scored with {len(scores)} answers")
    for one in scores:
        if not is_sound(one.values):
            raise ScorerError(f"{one.model_id} gave scores that are not finite numbers in [0, 1]")
    return list(scores)
