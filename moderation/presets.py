"""Policies to start from: the default one, changed in one respect each."""

from collections.abc import Callable

import msgspec

from moderation.policy import Policy, default_policy, parse_policy_json, policy_to_json
from moderation.rules import REVIEW, Condition, Mode, Outcome, Rule, Signal

FIRST_COMMENTS = 3
"""So many comments of a new author wait for a person."""
_NOT_TRUSTED = Condition(signal=Signal.TRUSTED, at_most=0)


def _with(name: str, *rules: Rule, mode: Mode | None = None) -> Policy:
    policy = default_policy()
    changed = msgspec.structs.replace(policy, name=name, rules=(*policy.rules, *rules), mode=mode or policy.mode)
    # Checked like one that somebody wrote, and with numbers of the same kind.
    return parse_policy_json(policy_to_json(changed))


#: What a public site wants, and a script that fills a new one with numbered texts does not.
_FLOODS = (
    Rule(
        "sent-again",
        Outcome.HOLD,
        (Condition(signal=Signal.DUPLICATES, at_least=3), Condition(signal=Signal.CHARACTERS, at_least=30)),
        "spam",
    ),
    Rule("sent-again-with-changes", Outcome.HOLD, (Condition(signal=Signal.NEAR_DUPLICATES, at_least=3),), "spam"),
    Rule("flood-from-one-network", Outcome.HOLD, (Condition(signal=Signal.BURST, at_least=25),), "spam"),
)


def _new_commenters() -> Policy:
    few = Condition(signal=Signal.APPROVED, at_most=FIRST_COMMENTS - 1)
    return _with("new-commenters", *_FLOODS, Rule("first-comments", Outcome.HOLD, (few, _NOT_TRUSTED), REVIEW))


def _guests_wait() -> Policy:
    guest = Condition(signal=Signal.GUEST, at_least=1)
    return _with("guests-wait", *_FLOODS, Rule("guests", Outcome.HOLD, (guest, _NOT_TRUSTED), REVIEW))


def _wary() -> Policy:
    often_refused = Condition(signal=Signal.REJECTED_SHARE, at_least=0.3)
    few, linked = Condition(signal=Signal.APPROVED, at_most=0), Condition(signal=Signal.LINKS, at_least=1)
    return _with(
        "wary",
        *_FLOODS,
        Rule("often-refused", Outcome.HOLD, (often_refused, _NOT_TRUSTED), REVIEW),
        Rule("first-with-link", Outcome.HOLD, (few, linked), "links"),
    )


PRESETS: dict[str, tuple[str, Callable[[], Policy]]] = {
    "default": ("the model decides, and signals of programs and of what was taken down", default_policy),
    "guarded": (
        "texts that come again and again, and floods from one network, wait", lambda: _with("guarded", *_FLOODS)
    ),
    "new-commenters": (f"an author's first {FIRST_COMMENTS} comments wait, until they are published", _new_commenters),
    "guests-wait": ("comments of guests wait; accounts of the publisher are judged by the model", _guests_wait),
    "wary": ("authors wait of whom much was taken down, and a first comment with a link", _wary),
    "pre-moderation": (
        "every comment that is not rejected waits", lambda: _with("pre-moderation", mode=Mode.PRE_MODERATION)
    ),
}  # fmt: skip
"""What each preset does, and how it is made."""
