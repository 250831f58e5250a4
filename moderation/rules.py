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
    GUEST = "guest"
    VERIFIED = "verified"
    TRUSTED = "trusted"
    ACCOUNT_DAYS = "account_days"
    APPROVED = "approved"
    REJECTED_SHARE = "rejected_share"
    DUPLICATES = "duplicates"
    NEAR_DUPLICATES = "near_duplicates"
    STAY_DOWN = "stay_down"
    BURST = "burst"
    HONEYPOT = "honeypot"
    SECONDS_TO_WRITE = "seconds_to_write"
    SPAM_SERVICE = "spam_service"


COUNTED = frozenset({Signal.WORDS, Signal.EVASIONS})
"""Signals of things found in the text, which can be asked for by `any`."""
YES_OR_NO = frozenset({Signal.GUEST, Signal.VERIFIED, Signal.TRUSTED, Signal.HONEYPOT, Signal.SPAM_SERVICE})
"""Signals that are 1 or 0: `any = true` asks for 1, `at_most = 0` for 0."""
SHARES = frozenset({Signal.SHOUTING, Signal.REJECTED_SHARE, Signal.STAY_DOWN})
"""Signals in [0, 1]."""
MEASURED = frozenset({Signal.ACCOUNT_DAYS, Signal.SECONDS_TO_WRITE})
"""Signals that need not be whole numbers."""
CIRCUMSTANCES = (
    YES_OR_NO
    | MEASURED
    | {
        Signal.APPROVED,
        Signal.REJECTED_SHARE,
        Signal.DUPLICATES,
        Signal.NEAR_DUPLICATES,
        Signal.STAY_DOWN,
        Signal.BURST,
    }
)
"""Signals about the author and the submission; the others are read off the text."""


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Holds when an attribute or signal is at least, or a signal at most, a number; `any` is short for at least 1."""

    attribute: Attribute | None = None
    signal: Signal | None = None
    at_least: float | None = None
    any: bool = False
    at_most: float | None = None

    @property
    def threshold(self) -> float:
        """The number that the value must reach, or must not pass."""
        if self.at_most is not None:
            return self.at_most
        return 1.0 if self.at_least is None else self.at_least

    def holds(self, value: float) -> bool:
        """Return whether the condition is true of a value."""
        return value <= self.at_most if self.at_most is not None else value >= self.threshold


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
