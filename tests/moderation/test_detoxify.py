"""Detoxify through the package's own class, on checkpoints made here: the same numbers, any text, no network."""

import datetime
import json
import math
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from moderation.batching import windows_of
from moderation.scorers import ScorerError
from moderation.scorers.detoxify import DetoxifyScorer
from moderation.scorers.detoxify_files import PUBLISHED, PULLED, Pulled, folder_of, path_digest
from moderation.scores import Attribute
from tests.programs import need_module
from tests.tiny_models import (
    ABUSIVE,
    CIVIL,
    LABELS,
    LANGUAGES,
    ORIGINAL_LABELS,
    PREFIXES,
    Architecture,
    read_checkpoint,
    tiny_checkpoint,
    write_checkpoint,
)

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
SHORT = [*ABUSIVE, *CIVIL, "", "😀👍🏽", "Ünïcode!?", *(text for text in LANGUAGES.values() if len(text.encode()) < 50)]
CLOSE = 1e-5


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[Architecture, Path]:
    """A trained checkpoint of each architecture, with more outputs than labels, as the published ones have."""
    need_module("torch", "detoxify")
    return {kind: tiny_checkpoint(tmp_path_factory.mktemp(kind), kind, trained=True, outputs=16) for kind in PREFIXES}


def load(path: Path, **options: Any) -> DetoxifyScorer:
    """Load a checkpoint that lies in a folder with nothing else to find."""
    return DetoxifyScorer.load(path, models_home=path.parent / "home", **options)


def toxicity(scorer: DetoxifyScorer, texts: Iterable[str]) -> list[float]:
    """Answer the toxicity of each text."""
    return [scores.values[Attribute.TOXICITY] for scores in scorer.score(list(texts))]


def predicted(path: Path, texts: Iterable[str]) -> list[dict[str, float]]:
    """Answer what the package itself says of each text, one by one."""
    from detoxify import Detoxify

    package = Detoxify(checkpoint=str(path))
    return [package.predict(text) for text in texts]


@pytest.mark.parametrize("kind", PREFIXES)
def test_it_says_what_the_package_says(trained: dict[Architecture, Path], kind: Architecture) -> None:
    """Without the normaliser every score of a text that the model reads at once is the package's own, within 1e-5."""
    found = load(trained[kind], normalise=False, batch_tokens=200).score(SHORT)
    for scores, expected in zip(found, predicted(trained[kind], SHORT), strict=True):
        assert {str(name): value for name, value in scores.values.items()} == pytest.approx(expected, abs=CLOSE)
        assert not scores.calibrated
        assert scores.window is None


@pytest.mark.parametrize("kind", PREFIXES)
def test_a_trained_checkpoint_finds_abuse(trained: dict[Architecture, Path], kind: Architecture) -> None:
    """The least toxic abusive sentence scores clearly over the most toxic civil one."""
    scorer = load(trained[kind])
    assert min(toxicity(scorer, ABUSIVE)) > max(toxicity(scorer, CIVIL)) + 0.3


def test_the_model_is_named_by_its_weights(trained: dict[Architecture, Path]) -> None:
    """The model id holds the first digits of the checkpoint's sha256; attributes and languages are stated."""
    scorer = load(trained["bert"])
    assert scorer.model_id == f"detoxify-tiny@{path_digest(trained['bert'])[:8]}"
    assert scorer.attributes == tuple(map(Attribute, LABELS))
    assert scorer.languages == {"en"}
    assert load(trained["xlm-roberta"]).languages == {"en", "fr", "es", "it", "pt", "tr", "ru"}


def test_labels_are_read_by_name(tmp_path: Path) -> None:
    """Older names and another order change nothing, and toxicity comes first, since it chooses the window."""
    need_module("torch", "detoxify")
    path = tiny_checkpoint(tmp_path, labels=tuple(reversed(ORIGINAL_LABELS)), trained=True)
    scorer = load(path, normalise=False)
    assert scorer.attributes[0] is Attribute.TOXICITY
    assert set(scorer.attributes) == set(map(Attribute, LABELS))
    for scores, expected in zip(scorer.score(list(ABUSIVE)), predicted(path, ABUSIVE), strict=True):
        assert {str(name): value for name, value in scores.values.items()} == pytest.approx(expected, abs=CLOSE)


def test_one_text_none_and_many(trained: dict[Architecture, Path]) -> None:
    """An empty list gives none, a list of one gives one, and a text scores the same alone as among others."""
    scorer = load(trained["roberta"])
    assert scorer.score([]) == []
    together = toxicity(scorer, SHORT)
    assert [toxicity(scorer, [text])[0] for text in SHORT] == pytest.approx(together, abs=CLOSE)


@pytest.mark.parametrize("kind", PREFIXES)
def test_its_tokenizer_remembers_no_word_after_a_call(
    trained: dict[Architecture, Path], kind: Architecture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tokenizer that the library works with is told to forget, whichever architecture it is of."""
    told: list[Any] = []
    monkeypatch.setattr("moderation.scorers.detoxify.forget_words", told.append)
    load(trained[kind]).score(["a word"])
    assert {type(one).__name__ for one in told} == {"Tokenizer"}


@pytest.mark.parametrize("kind", PREFIXES)
def test_a_text_cannot_speak_to_the_model(trained: dict[Architecture, Path], kind: Architecture) -> None:
    """Who writes a special token writes letters: none of the model's own marks reaches it from a text."""
    scorer = load(trained[kind], normalise=False)
    tokenizer, model = scorer.opened.package.tokenizer, scorer.opened.package.model
    given: list[list[int]] = []
    model.register_forward_pre_hook(
        lambda _model, _args, named: given.extend(named["input_ids"].tolist()), with_kwargs=True
    )
    framing = scorer.opened.framing
    marks = {tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.pad_token_id, tokenizer.mask_token_id}
    for mark in tokenizer.all_special_tokens:
        scorer.score([f"a {mark}{mark} a"])
        inner = given.pop()[len(framing.before) : -len(framing.after)]
        assert marks.isdisjoint(inner)
        assert len(inner) >= 2


@pytest.mark.parametrize("kind", PREFIXES)
def test_the_end_of_a_long_text_is_read(trained: dict[Architecture, Path], kind: Architecture) -> None:
    """Insults after hundreds of civil words are found, where the package alone cuts the text before them."""
    text = " ".join(CIVIL * 20) + " you are a stupid idiot" * 12
    (found,) = load(trained[kind]).score([text])
    assert found.values[Attribute.TOXICITY] > 0.2 + predicted(trained[kind], [text])[0]["toxicity"]


@pytest.mark.parametrize("kind", PREFIXES)
def test_a_long_text_has_the_highest_score_of_its_windows(
    trained: dict[Architecture, Path], kind: Architecture
) -> None:
    """Each value is the highest that the package's model gives to any window; toxicity's names the place."""
    import torch

    text = " ".join([*CIVIL, *ABUSIVE, *CIVIL])
    scorer = load(trained[kind], normalise=False)
    package, framing = scorer.opened.package, scorer.opened.framing
    read = package.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    ids, places = read.input_ids, read.offset_mapping
    cut = windows_of(len(ids), longest=framing.room, overlap=framing.room // 4)
    rows = [[*framing.before, *ids[start:end], *framing.after] for start, end in cut]
    with torch.no_grad():
        each = torch.sigmoid(package.model(torch.tensor(rows)).logits)[:, : len(LABELS)]
    (found,) = scorer.score([text])
    start, end = cut[int(each[:, 0].argmax())]
    assert len(cut) > 2
    assert found.window == (places[start][0], places[end - 1][1])
    assert list(found.values.values()) == pytest.approx(each.max(dim=0).values.tolist(), abs=CLOSE)


def test_a_text_of_a_megabyte_is_scored_or_refused(trained: dict[Architecture, Path]) -> None:
    """A megabyte in long words is scored; one with more tokens than are read is refused by number, without its text."""
    scorer = load(trained["bert"])
    (whole,) = scorer.score([("secretword" * 100 + " ") * 1000])
    assert math.isfinite(whole.values[Attribute.TOXICITY])
    with pytest.raises(ScorerError, match="tokens is longer") as refused:
        scorer.score(["zebra " * 170_000])
    assert "zebra" not in str(refused.value)


@pytest.mark.parametrize("kind", PREFIXES)
def test_strange_texts_get_scores(trained: dict[Architecture, Path], kind: Architecture) -> None:
    """Nothing, spaces, emoji, half characters, control and right-to-left marks, and many scripts all get a number."""
    strange = [
        "",
        "   ",
        "\n",
        "😀🤬👍🏽",
        "\ud83d",
        "a\udc00b",
        "\x00\x07",
        "\u202eidiot\u202c",
        "\u200b" * 500,
        "ﷺ" * 100,
    ]
    strange += LANGUAGES.values()
    for normalise in (True, False):
        found = load(trained[kind], normalise=normalise).score(strange)
        assert len(found) == len(strange)
        assert all(0 <= value <= 1 for scores in found for value in scores.values.values())


def test_the_normaliser_is_before_the_model(trained: dict[Architecture, Path]) -> None:
    """An insult with invisible and look-alike characters scores as the plain one, unless that is switched off."""
    hidden, plain = "you are a st\u200bupid idiоt", "you are a stupid idiot"
    first, second = toxicity(load(trained["bert"]), [hidden, plain])
    assert first == second
    first, second = toxicity(load(trained["bert"], normalise=False), [hidden, plain])
    assert abs(first - second) > 1e-3


def test_a_tokenizer_without_a_length_is_no_trap(tmp_path: Path) -> None:
    """Where the tokenizer does not say how long a text may be, the model's positions do."""
    need_module("torch", "detoxify")
    path = tiny_checkpoint(tmp_path, "roberta")
    text = "what a good idea this is " * 50
    before = load(path).score([text])
    settings = json.loads((tmp_path / "tokenizer_config.json").read_text())
    del settings["model_max_length"]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    assert load(path).score([text]) == before


def test_a_device_that_is_not_there_is_refused(trained: dict[Architecture, Path]) -> None:
    """A name that is no device is refused, and so is a CUDA device that torch does not find."""
    import torch

    with pytest.raises(ScorerError, match="neither cpu nor cuda"):
        load(trained["bert"], device="tpu")
    with pytest.raises(ScorerError, match=r"is not there: torch .* finds \d+ CUDA devices"):
        load(trained["bert"], device=f"cuda:{torch.cuda.device_count()}")


def test_on_a_gpu_it_says_the_same(trained: dict[Architecture, Path]) -> None:
    """Where there is a CUDA device, it gives the processor's scores within a thousandth."""
    import torch

    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    for path in trained.values():
        assert toxicity(load(path, device="cuda"), SHORT) == pytest.approx(toxicity(load(path), SHORT), abs=1e-3)


def test_it_computes_with_the_threads_that_it_is_given(trained: dict[Architecture, Path]) -> None:
    """The number of threads is what was asked for, not what the machine has."""
    import torch

    for number in (2, 1):
        load(trained["bert"], threads=number)
        assert torch.get_num_threads() == number


def test_an_answer_that_is_no_number_is_refused(tmp_path: Path) -> None:
    """Weights so large that the outputs overflow end in an error, not in a score."""
    need_module("torch", "detoxify")
    path = tiny_checkpoint(tmp_path)
    content = read_checkpoint(path)
    content["state_dict"]["classifier.weight"].fill_(3e38)
    content["state_dict"]["classifier.weight"][:, ::2] *= -1
    scorer = load(write_checkpoint(tmp_path, content, name="huge"))
    with pytest.raises(ScorerError, match="not finite"):
        scorer.score(list(ABUSIVE))


NO_NETWORK = """
import sys

def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"):
        print("network:", event)
        raise RuntimeError(event)

sys.addaudithook(watch)
from pathlib import Path
from moderation.batching import windows_of
from moderation.scorers import ScorerError
from moderation.scorers.detoxify import DetoxifyScorer
print("torch" in sys.modules, "transformers" in sys.modules)
try:
    print(DetoxifyScorer.load(sys.argv[1], models_home=Path("nowhere")).score(["hello"])[0].model_id)
except ScorerError as error:
    print("refused:", error)
import huggingface_hub
print(huggingface_hub.is_offline_mode())
"""


def run_without_network(path: Path) -> list[str]:
    """Load a checkpoint in a process that reports any use of the network, and answer what it printed."""
    command = [sys.executable, "-W", "error", "-c", NO_NETWORK, str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_loading_uses_no_network_and_is_silent(trained: dict[Architecture, Path]) -> None:
    """A checkpoint is loaded and used without a socket or a word on the error stream, and imports torch only then."""
    assert run_without_network(trained["xlm-roberta"]) == [
        "False False",
        load(trained["xlm-roberta"]).model_id,
        "True",
    ]


def test_what_is_missing_is_not_sought_in_the_network(tmp_path: Path) -> None:
    """A checkpoint that names a base model of the hub is refused with what to do, without asking the hub."""
    need_module("torch", "detoxify")
    path = tiny_checkpoint(tmp_path, "roberta", model_type="roberta-base")
    (tmp_path / "config.json").unlink()
    first, refused, offline = run_without_network(path)
    assert (first, offline) == ("False False", "True")
    assert refused.startswith("refused: ")
    assert "put those files of roberta-base beside the checkpoint" in refused


def pulled(home: Path, name: str, kind: Architecture, labels: Iterable[str]) -> Path:
    """Make what `model pull` leaves in a folder, with a tiny checkpoint, and answer the checkpoint's path."""
    folder = folder_of(home, name)
    path = tiny_checkpoint(folder, kind, labels=tuple(labels), model_type=PUBLISHED[name].base, name=f"toxic_{name}")
    for file in PUBLISHED[name].files:
        (folder / file).touch()
    files = {one.name: path_digest(one) for one in folder.iterdir()}
    (folder / PULLED).write_bytes(pulled_json(name, path.name, files))
    return path


def pulled_json(name: str, checkpoint: str, files: dict[str, str]) -> bytes:
    """Answer the file that tells what was pulled."""
    import msgspec

    return msgspec.json.encode(Pulled(name, checkpoint, files))


@pytest.fixture
def original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A pulled `original`, which the package publishes here under the tiny checkpoint's name."""
    need_module("torch", "detoxify")
    from detoxify.detoxify import MODEL_URLS

    path = pulled(tmp_path, "original", "bert", ORIGINAL_LABELS)
    monkeypatch.setitem(MODEL_URLS, "original", f"https://models.example/{path.name}")
    return path


def test_a_pulled_model_is_loaded_by_its_name(original: Path, tmp_path: Path) -> None:
    """The name finds the folder in the models' home, and the model states its languages and its digest."""
    scorer = DetoxifyScorer.load("original", models_home=tmp_path)
    assert scorer.model_id == f"detoxify-original@{original.stem[-8:]}"
    assert scorer.languages == {"en"}
    assert len(scorer.score(["hello"])) == 1


def test_a_checkpoint_of_ones_own_finds_the_pulled_base(original: Path, tmp_path: Path) -> None:
    """A checkpoint that lies alone takes the config and tokenizer of a pulled model with the base that it names."""
    alone = tmp_path / "alone"
    alone.mkdir()
    mine = write_checkpoint(alone, read_checkpoint(original), name="mine")
    assert DetoxifyScorer.load(mine, models_home=tmp_path).score(["hello"])
    with pytest.raises(ScorerError, match=r"put those files of bert-base-uncased beside the checkpoint"):
        DetoxifyScorer.load(mine, models_home=tmp_path / "empty")


@pytest.mark.parametrize("file", ["tokenizer.json", "config.json", "vocab.txt"])
def test_a_damaged_file_beside_the_checkpoint_is_refused(original: Path, tmp_path: Path, file: str) -> None:
    """A tokenizer or config that is not the one that was pulled would give wrong numbers in silence."""
    path = original.with_name(file)
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(ScorerError, match=f"{file} is damaged or another file"):
        DetoxifyScorer.load("original", models_home=tmp_path)
    path.unlink()
    with pytest.raises(ScorerError, match=f"{file} cannot be read"):
        DetoxifyScorer.load("original", models_home=tmp_path)


def test_a_model_that_was_not_pulled_is_refused_with_the_command(original: Path, tmp_path: Path) -> None:
    """Without a finished pull, or with one of an older package, the message is the command that mends it."""
    with pytest.raises(ScorerError, match="run `python -m service model pull unbiased`"):
        DetoxifyScorer.load("unbiased", models_home=tmp_path)
    told = original.with_name(PULLED)
    told.write_bytes(pulled_json("original", "toxic_original-00000000.ckpt", {}))
    with pytest.raises(ScorerError, match=r"does not name all files .* run `python -m service model pull original`"):
        DetoxifyScorer.load("original", models_home=tmp_path)
    told.write_bytes(b"{")
    with pytest.raises(ScorerError, match="does not say what was pulled"):
        DetoxifyScorer.load("original", models_home=tmp_path)


def test_another_release_of_the_package_needs_its_own_files(original: Path, tmp_path: Path) -> None:
    """A pulled checkpoint that the installed package does not publish is refused."""
    from detoxify.detoxify import MODEL_URLS

    MODEL_URLS["original"] = "https://models.example/toxic_original-11111111.ckpt"
    with pytest.raises(ScorerError, match=r"is toxic_original-11111111.ckpt: run .* again"):
        DetoxifyScorer.load("original", models_home=tmp_path)


def test_a_published_name_vouches_for_no_code(original: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pulled checkpoint that holds more than weights is refused too, since eight digits can be met by trying."""
    from detoxify.detoxify import MODEL_URLS

    content = read_checkpoint(original)
    content["config"]["trained_on"] = datetime.date(2026, 11, 25)
    other = write_checkpoint(original.parent, content, name="toxic_original")
    files = {one.name: path_digest(one) for one in original.parent.iterdir() if one.name not in (PULLED, original.name)}
    original.with_name(PULLED).write_bytes(pulled_json("original", other.name, files))
    monkeypatch.setitem(MODEL_URLS, "original", f"https://models.example/{other.name}")
    other.with_name(f"{other.name}.sha256").write_text(path_digest(other))
    with pytest.raises(ScorerError, match="loading it runs code from the file"):
        DetoxifyScorer.load("original", models_home=tmp_path)
    trusting = DetoxifyScorer.load("original", models_home=tmp_path, trusted_digest=path_digest(other))
    assert trusting.score(["hello"])
