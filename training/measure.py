"""Measure the shipped model for its card: python -m training.measure --data DIR; it changes nothing."""

import argparse
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from sklearn.metrics import roc_auc_score

from moderation.calibration import expected_calibration_error
from moderation.policy import Outcome, Policy, default_policy
from moderation.scorers.hashed import HashedScorer
from moderation.scores import Attribute
from moderation.signals import read_signals
from moderation.verdict import judge
from moderation.words import WordList
from training.corpus import Example, held_out, load_corpus
from training.evasions import EVASIONS
from training.hashed import CALIBRATED_ON
from training.unseen import UNSEEN_NEUTRAL

_SEED = 7
_MILLION = 1e6


class Measurer:
    """The shipped model and policy, and what they say about texts."""

    def __init__(self, scorer: HashedScorer, policy: Policy) -> None:
        """Take the model and the policy to measure."""
        self.scorer, self.policy = scorer, policy
        self.words = WordList(policy.words)

    def toxicity(self, texts: Sequence[str]) -> list[float]:
        """Return the probability of each text."""
        return [scores.values[Attribute.TOXICITY] for scores in self.scorer.score(texts)]

    def outcomes(self, texts: Sequence[str]) -> list[Outcome]:
        """Return what the policy proposes for each text."""
        signals = [read_signals(text, self.words) for text in texts]
        scores = self.scorer.score(texts)
        judged = zip(scores, signals, strict=True)
        return [judge(one, facts, self.policy, languages=self.scorer.languages).outcome for one, facts in judged]

    def report(self, name: str, examples: Sequence[Example]) -> None:
        """Print the ranking, the calibration and the policy's shares of one part."""
        probabilities = self.toxicity([example.text for example in examples])
        labels = [example.toxic for example in examples]
        area = roc_auc_score(labels, probabilities)
        error = expected_calibration_error(probabilities, labels)
        print(f"{name}: {len(labels)} rows, {sum(labels)} toxic, AUC {area:.4f}, ECE {error:.3f}")
        for toxic in (True, False):
            self.shares("  toxic" if toxic else "  civil", [one.text for one in examples if one.toxic is toxic])

    def shares(self, name: str, texts: Sequence[str]) -> None:
        """Print the share of each outcome over texts."""
        outcomes = self.outcomes(texts)
        shares = ", ".join(f"{outcome} {outcomes.count(outcome) / len(outcomes):.3f}" for outcome in Outcome)
        print(f"{name} ({len(texts)}): {shares}")


def _report_disguises(measurer: Measurer, texts: Sequence[str]) -> None:
    threshold = min(
        condition.threshold
        for rule in measurer.policy.rules
        for condition in rule.when
        if condition.attribute and len(rule.when) == 1
    )
    disguises: dict[str, Callable[[str], str]] = {"as written": str, **EVASIONS}
    for name, disguise in disguises.items():
        caught = [value >= threshold for value in measurer.toxicity([disguise(text) for text in texts])]
        print(f"recall at {threshold} {name}: {sum(caught) / len(caught):.3f} of {len(caught)}")


def _report_speed(measurer: Measurer, texts: Sequence[str]) -> None:
    short = random.Random(_SEED).sample([text for text in texts if len(text) < 300], 500)
    measurer.toxicity(short)
    for name, work in (("score", measurer.toxicity), ("score, signals and judge", measurer.outcomes)):
        start = perf_counter()
        work(short)
        print(
            f"{name}: {(perf_counter() - start) / len(short) * _MILLION:.0f} microseconds per comment under 300 signs"
        )


def main() -> None:
    """Print every number of the model card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    data = parser.parse_args().data
    measurer = Measurer(HashedScorer.load(), default_policy())
    corpus, talk = load_corpus(data), held_out(data)
    print(measurer.scorer.model_id, {part: len(getattr(corpus, part)) for part in corpus.__struct_fields__})
    measurer.report("talk pages, test", talk)
    for source in ("toxic-spans", "perspective-wikipedia-2k"):
        measurer.report(f"{source}, test", [one for one in corpus.test if one.source == source])
    measurer.report("dev, in domain", [one for one in corpus.dev if one.source in CALIBRATED_ON])
    measurer.report("dev, talk pages", [one for one in corpus.dev if one.source == "context-toxicity"])
    measurer.report("dev, tweets", [one for one in corpus.dev if one.source == "davidson"])
    measurer.shares("unseen neutral sentences", UNSEEN_NEUTRAL)
    _report_disguises(measurer, [one.text for one in talk if one.toxic])
    _report_speed(measurer, [one.text for one in talk])


if __name__ == "__main__":
    main()
