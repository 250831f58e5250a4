"""Scorers that do, when a text names it, what a model must never do; run as a child of the tests."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from moderation.scores import Attribute, ScorerError, Scores
from service.telemetry import configure_logging
from service.workers.scorer_child import run_child, run_child_of

SECRET = "words-a-reader-wrote"


class StrangeScorer:
    """Scores a text by its length, unless the text is an order to misbehave."""

    model_id = "strange-1"
    languages = frozenset({"en", "de"})
    attributes: tuple[Attribute, ...] = (Attribute.TOXICITY,)

    def score(self, texts: Sequence[str]) -> list[Scores]:
        for text in texts:
            if order := ORDERS.get(text):
                return order(self, texts)
        return self.sound(texts)

    def sound(self, texts: Sequence[str]) -> list[Scores]:
        return [self.one(min(len(text), 100) / 100) for text in texts]

    def one(self, value: float, model_id: str = model_id) -> Scores:
        return Scores(model_id=model_id, calibrated=True, values={Attribute.TOXICITY: value})


def _raise(_scorer: StrangeScorer, _texts: Sequence[str]) -> list[Scores]:
    raise ValueError(f"cannot read {SECRET}")


def _exit(_scorer: StrangeScorer, _texts: Sequence[str]) -> list[Scores]:
    raise SystemExit(SECRET)


def _hang(_scorer: StrangeScorer, _texts: Sequence[str]) -> list[Scores]:
    threading.Event().wait()
    return []


def _die(_scorer: StrangeScorer, _texts: Sequence[str]) -> list[Scores]:
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def _too_few(scorer: StrangeScorer, texts: Sequence[str]) -> list[Scores]:
    return scorer.sound(texts)[1:]


def _not_a_number(scorer: StrangeScorer, texts: Sequence[str]) -> list[Scores]:
    return [scorer.one(float("nan")) for _ in texts]


def _other_model(scorer: StrangeScorer, texts: Sequence[str]) -> list[Scores]:
    return [scorer.one(0.5, model_id="another-1") for _ in texts]


def _no_attribute(_scorer: StrangeScorer, texts: Sequence[str]) -> list[Scores]:
    return [Scores(model_id="strange-1", calibrated=True, values={Attribute.THREAT: 0.5}) for _ in texts]


def _not_scores(_scorer: StrangeScorer, texts: Sequence[str]) -> list[Scores]:
    return [object() for _ in texts]  # type: ignore[misc]


def _print(scorer: StrangeScorer, texts: Sequence[str]) -> list[Scores]:
    sys.stdout.write("progress\n")
    sys.stdout.flush()
    os.write(1, b"a native library says hello")
    return scorer.sound(texts)


def _read_input(scorer: StrangeScorer, texts: Sequence[str]) -> list[Scores]:
    sys.stdin.read()
    return scorer.sound(texts)


def _flood(scorer: StrangeScorer, texts: Sequence[str]) -> list[Scores]:
    for _ in range(200):
        os.write(2, b"\n" * 10_000)
    return scorer.sound(texts)


def _raise_in_a_thread(scorer: StrangeScorer, texts: Sequence[str]) -> list[Scores]:
    thread = threading.Thread(target=_raise, args=(scorer, texts))
    thread.start()
    thread.join()
    return scorer.sound(texts)


def _leave_a_grandchild(scorer: StrangeScorer, _texts: Sequence[str]) -> list[Scores]:
    if os.fork() == 0:
        os.setsid()
        signal.alarm(20)
    return _hang(scorer, _texts)


ORDERS = {
    "raise": _raise,
    "exit": _exit,
    "hang": _hang,
    "die": _die,
    "too few": _too_few,
    "nan": _not_a_number,
    "other model": _other_model,
    "no attribute": _no_attribute,
    "not scores": _not_scores,
    "print": _print,
    "read input": _read_input,
    "flood": _flood,
    "raise in a thread": _raise_in_a_thread,
    "leave a grandchild": _leave_a_grandchild,
}


def run() -> None:
    """Be the child."""
    run_child(StrangeScorer())


def run_with_noisy_start() -> None:
    """Be a child whose model prints while it is loaded."""

    def build() -> StrangeScorer:
        sys.stdout.write("loading\n")
        sys.stdout.flush()
        return StrangeScorer()

    run_child_of(build)


def run_without_model() -> None:
    """Be a child whose model cannot be loaded."""

    def build() -> StrangeScorer:
        raise FileNotFoundError(SECRET)

    run_child_of(build)


def run_when_there(marker: str) -> None:
    """Be a child whose model can be loaded once a file is there."""

    def build() -> StrangeScorer:
        if not Path(marker).exists():
            raise ScorerError("the folder of the model is damaged")
        return StrangeScorer()

    configure_logging("WARNING")
    run_child_of(build)


class PlainScorer(StrangeScorer):
    """Another model, which knows one word and one language."""

    model_id = "plain-1"
    languages = frozenset({"en"})

    def score(self, texts: Sequence[str]) -> list[Scores]:
        return [self.one(0.7 if "vile" in text else 0.01, model_id=self.model_id) for text in texts]


def run_plain() -> None:
    """Be the child of the other model."""
    run_child(PlainScorer())


def run_that_dies_of_a_sentence() -> None:
    """Be a child whose library is not for this processor: it loads, and dies of the first inference."""

    class Dying(StrangeScorer):
        def score(self, texts: Sequence[str]) -> list[Scores]:
            os.kill(os.getpid(), signal.SIGILL)
            return []

    run_child(Dying())
