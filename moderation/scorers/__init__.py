"""The Scorer protocol; each implementation is a file of its own, imported only by who plugs it in."""

from moderation.scorers.protocol import Scorer
from moderation.scores import ScorerError, check_scores

__all__ = ["Scorer", "ScorerError", "check_scores"]
