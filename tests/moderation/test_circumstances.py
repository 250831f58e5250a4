"""Rules over who wrote and how it was sent: what is not known accuses nobody, and a sanction needs no rule."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.circumstances import NOTHING_KNOWN, Circumstances
from moderation.policy import Condition, Mode, Outcome, Policy, Rule, parse_policy_json, policy_to_json
from moderation.rules import CIRCUMSTANCES, REVIEW, Signal
from moderation.scores import Scores
from moderation.signals import Signals
from moderation.verdict import CauseKind, Verdict, judge
from tests.moderation.samples import CALM, HARSH, circumstances, policies, policy_of, scores_of, toxicity
from tests.moderation.samples import scores as any_scores
from tests.moderation.samples import signals as any_signals

FIRST_THREE = Rule("newcomers", Outcome.HOLD, (Condition(signal=Signal.APPROVED, at_most=2),), "other")
AGAIN = Rule("again", Outcome.HOLD, (Condition(signal=Signal.STAY_DOWN, at_least=0.8),), "links")


def verdict_of(*rules: Rule, **known: object) -> Verdict:
    """Judge a civil comment under some rules in some circumstances."""
    return judge(scores_of(0.0), CALM, policy_of(*rules), circumstances=Circumstances(**known))  # type: ignore[arg-type]


def test_every_signal_of_circumstances_is_a_field() -> None:
    """A policy can name no circumstance that nobody could know."""
    assert {signal.value for signal in CIRCUMSTANCES} <= set(Circumstances.__struct_fields__)
    assert {signal.value for signal in set(Signal) - CIRCUMSTANCES} <= set(Signals.__struct_fields__)


@pytest.mark.parametrize(("approved", "outcome"), [(0, "hold"), (2, "hold"), (3, "publish"), (None, "publish")])
def test_the_first_comments_of_an_author_can_be_held(approved: int | None, outcome: str) -> None:
    """`at_most` holds up to its number, and the cause carries value and threshold."""
    verdict = verdict_of(FIRST_THREE, approved=approved)
    assert verdict.outcome == outcome
    assert [(cause.value, cause.threshold) for cause in verdict.causes] == ([(approved, 2.0)] if verdict.causes else [])


def test_what_is_not_known_accuses_nobody() -> None:
    """No condition over a circumstance holds while nothing is known, in either direction."""
    rules = [
        Rule(f"r{number}", Outcome.REJECT, (Condition(signal=signal, **{name: 0.0}),), "other")  # type: ignore[arg-type]
        for number, signal in enumerate(sorted(CIRCUMSTANCES))
        for name in ("at_least", "at_most")
    ]
    assert judge(scores_of(0.0), CALM, policy_of(*rules), circumstances=NOTHING_KNOWN).causes == ()


def test_flags_are_asked_for_by_any_and_refused_by_at_most() -> None:
    """`any = true` wants a 1, `at_most = 0` a 0: an unverified guest meets a rule that an account does not."""
    rule = Rule("guests", Outcome.HOLD, (Condition(signal=Signal.GUEST, any=True),), "other")
    unverified = Rule("unverified", Outcome.HOLD, (Condition(signal=Signal.VERIFIED, at_most=0),), "other")
    assert verdict_of(rule, guest=True).outcome is Outcome.HOLD
    assert verdict_of(rule, guest=False).outcome is Outcome.PUBLISH
    assert verdict_of(unverified, verified=False).outcome is Outcome.HOLD
    assert verdict_of(unverified, verified=True).outcome is Outcome.PUBLISH


def test_a_text_stays_down_for_what_it_was_removed_for() -> None:
    """The author reads the reason of the removal; without a known one, the rule's own."""
    assert [reason.code for reason in verdict_of(AGAIN, stay_down=1.0, stay_down_reason="toxicity").reasons] == [
        "toxicity"
    ]
    assert [reason.code for reason in verdict_of(AGAIN, stay_down=0.9).reasons] == ["links"]
    assert verdict_of(AGAIN, stay_down=0.7, stay_down_reason="toxicity").outcome is Outcome.PUBLISH


@pytest.mark.parametrize("mode", Mode)
def test_a_pre_moderated_author_waits_in_every_mode(mode: Mode) -> None:
    """The sanction holds by itself and accuses nobody anew; what is rejected stays rejected."""
    policy = policy_of(HARSH, mode=mode)
    held = judge(scores_of(0.0), CALM, policy, circumstances=Circumstances(pre_moderated=True))
    assert held.outcome is Outcome.HOLD
    assert CauseKind.SANCTION in {cause.kind for cause in held.causes}
    assert [reason.code for reason in held.reasons] == [REVIEW]
    assert judge(scores_of(0.95), CALM, policy, circumstances=Circumstances(pre_moderated=True)).outcome == "reject"


@pytest.mark.parametrize("mode", Mode)
def test_a_guest_near_one_who_is_shut_out_waits_and_is_not_called_restricted(mode: Mode) -> None:
    """The cause is one of its own: it speaks of the network, and of no sanction of the author."""
    held = judge(scores_of(0.0), CALM, policy_of(HARSH, mode=mode), circumstances=Circumstances(near_restricted=True))
    assert held.outcome is Outcome.HOLD
    assert CauseKind.SANCTION not in {cause.kind for cause in held.causes}
    [network] = [cause for cause in held.causes if cause.kind is CauseKind.NETWORK]
    assert (network.rule, network.name) == ("network", "near_restricted")


def test_policies_from_before_keep_their_version() -> None:
    """A policy that asks for no `at_most` is written as it always was."""
    assert b"at_most" not in policy_to_json(policy_of(HARSH))
    policy = policy_of(FIRST_THREE, Rule("both", Outcome.HOLD, (toxicity(0.2), FIRST_THREE.when[0]), "other"))
    assert parse_policy_json(policy_to_json(policy)) == policy


@given(any_scores, any_signals, policies, circumstances)
def test_knowing_is_total_and_deterministic(
    scores: Scores, signals: Signals, policy: Policy, known: Circumstances
) -> None:
    """Any circumstances have one verdict, which agrees with its causes and can be encoded."""
    verdict = judge(scores, signals, policy, circumstances=known)
    assert msgspec.json.encode(verdict) == msgspec.json.encode(judge(scores, signals, policy, circumstances=known))
    assert bool(verdict.reasons) == (verdict.outcome is not Outcome.PUBLISH)
    assert not (known.pre_moderated or known.near_restricted) or verdict.outcome is not Outcome.PUBLISH


@given(any_scores, any_signals, policies, circumstances, st.sampled_from(Circumstances.__struct_fields__))
def test_not_knowing_never_judges_harder(
    scores: Scores, signals: Signals, policy: Policy, known: Circumstances, field: str
) -> None:
    """Whatever becomes unknown, the outcome is never a stronger one."""
    order = [Outcome.PUBLISH, Outcome.HOLD, Outcome.REJECT]
    less = msgspec.structs.replace(known, **{field: None})
    before, after = (judge(scores, signals, policy, circumstances=one).outcome for one in (known, less))
    assert order.index(after) <= order.index(before)
