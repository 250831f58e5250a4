"""What is remembered of scores is what the model said of exactly that text, and never more than allowed."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from moderation.scorers.score_cache import ScoreCache, key_of
from moderation.scores import Attribute, Scores

MODELS = ("one-1", "two-1")
TEXTS = st.sampled_from(["a", "bb", "ccc", "dddd", "eeeee", "", "\ud800", "\udfff"])


def said(model_id: str, text: str, value: float = 0.5) -> Scores:
    """What a model says of a text."""
    return Scores(model_id, True, {Attribute.TOXICITY: value}, (0, len(text)))


def test_the_least_recently_used_is_forgotten() -> None:
    """When it is full, what was not asked for the longest goes first."""
    cache = ScoreCache(2)
    for text in ("a", "bb"):
        cache.keep(text, said("one-1", text))
    assert cache.find("one-1", "a") == said("one-1", "a")
    cache.keep("ccc", said("one-1", "ccc"))
    assert cache.find("one-1", "bb") is None
    assert cache.find("one-1", "a") == said("one-1", "a")
    assert (cache.hits, cache.misses) == (2, 1)


def test_a_model_never_speaks_for_another() -> None:
    """What one model said of a text is not found under another's name."""
    cache = ScoreCache(5)
    cache.keep("a", said("one-1", "a"))
    assert cache.find("two-1", "a") is None


def test_a_cache_of_nothing_remembers_nothing() -> None:
    """With no entries every text is a miss."""
    cache = ScoreCache(0)
    cache.keep("a", said("one-1", "a"))
    assert cache.find("one-1", "a") is None
    assert (len(cache), cache.misses) == (0, 1)


@given(st.text(), st.text())
def test_keys_differ_with_text_and_model(one: str, other: str) -> None:
    """Two texts, or two models, share a key only when they are equal; lone surrogates are texts too."""
    assert (key_of("m", one) == key_of("m", other)) == (one == other)
    assert key_of("m", one) != key_of("n", one)
    assert key_of("m", f"{one}\ud800") != key_of("m", f"{one}\udfff")


class CacheMachine(RuleBasedStateMachine):
    """Any sequence of keeping and asking, held against a dictionary of what was said last and the order of use."""

    ENTRIES = 3

    def __init__(self) -> None:
        super().__init__()
        self.cache = ScoreCache(self.ENTRIES)
        self.used: list[tuple[str, str]] = []
        self.said: dict[tuple[str, str], Scores] = {}
        self.asked = 0

    def _use(self, model_id: str, text: str) -> None:
        if (model_id, text) in self.used:
            self.used.remove((model_id, text))
        self.used.append((model_id, text))
        self.used = self.used[-self.ENTRIES :]

    @rule(model_id=st.sampled_from(MODELS), text=TEXTS, value=st.floats(0, 1))
    def keep(self, model_id: str, text: str, value: float) -> None:
        """A model speaks."""
        self.said[model_id, text] = said(model_id, text, value)
        self.cache.keep(text, self.said[model_id, text])
        self._use(model_id, text)

    @rule(model_id=st.sampled_from(MODELS), text=TEXTS)
    def find(self, model_id: str, text: str) -> None:
        """Exactly what was used last is remembered, as it was said last."""
        remembered = (model_id, text) in self.used
        assert self.cache.find(model_id, text) == (self.said[model_id, text] if remembered else None)
        self.asked += 1
        if remembered:
            self._use(model_id, text)

    @invariant()
    def is_bounded(self) -> None:
        """Never more entries than allowed, and every text asked for is a hit or a miss."""
        assert len(self.cache) == len(self.used)
        assert self.cache.hits + self.cache.misses == self.asked


TestCacheMachine = CacheMachine.TestCase
