"""A site's policy: checked as a whole, immutable, and named by a hash of its content."""

import hashlib
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from moderation.policy_checks import problems_in
from moderation.policy_reading import PolicyError, Problem, read_struct
from moderation.rules import (
    LONGEST_NAME,
    OTHER,
    OTHER_REASON,
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
    """The rules of a site and the id of the model that their thresholds were fitted for."""

    name: _Name
    model: _Name
    mode: Mode = Mode.MODEL_FIRST
    on_scorer_failure: OnScorerFailure = OnScorerFailure.WAIT
    rules: tuple[Rule, ...] = ()
    reasons: tuple[Reason, ...] = (OTHER_REASON,)
    words: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The name of exactly this content: sha256: and the first 16 hex digits of its canonical JSON."""
        return f"sha256:{hashlib.sha256(policy_to_json(self)).hexdigest()[:_VERSION_DIGITS]}"

    def reason(self, code: str) -> Reason:
        """Return the reason of a code, or `other` when the site does not know the code."""
        known = {reason.code: reason for reason in self.reasons}
        return known.get(code) or known.get(OTHER) or OTHER_REASON


def problems_of(policy: Policy) -> list[Problem]:
    """Return every problem of a policy that was built or decoded without being parsed here; empty when sound."""
    return list(problems_in(policy.rules, policy.reasons, policy.words))


def policy_to_json(policy: Policy) -> bytes:
    """Return the canonical JSON of a policy: every field written, in sorted order; parsing it gives the policy back."""
    return msgspec.json.encode(policy, order="sorted")


def _with_other(policy: Policy) -> Policy:
    if any(reason.code == OTHER for reason in policy.reasons):
        return policy
    return msgspec.structs.replace(policy, reasons=(*policy.reasons, OTHER_REASON))


def _parse(raw: object) -> Policy:
    problems: list[Problem] = []
    read = read_struct(Policy, raw, "", problems)
    if read is None:
        raise PolicyError(problems)
    policy = _with_other(read)
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
