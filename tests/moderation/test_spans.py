"""Spans are places in the raw text, of the words that made its score, found within a time budget."""

import math
import re
from collections.abc import Sequence
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.scorers.hashed import HashedScorer
from moderation.scores import Attribute, Scores
from moderation.spans import MOST, Span, explain, occlusion

TOXICITY = Attribute.TOXICITY
HASHED = HashedScorer.load()


class WordScorer:
    """Adds up what each word is worth, in log-odds; counts its calls and the characters it read."""

    model_id = "words-1"
    languages = frozenset({"en"})
    attributes: tuple[Attribute, ...] = (TOXICITY, Attribute.THREAT)
    WORTH: ClassVar = {"vile": 5.0, "foul": 4.0, "nasty": 3.0, "kind": -1.0}

    def __init__(self) -> None:
        self.calls: list[list[str]] = []

    def score(self, texts: Sequence[str]) -> list[Scores]:
        self.calls.append(list(texts))
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> Scores:
        worth = sum(self.WORTH.get(word, 0.0) for word in re.findall(r"\w+", text.casefold())) - 3.0
        value = 1 / (1 + math.exp(-worth))
        return Scores(self.model_id, True, {TOXICITY: value, Attribute.THREAT: 0.0})


class Clock:
    """Goes on by a second each time it is read."""

    def __init__(self) -> None:
        self.now = -1.0

    def __call__(self) -> float:
        """Answer the time."""
        self.now += 1.0
        return self.now


def found(
    text: str, *, scorer: WordScorer | HashedScorer | None = None, budget: float = 1e9, most: int = MOST
) -> list[str]:
    """Answer the parts of the text that are found, in order."""
    spans = explain(scorer or WordScorer(), text, TOXICITY, clock=Clock(), budget_seconds=budget, most=most)
    return [text[span.start : span.end] for span in spans]


def test_the_word_that_made_the_score_is_found() -> None:
    """One bad word of a civil sentence is the one span, with the weight 1, without the stops around it."""
    text = 'She said "you are vile!", and left.'
    spans = explain(WordScorer(), text, TOXICITY, clock=Clock(), budget_seconds=1e9)
    assert spans == (Span(text.index("vile"), text.index("vile") + 4, 1.0),)


def test_two_insults_do_not_hide_each_other() -> None:
    """Where either of two words alone would be enough, both are found, the stronger one with the greater weight."""
    text = "You foul person with your vile ideas."
    spans = explain(WordScorer(), text, TOXICITY, clock=Clock(), budget_seconds=1e9)
    assert [text[span.start : span.end] for span in spans] == ["foul", "vile"]
    assert spans[0].weight < spans[1].weight == 1.0


def test_neighbours_are_one_span() -> None:
    """Words that stand beside each other are told as one part."""
    assert found("a vile foul person, and so on") == ["vile foul"]


def test_a_civil_text_has_none() -> None:
    """Where the model sees nothing there is nothing to explain, whatever the words."""
    assert found("A kind word on the tram.") == []
    assert found("") == found(" \n\t ") == []


def test_a_long_text_costs_little_more_than_one_reading() -> None:
    """Of a long text only the worst sentences are looked into, and the word is found in the middle of it."""
    text = "The council met on Monday. " * 400 + "What a vile idea! " + "It rained, and nobody came. " * 400
    scorer = WordScorer()
    assert found(text, scorer=scorer) == ["vile"]
    assert sum(len(one) for call in scorer.calls for one in call) < 2 * len(text)
    assert all(len(call) == 1 or sum(map(len, call)) <= 2_000 for call in scorer.calls)


def test_the_worst_sentence_is_told_when_the_time_is_short() -> None:
    """When only the sentences could be scored, the worst one is the answer; with no time at all there is none."""
    text = " ".join(["The council met on Monday."] * 8 + ["What a vile idea!"] + ["It rained a lot."] * 8)
    assert found(text, budget=2) == ["What a vile idea"]
    assert found(text, budget=0) == []


def test_no_call_begins_after_the_budget() -> None:
    """However long the text, the scorer is asked no more once the time is over."""
    scorer = WordScorer()
    found("vile words. " * 5_000, scorer=scorer, budget=5)
    assert len(scorer.calls) <= 5


def test_letters_spelled_out_are_one_word() -> None:
    """A word of single letters, or with characters nobody sees in it, is found whole in the raw text."""
    assert found("I think i d i o t people should go", scorer=HASHED)[0].startswith("i d i o t")
    assert found("You are an id\u200biot and you know it.", scorer=HASHED) == ["id\u200biot"]
    assert found("You are an ＩＤＩＯＴ and you know it.", scorer=HASHED) == ["ＩＤＩＯＴ"]


def test_no_more_than_asked_for() -> None:
    """Of many bad words the strongest are told, in the order of the text."""
    text = " and then ".join(["nasty", "vile", "foul"] * 3)
    assert len(found(text, most=2)) == 2
    assert "nasty" not in found(text, most=2)


def test_words_are_found_where_none_is_missed() -> None:
    """Of so many bad words that leaving one out changes nothing, each is told by what it says alone."""
    assert set(found(" and then ".join(["nasty", "vile", "foul"] * 3))) >= {"vile", "foul"}


def test_a_text_without_spaces_is_cut_into_pieces() -> None:
    """A run of a thousand characters is not one word: the piece with the insult is found."""
    text = "啊" * 480 + "vile" + "啊" * 480

    class AnyWhere(WordScorer):
        def _one(self, text: str) -> Scores:
            return Scores(self.model_id, True, {TOXICITY: 0.9 if "vile" in text else 0.01, Attribute.THREAT: 0.0})

    [span] = explain(AnyWhere(), text, TOXICITY, clock=Clock(), budget_seconds=1e9)
    assert "vile" in text[span.start : span.end]
    assert span.end - span.start <= 16


WORDS = ["vile", "foul", "kind", "word", "a", "b", "c", ".", "!", "\n", "\u200b", "é", "x" * 50]
TEXTS = st.lists(st.sampled_from(WORDS), max_size=80).map(" ".join) | st.text(max_size=200)


@given(TEXTS)
def test_spans_are_places_in_the_text(text: str) -> None:
    """Whatever the text, spans lie in it, in order, without overlap, with weights up to 1, and are never blank."""
    for scorer in (WordScorer(), HASHED):
        spans = explain(scorer, text, TOXICITY, clock=Clock(), budget_seconds=1e9)
        assert len(spans) <= MOST
        before = 0
        for span in spans:
            assert before <= span.start < span.end <= len(text)
            assert 0 < span.weight <= 1
            assert text[span.start : span.end].strip()
            before = span.end
        assert not spans or max(span.weight for span in spans) == 1.0


@given(st.text(max_size=200), st.integers(0, 12))
def test_any_budget_ends_in_an_answer(text: str, budget: int) -> None:
    """Wherever the time is over, what is answered is sound and the scorer was asked at most as often as allowed."""
    scorer = WordScorer()
    spans = explain(scorer, f"vile {text}", TOXICITY, clock=Clock(), budget_seconds=budget)
    assert len(scorer.calls) <= budget
    assert all(0 <= span.start < span.end <= len(text) + 5 for span in spans)


@pytest.mark.parametrize("values", [[], [0.9]])
def test_the_caller_decides_when_it_is_over(values: list[float]) -> None:
    """The steps can be driven by hand, and end at once when they are told that the time is over."""
    steps = occlusion("A vile text.")
    assert next(steps) == ["A vile text."]
    if values:
        assert steps.send(values) == ["vile text.", "A text.", "A vile"]
    with pytest.raises(StopIteration) as done:
        steps.send(None)
    assert len(done.value.value) == len(values)
