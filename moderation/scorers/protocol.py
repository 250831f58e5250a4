"""What every scorer promises, whatever model is behind it."""

from collections.abc import Sequence
from typing import Protocol

from moderation.scores import Attribute, Scores


class Scorer(Protocol):
    """Gives each raw text its scores; it normalises by itself and keeps no state between calls."""

    @property
    def model_id(self) -> str:
        """The stable name of the model and its weights; thresholds are fitted for exactly one."""

    @property
    def languages(self) -> frozenset[str]:
        """The ISO 639-1 codes of the languages in which the scores mean something."""

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        """The harms that each answer carries."""

    def score(self, texts: Sequence[str]) -> list[Scores]:
        """Return one Scores per text, in order; raise ScorerError rather than guess."""
