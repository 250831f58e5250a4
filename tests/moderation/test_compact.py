"""The compact model that ships: whole, named by the default policy, and better where words alone do not tell."""

import csv
from pathlib import Path

import pytest

from moderation.policy import Outcome, default_policy
from moderation.scorers.onnx import OnnxScorer
from moderation.signals import read_signals
from moderation.verdict import judge
from moderation.words import WordList
from service.scorers import COMPACT

SCORER = OnnxScorer.load(COMPACT)
WAR = Path(__file__).parent / "war_and_politics.csv"
EVERYDAY = (Path(__file__).parent / "everyday.txt").read_text(encoding="utf-8").splitlines()
OPEN = [row for row in csv.DictReader(WAR.read_text(encoding="utf-8").splitlines()) if row["part"] == "open"]


def outcomes(texts: list[str]) -> list[Outcome]:
    """Return what the default policy proposes for texts."""
    policy = default_policy()
    words = WordList(policy.words)
    return [
        judge(scores, read_signals(text, words), policy, languages=SCORER.languages).outcome
        for text, scores in zip(texts, SCORER.score(texts), strict=True)
    ]


def test_the_default_policy_is_written_for_it() -> None:
    """New weights without new thresholds would hold every comment, so they cannot be shipped apart."""
    assert default_policy().model == SCORER.model_id
    assert SCORER.model_id in COMPACT.with_suffix(".md").read_text(encoding="utf-8")


def test_it_is_small_enough_to_ship() -> None:
    """The whole folder stays under 25 MB."""
    assert sum(path.stat().st_size for path in COMPACT.iterdir()) < 25_000_000


def test_neutral_sentences_of_war_and_politics_are_published() -> None:
    """Of the open neutral sentences at most one in twenty-five waits for a person, and none is rejected."""
    proposed = outcomes([row["text"] for row in OPEN if row["label"] == "0"])
    assert Outcome.REJECT not in proposed
    assert proposed.count(Outcome.HOLD) * 25 <= len(proposed)


def test_everyday_sentences_are_published() -> None:
    """Of sixty civil sentences about trams, schools and neighbours at most one in twelve waits, none is rejected."""
    proposed = outcomes(EVERYDAY)
    assert Outcome.REJECT not in proposed
    assert proposed.count(Outcome.HOLD) * 12 <= len(proposed)


def test_abuse_in_war_and_politics_is_not_published() -> None:
    """Of the open abusive sentences at least nine in ten are held or rejected."""
    proposed = outcomes([row["text"] for row in OPEN if row["label"] == "1"])
    assert proposed.count(Outcome.PUBLISH) * 10 <= len(proposed)


CIVIL = "The council meets on Tuesday at seven to vote on the new budget for the library."
FRAMES = (f"{{}} {CIVIL}", f"{CIVIL} {{}}", 'He said: "{}"', "{} https://example.org/a/b")


@pytest.mark.parametrize("frame", FRAMES)
def test_a_civil_sentence_or_a_frame_does_not_publish_abuse_in_war_and_politics(frame: str) -> None:
    """Beside a civil sentence, quoted or before an address, still nine in ten are held or rejected."""
    proposed = outcomes([frame.replace("{}", row["text"]) for row in OPEN if row["label"] == "1"])
    assert proposed.count(Outcome.PUBLISH) * 10 <= len(proposed)


@pytest.mark.parametrize("frame", FRAMES)
def test_a_civil_sentence_or_a_frame_does_not_hold_a_neutral_one(frame: str) -> None:
    """Of the neutral sentences no more are held so than by themselves, and none is rejected."""
    proposed = outcomes([frame.replace("{}", row["text"]) for row in OPEN if row["label"] == "0"])
    assert Outcome.REJECT not in proposed
    assert proposed.count(Outcome.HOLD) * 25 <= len(proposed)


def test_without_a_final_full_stop_more_is_held() -> None:
    """A known weakness, bounded: of the neutral sentences without it at most one in twelve is held, none rejected."""
    proposed = outcomes([row["text"].rstrip(".!?") for row in OPEN if row["label"] == "0"])
    assert Outcome.REJECT not in proposed
    assert proposed.count(Outcome.HOLD) * 12 <= len(proposed)


def test_how_high_each_attribute_goes_is_known() -> None:
    """A threshold above what the worst texts reach would be dead in silence, so the model tells what they reach."""
    assert set(SCORER.highest) == set(SCORER.attributes)
    assert all(value < 1 for value in SCORER.highest.values())
    (worst,) = SCORER.score(["Kill all Jews, gas them all, you fucking subhuman scum."])
    assert all(worst.values[attribute] <= value + 0.05 for attribute, value in SCORER.highest.items())


def test_the_worst_is_rejected_and_a_plain_insult_is_not() -> None:
    """The worst of the open abusive sentences is rejected and no neutral one is; a mere insult waits for a person."""
    proposed = {label: outcomes([row["text"] for row in OPEN if row["label"] == label]) for label in "01"}
    assert proposed["1"].count(Outcome.REJECT) >= 1
    assert proposed["0"].count(Outcome.REJECT) == 0
    assert outcomes(["You are an idiot, dear editor."]) == [Outcome.HOLD]


@pytest.mark.parametrize(
    "text", ["Nobody should call refugees vermin.", "Muslims and Jews marched together for peace."]
)
def test_negation_and_names_are_no_abuse(text: str) -> None:
    """A sentence against hatred is published, and so is one that names faiths."""
    assert outcomes([text]) == [Outcome.PUBLISH]
