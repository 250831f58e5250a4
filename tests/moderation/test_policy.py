"""A policy is read whole or refused with every problem, and its version is its content."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.policy import (
    Mode,
    OnScorerFailure,
    Policy,
    PolicyError,
    Reason,
    default_policy,
    parse_policy_json,
    parse_policy_toml,
    policy_to_json,
    problems_of,
)
from moderation.rules import (
    BUILT_IN_REASONS,
    MOST_REASONS,
    MOST_RULES,
    MOST_WORDS,
    Condition,
    Outcome,
    Rule,
    Signal,
)
from tests.moderation.samples import policies, policy_of

GOOD = """
name = "Daily"
model = "model-a"
mode = "pre-moderation"
on_scorer_failure = "hold"
words = ["badger"]
[[rules]]
id = "links"
outcome = "hold"
reason = "links"
when = [{ signal = "links", at_least = 3 }, { attribute = "toxicity", at_least = 0.2 }]
[[reasons]]
code = "links"
text = "Too many links."
"""


def rule(**fields: object) -> dict[str, object]:
    """Return a sound rule as plain data, changed by the fields given."""
    return {"id": "r", "outcome": "hold", "when": [{"signal": "links", "at_least": 1}], **fields}


def problems(**fields: object) -> dict[str, str]:
    """Return the problems of a document that is sound but for the fields given."""
    with pytest.raises(PolicyError) as caught:
        parse_policy_json(json.dumps({"name": "n", "model": "m", **fields}).encode())
    return dict(caught.value.problems)


def test_toml_gives_what_it_says() -> None:
    """Every field of a document arrives in the policy."""
    policy = parse_policy_toml(GOOD)
    assert (policy.mode, policy.on_scorer_failure) == (Mode.PRE_MODERATION, OnScorerFailure.HOLD)
    assert policy.rules[0].when[0] == Condition(signal=Signal.LINKS, at_least=3.0)
    assert policy.words == ("badger",)


@pytest.mark.parametrize("built_in", BUILT_IN_REASONS, ids=lambda reason: str(reason.code))
def test_the_built_in_reasons_are_always_there(built_in: Reason) -> None:
    """A policy that does not word a built-in reason gets its sentence; one that does keeps its own."""
    assert built_in in parse_policy_toml(GOOD).reasons
    own = parse_policy_toml(GOOD + f'[[reasons]]\ncode = "{built_in.code}"\ntext = "Mine."\n')
    assert own.reason(built_in.code).text == "Mine."
    assert [reason.code for reason in own.reasons].count(built_in.code) == 1


def test_a_policy_may_name_a_fallback() -> None:
    """A second model is another content; the same model twice is refused, also beside a mistake of shape."""
    second = parse_policy_toml(f'fallback_model = "model-b"\n{GOOD}')
    assert (second.model, second.fallback_model) == ("model-a", "model-b")
    assert parse_policy_json(policy_to_json(second)) == second
    assert second.version != parse_policy_toml(GOOD).version
    assert set(problems(fallback_model="m")) == {"fallback_model"}
    assert set(problems(fallback_model="")) == {"fallback_model"}
    assert set(problems(fallback_model="m", mode="x")) == {"fallback_model", "mode"}


def test_a_policy_without_a_fallback_keeps_its_version() -> None:
    """Decisions made before there were fallbacks name versions that are still those of the same content."""
    assert parse_policy_toml(GOOD).version == "sha256:18bd2e849bd0694f"
    assert b"fallback_model" not in policy_to_json(parse_policy_toml(GOOD))


def test_an_unknown_code_is_told_as_other() -> None:
    """A code that the policy does not know reads as the site's `other`."""
    own = parse_policy_toml(GOOD + '[[reasons]]\ncode = "other"\ntext = "Mine."\n')
    assert own.reason("never-heard-of").text == "Mine."


def test_a_rule_may_name_a_built_in_reason_that_the_site_does_not_word() -> None:
    """A rule whose reason is built in needs no sentence of the site."""
    document = {"name": "n", "model": "m", "rules": [rule(reason=one.code, id=one.code) for one in BUILT_IN_REASONS]}
    assert len(parse_policy_json(json.dumps(document).encode()).rules) == len(BUILT_IN_REASONS)


def test_the_built_in_reasons_do_not_count_against_the_limit() -> None:
    """As many reasons as a site may have can be written, read back and are one version; one more is refused."""
    reasons = [{"code": f"r{number}", "text": "Text."} for number in range(MOST_REASONS + 1)]
    policy = parse_policy_json(json.dumps({"name": "n", "model": "m", "reasons": reasons[1:]}).encode())
    assert parse_policy_json(policy_to_json(policy)).version == policy.version
    assert set(problems(reasons=reasons)) == {"reasons"}


def test_version_does_not_depend_on_form() -> None:
    """TOML, JSON in any key order and spacing, and a round trip all have one version."""
    policy = parse_policy_toml(GOOD)
    document = json.loads(policy_to_json(policy))
    turned = json.dumps(dict(reversed(document.items())), indent=3).encode()
    assert parse_policy_json(turned) == policy
    assert parse_policy_json(turned).version == policy.version
    assert policy.version.startswith("sha256:")
    assert len(policy.version) == len("sha256:") + 16


@pytest.mark.parametrize(("old", "new"), [("0.2", "0.21"), ("= 3", "= 4"), ("badger", "weasel"), ("many", "more")])
def test_version_changes_with_content(old: str, new: str) -> None:
    """A changed threshold, word or sentence is another version."""
    assert parse_policy_toml(GOOD.replace(old, new)).version != parse_policy_toml(GOOD).version


@given(policies)
def test_any_sound_policy_survives_a_round_trip(policy: Policy) -> None:
    """Writing and reading gives the policy back, with its version."""
    assert problems_of(policy) == []
    assert parse_policy_json(policy_to_json(policy)) == policy


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"colour": "red"}, "colour"),
        ({"name": ""}, "name"),
        ({"name": 5}, "name"),
        ({"mode": "anarchy"}, "mode"),
        ({"on_scorer_failure": "shrug"}, "on_scorer_failure"),
        ({"rules": {}}, "rules"),
        ({"rules": [7]}, "rules[0]"),
        ({"rules": [rule(colour=1)]}, "rules[0].colour"),
        ({"rules": [rule(id="Not a code!")]}, "rules[0].id"),
        ({"rules": [rule(id="a\n")]}, "rules[0].id"),
        ({"rules": [rule(), rule()]}, "rules[1].id"),
        ({"rules": [rule(outcome="publish")]}, "rules[0].outcome"),
        ({"rules": [rule(outcome="explode")]}, "rules[0].outcome"),
        ({"rules": [rule(reason="unheard")]}, "rules[0].reason"),
        ({"rules": [rule(when=[])]}, "rules[0].when"),
        ({"rules": [{"id": "r", "outcome": "hold"}]}, "rules[0].when"),
        ({"rules": [rule(when=[{}])]}, "rules[0].when[0]"),
        ({"rules": [rule(when=[{"attribute": "toxicity", "signal": "links", "at_least": 1}])]}, "rules[0].when[0]"),
        ({"rules": [rule(when=[{"attribute": "rudeness", "at_least": 1}])]}, "rules[0].when[0].attribute"),
        ({"rules": [rule(when=[{"signal": "smell", "at_least": 1}])]}, "rules[0].when[0].signal"),
        ({"rules": [rule(when=[{"attribute": "toxicity", "at_least": 1.01}])]}, "rules[0].when[0].at_least"),
        ({"rules": [rule(when=[{"attribute": "toxicity", "at_least": -0.1}])]}, "rules[0].when[0].at_least"),
        ({"rules": [rule(when=[{"attribute": "toxicity", "at_least": "high"}])]}, "rules[0].when[0].at_least"),
        ({"rules": [rule(when=[{"signal": "shouting", "at_least": 70}])]}, "rules[0].when[0].at_least"),
        ({"rules": [rule(when=[{"signal": "links", "at_least": 0}])]}, "rules[0].when[0].at_least"),
        ({"rules": [rule(when=[{"signal": "links", "at_least": 1.5}])]}, "rules[0].when[0].at_least"),
        ({"rules": [rule(when=[{"signal": "links", "any": True}])]}, "rules[0].when[0].any"),
        ({"rules": [rule(when=[{"attribute": "toxicity", "at_most": 0.5}])]}, "rules[0].when[0].at_most"),
        ({"rules": [rule(when=[{"signal": "approved", "at_most": -1}])]}, "rules[0].when[0].at_most"),
        ({"rules": [rule(when=[{"signal": "approved", "at_most": 1.5}])]}, "rules[0].when[0].at_most"),
        ({"rules": [rule(when=[{"signal": "guest", "at_most": 1}])]}, "rules[0].when[0].at_most"),
        ({"rules": [rule(when=[{"signal": "account_days", "at_most": -0.5}])]}, "rules[0].when[0].at_most"),
        ({"rules": [rule(when=[{"signal": "stay_down", "at_least": 2}])]}, "rules[0].when[0].at_least"),
        ({"rules": [rule(when=[{"signal": "approved", "at_least": 1, "at_most": 3}])]}, "rules[0].when[0]"),
        ({"rules": [rule(when=[{"signal": "guest", "any": True, "at_most": 0}])]}, "rules[0].when[0]"),
        ({"rules": [rule(when=[{"attribute": "toxicity"}])]}, "rules[0].when[0]"),
        ({"rules": [rule(when=[{"signal": "words", "any": True, "at_least": 2}])]}, "rules[0].when[0]"),
        ({"rules": [rule(id=f"r{n}") for n in range(MOST_RULES + 1)]}, "rules"),
        ({"reasons": [{"code": "a", "text": "b"}, {"code": "a", "text": "c"}]}, "reasons[1].code"),
        ({"reasons": [{"code": "a", "text": ""}]}, "reasons[0].text"),
        ({"words": ["x"] * (MOST_WORDS + 1)}, "words"),
        ({"words": ["x" * 101]}, "words[0]"),
        ({"words": [" "]}, "words[0]"),
        ({"words": "badger"}, "words"),
    ],
)
def test_each_mistake_is_named_by_its_path(fields: dict[str, object], path: str) -> None:
    """A document with one mistake is refused, and the problem says where."""
    assert set(problems(**fields)) == {path}


def test_all_mistakes_are_told_at_once() -> None:
    """Several mistakes in several rules are all in the answer."""
    bad = problems(
        mode="x", rules=[rule(id="!"), rule(when=[{"signal": "smell"}])], reasons=[{"code": "a", "text": ""}], more=1
    )
    assert set(bad) == {"mode", "rules[0].id", "rules[1].when[0].signal", "reasons[0].text", "more"}


def test_mistakes_of_shape_do_not_hide_the_others() -> None:
    """One wrong type leaves everything else checked: repeats, reasons, thresholds and words are told with it."""
    bad = problems(
        mode="x",
        rules=[
            rule(outcome="publish"),
            rule(id="!", when=[{"signal": "links", "any": True}]),
            rule(reason="unheard"),
            rule(id="s", reason="short"),
        ],
        reasons=[{"code": "a", "text": "b"}, {"code": "a", "text": "c"}, {"code": "short", "text": ""}],
        words=[" "],
    )
    assert set(bad) == {
        "mode", "rules[0].outcome", "rules[1].id", "rules[1].when[0].any", "rules[2].id", "rules[2].reason",
        "reasons[1].code", "reasons[2].text", "words[0]",
    }  # fmt: skip


def test_too_many_entries_are_told_beside_a_mistake_of_shape() -> None:
    """A list that is too long is named although something else could not be read."""
    bad = problems(mode="x", rules=[rule(id=f"r{n}") for n in range(MOST_RULES + 1)], words=["x"] * (MOST_WORDS + 1))
    assert set(bad) == {"mode", "rules", "words"}


def test_a_mistake_is_told_once() -> None:
    """No mistake is listed twice, even where a condition is read alone and with its rule."""
    with pytest.raises(PolicyError) as caught:
        parse_policy_json(json.dumps({"name": 5, "rules": [rule(when=[{}])]}).encode())
    assert len(caught.value.problems) == len(set(caught.value.problems)) == 3


def test_a_refusal_is_a_sentence_and_names_what_is_allowed() -> None:
    """A wrong word is answered with the right ones, and a wrong code without a regular expression."""
    bad = problems(mode="x", rules=[rule(id="!"), rule(when=[{"attribute": "rudeness"}])])
    assert bad["mode"] == "Invalid enum value 'x'; use one of: model-first, pre-moderation, post-moderation"
    assert bad["rules[0].id"] == "Expected 1 to 64 lower-case letters, digits, - and _, the first a letter or digit"
    assert "toxicity" in bad["rules[1].when[0].attribute"]


def test_missing_fields_are_named() -> None:
    """Name and model have no default, for thresholds without a model mean nothing."""
    with pytest.raises(PolicyError) as caught:
        parse_policy_json(b"{}")
    assert caught.value.problems == [("name", "Missing field"), ("model", "Missing field")]


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"name": "\\ud800"}', b"null"])
def test_what_is_no_document_is_a_policy_error(data: bytes) -> None:
    """Broken, nested or foreign JSON is refused as a policy, never as a crash."""
    with pytest.raises(PolicyError):
        parse_policy_json(data)


@given(st.text(max_size=60))
def test_any_text_is_a_policy_or_a_policy_error(text: str) -> None:
    """Whatever is pasted as TOML, the only error is PolicyError."""
    with pytest.raises(PolicyError):
        parse_policy_toml(text)


def test_toml_nan_is_no_threshold() -> None:
    """TOML can write nan and inf, and a rule cannot use them."""
    for number in ("nan", "inf"):
        with pytest.raises(PolicyError, match=r"finite|between"):
            parse_policy_toml(GOOD.replace("0.2", number))


def test_problems_are_found_in_built_policies_too() -> None:
    """A policy decoded elsewhere can be checked without writing it out."""
    broken = policy_of(Rule("r", Outcome.PUBLISH, (Condition(),), "nowhere"))
    assert {path for path, _ in problems_of(broken)} == {"rules[0].outcome", "rules[0].reason", "rules[0].when[0]"}


def test_the_default_policy_is_sound() -> None:
    """The shipped policy parses, waits for a broken scorer and lets the model speak first."""
    policy = default_policy()
    assert problems_of(policy) == []
    assert (policy.mode, policy.on_scorer_failure) == (Mode.MODEL_FIRST, OnScorerFailure.WAIT)
    assert {rule.reason for rule in policy.rules} <= {reason.code for reason in policy.reasons}


def test_the_example_of_the_docs_is_a_policy() -> None:
    """What docs/policy.md shows can be pasted as it is, for the shipped model."""
    page = (Path(__file__).parents[2] / "docs" / "policy.md").read_text(encoding="utf-8")
    example = parse_policy_toml(page.split("```toml\n")[1].split("```")[0])
    assert example.model == default_policy().model
    assert {rule.id for rule in example.rules} >= {"extreme", "disguised"}
