"""Parts of a text scored beside the whole: the worst counts less a margin, says where it was, and costs little."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from moderation.calibration import sigmoid
from moderation.parts import Weighing
from moderation.scorers.onnx_folder import Manifest, check_manifest
from moderation.scorers.transformer import Encoded, Framing, Logits, Outputs, Tokens, Transformer
from moderation.scores import Attribute, ScorerError

LABELS = (Attribute.TOXICITY, Attribute.INSULT)
FRAMING = Framing(before=(1,), after=(2,), pad_id=0, longest=512)
CIVIL = "The council meets on Tuesday."
BAD = "All of zzz and zzz."
RUDE = "And then qqqqqqq came."
MARGIN, MOST = 0.5, 4.0


class Diluting:
    """A model whose logits are ten times the share of `z`, and of `q`, in a text; it remembers what it read."""

    def __init__(self) -> None:
        """Nothing was read yet."""
        self.texts: list[str] = []

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        self.texts += texts
        return [Encoded([*map(ord, text)], [(at, at + 1) for at in range(len(text))]) for text in texts]

    def forward(self, ids: Tokens, mask: Tokens) -> Logits:
        counts = [((ids == ord(letter)) * mask).sum(axis=1) for letter in "zq"]
        logits: Logits = (10 * np.stack(counts, axis=1) / mask.sum(axis=1, keepdims=True)).astype(np.float32)
        return logits


WEIGHED = Weighing(MARGIN, MOST)


def scorer(model: Diluting, weighing: Weighing | None = WEIGHED) -> Transformer:
    """Return the way through the model, with parts or without."""
    outputs = Outputs(LABELS, parts=weighing)
    return Transformer("fake@1", outputs, FRAMING, encode=model.encode, forward=model.forward, normalised=False)


def logit_of(text: str, letter: str = "z") -> float:
    """Answer what the model says of a text that is scored whole."""
    return 10 * text.count(letter) / (len(text) + 2)


@pytest.mark.parametrize("text", [f"{BAD} {CIVIL}", f"{CIVIL} {BAD}", f"{CIVIL} {BAD} {CIVIL}"])
def test_a_civil_sentence_beside_a_bad_one_takes_off_the_margin_alone(text: str) -> None:
    """Wherever it stands, the bad sentence counts as it does alone, less the margin, and is pointed at."""
    (one,) = scorer(Diluting()).score([text])
    assert one.values[Attribute.TOXICITY] == pytest.approx(sigmoid(logit_of(BAD) - MARGIN), abs=1e-6)
    assert one.window is not None
    assert text[slice(*one.window)] == BAD


def test_each_attribute_has_its_own_worst_part() -> None:
    """What is worst for another attribute stands elsewhere, and the first attribute names the place."""
    (one,) = scorer(Diluting()).score([f"{RUDE} {CIVIL} {BAD}"])
    assert one.values[Attribute.INSULT] == pytest.approx(sigmoid(logit_of(RUDE, "q") - MARGIN), abs=1e-6)
    assert one.values[Attribute.TOXICITY] == pytest.approx(sigmoid(logit_of(BAD) - MARGIN), abs=1e-6)


def test_a_part_counts_no_more_than_it_may() -> None:
    """However bad a sentence is by itself, beside others it counts as the bound does."""
    (one,) = scorer(Diluting(), Weighing(MARGIN, 1.0)).score([f"{CIVIL} {CIVIL} {CIVIL} {BAD}"])
    assert one.values[Attribute.TOXICITY] == pytest.approx(sigmoid(1.0), abs=1e-6)


def test_a_text_that_is_worse_as_a_whole_keeps_its_score() -> None:
    """A part never lowers a score, and what is said by all of a text has no place in it."""
    text = f"{BAD} {BAD[:-1]} again."
    (with_parts,) = scorer(Diluting(), Weighing(5.0, MOST)).score([text])
    (without,) = scorer(Diluting(), None).score([text])
    assert with_parts == without
    assert with_parts.window is None


def test_a_text_of_one_part_costs_nothing_more() -> None:
    """A single sentence goes through the model once, and one that several texts share too."""
    model = Diluting()
    scorer(model).score([BAD])
    assert model.texts == [BAD]
    other = Diluting()
    scorer(other).score([f"{BAD} {CIVIL}", BAD, f"{CIVIL} {BAD}"])
    assert other.texts.count(BAD) == other.texts.count(CIVIL) == 1


def test_without_a_margin_no_part_is_read() -> None:
    """A model that names none, such as an exported Detoxify, scores as it always did."""
    model = Diluting()
    scorer(model, None).score([f"{BAD} {CIVIL}"])
    assert model.texts == [f"{BAD} {CIVIL}"]


@pytest.mark.parametrize("text", ["zzz", "Zelenskyzz", "zz 👍", "zz,", "12 z 34"])
def test_one_word_is_read_as_a_sentence(text: str) -> None:
    """A name, a number or a sign is ended with a full stop before it is read, where parts are, but not two words."""
    model = Diluting()
    bare, ended = scorer(model).score([text, f"{text.rstrip(' ,')}."])
    assert bare == ended
    assert model.texts == [f"{text.rstrip(' ,')}."]
    scorer(model).score([f"{text} again"])
    assert model.texts[-1] == f"{text} again"
    other = Diluting()
    scorer(other, None).score([text])
    assert other.texts == [text]


def test_the_place_of_one_long_word_is_in_the_text() -> None:
    """The full stop that is added has no place."""
    text = "a" * 5_000 + "z" * 20
    (one,) = scorer(Diluting()).score([text])
    assert one.window is not None
    assert 0 <= one.window[0] < one.window[1] <= len(text)


def manifest(**fields: object) -> Manifest:
    """Return a manifest of two labels."""
    plain: dict[str, object] = {
        "name": "fake", "architecture": "bert", "languages": ("en",), "labels": LABELS, "longest": 12, "pad_id": 0,
        "inputs": ("input_ids", "attention_mask"), "normalise": True,
        "files": {"model.onnx": "0", "tokenizer.json": "0"},
    }  # fmt: skip
    return Manifest(**plain | fields)  # type: ignore[arg-type]


def test_a_manifest_without_parts_is_written_as_before() -> None:
    """The id of a folder that was exported before there were parts is still its id."""
    assert manifest().model_id == "fake@bb4270c6"
    assert not {"parts", "highest"} & set(msgspec.json.decode(msgspec.json.encode(manifest())))
    assert manifest(parts=WEIGHED).weighing == WEIGHED
    assert manifest().weighing is None


def test_the_highest_values_are_carried() -> None:
    """What was measured is told of each attribute; what was not may reach one."""
    told = manifest(highest={Attribute.TOXICITY: 0.98})
    assert told.highest_values == {Attribute.TOXICITY: 0.98, Attribute.INSULT: 1.0}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"parts": Weighing(-0.1, 1.0)}, "parts"),
        ({"parts": Weighing(0.5, float("inf"))}, "parts"),
        ({"highest": {Attribute.THREAT: 0.5}}, "another label"),
        ({"highest": {Attribute.TOXICITY: 1.5}}, "outside 0 to 1"),
    ],
)
def test_a_manifest_that_makes_no_sense_of_parts_is_refused(fields: dict[str, object], message: str) -> None:
    """A margin that is none, or a largest value of an unknown label, is an error with its name."""
    with pytest.raises(ScorerError, match=message):
        check_manifest(manifest(**fields), Path("folder"))
