"""The vocabulary of a policy: modes, outcomes, conditions, rules and the reasons told to authors."""

from enum import StrEnum
from typing import Annotated

import msgspec

from moderation.scores import Attribute

MOST_RULES = 100
MOST_CONDITIONS = 10
MOST_REASONS = 100
MOST_WORDS = 2000
LONGEST_WORD = 100
LONGEST_NAME = 100
LONGEST_TEXT = 500
# In Python `$` also stands before a last line end, which would be part of the code.
CODE_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$(?!\n)"
OTHER = "other"
"""The reason code of a rule that names none."""
REVIEW = "needs_review"
"""The reason code of a hold that no rule asked for."""
LANGUAGE = "language"
"""The reason code of a hold for a language that the model does not support."""

Code = Annotated[str, msgspec.Meta(pattern=CODE_PATTERN)]
"""A stable name: lower-case letters, digits, - and _, at most 64."""


class Mode(StrEnum):
    """Who speaks first: the model, or a person before or after publication."""

    MODEL_FIRST = "model-first"
    PRE_MODERATION = "pre-moderation"
    POST_MODERATION = "post-moderation"


class OnScorerFailure(StrEnum):
    """What becomes of a comment that could not be scored."""

    WAIT = "wait"
    HOLD = "hold"
    PUBLISH = "publish"


class Outcome(StrEnum):
    """What a rule or a verdict proposes."""

    PUBLISH = "publish"
    HOLD = "hold"
    REJECT = "reject"


class Signal(StrEnum):
    """A fact that a rule may look at."""

    LINKS = "links"
    SHOUTING = "shouting"
    REPEATS = "repeats"
    WORDS = "words"
    EVASIONS = "evasions"
    CHARACTERS = "characters"


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Holds when one attribute or one signal is at or above a number; `any` is short for at least one found."""

    attribute: Attribute | None = None
    signal: Signal | None = None
    at_least: float | None = None
    any: bool = False

    @property
    def threshold(self) -> float:
        """The number that the value must reach."""
        return 1.0 if self.at_least is None else self.at_least


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Proposes hold or reject, for a reason, when all of its conditions hold."""

    id: Code
    outcome: Outcome
    when: Annotated[tuple[Condition, ...], msgspec.Meta(min_length=1, max_length=MOST_CONDITIONS)]
    reason: str = OTHER


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A stable code and the sentence that an author reads."""

    code: Code
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_TEXT)]


BUILT_IN_REASONS = (
    # Nobody has found a fault in a comment that only waits, so these two blame its author for nothing.
    Reason(code=REVIEW, text="A moderator reads this comment before it appears."),
    Reason(
        code=LANGUAGE,
        text="A moderator reads this comment, because it is in a language that our automatic check does not know.",
    ),
    Reason(code=OTHER, text="This comment does not follow our guidelines."),
)
"""The reasons that every policy has; each is added to a policy that does not word it itself."""
