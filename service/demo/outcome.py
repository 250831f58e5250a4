"""What became of the discussion, comment by comment, beside what a person would have done."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from service.demo.discussion import Said, agrees

OUTCOMES: Final = ("published", "held", "rejected", "refused")
_EXPECTATIONS: Final = ("publish", "publish or hold", "hold or reject", "reject")
_TEXT_WIDTH: Final = 64


class Became(NamedTuple):
    """One comment and what the service made of it: a status (or `refused`), the reasons' codes, the score."""

    said: Said
    outcome: str
    reasons: tuple[str, ...] = ()
    toxicity: float | None = None

    @property
    def agreed(self) -> bool:
        """True when a person would have done the same."""
        return agrees(self.said.expected, self.outcome)


def became(said: Said, found: dict[str, Any]) -> Became:
    """Answer what a moderator reads about a comment, as one line needs it."""
    scores = [score["value"] for score in found["scores"] if score["attribute"] == "toxicity"]
    reasons = tuple(reason["code"] for reason in found["reasons"])
    return Became(said, found["status"], reasons, scores[0] if scores else None)


def lines(all_of: Sequence[Became]) -> Iterator[str]:
    """Yield the table of every comment, the counts, and in how many a person agrees."""
    yield f"{'became':<10} {'reason':<12} {'score':>5}  {'a person would':<18} who wrote what"
    for one in all_of:
        score = "" if one.toxicity is None else f"{one.toxicity:.3f}"
        person = "the same" if one.agreed else one.said.expected.upper()
        yield f"{one.outcome:<10} {','.join(one.reasons):<12} {score:>5}  {person:<18} {_cut(one.said)}"
    yield ""
    yield from counts(all_of)


def counts(all_of: Sequence[Became]) -> Iterator[str]:
    """Yield what a person would do against what was done, and the sum."""
    yield f"{'a person would':<18}" + "".join(f"{outcome:>11}" for outcome in OUTCOMES)
    for expected in _EXPECTATIONS:
        done = Counter(one.outcome for one in all_of if one.said.expected == expected)
        yield f"{expected:<18}" + "".join(f"{done[outcome]:>11}" for outcome in OUTCOMES)
    agreed = sum(one.agreed for one in all_of)
    yield f"{len(all_of)} comments: a person agrees with {agreed}; capitals say what they would do with the others"


def _cut(said: Said) -> str:
    text = f"{said.author}: {said.text}"
    return text if len(text) <= _TEXT_WIDTH else f"{text[: _TEXT_WIDTH - 1]}…"
