"""Made-up comments of realistic lengths (median about 45 tokens), the same for every run."""

from __future__ import annotations

import random

_SUBJECTS = [
    "the council",
    "my street",
    "the mayor",
    "this government",
    "the ceasefire",
    "our school",
    "the bus line",
    "the minister",
]
_VERBS = ["should reconsider", "has ignored", "finally understood", "will pay for", "keeps promising", "cannot explain"]
_OBJECTS = [
    "the new budget",
    "the plan for the centre",
    "the missile defence",
    "the border talks",
    "the rent cap",
    "the old bridge",
]
_TAILS = [
    "because nobody asked us",
    "and I read the whole report",
    "although the figures say otherwise",
    "as we did in 1998",
]


def comments(number: int, *, seed: int = 7) -> list[str]:
    """Answer distinct civil comments: 1 to 14 sentences, most of them 3 to 6."""
    chosen = random.Random(seed)
    return [f"{_paragraph(chosen)} ({index})" for index in range(number)]


def _paragraph(chosen: random.Random) -> str:
    sentences = max(1, min(14, round(chosen.lognormvariate(1.3, 0.55))))
    return " ".join(_sentence(chosen) for _ in range(sentences))


def _sentence(chosen: random.Random) -> str:
    parts = [chosen.choice(words) for words in (_SUBJECTS, _VERBS, _OBJECTS, _TAILS)]
    return " ".join(parts).capitalize() + "."
