"""judge(): from scores, signals and a policy to a proposal with all of its causes; total and deterministic."""

from collections.abc import Iterable, Iterator
from enum import StrEnum

import msgspec

from moderation.circumstances import NOTHING_KNOWN, Circumstances
from moderation.foreign import UNDETERMINED
from moderation.policy import Policy
from moderation.rules import (
    CIRCUMSTANCES,
    LANGUAGE,
    OTHER,
    REVIEW,
    Condition,
    Mode,
    OnScorerFailure,
    Outcome,
    Reason,
    Rule,
    Signal,
)
from moderation.scores import Attribute, Scores, is_sound
from moderation.signals import Signals

# Words that are not English say nothing about what a model of more languages can read.
_ENGLISH_ALONE = frozenset({"en"})
_STRENGTH = {Outcome.PUBLISH: 0, Outcome.HOLD: 1, Outcome.REJECT: 2}


class CauseKind(StrEnum):
    """What spoke: a rule's condition, or one of the circumstances that hold by themselves."""

    ATTRIBUTE = "attribute"
    SIGNAL = "signal"
    MODE = "mode"
    MODEL = "model"
    LANGUAGE = "language"
    SCORER = "scorer"
    EMERGENCY = "emergency"
    SANCTION = "sanction"
    NETWORK = "network"
    REPORTS = "reports"


class Cause(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One thing that spoke, with its numbers; detail never holds comment text beyond listed words."""

    rule: str
    outcome: Outcome
    kind: CauseKind
    name: str | None = None
    value: float | None = None
    threshold: float | None = None
    reason: str | None = None
    detail: str | None = None


class Verdict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the policy proposes, why, and whether a person must look."""

    outcome: Outcome
    causes: tuple[Cause, ...]
    reasons: tuple[Reason, ...]
    review: bool


def _value_of(signals: Signals, circumstances: Circumstances, signal: Signal) -> float | None:
    if signal is Signal.WORDS:
        return float(len(signals.words))
    if signal is Signal.EVASIONS:
        return float(len(signals.evasions))
    value = getattr(circumstances if signal in CIRCUMSTANCES else signals, signal.value)
    return None if value is None else float(value)


def _found(signals: Signals, signal: Signal | None) -> str | None:
    if signal is Signal.WORDS:
        return ", ".join(signals.words)
    return ", ".join(signals.evasions) if signal is Signal.EVASIONS else None


def _signal_cause(
    rule: Rule, condition: Condition, signal: Signal, signals: Signals, circumstances: Circumstances
) -> Cause | None:
    value = _value_of(signals, circumstances, signal)
    if value is None or not condition.holds(value):
        return None
    detail = "at most the threshold" if condition.at_most is not None else _found(signals, signal)
    return Cause(
        rule.id, rule.outcome, CauseKind.SIGNAL, signal.value, value, condition.threshold, rule.reason, detail,
    )  # fmt: skip


def _attribute_cause(
    rule: Rule, condition: Condition, attribute: Attribute, scores: Scores, by: str | None
) -> Cause | None:
    name, threshold = attribute.value, condition.threshold
    value = scores.values.get(attribute)
    if value is None:
        # A rule that can never match would be a silent gap, so it asks for a person instead.
        detail = f"{scores.model_id} does not score this attribute"
        return Cause(rule.id, Outcome.HOLD, CauseKind.ATTRIBUTE, name, None, threshold, rule.reason, detail)
    if value < threshold:
        return None
    return Cause(rule.id, rule.outcome, CauseKind.ATTRIBUTE, name, value, threshold, rule.reason, by)


def _rule_causes(
    rule: Rule, scores: Scores | None, signals: Signals, circumstances: Circumstances, by: str | None
) -> list[Cause]:
    causes = []
    for condition in rule.when:
        if condition.signal is not None:
            cause = _signal_cause(rule, condition, condition.signal, signals, circumstances)
        elif condition.attribute is not None and scores is not None:
            cause = _attribute_cause(rule, condition, condition.attribute, scores, by)
        else:
            cause = None
        if cause is None:
            return []
        causes.append(cause)
    weakest = min((cause.outcome for cause in causes), key=_STRENGTH.__getitem__, default=Outcome.PUBLISH)
    # With an attribute unscored nobody knows that the rule matches, so its reason would be an accusation.
    reason = REVIEW if any(cause.value is None for cause in causes) else _reason_of(rule, causes, circumstances)
    return [msgspec.structs.replace(cause, outcome=weakest, reason=reason) for cause in causes]


def _reason_of(rule: Rule, causes: Iterable[Cause], circumstances: Circumstances) -> str:
    """Return the rule's reason; a text that was removed before stays down for what it was removed for."""
    again = any(cause.name == Signal.STAY_DOWN.value for cause in causes)
    return circumstances.stay_down_reason if again and circumstances.stay_down_reason else rule.reason


def is_accepted(scores: Scores, policy: Policy) -> bool:
    """Return whether a policy's thresholds may be held against scores: its model's, or its fallback's calibrated."""
    return scores.model_id == policy.model or (scores.calibrated and scores.model_id == policy.fallback_model)


def _model_causes(scores: Scores | None, policy: Policy) -> Iterator[Cause]:
    """Yield why the scores cannot be held against the thresholds, if they cannot."""
    if scores is None or not is_sound(scores.values):
        publishes = policy.on_scorer_failure is OnScorerFailure.PUBLISH
        outcome = Outcome.PUBLISH if publishes else Outcome.HOLD
        detail = "there are no usable scores"
        yield Cause("scorer", outcome, CauseKind.SCORER, policy.on_scorer_failure.value, reason=REVIEW, detail=detail)
    elif not is_accepted(scores, policy):
        detail = f"the thresholds were fitted for {policy.model}"
        if scores.model_id == policy.fallback_model:
            detail = "a fallback's scores must be calibrated"
        yield Cause("model", Outcome.HOLD, CauseKind.MODEL, scores.model_id, reason=REVIEW, detail=detail)


def _language_causes(signals: Signals, languages: frozenset[str] | None) -> Iterator[Cause]:
    if languages is not None and signals.language is not None and signals.language not in languages:
        detail = "the model does not support this language"
        yield Cause("language", Outcome.HOLD, CauseKind.LANGUAGE, signals.language, reason=LANGUAGE, detail=detail)


def _part_causes(signals: Signals, languages: frozenset[str] | None) -> Iterator[Cause]:
    """Yield a hold for each language of a part that the model does not support; the rest of the text it has read."""
    if languages is None:
        return
    for code in signals.foreign:
        unread = languages <= _ENGLISH_ALONE if code == UNDETERMINED else code not in languages
        if not unread or code == signals.language:
            continue
        detail = "a part of the text is in a language that the model does not support"
        if code == UNDETERMINED:
            detail = "the language of the text, or of a part of it, cannot be told"
        yield Cause("language", Outcome.HOLD, CauseKind.LANGUAGE, code, reason=LANGUAGE, detail=detail)


def _mode_causes(policy: Policy, emergency: bool) -> Iterator[Cause]:
    if emergency:
        yield Cause("emergency", Outcome.HOLD, CauseKind.EMERGENCY, reason=REVIEW, detail="every comment is held")
    if policy.mode is Mode.PRE_MODERATION:
        yield Cause("mode", Outcome.HOLD, CauseKind.MODE, policy.mode.value, reason=REVIEW)


def _sanction_causes(circumstances: Circumstances) -> Iterator[Cause]:
    if circumstances.pre_moderated:
        detail = "every comment of this author is looked at first"
        yield Cause("sanction", Outcome.HOLD, CauseKind.SANCTION, "pre_moderation", reason=REVIEW, detail=detail)
    if circumstances.near_restricted:
        detail = "a guest who is banned or suspended wrote from the same network; the author may be somebody else"
        yield Cause("network", Outcome.HOLD, CauseKind.NETWORK, "near_restricted", reason=REVIEW, detail=detail)


def _strongest(causes: list[Cause]) -> Outcome:
    return max((cause.outcome for cause in causes), key=_STRENGTH.__getitem__, default=Outcome.PUBLISH)


def _may_go_out_first(policy: Policy, causes: list[Cause]) -> bool:
    """True when a held comment is published for a person to look at after; not when no model could stop the worst."""
    stops = {CauseKind.SCORER, CauseKind.MODEL, CauseKind.EMERGENCY, CauseKind.SANCTION, CauseKind.NETWORK}
    stopped = any(cause.kind in stops and cause.outcome is Outcome.HOLD for cause in causes)
    return policy.mode is Mode.POST_MODERATION and not stopped


def _reasons(policy: Policy, causes: list[Cause], outcome: Outcome) -> tuple[Reason, ...]:
    if outcome is Outcome.PUBLISH:
        return ()
    spoke = [policy.reason(cause.reason or OTHER) for cause in causes if cause.outcome is outcome]
    return tuple(dict.fromkeys(spoke))


def judge(
    scores: Scores | None,
    signals: Signals,
    policy: Policy,
    *,
    circumstances: Circumstances = NOTHING_KNOWN,
    languages: frozenset[str] | None = None,
    emergency: bool = False,
) -> Verdict:
    """Judge one comment: the strongest of all causes wins, and what cannot be judged is held.

    Thresholds are not applied to scores of another model or to a language outside `languages`; rules over signals are.
    Where only a part of the text is in such a language, it is held besides.
    """
    doubts = [*_model_causes(scores, policy), *_language_causes(signals, languages)]
    trusted = None if doubts else scores
    by = f"scored by the fallback {scores.model_id}" if scores and scores.model_id != policy.model else None
    causes = [cause for rule in policy.rules for cause in _rule_causes(rule, trusted, signals, circumstances, by)]
    causes += [*doubts, *_part_causes(signals, languages)]
    causes += [*_mode_causes(policy, emergency), *_sanction_causes(circumstances)]
    outcome = _strongest(causes)
    reasons = _reasons(policy, causes, outcome)
    if outcome is Outcome.HOLD and _may_go_out_first(policy, causes):
        causes.append(Cause("mode", Outcome.PUBLISH, CauseKind.MODE, policy.mode.value))
        outcome, reasons = Outcome.PUBLISH, ()
    causes.sort(key=lambda cause: -_STRENGTH[cause.outcome])
    after = policy.mode is Mode.POST_MODERATION and outcome is Outcome.PUBLISH
    return Verdict(outcome, tuple(causes), reasons, review=after or outcome is Outcome.HOLD)
