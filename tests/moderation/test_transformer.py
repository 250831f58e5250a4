"""The way of a text through any transformer: nothing skipped, nothing scored twice, nothing invented."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from moderation.calibration import CalibrationMap, PiecewiseMap, PlattMap, sigmoid
from moderation.scorers.transformer import MOST_TOKENS, Encoded, Framing, Logits, Outputs, Tokens, Transformer
from moderation.scores import Attribute, ScorerError
from tests.moderation.samples import LANGUAGES

FRAMING = Framing(before=(1,), after=(2,), pad_id=0, longest=12)
LABELS = (Attribute.TOXICITY, Attribute.INSULT)
BAD, RUDE = ord("b"), ord("r")
anything = st.text(st.characters(exclude_categories=()), max_size=60)


class Model:
    """A model of characters: `b` is toxic and `r` is an insult, the more the worse; it remembers what it was given."""

    def __init__(self, answer: Callable[[Logits], Logits] = lambda logits: logits) -> None:
        """Take what is done to the logits before they are given."""
        self.answer = answer
        self.texts: list[str] = []
        self.batches: list[tuple[Tokens, Tokens]] = []

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        self.texts += texts
        return [Encoded([*map(ord, text)], [(at, at + 1) for at in range(len(text))]) for text in texts]

    def forward(self, ids: Tokens, mask: Tokens) -> Logits:
        self.batches.append((ids, mask))
        counts = [((ids == letter) * mask).sum(axis=1) for letter in (BAD, RUDE)]
        return self.answer(np.stack(counts, axis=1).astype(np.float32) - 3)

    @property
    def rows(self) -> list[list[int]]:
        """Every row that was given, without what fills it up."""
        return [
            row[: int(kept.sum())].tolist() for ids, mask in self.batches for row, kept in zip(ids, mask, strict=True)
        ]


def scorer(
    model: Model, *, outputs: Outputs | None = None, batch_tokens: int = 48, normalised: bool = False
) -> Transformer:
    """Return the way through a model of characters."""
    return Transformer(
        "fake@1",
        outputs or Outputs(LABELS),
        FRAMING,
        encode=model.encode,
        forward=model.forward,
        normalised=normalised,
        batch_tokens=batch_tokens,
    )


def test_no_text_has_no_scores() -> None:
    """An empty batch asks the model nothing."""
    model = Model()
    assert scorer(model).score([]) == []
    assert model.batches == []
    assert model.texts == []


def test_scores_come_in_the_order_of_the_texts() -> None:
    """Sorting by length inside does not show outside."""
    texts = ["b", "", "bbbb", "rr", "b" * 30, "x"]
    values = [one.values for one in scorer(Model()).score(texts)]
    assert values == [scorer(Model()).score([text])[0].values for text in texts]
    assert values[0] == {Attribute.TOXICITY: sigmoid(-2), Attribute.INSULT: sigmoid(-3)}


@given(st.lists(anything, max_size=12), st.integers(1, 80), st.booleans())
def test_batching_never_changes_a_score(texts: list[str], budget: int, normalised: bool) -> None:
    """Any texts together, with any budget, score as each does alone."""
    together = scorer(Model(), batch_tokens=budget, normalised=normalised).score(texts)
    assert together == [scorer(Model(), normalised=normalised).score([text])[0] for text in texts]


def test_equal_texts_are_scored_once() -> None:
    """A text sent by many, in one batch, costs one row; each sender gets its scores."""
    model = Model()
    scores = scorer(model).score(["bad", "other", "bad", "bad"])
    assert len(model.rows) == 2
    assert model.texts == ["bad", "other"]
    assert scores[1].values[Attribute.INSULT] > scores[0].values[Attribute.INSULT]
    assert scores[0] == scores[2] == scores[3]


def test_texts_that_are_equal_once_normalised_are_scored_once() -> None:
    """An invisible character makes no new text."""
    model = Model()
    scores = scorer(model, normalised=True).score(["brat", "b\u200brat", "other"])
    assert model.texts == ["brat", "other"]
    assert scores[0] == scores[1]


def test_normalising_can_be_left_out() -> None:
    """A model that was trained on raw text gets raw text."""
    model = Model()
    scorer(model, normalised=False).score(["1d1ot", "b\u200brat"])
    assert model.texts == ["1d1ot", "b\u200brat"]


@given(anything)
def test_a_tokenizer_never_meets_half_a_character(text: str) -> None:
    """Lone surrogates, which tokenizers refuse, are replaced with or without normalising."""
    for normalised in (True, False):
        model = Model()
        assert len(scorer(model, normalised=normalised).score([text, "\ud83d"])) == 2
        assert not any("\ud800" <= character <= "\udfff" for given in model.texts for character in given)


@given(st.permutations([chr(number) for number in range(0x4E00, 0x4E00 + 120)]).map("".join), st.integers(0, 120))
def test_every_token_reaches_the_model(characters: str, length: int) -> None:
    """However long a text is, each of its tokens is in a row, and no row is longer than the model reads."""
    model, text = Model(), characters[:length]
    scorer(model).score([text])
    assert all(len(row) <= FRAMING.longest for row in model.rows)
    assert all((row[0], row[-1]) == (1, 2) for row in model.rows)
    parts = ["".join(map(chr, row[1:-1])) for row in model.rows]
    assert all(part in text for part in parts)
    assert set("".join(parts)) == set(text)


def test_padding_is_masked() -> None:
    """What fills a row up is the padding token, and the mask is 1 on exactly the rest."""
    model = Model()
    scorer(model).score(["bbb", "r"])
    ((ids, mask),) = model.batches
    assert ids.tolist() == [[1, BAD, BAD, BAD, 2], [1, RUDE, 2, 0, 0]]
    assert mask.tolist() == [[1] * 5, [1, 1, 1, 0, 0]]
    assert ids.dtype == mask.dtype == np.int64


@given(st.lists(st.text("ab", max_size=40), max_size=30), st.integers(12, 100))
def test_batches_keep_to_the_budget(texts: list[str], budget: int) -> None:
    """No batch has more padded tokens than were allowed."""
    model = Model()
    scorer(model, batch_tokens=budget).score(texts)
    assert all(ids.size <= budget for ids, _ in model.batches)


def test_rows_can_go_alone() -> None:
    """A model that must not see two texts at once gets one row at a time, without padding."""
    model = Model()
    alone = Transformer(
        "fake@1", Outputs(LABELS), FRAMING, encode=model.encode, forward=model.forward, normalised=False, most_rows=1
    )
    texts = ["bbb", "r", "x" * 30]
    assert alone.score(texts) == scorer(Model()).score(texts)
    assert {len(ids) for ids, _ in model.batches} == {1}
    assert all(mask.all() for _, mask in model.batches)


def test_batches_side_by_side_score_the_same() -> None:
    """Calls in several threads overlap, come back in order, and give what one after the other gives."""
    both = threading.Barrier(2)
    apart = Model()

    def forward(ids: Tokens, mask: Tokens) -> Logits:
        # Passed only by two calls at a time; of an odd last one the wait would break.
        both.wait(10)
        return apart.forward(ids, mask)

    texts = ["b" * length for length in range(1, 9)]
    side_by_side = Transformer(
        "fake@1",
        Outputs(LABELS),
        FRAMING,
        encode=apart.encode,
        forward=forward,
        normalised=False,
        most_rows=1,
        at_once=2,
    )
    assert side_by_side.score(texts) == scorer(Model()).score(texts)


def test_the_worst_window_counts_for_each_attribute() -> None:
    """Civil words around an insult do not drown it, and each attribute has its own worst window."""
    text = "." * 40 + "bbbbb" + "." * 40 + "rrrrr" + "." * 40
    (one,) = scorer(Model()).score([text])
    assert one.values == {Attribute.TOXICITY: sigmoid(2), Attribute.INSULT: sigmoid(2)}


def test_the_window_of_the_first_attribute_is_kept() -> None:
    """A moderator is shown where in a long text the highest score came from, in characters."""
    text = "." * 50 + "bbbb" + "." * 50
    (one,) = scorer(Model()).score([text])
    assert one.window is not None
    start, end = one.window
    assert text[start:end].count("b") == 4
    assert end - start <= FRAMING.room


def test_a_text_that_fits_has_no_window() -> None:
    """The whole of it was read, so there is nothing to point at."""
    fitting, longer = scorer(Model()).score(["b" * FRAMING.room, "b" * (FRAMING.room + 1)])
    assert fitting.window is None
    assert longer.window is not None


def test_an_empty_text_is_scored() -> None:
    """Nothing between the special tokens is a row too, and so is an emoji."""
    model = Model()
    scores = scorer(model, normalised=True).score(["", "\u200b", "😀"])
    assert model.rows[-1] == [1, 2]
    assert len(scores) == 3


@pytest.mark.parametrize("text", LANGUAGES.values(), ids=LANGUAGES)
def test_every_language_has_sound_scores(text: str) -> None:
    """No script, in no direction, leads to anything but a score."""
    (one,) = scorer(Model(), normalised=True).score([text])
    assert all(0 <= value <= 1 for value in one.values.values())


def test_a_text_beyond_the_bound_is_refused() -> None:
    """A text too long to be scored whole is an error that quotes nothing of it, never a score of its beginning."""
    text = "secret" * (MOST_TOKENS // 6 + 1)
    with pytest.raises(ScorerError, match=rf"^a text of {len(text)} tokens is longer than the {MOST_TOKENS}") as caught:
        scorer(Model()).score(["fine", text])
    assert "secret" not in str(caught.value)


def test_a_text_at_the_bound_is_scored() -> None:
    """The bound itself is allowed, and all of the text is read."""
    (one,) = scorer(Model()).score(["a" * (MOST_TOKENS - 1) + "b"])
    assert one.values[Attribute.TOXICITY] == sigmoid(-2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_logits_that_are_no_numbers_are_an_error(value: float) -> None:
    """A broken model says nothing about a text; a limit of one batch does not hide it."""

    def spoil(logits: Logits) -> Logits:
        logits[0, 1] = value
        return logits

    with pytest.raises(ScorerError, match=r"^fake@1 gave logits that are not finite numbers$"):
        scorer(Model(spoil)).score(["a", "b" * 30])


@pytest.mark.parametrize("cut", [np.s_[:, :1], np.s_[:-1], np.s_[:, :, None], np.s_[:, [0, 1, 1]]])
def test_logits_of_another_shape_are_an_error(cut: Any) -> None:
    """Numbers for other labels, or for fewer texts, are never taken for these."""
    with pytest.raises(ScorerError, match="shape"):
        scorer(Model(lambda logits: logits[cut])).score(["a", "b"])


def test_calibration_reads_the_raw_logit() -> None:
    """With maps the values are probabilities and say so, also of the worst window."""
    maps: dict[Attribute, CalibrationMap] = {
        Attribute.TOXICITY: PlattMap(slope=2.0, offset=1.0),
        Attribute.INSULT: PiecewiseMap(raw=(-3.0, 1.0), probability=(0.1, 0.9)),
    }
    calm, harsh = scorer(Model(), outputs=Outputs(LABELS, maps)).score(["a", "." * 30 + "bbbbbrrrr"])
    assert calm.values == {Attribute.TOXICITY: sigmoid(-5), Attribute.INSULT: 0.1}
    assert harsh.values == {Attribute.TOXICITY: sigmoid(5), Attribute.INSULT: 0.9}
    assert calm.calibrated
    assert harsh.calibrated


def test_without_calibration_the_values_are_raw() -> None:
    """A sigmoid alone does not make a probability."""
    assert not scorer(Model()).score(["a"])[0].calibrated


@pytest.mark.parametrize(("longest", "budget"), [(2, 48), (12, 0)])
def test_a_model_without_room_is_refused(longest: int, budget: int) -> None:
    """Where no token of a text fits beside the special ones there is no scorer."""
    framing = Framing(before=(1,), after=(2,), pad_id=0, longest=longest)
    model = Model()
    with pytest.raises(ScorerError):
        Transformer("fake@1", Outputs(LABELS), framing, encode=model.encode, forward=model.forward, batch_tokens=budget)
