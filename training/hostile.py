"""Threats and attacks on groups as people write them, which the public data has too few of."""

from collections.abc import Iterator
from itertools import product

from moderation.scores import Attribute
from training.neutral import PEOPLE

_TARGETS = ("you", "you all", "your family", "this guy", "the author", "them", "her", "him", "these people")
_THREATS = (
    "I hope {} die.", "I hope {} die in a fire", "someone should shoot {}", "I will kill {}", "I am going to kill {}",
    "I hope {} get cancer", "somebody should hang {}", "I want to see {} bleed", "I will find {} and beat {}",
    "kill {} all", "I'm coming for {} with a knife", "put a bullet in {}", "hope {} rot in hell",
)  # fmt: skip
_COMMANDS = (
    "kill yourself", "go kill yourself", "just kill yourself already", "kys", "do us all a favour and die", "drop dead",
    "go die", "please die", "die already", "hang yourself", "go hang yourself", "jump off a bridge", "shut up",
    "shut your mouth", "shut the hell up", "shut your face you clown", "nobody would miss you if you died",
    "I know where you live", "watch your back", "you will pay for this with your life", "you deserve to be raped",
    "you deserve to die", "you should be shot", "you are a waste of oxygen", "you are worthless", "you are pathetic",
    "you make me sick", "you are a disgrace", "get lost you parasite", "go back to your country",
    "go back to where you came from", "people like you should not breathe", "you have the brain of an insect",
    "your mother should have aborted you", "what a pathetic little man", "you disgust me", "you sick freak",
)  # fmt: skip
_HATE = (
    "{} are vermin.", "{} are subhuman.", "{} are a disease.", "I hate {}.", "I hate all {}.", "Deport all {}.",
    "{} should all be shot.", "{} do not deserve to live.", "Kill all {}.", "{} are filthy animals.",
    "{} are parasites and thieves.", "All {} are criminals.", "{} are stupid.", "Get rid of the {}.",
    "{} ruin everything they touch.", "No {} in our town, they stink.", "{} are disgusting.", "Burn the {}.",
)  # fmt: skip


def hostile_texts() -> Iterator[tuple[str, Attribute | None]]:
    """Yield threats, hatred of groups and abuse, every one of which a moderator would take down, and the named harm."""
    for sentence in _COMMANDS:
        yield sentence, None
    for sentence, target in product(_THREATS, _TARGETS):
        yield sentence.replace("{}", target), Attribute.THREAT
    for sentence, name in product(_HATE, PEOPLE):
        yield sentence.format(name), Attribute.IDENTITY_ATTACK
