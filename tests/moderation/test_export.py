"""An exported model reads and scores as the original does, needs nothing of what made it, or is not written at all."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from moderation.agreement import rank_agreement
from moderation.scorers.onnx import OnnxScorer, read_tokenizer
from moderation.scorers.onnx_folder import MODEL, TOKENIZER
from moderation.scorers.proof import Bound, Difference, differences
from moderation.scores import Attribute, ScorerError, Scores
from tests.moderation.samples import LANGUAGES
from tests.programs import need_module
from tests.tiny_models import ABUSIVE, CIVIL, PREFIXES, Architecture, tiny_checkpoint

TEXTS = [*ABUSIVE, *CIVIL, *LANGUAGES.values(), "", " ", "😀👍🏽", "Ünïcode!? 12,5%", "long words of a text. " * 40]
CLOSE = 1e-4


@pytest.fixture(scope="module", params=PREFIXES)
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A trained model of each architecture, with more outputs than labels, as what is exported of it."""
    need_module("torch", "detoxify", "onnx")
    from moderation.scorers.detoxify_opening import open_model
    from moderation.scorers.export import source_of

    kind: Architecture = request.param
    path = tiny_checkpoint(tmp_path_factory.mktemp(kind), kind, trained=True, outputs=9, name=kind)
    return source_of(open_model(path, models_home=path.parent / "home"))


@pytest.fixture(scope="module")
def whole(source: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the whole variant."""
    from moderation.scorers.export import export_module

    folder = tmp_path_factory.mktemp("whole") / "folder"
    export_module(source.module, source.tokenizer_json, source.manifest, folder)
    return folder


def furthest(one: Any, other: Any, texts: list[str]) -> float:
    """Answer the largest difference of any label on any text."""
    return max(difference.largest for difference in differences(one, other, texts))


def products(path: Path) -> Counter[str]:
    """Count the products with weights in a model's file, by operator, and its look-ups in whole numbers."""
    import onnx

    graph = onnx.load(str(path)).graph
    return Counter(node.op_type for node in graph.node)


@pytest.mark.slow
def test_the_whole_variant_scores_like_the_original(source: Any, whole: Path) -> None:
    """Short, long, empty and in 32 languages, alone or together: the same numbers to the fourth place."""
    copy = OnnxScorer.load(whole)
    assert furthest(source.scorer, copy, TEXTS) < CLOSE
    for text in TEXTS[::9]:
        (alone,), (original,) = copy.score([text]), source.scorer.score([text])
        assert alone.values == pytest.approx(original.values, abs=CLOSE)
        assert alone.window == original.window


@pytest.mark.slow
def test_the_copy_says_what_it_is(source: Any, whole: Path) -> None:
    """Labels, languages and length are the original's, and its id is not."""
    copy = OnnxScorer.load(whole)
    assert copy.attributes == source.scorer.attributes
    assert copy.languages == source.scorer.languages
    assert copy.model_id != source.scorer.model_id
    assert json.loads((whole / "model.json").read_text())["longest"] == 64


@pytest.mark.slow
def test_the_tokenizer_gives_the_same_ids(source: Any, whole: Path) -> None:
    """The file reads every text as the tokenizer of transformers does, special tokens among them."""
    tokenizer = read_tokenizer(whole / TOKENIZER)
    for text in TEXTS:
        assert tokenizer.encode(text).ids == list(source.tokenise(text))


@pytest.mark.slow
def test_a_tokenizer_that_reads_otherwise_is_refused(source: Any, whole: Path) -> None:
    """One other token in one text is enough, and the text is not quoted."""
    from moderation.scorers.variants import check_tokens

    spoilt = msgspec.structs.replace(source, tokenise=lambda text: [*source.tokenise(text)[:-1], 0])
    with pytest.raises(ScorerError, match=r"reads text 0 otherwise once it is exported$"):
        check_tokens(spoilt, whole, TEXTS)


@pytest.mark.slow
def test_nothing_of_this_machine_is_in_the_file(whole: Path) -> None:
    """The tracer knows the lines of code it came through; none of them travels with the model."""
    data = (whole / MODEL).read_bytes()
    assert b"site-packages" not in data
    assert str(Path(__file__).parents[2]).encode() not in data


@pytest.mark.slow
def test_both_variants_are_written_when_proven(source: Any, tmp_path: Path) -> None:
    """Each variant stands in a folder of its own, scores within its bound, and nothing else is left behind."""
    from moderation.scorers.variants import BOUNDS, Variant, write_variants

    attempts: list[Any] = []
    bounds = {Variant.FP32: BOUNDS[Variant.FP32], Variant.INT8: Bound(0.2)}
    written = write_variants(source, tmp_path, bounds, TEXTS, attempts.append)
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written.values()}
    assert set(written) == set(Variant)
    assert attempts[-1].passed
    for variant, path in written.items():
        assert path.name == f"{source.manifest.name}-{variant}"
        assert furthest(source.scorer, OnnxScorer.load(path), TEXTS) <= bounds[variant].largest


@pytest.mark.slow
def test_a_variant_over_its_bound_is_not_written(source: Any, tmp_path: Path) -> None:
    """Eight bits are tried in ever fewer layers; what still differs too much leaves nothing behind."""
    from moderation.scorers.variants import LADDER, Variant, write_variants

    attempts: list[Any] = []
    bounds = {Variant.FP32: Bound(1e-12), Variant.INT8: Bound(1e-12)}
    assert write_variants(source, tmp_path, bounds, TEXTS, attempts.append) == {}
    assert list(tmp_path.iterdir()) == []
    assert [attempt.kept for attempt in attempts] == [(), *LADDER]
    assert not any(attempt.passed for attempt in attempts)


@pytest.mark.slow
def test_a_folder_that_is_there_is_not_replaced(source: Any, tmp_path: Path) -> None:
    """What runs somewhere is never written over, and that is told before any work."""
    from moderation.scorers.variants import BOUNDS, write_variants

    there = tmp_path / f"{source.manifest.name}-fp32"
    there.mkdir()
    (there / "kept").write_text("kept")
    with pytest.raises(ScorerError, match="is there already"):
        write_variants(source, tmp_path, BOUNDS, TEXTS, lambda attempt: pytest.fail("work was done"))
    assert [path.name for path in there.iterdir()] == ["kept"]


@pytest.mark.slow
def test_eight_bits_reach_every_layer(source: Any, whole: Path, tmp_path: Path) -> None:
    """No product with weights stays in full, in layers that share their weights either; what is kept, is kept."""
    from moderation.scorers.export import quantise

    made = {"all": {}, "head": {"head": False}, "narrowing": {"narrowing": False}, "embeddings": {"embeddings": False}}
    counts = {}
    for name, kept in made.items():
        quantise(whole / MODEL, tmp_path / f"{name}.onnx", **kept)
        counts[name] = products(tmp_path / f"{name}.onnx")
    # Two layers with six products each, two products after pooling, and what albert has before its layers.
    expected = 15 if source.manifest.architecture == "albert" else 14
    assert counts["all"]["MatMulInteger"] == expected
    assert counts["all"]["Gemm"] == 0
    assert counts["head"]["MatMulInteger"] == expected - 2
    assert counts["narrowing"]["MatMulInteger"] < counts["head"]["MatMulInteger"] + 2
    assert (tmp_path / "all.onnx").stat().st_size < (whole / MODEL).stat().st_size
    assert counts["embeddings"]["MatMulInteger"] == expected
    assert (tmp_path / "embeddings.onnx").stat().st_size > (tmp_path / "all.onnx").stat().st_size


@pytest.mark.slow
def test_in_eight_bits_no_text_moves_the_score_of_another(source: Any, whole: Path, tmp_path: Path) -> None:
    """The quantiser's scales are of a whole batch, so rows go alone: a comment scores the same in any company."""
    from moderation.scorers.export import quantise_folder

    quantise_folder(whole, tmp_path / "small", source.manifest)
    small = OnnxScorer.load(tmp_path / "small")
    together = small.score(TEXTS)
    assert together == [small.score([text])[0] for text in TEXTS]
    assert together[::-1] == small.score(TEXTS[::-1])


@pytest.mark.slow
def test_exporting_leaves_the_module_as_it_was(source: Any, tmp_path: Path) -> None:
    """A module in training is exported without its noise and goes on training."""
    from moderation.scorers.export import export_module

    source.module.train()
    try:
        export_module(source.module, source.tokenizer_json, source.manifest, tmp_path / "copy")
        assert all(one.training for one in source.module.modules())
    finally:
        source.module.eval()
    assert furthest(source.scorer, OnnxScorer.load(tmp_path / "copy"), TEXTS) < CLOSE


@pytest.mark.slow
def test_the_copy_runs_where_there_is_no_torch(source: Any, whole: Path) -> None:
    """A process in which none of what exported it can be imported gives the original's scores."""
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in ('torch', 'transformers', 'onnx', 'detoxify'):\n"
        "            raise ModuleNotFoundError(name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "import json; from pathlib import Path; from moderation.scorers.onnx import OnnxScorer\n"
        "scores = OnnxScorer.load(Path(sys.argv[1])).score(json.load(sys.stdin))\n"
        "print(json.dumps([one.values for one in scores]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code, str(whole)], input=json.dumps(TEXTS), capture_output=True, text=True, check=True
    )
    for values, original in zip(json.loads(found.stdout), source.scorer.score(TEXTS), strict=True):
        assert values == pytest.approx({str(label): value for label, value in original.values.items()}, abs=CLOSE)


class Fixed:
    """A scorer that answers from a list."""

    model_id, languages = "fixed@1", frozenset({"en"})

    def __init__(self, values: list[float], attributes: tuple[Attribute, ...] = (Attribute.TOXICITY,)) -> None:
        """Take one value for each text."""
        self.values, self.attributes = values, attributes

    def score(self, texts: Any) -> list[Scores]:
        return [
            Scores("fixed@1", False, dict.fromkeys(self.attributes, value))
            for _, value in zip(texts, self.values, strict=True)
        ]


def test_differences_are_the_largest_the_mean_and_the_order() -> None:
    """One text in ten that moved by a fifth is seen in each number."""
    first = [number / 10 for number in range(10)]
    second = [*first[:9], 0.7]
    (found,) = differences(Fixed(first), Fixed(second), [str(number) for number in range(10)])
    assert found.largest == pytest.approx(0.2)
    assert found.mean == pytest.approx(0.02)
    assert 0.9 < found.rank < 1.0


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ([1, 2, 3, 4], [10, 20, 30, 40], 1.0),
        ([1, 2, 3, 4], [4, 3, 2, 1], -1.0),
        ([1, 2, 3, 4, 5], [5, 6, 7, 8, 7], 0.8207826816681233),
        ([1, 1, 1], [1, 2, 3], 0.0),
        ([1, 1, 1], [2, 2, 2], 1.0),
    ],
)
def test_rank_agreement_is_spearmans(one: list[float], other: list[float], expected: float) -> None:
    """Ties count at their mean rank, as in the book; where one side has no order there is no agreement to find."""
    assert rank_agreement(np.array(one, float), np.array(other, float)) == pytest.approx(expected)


def test_a_bound_holds_the_largest_and_the_mean() -> None:
    """Many small differences are as little allowed as one large."""
    bound = Bound(0.05)
    assert Difference(Attribute.THREAT, 0.05, 0.01, 1.0).within(bound)
    assert not Difference(Attribute.THREAT, 0.051, 0.001, 1.0).within(bound)
    assert not Difference(Attribute.THREAT, 0.02, 0.011, 1.0).within(bound)


def test_other_labels_cannot_be_compared() -> None:
    """A copy with its labels in another order is another model."""
    labels = (Attribute.TOXICITY, Attribute.INSULT)
    texts = [str(number) for number in range(10)]
    with pytest.raises(ScorerError, match="labels"):
        differences(Fixed([0.5] * 10, labels), Fixed([0.5] * 10, labels[::-1]), texts)


def test_few_texts_prove_nothing() -> None:
    """A proof on the same text many times is refused."""
    with pytest.raises(ScorerError, match="1 different texts prove nothing"):
        differences(Fixed([0.5] * 20), Fixed([0.5] * 20), ["same"] * 20)
