"""Plug in the model that the settings name. The only place outside the domain that names an implementation."""

from __future__ import annotations

from moderation.scorers import Scorer
from service.settings import Settings, SettingsError


def build_scorer(settings: Settings) -> Scorer:
    """Answer the scorer of SCORER, loaded; raise SettingsError for a name that is not one."""
    if settings.scorer == "hashed":
        from moderation.scorers.hashed import HashedScorer

        return HashedScorer.load()
    raise SettingsError(f"SCORER: {settings.scorer!r} has no builder here")
