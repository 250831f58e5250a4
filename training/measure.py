"""Measure a shipped model for its card: python -m training.measure --data DIR --scorer NAME; it changes nothing."""

import argparse
import csv
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter

from sklearn.metrics import roc_auc_score

from moderation.calibration import expected_calibration_error
from moderation.policy import Outcome, Policy, default_policy
from moderation.scorers import Scorer
from moderation.scorers.hashed import HashedScorer
from moderation.scorers.onnx import OnnxScorer
from moderation.scores import Attribute, Scores
from moderation.signals import read_signals
from moderation.verdict import judge
from moderation.words import WordList
from training.calibrating import CALIBRATED_ON
from training.corpus import load_corpus
from training.evasions import EVASIONS
from training.sources import ATTRIBUTES, Example, held_out, templates
from training.unseen import SINGLE_INSULTS, SINGLE_WORDS, SLOGANS, UNSEEN_NEUTRAL

COMPACT = Path(__file__).parent.parent / "moderation" / "models" / "compact"
WAR = Path(__file__).parent.parent / "tests" / "moderation" / "war_and_politics.csv"
EVERYDAY = WAR.with_name("everyday.txt")
WAYS: dict[str, Callable[[str], str]] = {
    "as written": str,
    "no final stop": lambda text: text.rstrip(".!?"),
    **{name: EVASIONS[name] for name in ("padded_before", "padded_after", "quoted")},
}
"""How a sentence may stand in a comment."""
_SEED = 7
_MILLION = 1e6
_THREADS = 2


class Measurer:
    """A model and a policy, and what they say about texts."""

    def __init__(self, scorer: Scorer, policy: Policy) -> None:
        """Take the model and the policy to measure."""
        self.scorer, self.policy = scorer, policy
        self.words = WordList(policy.words)
        self._known: dict[str, Scores] = {}

    def scores(self, texts: Sequence[str]) -> list[Scores]:
        """Return the scores of each text; what was asked before is remembered, since many tables share rows."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        self._known |= zip(new, self.scorer.score(new), strict=True)
        return [self._known[text] for text in texts]

    def values(self, texts: Sequence[str], attribute: Attribute = Attribute.TOXICITY) -> list[float]:
        """Return the probability of each text."""
        return [scores.values[attribute] for scores in self.scores(texts)]

    def outcomes(self, texts: Sequence[str]) -> list[Outcome]:
        """Return what the policy proposes for each text."""
        signals = [read_signals(text, self.words) for text in texts]
        scores = self.scores(texts)
        judged = zip(scores, signals, strict=True)
        return [judge(one, facts, self.policy, languages=self.scorer.languages).outcome for one, facts in judged]

    def report(self, name: str, examples: Sequence[Example], attribute: Attribute = Attribute.TOXICITY) -> None:
        """Print the ranking and the calibration of one part, for an attribute that is known of every example."""
        probabilities = self.values([example.text for example in examples], attribute)
        labels = [example.targets[attribute] > 0.5 for example in examples]
        area = roc_auc_score(labels, probabilities)
        error = expected_calibration_error(probabilities, labels)
        print(f"{name}: {len(labels)} rows, {sum(labels)} with the harm, AUC {area:.4f}, ECE {error:.3f}", flush=True)

    def report_toxicity(self, name: str, examples: Sequence[Example]) -> None:
        """Print the same for toxicity, and what the policy does."""
        self.report(name, examples)
        for toxic in (True, False):
            self.shares("  toxic" if toxic else "  civil", [one.text for one in examples if one.toxic is toxic])

    def shares(self, name: str, texts: Sequence[str]) -> None:
        """Print the share of each outcome over texts."""
        outcomes = self.outcomes(texts)
        shares = ", ".join(f"{outcome} {outcomes.count(outcome) / len(outcomes):.3f}" for outcome in Outcome)
        print(f"{name} ({len(texts)}): {shares}", flush=True)


def _report_attributes(measurer: Measurer, dev: Sequence[Example]) -> None:
    for attribute in ATTRIBUTES[1:]:
        measurer.report(f"dev, {attribute.value}", [one for one in dev if attribute in one.targets], attribute)


def _report_war(measurer: Measurer) -> None:
    with WAR.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for part in ("open", "sealed"):
        for label, name in (("0", "neutral"), ("1", "abusive")):
            texts = [row["text"] for row in rows if (row["part"], row["label"]) == (part, label)]
            for how, change in WAYS.items():
                measurer.shares(f"war and politics, {part}, {name}, {how}", [change(text) for text in texts])


def _report_plain(measurer: Measurer) -> None:
    everyday = EVERYDAY.read_text("utf-8").splitlines()
    measurer.shares("one word", SINGLE_WORDS)
    measurer.shares("one insult", SINGLE_INSULTS)
    for name, texts in (("unseen neutral", UNSEEN_NEUTRAL), ("everyday", everyday), ("slogans", SLOGANS)):
        for how, change in WAYS.items():
            measurer.shares(f"{name}, {how}", [change(text) for text in texts])


def _report_templates(measurer: Measurer, data: Path, trained: set[str]) -> None:
    unseen = [one.text for one in templates(data) if not one.toxic and one.text not in trained]
    measurer.shares("neutral identity templates", random.Random(_SEED).sample(unseen, 2000))


def _report_disguises(measurer: Measurer, texts: Sequence[str]) -> None:
    threshold = min(
        condition.threshold
        for rule in measurer.policy.rules
        for condition in rule.when
        if condition.attribute is Attribute.TOXICITY and len(rule.when) == 1
    )
    disguises: dict[str, Callable[[str], str]] = {"as written": str, **EVASIONS}
    for name, disguise in disguises.items():
        disguised = [disguise(text) for text in texts]
        caught = [value >= threshold for value in measurer.values(disguised)]
        stopped = [outcome is not Outcome.PUBLISH for outcome in measurer.outcomes(disguised)]
        shares = [f"{sum(those) / len(texts):.3f}" for those in (caught, stopped)]
        print(f"{name}, {len(texts)} rows: {shares[0]} from {threshold}, {shares[1]} not published", flush=True)


def _report_speed(measurer: Measurer, texts: Sequence[str]) -> None:
    short = random.Random(_SEED).sample([text for text in texts if len(text) < 300], 300)
    # A measurer of its own for each, which remembers nothing.
    fresh = [Measurer(measurer.scorer, measurer.policy) for _ in range(2)]
    measurer.scorer.score(short[:20])
    for name, work in (("score", fresh[0].values), ("score, signals and judge", fresh[1].outcomes)):
        start = perf_counter()
        work(short)
        spent = (perf_counter() - start) / len(short) * _MILLION
        print(f"{name}: {spent:.0f} microseconds per comment under 300 signs")


def main() -> None:
    """Print every number of the model card."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="the folder that holds the public data folders")
    parser.add_argument("--scorer", choices=("hashed", "compact"), required=True)
    arguments = parser.parse_args()
    hashed = arguments.scorer == "hashed"
    scorer: Scorer = HashedScorer.load() if hashed else OnnxScorer.load(COMPACT, threads=_THREADS)
    measurer = Measurer(scorer, default_policy())
    corpus, talk = load_corpus(arguments.data), held_out(arguments.data)
    print(scorer.model_id, {part: len(getattr(corpus, part)) for part in corpus.__struct_fields__})
    measurer.report_toxicity("talk pages, test", talk)
    for source in ("toxic-spans", "perspective-wikipedia-2k"):
        measurer.report_toxicity(f"{source}, test", [one for one in corpus.test if one.source == source])
    in_domain = [one for one in corpus.dev if one.source in CALIBRATED_ON]
    measurer.report_toxicity("dev, in domain", in_domain)
    measurer.report_toxicity("dev, talk pages", [one for one in corpus.dev if one.source == "context-toxicity"])
    measurer.report_toxicity("dev, tweets", [one for one in corpus.dev if one.source == "davidson"])
    for source in (
        "written-civil_news",
        "written-civil_conflict",
        "written-civil_contrast",
        "written-civil_everyday",
        "written-hostile",
    ):
        measurer.shares(f"dev, {source}", [one.text for one in corpus.dev if one.source == source])
    _report_attributes(measurer, in_domain)
    _report_plain(measurer)
    _report_war(measurer)
    _report_templates(measurer, arguments.data, {one.text for one in corpus.train})
    _report_disguises(measurer, [one.text for one in talk if one.toxic])
    _report_speed(measurer, [one.text for one in talk])


if __name__ == "__main__":
    main()
