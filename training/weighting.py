"""Which examples are trained on, and how much each counts; chosen on the development part, for each model by itself."""

import random
from collections.abc import Mapping, Sequence

from moderation.scores import Attribute
from training.sources import Example

Importance = Mapping[tuple[str, bool], float]
"""How much a row counts, by its source and whether it is toxic; 1 where nothing is said."""
FOR_COMPACT: Importance = {
    # Comments that were picked as toxic and then voted on by few teach less than what Perspective scored.
    ("toxic-spans", False): 0.3,
    ("toxic-spans", True): 0.6,
    ("news-sentences", False): 0.3,
    ("news-sentences", True): 0.4,
    ("context-toxicity", False): 2.0,
    ("context-toxicity", True): 2.0,
    ("perspective-wikipedia-2k", False): 5.0,
    ("perspective-wikipedia-2k", True): 5.0,
    ("davidson", False): 0.3,
    ("davidson", True): 0.3,
    # Templates and lists repeat few words very often, so each row counts for less than a real comment.
    ("unintended-ml-bias", False): 0.3,
    ("unintended-ml-bias", True): 0.3,
    ("surge-profanity", True): 0.4,
    ("composed", False): 0.3,
    ("composed", True): 0.3,
    ("written-civil_conflict", False): 3.0,
    ("written-civil_news", False): 2.0,
    ("written-civil_contrast", False): 3.0,
    ("written-civil_everyday", False): 2.0,
    ("written-hostile", True): 2.0,
}
FOR_HASHED: Importance = {
    ("toxic-spans", False): 0.3,
    ("news-sentences", False): 0.3,
    ("news-sentences", True): 0.3,
    ("perspective-wikipedia-2k", False): 4.0,
    ("perspective-wikipedia-2k", True): 4.0,
    ("context-toxicity", False): 2.0,
    ("context-toxicity", True): 2.0,
    ("unintended-ml-bias", False): 0.15,
    ("unintended-ml-bias", True): 0.15,
    ("surge-profanity", True): 0.5,
    ("composed", False): 0.7,
    ("composed", True): 0.5,
    ("written-hostile", True): 0.5,
}
_PLAINLY_CIVIL = 0.1
_KEPT_SHARE = 0.75


def importance_of(example: Example, table: Importance) -> float:
    """Return how much an example counts in training."""
    return table.get((example.source, example.toxic), 1.0)


def chosen(examples: Sequence[Example], chance: random.Random) -> list[Example]:
    """Return the examples that the compact model sees: of the many plainly civil talk-page rows three of four."""
    return [
        one
        for one in examples
        if one.source != "context-toxicity"
        or one.targets[Attribute.TOXICITY] >= _PLAINLY_CIVIL
        or chance.random() < _KEPT_SHARE
    ]
