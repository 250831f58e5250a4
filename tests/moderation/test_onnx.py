"""A model's folder is whole or refused, and what it scores can be reckoned by hand."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import models

from moderation.calibration import PiecewiseMap, PlattMap, sigmoid
from moderation.scorers import Scorer, check_scores
from moderation.scorers.onnx import OnnxScorer, encoder_of, framing_of
from moderation.scorers.onnx_folder import FILES, Manifest, write_manifest
from moderation.scorers.transformer import Encoded
from moderation.scores import Attribute, ScorerError
from tests.moderation.samples import LANGUAGES
from tests.tiny_onnx import (
    BIAS,
    LABELS,
    LONGEST,
    WORDS,
    rewrite,
    tiny_folder,
    tiny_manifest,
    tiny_table,
    tiny_tokenizer,
)

TYPED = ("input_ids", "attention_mask", "token_type_ids")
STRANGE = (
    "",
    " ",
    "\x00",
    "\ud800",
    "\udfff\ud800",
    "👍🏽👩\u200d👩\u200d👧",
    "\u202e\u200f",
    "!!!",
    "0",
    "\n" * 99,
    *LANGUAGES.values(),
)
MANIFEST, MODEL, TOKENIZER = "model.json", "model.onnx", "tokenizer.json"


class Remembering:
    """A tokenizer whose model counts how often it was told to forget, by the name that the library's own has."""

    def __init__(self) -> None:
        """Stand for a tokenizer and for its model."""
        self.forgotten = 0
        self.model = self

    def encode_batch(self, _texts: list[str], **_how: bool) -> list[Encoded]:
        """Answer nothing."""
        return []

    def _clear_cache(self) -> None:
        self.forgotten += 1


def test_a_tokenizer_remembers_no_word_after_a_call() -> None:
    """Kinds that keep words are told to forget them, under a name that the library in use has for both of them."""
    tokenizer: Any = Remembering()
    encoder_of(tokenizer)(["a word"])
    assert tokenizer.forgotten == 1
    assert all(hasattr(kind, "_clear_cache") for kind in (models.BPE, models.Unigram))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a whole folder of the tiny model."""
    return tiny_folder(tmp_path / "tiny")


@pytest.fixture(scope="module")
def scorer(tmp_path_factory: pytest.TempPathFactory) -> OnnxScorer:
    """Return the tiny model, loaded."""
    return OnnxScorer.load(tiny_folder(tmp_path_factory.mktemp("onnx") / "tiny"))


def toxicity(scorer: OnnxScorer, text: str) -> float:
    """Return what a scorer says about the first label."""
    return scorer.score([text])[0].values[Attribute.TOXICITY]


def test_it_is_a_scorer(scorer: OnnxScorer) -> None:
    """It says who it is, what it knows and in which languages, as any scorer does."""
    one: Scorer = scorer
    assert one.attributes == LABELS
    assert one.languages == frozenset({"en"})
    assert one.model_id.startswith("tiny@")


def test_scores_are_the_sum_that_the_model_is(scorer: OnnxScorer) -> None:
    """The numbers are those of the table, reckoned by hand."""
    first, second = scorer.score(["a idiot", "Thanks"])
    for place, label in enumerate(LABELS):
        assert first.values[label] == pytest.approx(sigmoid(BIAS[place] + WORDS["idiot"][place]), abs=1e-6)
        assert second.values[label] == pytest.approx(sigmoid(BIAS[place] + WORDS["thanks"][place]), abs=1e-6)
    assert (first.model_id, first.calibrated, first.window) == (scorer.model_id, False, None)


def test_the_worst_window_of_a_long_text_counts(scorer: OnnxScorer) -> None:
    """An insult far behind the model's length is found, and the moderator is told where."""
    text = ". " * 90 + "idiot " + ". " * 90
    (one,) = scorer.score([text])
    assert one.values[Attribute.TOXICITY] == pytest.approx(sigmoid(1.5), abs=1e-6)
    assert one.window is not None
    assert "idiot" in text[slice(*one.window)]
    assert len(text[slice(*one.window)]) <= 2 * LONGEST + 6


def test_strange_texts_have_scores(scorer: OnnxScorer) -> None:
    """Nothing, emoji, lone surrogates, right-to-left and every language: a score in order, alone or together."""
    together = check_scores(STRANGE, scorer.score(STRANGE))
    for text, one in zip(STRANGE, together, strict=True):
        (alone,) = scorer.score([text])
        assert alone.values == pytest.approx(one.values, abs=1e-6)


@given(st.text(st.characters(exclude_categories=()), max_size=200))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_scoring_is_total(scorer: OnnxScorer, text: str) -> None:
    """Any text is scored within bounds, twice the same."""
    assert 0.0 <= toxicity(scorer, text) == toxicity(scorer, text) <= 1.0


@pytest.mark.slow
@pytest.mark.parametrize("text", ["x" * 1_000_000, "idiot " * 10_000])
def test_a_large_text_is_scored(scorer: OnnxScorer, text: str) -> None:
    """A word of a million letters, and as many words as a request can hold, are read to their end."""
    assert 0.0 <= toxicity(scorer, text) <= 1.0


@pytest.mark.slow
def test_a_text_that_is_too_large_is_an_error(scorer: OnnxScorer) -> None:
    """A megabyte of words is refused, not cut, and nothing of it is in the message."""
    with pytest.raises(ScorerError, match="longer than the 65536 that are scored") as caught:
        scorer.score(["burn! " * 170_000])
    assert "burn" not in str(caught.value)


def test_a_text_cannot_speak_to_the_model(tmp_path: Path) -> None:
    """Who writes [SEP] writes letters; the token that ends a text is ours alone."""
    table = tiny_table(tiny_tokenizer(), {**WORDS, "[SEP]": (5.0, 5.0), "[MASK]": (5.0, 5.0)})
    scorer = OnnxScorer.load(tiny_folder(tmp_path / "tiny", table=table))
    for text in ("[SEP]", "[MASK]", "a [SEP][SEP] a"):
        assert toxicity(scorer, text) == toxicity(scorer, "a")


def test_a_mark_that_a_vocabulary_reads_from_letters_is_left_out() -> None:
    """Some vocabularies hold the marks as pieces of text too; what stood there is not given to the model as one."""
    framing = framing_of(tiny_tokenizer(), pad_id=0, longest=8)
    inner = Encoded([7, framing.after[0], 9], [(0, 1), (1, 6), (6, 7)])
    assert framing.without_marks(inner) == Encoded([7, 9], [(0, 1), (6, 7)])


def test_the_tokenizer_cuts_and_pads_nothing(folder: Path) -> None:
    """A tokenizer.json that would cut a text is kept from it."""
    tokenizer = tiny_tokenizer()
    tokenizer.enable_truncation(4)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(folder / TOKENIZER))
    write_manifest(folder, tiny_manifest())
    assert toxicity(OnnxScorer.load(folder), "a a a a a idiot") == pytest.approx(sigmoid(1.5), abs=1e-6)


def test_token_types_are_given_where_they_are_asked_for(tmp_path: Path) -> None:
    """A model of two texts is told that all of it is the first."""
    scorer = OnnxScorer.load(tiny_folder(tmp_path / "tiny", inputs=TYPED))
    assert toxicity(scorer, "idiot") == pytest.approx(sigmoid(1.5), abs=1e-6)


def test_threads_and_budget_do_not_change_scores(folder: Path, scorer: OnnxScorer) -> None:
    """How the work is cut up is no part of the answer."""
    texts = ["a idiot", "thanks", "burn " * 50, ""]
    other = OnnxScorer.load(folder, threads=2, batch_tokens=1)
    for one, same in zip(scorer.score(texts), other.score(texts), strict=True):
        assert one.values == pytest.approx(same.values, abs=1e-6)
        assert one.window == same.window


def test_calibration_comes_from_the_manifest(tmp_path: Path) -> None:
    """Maps over the raw logit make probabilities, and the scores say so."""
    maps = {
        Attribute.TOXICITY: PlattMap(slope=0.5, offset=0.0),
        Attribute.INSULT: PiecewiseMap(raw=(0.0, 3.0), probability=(0.2, 0.8)),
    }
    (one,) = OnnxScorer.load(tiny_folder(tmp_path / "tiny", calibration=maps)).score(["idiot"])
    assert one.calibrated
    assert one.values == pytest.approx({Attribute.TOXICITY: sigmoid(0.75), Attribute.INSULT: 0.5}, abs=1e-6)


def test_the_id_is_all_that_the_manifest_says(tmp_path: Path) -> None:
    """Another word, weight or tokenizer is another model; the same folder elsewhere is the same."""
    rows = tiny_table(tiny_tokenizer(), {**WORDS, "idiot": (3.0, 4.1)})
    folders = [
        tiny_folder(tmp_path / "one"),
        tiny_folder(tmp_path / "same"),
        tiny_folder(tmp_path / "languages", languages=("en", "de")),
        tiny_folder(tmp_path / "longest", longest=12),
        tiny_folder(tmp_path / "weights", table=rows),
        tiny_folder(tmp_path / "raw", normalise=False),
    ]
    first, same, *others = [OnnxScorer.load(folder).model_id for folder in folders]
    assert first == same
    assert len({first, *others}) == 5


def test_normalising_otherwise_is_another_model(folder: Path) -> None:
    """What the manifest says is followed; a caller who wishes otherwise gets other scores under another id."""
    as_said, raw = OnnxScorer.load(folder), OnnxScorer.load(folder, normalise=False)
    assert as_said.model_id == OnnxScorer.load(folder, normalise=True).model_id != raw.model_id
    disguised = "id1ot"
    assert toxicity(as_said, disguised) == pytest.approx(sigmoid(1.5), abs=1e-6)
    assert toxicity(raw, disguised) == pytest.approx(sigmoid(-1.5), abs=1e-6)


@pytest.mark.parametrize("name", [MANIFEST, *FILES])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    """What is absent is an error with its name and with what to do."""
    (folder / name).unlink()
    with pytest.raises(ScorerError, match=rf"{name} cannot be read \(No such file or directory\); .*(export|copy)"):
        OnnxScorer.load(folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("keep", [0, 1, 100, -1])
def test_a_truncated_file_is_refused(folder: Path, name: str, keep: int) -> None:
    """A file cut anywhere is an error at load, not a model that answers."""
    (folder / name).write_bytes((folder / name).read_bytes()[:keep])
    with pytest.raises(ScorerError, match=rf"{name} is not the file that model.json names .* copy the whole folder"):
        OnnxScorer.load(folder)


@given(st.sampled_from(FILES), st.integers(0), st.integers(1, 255))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_one_changed_byte_is_refused(folder: Path, name: str, position: int, change: int) -> None:
    """No single changed byte of weights or tokenizer goes unnoticed."""
    whole = (folder / name).read_bytes()
    data = bytearray(whole)
    data[position % len(data)] ^= change
    (folder / name).write_bytes(data)
    try:
        with pytest.raises(ScorerError, match=name):
            OnnxScorer.load(folder)
    finally:
        (folder / name).write_bytes(whole)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"name": "tiny"}'])
def test_a_manifest_that_is_none_is_refused(folder: Path, content: bytes) -> None:
    """Whatever stands in the manifest, the answer is an error that says what to do."""
    (folder / MANIFEST).write_bytes(content)
    with pytest.raises(ScorerError, match=r"model.json is not a model's manifest .* export the model again"):
        OnnxScorer.load(folder)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"labels": ["toxicity", "politeness"]}, "politeness"),
        ({"labels": ["toxicity"]}, "gives 2 numbers for each text, its manifest names 1"),
        ({"labels": ["toxicity", "insult", "threat"]}, "gives 2 numbers for each text, its manifest names 3"),
        ({"labels": ["insult", "insult"]}, "names no labels, or one twice"),
        ({"labels": []}, "names no labels, or one twice"),
        ({"longest": 7}, "`longest` is less than 8"),
        ({"pad_id": -1}, "`pad_id` is negative"),
        ({"inputs": ["input_ids"]}, "lacks input_ids or attention_mask"),
        ({"inputs": list(TYPED)}, r"takes \['attention_mask', 'input_ids'\], its manifest says"),
        ({"files": {}}, "does not name exactly model.onnx and tokenizer.json"),
        ({"files": {"../x": "0", MODEL: "0", TOKENIZER: "0"}}, "does not name exactly"),
        ({"calibration": {"toxicity": {"type": "platt", "slope": 1.0, "offset": 0.0}}}, "not for exactly its labels"),
        ({"temperature": 2}, "unknown field"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(folder: Path, fields: dict[str, object], message: str) -> None:
    """Wrong labels, inputs or lengths are found before the first text, not seen as odd scores."""
    rewrite(folder, **fields)
    with pytest.raises(ScorerError, match=message):
        OnnxScorer.load(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_whole_file_of_another_kind_is_refused(folder: Path, name: str) -> None:
    """A file that is what the manifest names, and yet no model or tokenizer, is told by its name."""
    (folder / name).write_bytes(b"not what it is called")
    write_manifest(folder, tiny_manifest())
    with pytest.raises(ScorerError, match=rf"{name} .*export the model again"):
        OnnxScorer.load(folder)


def test_a_model_with_another_output_is_refused(tmp_path: Path) -> None:
    """Numbers are taken from the output called logits and no other."""
    with pytest.raises(ScorerError, match="does not have the single output logits"):
        OnnxScorer.load(tiny_folder(tmp_path / "tiny", output="embedding"))


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    """A token that the model does not know is found when it is loaded, not when a reader writes it."""
    table = tiny_table(tiny_tokenizer())[:-1]
    with pytest.raises(ScorerError, match="do not belong together"):
        OnnxScorer.load(tiny_folder(tmp_path / "tiny", table=table))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_never_score(tmp_path: Path, value: float) -> None:
    """A weight that is not a number is an error for the text that meets it, whatever calibration makes of it."""
    table = tiny_table(tiny_tokenizer(), {**WORDS, "idiot": (value, 0.0)})
    maps = {label: PiecewiseMap(raw=(0.0, 1.0), probability=(0.0, 1.0)) for label in LABELS}
    scorer = OnnxScorer.load(tiny_folder(tmp_path / "tiny", table=table, calibration=maps))
    assert scorer.score(["thanks"])
    with pytest.raises(ScorerError, match="not finite"):
        scorer.score(["thanks", "idiot"])


def test_a_device_that_is_absent_is_an_error(folder: Path) -> None:
    """Who asks for CUDA is never served by the CPU in silence."""
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    for device in ("cuda", "cuda:0"):
        with pytest.raises(ScorerError, match=r"CUDAExecutionProvider.*install onnxruntime-gpu in its place, or set"):
            OnnxScorer.load(folder, device=device)


def test_an_unknown_device_is_an_error(folder: Path) -> None:
    """A device nobody knows is told with those that are known."""
    with pytest.raises(ScorerError, match="'tpu' is not known; it may be cpu or cuda"):
        OnnxScorer.load(folder, device="tpu")


def test_a_manifest_crosses_json() -> None:
    """Maps, labels and digests survive the file."""
    manifest = tiny_manifest(calibration={label: PlattMap(slope=1.0, offset=0.0) for label in LABELS})
    assert msgspec.json.decode(msgspec.json.encode(manifest), type=Manifest) == manifest


def test_running_needs_neither_torch_nor_transformers(folder: Path) -> None:
    """A process that scores has imported onnxruntime and tokenizers, and nothing of what exported the model."""
    code = (
        "import sys; from pathlib import Path; from moderation.scorers.onnx import OnnxScorer\n"
        "OnnxScorer.load(Path(sys.argv[1])).score(['a idiot'])\n"
        "print(sorted({'torch', 'transformers', 'onnx', 'detoxify', 'sklearn'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
    assert found.stderr == ""
