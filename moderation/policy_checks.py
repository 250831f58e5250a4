"""What types alone cannot say about a policy: which parts contradict each other or go over a limit."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from moderation.policy_reading import Problem
from moderation.rules import (
    BUILT_IN_REASONS,
    COUNTED,
    LONGEST_WORD,
    MEASURED,
    MOST_CONDITIONS,
    MOST_REASONS,
    MOST_RULES,
    MOST_WORDS,
    SHARES,
    YES_OR_NO,
    Condition,
    Outcome,
    Reason,
    Rule,
)

_ANY = ", ".join(sorted(signal.value for signal in COUNTED | YES_OR_NO))

_BUILT_IN = frozenset(reason.code for reason in BUILT_IN_REASONS)


def _threshold_problems(condition: Condition, path: str) -> Iterator[Problem]:
    given = [name for name in ("at_least", "at_most") if getattr(condition, name) is not None]
    if condition.any and condition.signal not in COUNTED | YES_OR_NO:
        yield f"{path}.any", f"Only {_ANY} can be asked for any"
    if len(given) + condition.any > 1:
        names = [*given, *(["any"] if condition.any else [])]
        yield path, f"Give {' or '.join(names)}, not both" if len(names) == 2 else "Give one of at_least, at_most, any"
    elif not given and not condition.any:
        yield path, f"Give at_least or at_most, or any = true for {_ANY}"
    if "at_most" in given and condition.attribute is not None:
        yield f"{path}.at_most", "A rule over an attribute speaks from a score on; give at_least"
    elif len(given) == 1 and not condition.any:
        yield from _number_problems(condition, f"{path}.{given[0]}", least=1 if given == ["at_least"] else 0)


def _number_problems(condition: Condition, path: str, *, least: int) -> Iterator[Problem]:
    value, signal = condition.threshold, condition.signal
    if not math.isfinite(value):
        yield path, "Expected a finite number"
    elif signal is None or signal in SHARES:
        if not 0.0 <= value <= 1.0:
            yield path, "Expected a number between 0 and 1"
    elif signal in YES_OR_NO:
        if value != least:
            yield path, f"Expected {least}: this signal is 1 or 0"
    elif signal in MEASURED:
        if value < 0:
            yield path, "Expected a number of at least 0"
    elif value < least or value != int(value):
        yield path, f"Expected a whole number of at least {least}"


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


def _repeated(names: Iterable[tuple[str, str]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for path, name in names:
        if name in seen:
            yield path, f"{name!r} is used twice"
        seen.add(name)


def _limit_problems(rules: int, reasons: int, words: int) -> Iterator[Problem]:
    counts = (("rules", rules, MOST_RULES), ("reasons", reasons, MOST_REASONS), ("words", words, MOST_WORDS))
    for name, count, most in counts:
        if count > most:
            yield name, f"Expected at most {most} entries, got {count}"


def _word_problems(words: Sequence[str]) -> Iterator[Problem]:
    for at, word in enumerate(words):
        if not word.strip():
            yield f"words[{at}]", "Expected a word or a phrase"
        elif len(word) > LONGEST_WORD:
            yield f"words[{at}]", f"Expected at most {LONGEST_WORD} characters"


def model_problems(model: str, fallback_model: str | None) -> Iterator[Problem]:
    """Yield what is wrong with the two models that a policy names."""
    if fallback_model == model:
        yield "fallback_model", "Expected another model than the one it stands in for"


def problems_in(rules: Sequence[Rule], reasons: Sequence[Reason], words: Sequence[str]) -> Iterator[Problem]:
    """Yield every problem of the parts of a policy whose types are already right."""
    # What is added to a policy must not be what makes it too long.
    own = [reason for reason in reasons if reason.code not in _BUILT_IN]
    yield from _limit_problems(len(rules), len(own), len(words))
    yield from _repeated((f"rules[{at}].id", rule.id) for at, rule in enumerate(rules))
    yield from _repeated((f"reasons[{at}].code", reason.code) for at, reason in enumerate(reasons))
    codes = _BUILT_IN.union(reason.code for reason in reasons)
    for at, rule in enumerate(rules):
        yield from _rule_problems(rule, f"rules[{at}]", codes)
    yield from _word_problems(words)


def problems_in_parts(sound: Mapping[str, Any], raw: object) -> Iterator[Problem]:
    """Yield what is wrong, besides the types, with the sound parts, by path, of a document that is not sound whole."""
    document = raw if isinstance(raw, Mapping) else {}
    rules, reasons = _entries(document, "rules"), _entries(document, "reasons")
    words = len(_entries(document, "words"))
    if "model" in sound:
        yield from model_problems(sound["model"], sound.get("fallback_model"))
    yield from _limit_problems(len(rules), sum(_name_of(one, "code") not in _BUILT_IN for one in reasons), words)
    yield from _repeated((path, part) for path, part in sound.items() if path.endswith("].id"))
    yield from _repeated((path, part) for path, part in sound.items() if path.endswith("].code"))
    codes = _BUILT_IN.union(str(_name_of(one, "code")) for one in reasons)
    for path, part in sound.items():
        if isinstance(part, Condition):
            yield from _condition_problems(part, path)
        elif isinstance(part, Rule):
            yield from _rule_problems(part, path, codes)
    yield from _word_problems(sound.get("words", ()))


def _entries(document: Mapping[str, Any], name: str) -> list[Any]:
    entries = document.get(name)
    return entries if isinstance(entries, list) else []


def _name_of(entry: object, field: str) -> object:
    return entry.get(field) if isinstance(entry, Mapping) else None
