"""Perspective's names of attributes and ours: what a client of that API may ask of a model here."""

from collections.abc import Mapping

from moderation.scores import Attribute

_NAMES = {
    "TOXICITY": Attribute.TOXICITY,
    "SEVERE_TOXICITY": Attribute.SEVERE_TOXICITY,
    "IDENTITY_ATTACK": Attribute.IDENTITY_ATTACK,
    "INSULT": Attribute.INSULT,
    "THREAT": Attribute.THREAT,
    "PROFANITY": Attribute.OBSCENE,
    "OBSCENE": Attribute.OBSCENE,
    "SEXUALLY_EXPLICIT": Attribute.SEXUAL_EXPLICIT,
}
ATTRIBUTES: Mapping[str, Attribute] = _NAMES | {f"{name}_EXPERIMENTAL": ours for name, ours in _NAMES.items()}
"""Every name that stands for something a model of ours may measure; what none measures has no name here."""


def attribute_of(name: str) -> Attribute | None:
    """Return our attribute for a name of Perspective's, None for what no model of ours measures."""
    return ATTRIBUTES.get(name)
