"""What types alone cannot say about a policy: which parts contradict each other or go over a limit."""

import math
from collections.abc import Iterator, Sequence

from moderation.policy_reading import Problem
from moderation.rules import (
    LONGEST_WORD,
    MOST_CONDITIONS,
    MOST_REASONS,
    MOST_RULES,
    MOST_WORDS,
    Condition,
    Outcome,
    Reason,
    Rule,
    Signal,
)

_COUNTED = frozenset({Signal.WORDS, Signal.EVASIONS})


def _threshold_problems(condition: Condition, path: str) -> Iterator[Problem]:
    share = condition.attribute is not None or condition.signal is Signal.SHOUTING
    value = condition.at_least
    if condition.any:
        if condition.signal not in _COUNTED:
            yield f"{path}.any", "Only words and evasions can be asked for any"
        if value is not None:
            yield path, "Give at_least or any, not both"
    elif value is None:
        yield path, "Give at_least, or any = true for words and evasions"
    elif not math.isfinite(value):
        yield f"{path}.at_least", "Expected a finite number"
    elif share and not 0.0 <= value <= 1.0:
        yield f"{path}.at_least", "Expected a number between 0 and 1"
    elif not share and (value < 1 or value != int(value)):
        yield f"{path}.at_least", "Expected a whole number of at least 1"


def _condition_problems(condition: Condition, path: str) -> Iterator[Problem]:
    if (condition.attribute is None) == (condition.signal is None):
        yield path, "Give either an attribute or a signal"
    else:
        yield from _threshold_problems(condition, path)


def _rule_problems(rule: Rule, path: str, codes: frozenset[str]) -> Iterator[Problem]:
    if rule.outcome is Outcome.PUBLISH:
        yield f"{path}.outcome", "A rule can hold or reject; what no rule speaks about is published"
    if rule.reason not in codes:
        yield f"{path}.reason", f"There is no reason with the code {rule.reason!r}"
    if not 1 <= len(rule.when) <= MOST_CONDITIONS:
        yield f"{path}.when", f"Expected 1 to {MOST_CONDITIONS} conditions"
    for at, condition in enumerate(rule.when):
        yield from _condition_problems(condition, f"{path}.when[{at}]")


def _repeated(names: Sequence[str], path: str, field: str) -> Iterator[Problem]:
    seen: set[str] = set()
    for at, name in enumerate(names):
        if name in seen:
            yield f"{path}[{at}].{field}", f"{name!r} is used twice"
        seen.add(name)


def _word_problems(words: Sequence[str]) -> Iterator[Problem]:
    for at, word in enumerate(words):
        if not word.strip():
            yield f"words[{at}]", "Expected a word or a phrase"
        elif len(word) > LONGEST_WORD:
            yield f"words[{at}]", f"Expected at most {LONGEST_WORD} characters"


def problems_in(rules: Sequence[Rule], reasons: Sequence[Reason], words: Sequence[str]) -> Iterator[Problem]:
    """Yield every problem of the parts of a policy whose types are already right."""
    limits = (("rules", len(rules), MOST_RULES), ("reasons", len(reasons), MOST_REASONS))
    for name, count, most in (*limits, ("words", len(words), MOST_WORDS)):
        if count > most:
            yield name, f"Expected at most {most} entries, got {count}"
    yield from _repeated([rule.id for rule in rules], "rules", "id")
    yield from _repeated([reason.code for reason in reasons], "reasons", "code")
    codes = frozenset(reason.code for reason in reasons)
    for at, rule in enumerate(rules):
        yield from _rule_problems(rule, f"rules[{at}]", codes)
    yield from _word_problems(words)
