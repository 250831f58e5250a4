"""A site's policy: checked as a whole, immutable, and named by a hash of its content."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from moderation.policy_checks import model_problems, problems_in, problems_in_parts
from moderation.policy_reading import PolicyError, Problem, Reading
from moderation.rules import (
    BUILT_IN_REASONS,
    LONGEST_NAME,
    OTHER,
    Condition,
    Mode,
    OnScorerFailure,
    Outcome,
    Reason,
    Rule,
    Signal,
)

__all__ = [
    "Condition", "Mode", "OnScorerFailure", "Outcome", "Policy", "PolicyError", "Reason", "Rule", "Signal",
    "default_policy", "parse_policy_json", "parse_policy_toml", "policy_to_json", "problems_of",
]  # fmt: skip

_DEFAULT = Path(__file__).parent / "models" / "default_policy.toml"
_VERSION_DIGITS = 16
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=LONGEST_NAME)]


class Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rules of a site and the id of the model that their thresholds were fitted for.

    `fallback_model` is another calibrated model that may speak in its place: a probability means the same from both.
    """

    name: _Name
    model: _Name
    mode: Mode = Mode.MODEL_FIRST
    on_scorer_failure: OnScorerFailure = OnScorerFailure.WAIT
    rules: tuple[Rule, ...] = ()
    reasons: tuple[Reason, ...] = BUILT_IN_REASONS
    words: tuple[str, ...] = ()
    fallback_model: _Name | None = None

    @property
    def version(self) -> str:
        """The name of exactly this content: sha256: and the first 16 hex digits of its canonical JSON."""
        return f"sha256:{hashlib.sha256(policy_to_json(self)).hexdigest()[:_VERSION_DIGITS]}"

    def reason(self, code: str) -> Reason:
        """Return the reason of a code, in the site's words where it has some, or `other` for an unknown code."""
        known = {reason.code: reason for reason in (*BUILT_IN_REASONS, *self.reasons)}
        return known.get(code) or known[OTHER]


def problems_of(policy: Policy) -> list[Problem]:
    """Return every problem of a policy that was built or decoded without being parsed here; empty when sound."""
    models = model_problems(policy.model, policy.fallback_model)
    return [*models, *problems_in(policy.rules, policy.reasons, policy.words)]


def policy_to_json(policy: Policy) -> bytes:
    """Return the canonical JSON of a policy: its fields in sorted order; parsing it gives the policy back.

    What came later and is not used is left out, so that policies from before it keep their version.
    """
    fields = msgspec.to_builtins(policy)
    if policy.fallback_model is None:
        del fields["fallback_model"]
    for condition in (condition for rule in fields["rules"] for condition in rule["when"]):
        if condition["at_most"] is None:
            del condition["at_most"]
    return msgspec.json.encode(fields, order="sorted")


def _with_built_in_reasons(policy: Policy) -> Policy:
    worded = {reason.code for reason in policy.reasons}
    added = (reason for reason in BUILT_IN_REASONS if reason.code not in worded)
    return msgspec.structs.replace(policy, reasons=(*policy.reasons, *added))


def _parse(raw: object) -> Policy:
    reading = Reading()
    read = reading.read_struct(Policy, raw, "")
    if read is None:
        # A condition is told of alone and once more with its rule.
        raise PolicyError(list(dict.fromkeys([*reading.problems, *problems_in_parts(reading.sound, raw)])))
    policy = _with_built_in_reasons(read)
    if problems := problems_of(policy):
        raise PolicyError(problems)
    return policy


def parse_policy_toml(text: str) -> Policy:
    """Return the policy that a TOML document describes, or raise PolicyError with all its problems."""
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise PolicyError([("", f"This is not TOML: {str(error)[:200]}")]) from None
    return _parse(raw)


def parse_policy_json(data: bytes) -> Policy:
    """Return the policy that a JSON document describes, or raise PolicyError with all its problems."""
    try:
        raw = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise PolicyError([("", f"This is not JSON: {str(error)[:200]}")]) from None
    return _parse(raw)


def default_policy() -> Policy:
    """Return the shipped policy, whose thresholds were fitted for the shipped model."""
    return parse_policy_toml(_DEFAULT.read_text(encoding="utf-8"))
