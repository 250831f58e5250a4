"""A cache changes what a model costs and never what it says."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from moderation.scorers import ScorerError
from moderation.scorers.cached import CachedScorer, key_of
from moderation.scores import Attribute, Scores


class CountingScorer:
    """Scores a text by its length, remembers what it was asked, and fails on `bad`."""

    model_id = "counting-1"
    languages = frozenset({"en"})
    attributes: tuple[Attribute, ...] = (Attribute.TOXICITY,)

    def __init__(self) -> None:
        self.asked: list[list[str]] = []

    def score(self, texts: Sequence[str]) -> list[Scores]:
        self.asked.append(list(texts))
        if "bad" in texts:
            raise ScorerError("as told")
        return [Scores(self.model_id, True, {Attribute.TOXICITY: min(len(text), 100) / 100}) for text in texts]


def test_a_text_is_scored_once() -> None:
    """A text that was scored before, or stands in one call twice, is asked for once, and answers stay in order."""
    inner = CountingScorer()
    cached = CachedScorer(inner, 10)
    first = cached.score(["a", "bb", "a"])
    assert [one.values[Attribute.TOXICITY] for one in first] == [0.01, 0.02, 0.01]
    assert cached.score(["bb", "ccc", "a"]) == CountingScorer().score(["bb", "ccc", "a"])
    assert inner.asked == [["a", "bb"], ["ccc"]]
    assert (cached.cache.hits, cached.cache.misses) == (2, 3)


def test_an_error_is_not_remembered() -> None:
    """A batch that failed leaves nothing behind, and its texts are asked for again."""
    inner = CountingScorer()
    cached = CachedScorer(inner, 10)
    for _ in range(2):
        with pytest.raises(ScorerError):
            cached.score(["good", "bad"])
    cached.score(["good"])
    assert inner.asked == [["good", "bad"], ["good", "bad"], ["good"]]
    assert len(cached.cache) == 1


def test_the_least_recently_used_is_forgotten() -> None:
    """When it is full, what was not asked for the longest goes first."""
    inner = CountingScorer()
    cached = CachedScorer(inner, 2)
    for text in ("a", "bb", "a", "ccc", "a"):
        cached.score([text])
    assert inner.asked == [["a"], ["bb"], ["ccc"]]


def test_an_unsound_answer_is_an_error() -> None:
    """A model that answers too few scores is an error here too, not a cache out of step."""

    class Short(CountingScorer):
        def score(self, texts: Sequence[str]) -> list[Scores]:
            return super().score(texts)[1:]

    with pytest.raises(ScorerError):
        CachedScorer(Short(), 10).score(["a", "b"])


def test_it_is_what_the_model_is() -> None:
    """Name, languages and attributes are the model's."""
    cached = CachedScorer(CountingScorer(), 1)
    assert (cached.model_id, cached.languages) == ("counting-1", frozenset({"en"}))
    assert cached.attributes == (Attribute.TOXICITY,)


def test_a_cache_of_nothing_remembers_nothing() -> None:
    """With no entries every text is a miss, and within one call it is still asked for once."""
    inner = CountingScorer()
    cached = CachedScorer(inner, 0)
    for _ in range(2):
        assert len(cached.score(["a", "a"])) == 2
    assert inner.asked == [["a"], ["a"]]
    assert len(cached.cache) == 0


@given(st.text(), st.text())
def test_keys_differ_with_text_and_model(one: str, other: str) -> None:
    """Two texts, or two models, share a key only when they are equal; lone surrogates are texts too."""
    assert (key_of("m", one) == key_of("m", other)) == (one == other)
    assert key_of("m", one) != key_of("n", one)
    assert key_of("m", f"{one}\ud800") != key_of("m", f"{one}\udfff")


class CacheMachine(RuleBasedStateMachine):
    """Any sequence of calls, held against the model alone."""

    def __init__(self) -> None:
        super().__init__()
        self.cached = CachedScorer(CountingScorer(), 3)
        self.asked = 0

    @rule(texts=st.lists(st.sampled_from(["a", "bb", "ccc", "dddd", "eeeee", ""]), max_size=8))
    def ask(self, texts: list[str]) -> None:
        """The cache answers what the model would."""
        assert self.cached.score(texts) == CountingScorer().score(texts)
        self.asked += len(set(texts))

    @rule()
    def fail(self) -> None:
        """A failing call changes nothing."""
        with pytest.raises(ScorerError):
            self.cached.score(["bad", "a new text"])
        self.asked += 2

    @invariant()
    def is_bounded(self) -> None:
        """Never more entries than allowed, and every text asked for is a hit or a miss."""
        assert len(self.cached.cache) <= 3
        assert self.cached.cache.hits + self.cached.cache.misses == self.asked


TestCacheMachine = CacheMachine.TestCase
