"""judge() always answers, always the same, and never publishes what it could not judge."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.policy import Condition, Mode, OnScorerFailure, Outcome, Policy, Rule
from moderation.rules import BUILT_IN_REASONS, LANGUAGE, REVIEW, Signal
from moderation.scores import Attribute, Scores
from moderation.signals import Signals
from moderation.verdict import CauseKind, Verdict, judge
from tests.moderation.samples import CALM, DOUBTFUL, HARSH, LINKS, MODEL, policies, policy_of, scores_of, toxicity
from tests.moderation.samples import scores as any_scores
from tests.moderation.samples import signals as any_signals

POLICY = policy_of(HARSH, DOUBTFUL, LINKS)
ORDER = [Outcome.PUBLISH, Outcome.HOLD, Outcome.REJECT]
replace = msgspec.structs.replace


@pytest.mark.parametrize(
    ("value", "outcome"), [(0.0, "publish"), (0.499, "publish"), (0.5, "hold"), (0.9, "reject"), (1.0, "reject")]
)
def test_a_threshold_is_met_at_its_number(value: float, outcome: str) -> None:
    """At or above the threshold a rule speaks, below it is silent."""
    assert judge(scores_of(value), CALM, POLICY).outcome == outcome


def test_every_rule_that_spoke_is_told_strongest_first() -> None:
    """Causes carry rule, number, threshold and reason of all rules that matched."""
    verdict = judge(scores_of(0.95), replace(CALM, links=4), POLICY)
    told = [(cause.rule, cause.name, cause.value, cause.threshold, cause.reason) for cause in verdict.causes]
    assert told == [
        ("harsh", "toxicity", 0.95, 0.9, "toxicity"),
        ("doubtful", "toxicity", 0.95, 0.5, "toxicity"),
        ("links", "links", 4.0, 3.0, "links"),
    ]
    assert [reason.code for reason in verdict.reasons] == ["toxicity"]
    assert not verdict.review


def test_conditions_of_a_rule_are_all_needed() -> None:
    """A rule with two conditions speaks when both hold, with a cause for each."""
    both = Rule("both", Outcome.HOLD, (Condition(signal=Signal.EVASIONS, any=True), toxicity(0.3)), "toxicity")
    disguised = replace(CALM, evasions=("leet",))
    assert judge(scores_of(0.4), CALM, policy_of(both)).outcome is Outcome.PUBLISH
    assert judge(scores_of(0.2), disguised, policy_of(both)).outcome is Outcome.PUBLISH
    verdict = judge(scores_of(0.4), disguised, policy_of(both))
    assert verdict.outcome is Outcome.HOLD
    assert [cause.detail for cause in verdict.causes] == ["leet", None]


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("choice", OnScorerFailure)
def test_without_scores_only_a_written_wish_publishes(mode: Mode, choice: OnScorerFailure) -> None:
    """No scores means hold in every mode, unless the policy says publish and no one looks before."""
    policy = policy_of(HARSH, mode=mode, on_scorer_failure=choice)
    verdict = judge(None, CALM, policy)
    publishes = choice is OnScorerFailure.PUBLISH and mode is not Mode.PRE_MODERATION
    assert (verdict.outcome is Outcome.PUBLISH) == publishes
    assert CauseKind.SCORER in {cause.kind for cause in verdict.causes}


def test_unsound_scores_are_no_scores() -> None:
    """A number that is not in [0, 1], or none at all, is held like a missing scorer."""
    for values in ({Attribute.TOXICITY: float("nan")}, {Attribute.TOXICITY: 2.0}, {}):
        assert judge(Scores(MODEL, True, values), CALM, POLICY).outcome is Outcome.HOLD


def test_signal_rules_speak_without_scores() -> None:
    """Where scores are missing, a rule over signals may still reject."""
    spam = Rule("spam", Outcome.REJECT, (Condition(signal=Signal.LINKS, at_least=3),), "links")
    assert judge(None, replace(CALM, links=3), policy_of(spam)).outcome is Outcome.REJECT


@pytest.mark.parametrize("value", [0.0, 1.0])
@pytest.mark.parametrize("mode", Mode)
def test_another_model_is_held(value: float, mode: Mode) -> None:
    """Thresholds fitted for one model neither publish nor reject by another's scores."""
    verdict = judge(scores_of(value, "model-b"), CALM, policy_of(HARSH, mode=mode))
    assert verdict.outcome is Outcome.HOLD
    assert verdict.causes[0].kind is CauseKind.MODEL


BY_TWO = policy_of(HARSH, DOUBTFUL, fallback_model="model-b")


@pytest.mark.parametrize(("value", "outcome"), [(0.0, "publish"), (0.5, "hold"), (0.95, "reject")])
def test_a_fallback_is_held_against_the_same_thresholds(value: float, outcome: str) -> None:
    """The model that a policy names as its fallback is judged like the first, and every cause says who spoke."""
    verdict = judge(scores_of(value, "model-b"), CALM, BY_TWO)
    assert verdict.outcome == outcome == judge(scores_of(value), CALM, BY_TWO).outcome
    assert {cause.detail for cause in verdict.causes} <= {"scored by the fallback model-b"}
    assert {cause.detail for cause in judge(scores_of(value), CALM, BY_TWO).causes} <= {None}


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_fallback_that_is_not_calibrated_is_held(value: float) -> None:
    """A number that is no probability cannot be held against another model's thresholds."""
    verdict = judge(replace(scores_of(value, "model-b"), calibrated=False), CALM, BY_TWO)
    assert (verdict.outcome, verdict.causes[0].kind) == (Outcome.HOLD, CauseKind.MODEL)
    assert verdict.causes[0].detail == "a fallback's scores must be calibrated"
    assert judge(replace(scores_of(value), calibrated=False), CALM, BY_TWO).causes != verdict.causes


def test_a_third_model_is_held() -> None:
    """Naming a fallback opens the door for that one alone."""
    assert judge(scores_of(0.0, "model-c"), CALM, BY_TWO).outcome is Outcome.HOLD


@given(any_scores, any_signals, policies)
def test_a_fallback_only_adds_scores_that_count(scores: Scores, signals: Signals, policy: Policy) -> None:
    """Naming a fallback changes nothing for the scores of any model but that one."""
    without = replace(policy, fallback_model=None)
    if scores.model_id != policy.fallback_model:
        assert judge(scores, signals, policy) == judge(scores, signals, without)


def test_a_language_the_model_cannot_read_is_held() -> None:
    """A known language outside the scorer's is held, an unknown one is judged."""
    english = frozenset({"en"})
    foreign = judge(scores_of(0.99), replace(CALM, language="ru"), POLICY, languages=english)
    assert (foreign.outcome, foreign.causes[0].kind, foreign.causes[0].name) == ("hold", "language", "ru")
    assert judge(scores_of(0.0), replace(CALM, language=None), POLICY, languages=english).outcome is Outcome.PUBLISH
    assert judge(scores_of(0.0), replace(CALM, language="ru"), POLICY).outcome is Outcome.PUBLISH


@pytest.mark.parametrize(
    ("foreign", "languages", "held"),
    [
        (("ru",), {"en"}, ["ru"]),
        (("und", "de"), {"en"}, ["und", "de"]),
        (("ru", "zh"), {"en", "ru", "fr"}, ["zh"]),
        (("und",), {"en", "ru", "fr"}, []),
        (("und", "en"), set(), ["und"]),
        (("und-Lisu",), {"en", "ru", "fr"}, ["und-Lisu"]),
        (("ru",), None, []),
        ((), {"en"}, []),
    ],
)
def test_a_part_the_model_cannot_read_is_held(
    foreign: tuple[str, ...], languages: set[str] | None, held: list[str]
) -> None:
    """A part in a language outside the scorer's holds the text; words in none say nothing to a model of many."""
    known = None if languages is None else frozenset(languages)
    verdict = judge(scores_of(0.0), replace(CALM, language="en", foreign=foreign), POLICY, languages=known)
    found = [cause.name for cause in verdict.causes if cause.kind == "language"]
    assert found == held or (languages == set() and found[0] == "en")
    assert (verdict.outcome is Outcome.HOLD) == bool(found)


def test_the_rest_of_a_text_with_a_foreign_part_is_judged() -> None:
    """What the model has read counts beside the part that it could not read, so nothing weakens a rejection."""
    both = judge(scores_of(0.99), replace(CALM, foreign=("ru",)), POLICY, languages=frozenset({"en"}))
    assert both.outcome is Outcome.REJECT
    assert {cause.kind for cause in both.causes} == {"attribute", "language"}


def test_an_attribute_the_model_does_not_score_is_held() -> None:
    """A rule that can never match asks for a person instead of being ignored."""
    threats = Rule("threats", Outcome.REJECT, (Condition(attribute=Attribute.THREAT, at_least=0.5),), "other")
    verdict = judge(scores_of(0.0), CALM, policy_of(threats))
    assert verdict.outcome is Outcome.HOLD
    assert verdict.causes[0].value is None


PRE = policy_of(HARSH, mode=Mode.PRE_MODERATION)
UNSCORED = policy_of(Rule("threats", Outcome.REJECT, (Condition(attribute=Attribute.THREAT, at_least=0.5),), "links"))


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (judge(scores_of(0.0), CALM, PRE), REVIEW),
        (judge(scores_of(0.0), CALM, POLICY, emergency=True), REVIEW),
        (judge(scores_of(0.0, model="model-b"), CALM, POLICY), REVIEW),
        (judge(None, CALM, POLICY), REVIEW),
        (judge(scores_of(0.0), CALM, UNSCORED), REVIEW),
        (judge(scores_of(0.0), replace(CALM, language="ru"), POLICY, languages=frozenset({"en"})), LANGUAGE),
    ],
    ids=["mode", "emergency", "model", "scorer", "unscored attribute", "language"],
)
def test_a_hold_that_no_rule_asked_for_accuses_nobody(verdict: Verdict, code: str) -> None:
    """The author of a comment that only waits reads the built-in sentence that says so, in any policy."""
    [built_in] = [reason for reason in BUILT_IN_REASONS if reason.code == code]
    assert (verdict.outcome, verdict.reasons) == (Outcome.HOLD, (built_in,))


def test_a_rule_without_a_number_for_one_condition_accuses_nobody() -> None:
    """A condition that holds beside one that nobody scored is no finding: the author reads that a person looks."""
    conditions = (Condition(signal=Signal.LINKS, at_least=1), Condition(attribute=Attribute.THREAT, at_least=0.5))
    verdict = judge(scores_of(0.0), replace(CALM, links=2), policy_of(Rule("both", Outcome.HOLD, conditions, "links")))
    assert [reason.code for reason in verdict.reasons] == [REVIEW]


def test_an_unscored_attribute_beside_a_condition_that_fails_is_silent() -> None:
    """A rule whose other condition does not hold could not have matched anyway."""
    conditions = (Condition(attribute=Attribute.THREAT, at_least=0.5), Condition(signal=Signal.LINKS, at_least=1))
    rule = Rule("threats", Outcome.REJECT, conditions, "other")
    assert judge(scores_of(0.0), CALM, policy_of(rule)).causes == ()


def test_pre_moderation_holds_the_rest() -> None:
    """What is not rejected waits for a person."""
    policy = policy_of(HARSH, mode=Mode.PRE_MODERATION)
    assert judge(scores_of(0.0), CALM, policy).outcome is Outcome.HOLD
    assert judge(scores_of(0.95), CALM, policy).outcome is Outcome.REJECT


def test_post_moderation_publishes_and_asks_for_a_look() -> None:
    """What would be published or held goes out with review; rejects stay rejects."""
    policy = policy_of(HARSH, DOUBTFUL, mode=Mode.POST_MODERATION)
    for value in (0.0, 0.6):
        verdict = judge(scores_of(value), CALM, policy)
        assert (verdict.outcome, verdict.review, verdict.reasons) == (Outcome.PUBLISH, True, ())
    assert judge(scores_of(0.95), CALM, policy).outcome is Outcome.REJECT


@given(any_scores, any_signals, policies)
def test_an_emergency_publishes_nothing(scores: Scores, signals: Signals, policy: Policy) -> None:
    """Whatever the mode, an emergency holds what is not rejected, and says so."""
    verdict = judge(scores, signals, policy, emergency=True)
    assert verdict.outcome is not Outcome.PUBLISH
    assert CauseKind.EMERGENCY in {cause.kind for cause in verdict.causes}


@given(st.none() | any_scores, any_signals, policies, st.sampled_from([None, frozenset({"en"})]))
def test_judge_is_total_and_deterministic(
    scores: Scores | None, signals: Signals, policy: Policy, languages: frozenset[str] | None
) -> None:
    """Any sound input has one verdict, which can be encoded and whose causes agree with it."""
    verdict = judge(scores, signals, policy, languages=languages)
    assert msgspec.json.encode(verdict) == msgspec.json.encode(judge(scores, signals, policy, languages=languages))
    strengths = [ORDER.index(cause.outcome) for cause in verdict.causes]
    assert strengths == sorted(strengths, reverse=True)
    assert bool(verdict.reasons) == (verdict.outcome is not Outcome.PUBLISH)
    assert verdict.review or verdict.outcome is not Outcome.HOLD


@given(any_scores, any_signals, policies, st.floats(0, 1))
def test_a_higher_score_is_never_judged_milder(scores: Scores, signals: Signals, policy: Policy, more: float) -> None:
    """Raising any one number that the model gave never lowers the outcome."""
    for attribute, value in scores.values.items():
        worse = replace(scores, values={**scores.values, attribute: max(value, more)})
        before, after = (judge(one, signals, policy).outcome for one in (scores, worse))
        assert ORDER.index(after) >= ORDER.index(before)


@given(any_scores, any_signals, policies, policies)
def test_another_rule_never_judges_milder(scores: Scores, signals: Signals, policy: Policy, more: Policy) -> None:
    """Adding rules to a policy never lowers the outcome."""
    stricter = replace(policy, rules=(*policy.rules, *more.rules))
    before, after = (judge(scores, signals, one).outcome for one in (policy, stricter))
    assert ORDER.index(after) >= ORDER.index(before)
