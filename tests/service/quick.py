"""The quick model of a test's API process: it says what the test wants, at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from moderation.policy import default_policy
from moderation.scores import Attribute, Scores

#: The model that stands in is the fallback of the default policy, so its thresholds count for it.
QUICK = default_policy().fallback_model or ""


class FakeQuickScorer:
    """Gives `vile` texts 0.999 and others 0.02; while it `stalls` it answers nobody."""

    def __init__(self) -> None:
        self.languages = frozenset({"en"})
        self.running = True
        self.texts: list[str] = []
        self.stalls = False

    async def start(self) -> None:
        """Nothing has to be loaded."""

    async def score(self, texts: Sequence[str]) -> list[Scores]:
        """Answer one Scores per text."""
        self.texts += texts
        if self.stalls:
            await asyncio.Event().wait()
        return [Scores(QUICK, True, {Attribute.TOXICITY: 0.999 if "vile" in text else 0.02}) for text in texts]

    async def stop(self) -> None:
        """Nothing has to be ended."""
