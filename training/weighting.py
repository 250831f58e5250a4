"""Which examples are trained on, and how much each counts; chosen on the development part."""

import random
from collections.abc import Sequence

from training.sources import Attribute, Example

_IMPORTANCE = {
    # Comments that were picked as toxic and then voted civil are close calls.
    ("toxic-spans", False): 0.5,
    ("news-sentences", False): 0.7,
    ("news-sentences", True): 0.5,
    ("perspective-wikipedia-2k", False): 3.0,
    ("perspective-wikipedia-2k", True): 3.0,
    ("davidson", False): 0.4,
    ("davidson", True): 0.4,
    # Templates and lists repeat few words very often, so each row counts for less than a real comment.
    ("unintended-ml-bias", False): 0.3,
    ("unintended-ml-bias", True): 0.3,
    ("surge-profanity", True): 0.4,
    ("composed", False): 0.3,
    ("composed", True): 0.3,
    ("written-civil_conflict", False): 2.0,
    ("written-civil_news", False): 2.0,
    ("written-civil_contrast", False): 2.0,
    ("written-hostile", True): 2.0,
}
_PLAINLY_CIVIL = 0.1
_KEPT_SHARE = 0.5


def importance_of(example: Example) -> float:
    """Return how much an example counts in training, 1 unless its source asks for less or more."""
    return _IMPORTANCE.get((example.source, example.toxic), 1.0)


def chosen(examples: Sequence[Example], chance: random.Random) -> list[Example]:
    """Return the examples to train on: of the many plainly civil talk-page rows every other one."""
    return [
        one
        for one in examples
        if one.source != "context-toxicity"
        or one.targets[Attribute.TOXICITY] >= _PLAINLY_CIVIL
        or chance.random() < _KEPT_SHARE
    ]
