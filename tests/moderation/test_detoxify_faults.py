"""What is wrong with a checkpoint is found before a number comes out of it: each fault is refused by name."""

import datetime
import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from moderation.scorers import ScorerError
from moderation.scorers.detoxify import DetoxifyScorer
from moderation.scorers.detoxify_checkpoint import check_weights, read_recipe
from moderation.scorers.detoxify_files import SIDECAR, path_digest
from tests.programs import need_module
from tests.tiny_models import Architecture, read_checkpoint, tiny_checkpoint, write_checkpoint

Content = dict[str, Any]
Spoil = Callable[[Content], None]


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    """A checkpoint with nothing wrong."""
    need_module("torch", "detoxify")
    return tiny_checkpoint(tmp_path)


def load(path: Path, **options: Any) -> DetoxifyScorer:
    """Load a checkpoint and see that it scores."""
    scorer = DetoxifyScorer.load(path, models_home=path.parent / "home", **options)
    assert len(scorer.score(["what a day"])) == 1
    return scorer


def refused(path: Path, reason: str, **options: Any) -> str:
    """See that a checkpoint is refused for the reason, in a message that names the file, and answer the message."""
    with pytest.raises(ScorerError, match=reason) as found:
        DetoxifyScorer.load(path, models_home=path.parent / "home", **options)
    assert str(path) in str(found.value) or str(path.parent) in str(found.value)
    return str(found.value)


def named(path: Path) -> Path:
    """Give a spoilt file the name that its own digest asks for, so that only its content can be refused."""
    return path.rename(path.with_name(f"spoilt-{path_digest(path)[:8]}.ckpt"))


def vouch(path: Path) -> None:
    """Write the whole digest beside a checkpoint, as `sha256sum` prints it."""
    path.with_name(path.name + SIDECAR).write_text(f"{path_digest(path)}  {path.name}\n")


@pytest.mark.slow
@pytest.mark.parametrize("place", [0.01, 0.5, 0.99])
def test_one_flipped_bit_is_found(whole: Path, place: float) -> None:
    """A bit that differs anywhere in the file is found before anything is read from it."""
    content = bytearray(whole.read_bytes())
    content[int(len(content) * place)] ^= 1
    whole.write_bytes(content)
    message = refused(whole, "is damaged or another file: its sha256 begins with")
    assert whole.stem[-8:] in message


@pytest.mark.slow
@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_cut_file_is_found(whole: Path, share: float) -> None:
    """A file without its end is refused by its digest, and where the name fits what is left, by its content."""
    whole.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * share)])
    refused(whole, "is damaged or another file")
    refused(named(whole), "not a checkpoint that torch can read|holds more than weights")


@pytest.mark.slow
def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    """A text, a list, a folder and a name that leads nowhere are refused as what they are."""
    need_module("torch", "detoxify")
    (tmp_path / "text").write_text("<html>Sign in</html>")
    refused(named(tmp_path / "text"), "not a checkpoint that torch can read|holds more than weights")
    refused(write_checkpoint(tmp_path, [1, 2]), "is no checkpoint of Detoxify")
    for nowhere in (tmp_path, tmp_path / "absent.ckpt"):
        with pytest.raises(ScorerError, match=r"there is no checkpoint .* names are original, unbiased, multilingual"):
            DetoxifyScorer.load(nowhere, models_home=tmp_path)


@pytest.mark.slow
def test_a_name_without_digits_needs_the_whole_digest_beside_it(whole: Path) -> None:
    """A checkpoint of any name is taken with its sha256 beside it, and refused without or with another one."""
    plain = whole.rename(whole.with_name("mine.ckpt"))
    assert f"sha256sum mine.ckpt > mine.ckpt{SIDECAR}" in refused(plain, "neither its name ends with")
    vouch(plain)
    assert load(plain).model_id == f"detoxify-mine@{path_digest(plain)[:8]}"
    beside = plain.with_name(plain.name + SIDECAR)
    beside.write_text("0" * 64)
    refused(plain, "is damaged or another file")
    beside.write_text("no digest")
    refused(plain, "does not begin with the 64 digits")


@pytest.mark.slow
def test_two_digests_that_differ_are_refused(whole: Path) -> None:
    """Where the name and the file beside it contradict each other, neither is believed."""
    whole.with_name(whole.name + SIDECAR).write_text("0" * 64)
    refused(whole, "the digest in its name is not the one in")


class Bomb:
    """An object whose unpickling makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.folder),)


@pytest.mark.slow
@pytest.mark.parametrize("where", ["config", "state_dict", "extra"])
def test_code_in_a_checkpoint_is_not_run(whole: Path, where: str) -> None:
    """A checkpoint whose unpickling would run code is refused, with its digest in its name, and nothing was run."""
    proof, content = whole.parent / "it_ran", read_checkpoint(whole)
    content.setdefault(where, {})["bomb"] = Bomb(proof)
    message = refused(write_checkpoint(whole.parent, content, name="bomb"), "loading it runs code from the file")
    assert "Nothing of it was run" in message
    assert not proof.exists()


@pytest.mark.slow
def test_a_digest_that_came_with_a_file_runs_none_of_its_code(whole: Path) -> None:
    """A whole digest beside a checkpoint, and one of another file in the setting, leave its code where it is."""
    proof, content = whole.parent / "it_ran", read_checkpoint(whole)
    content["extra"] = Bomb(proof)
    path = write_checkpoint(whole.parent, content, name="bomb")
    path = path.rename(path.with_name("downloaded.ckpt"))
    vouch(path)
    refused(path, "SCORER_TRUSTED_DIGEST")
    refused(path, "Nothing of it was run", trusted_digest=path_digest(whole))
    refused(path, "Nothing of it was run", trusted_digest=path_digest(path)[:8])
    assert not proof.exists()


@pytest.mark.slow
def test_more_than_weights_is_taken_only_when_its_digest_is_trusted(whole: Path) -> None:
    """A checkpoint with an object of a class loads where the caller names its whole digest, and not otherwise."""
    content = read_checkpoint(whole)
    content["config"]["trained_on"] = datetime.date(2026, 11, 25)
    path = write_checkpoint(whole.parent, content, name="dated")
    refused(path, "holds more than weights")
    load(path, trusted_digest=path_digest(path))


def set_labels(*labels: str) -> Spoil:
    """Answer what gives a checkpoint other labels."""
    return lambda content: content["config"]["dataset"]["args"].update(classes=list(labels))


def set_argument(**arguments: Any) -> Spoil:
    """Answer what changes how a checkpoint's model is built."""
    return lambda content: content["config"]["arch"]["args"].update(arguments)


def set_weight(name: str, change: Callable[[Any], Any]) -> Spoil:
    """Answer what changes a weight."""
    return lambda content: content["state_dict"].update({name: change(content["state_dict"][name])})


QUERY = "bert.encoder.layer.1.attention.self.query.weight"
FAULTS: dict[str, tuple[Spoil, str]] = {
    "unknown label": (set_labels("toxicity", "sarcasm"), "unknown labels 'sarcasm'; known are toxicity"),
    "no toxicity": (set_labels("insult", "threat"), "the labels must name toxicity"),
    "one label twice": (set_labels("toxicity", "toxic"), "and none twice"),
    "no labels": (set_labels(), "the labels must name toxicity"),
    "labels that are no list": (lambda c: c["config"]["dataset"]["args"].update(classes=3), "config is not one"),
    "more labels than outputs": (set_argument(num_classes=5), "the model has 5 outputs for 6 labels"),
    "no outputs": (set_argument(num_classes=0), "config is not one"),
    "other outputs": (
        set_argument(num_classes=9),
        "in another shape, weights .*'classifier.bias', 'classifier.weight'",
    ),
    "another class": (set_argument(model_name="GPT2ForSequenceClassification"), "is none of Bert"),
    "not even a model": (set_argument(model_name="logging"), "is none of Bert"),
    "another tokenizer": (set_argument(tokenizer_name="RobertaTokenizer"), "is not BertTokenizer"),
    "another architecture": (
        set_argument(model_name="AlbertForSequenceClassification", tokenizer_name="AlbertTokenizer"),
        "lacks weights|no model can be built",
    ),
    "no config": (lambda c: c.pop("config"), "is no checkpoint of Detoxify"),
    "no weights": (lambda c: c.pop("state_dict"), "is no checkpoint of Detoxify"),
    "an empty config": (lambda c: c["config"].clear(), "config is not one of Detoxify"),
    "weights that are no tensors": (lambda c: c["state_dict"].update(extra=3), "is not one of tensors"),
    "a missing weight": (lambda c: c["state_dict"].pop(QUERY), f"lacks weights .*{QUERY}"),
    "all weights missing": (lambda c: c["state_dict"].clear(), r"lacks weights .* and \d+ more"),
    "an unknown weight": (
        lambda c: c["state_dict"].update({"x.weight": c["state_dict"][QUERY]}),
        "has unknown weights",
    ),
    "a weight of another shape": (set_weight(QUERY, lambda one: one[:-1]), f"in another shape, weights .*{QUERY}"),
    "a weight turned round": (
        set_weight("bert.encoder.layer.0.output.dense.weight", lambda one: one.T.contiguous()),
        "in another shape",
    ),
    "a complex weight": (set_weight(QUERY, lambda one: one * 1j), "is not one of tensors"),
    "a sparse weight": (set_weight(QUERY, lambda one: one.to_sparse()), "not a checkpoint that torch can read"),
    "an infinite weight": (
        set_weight(QUERY, lambda one: one + math.inf),
        "not finite",
    ),
    "a weight that is no number": (set_weight(QUERY, lambda one: one / 0), "not finite"),
    "names of the training code": (
        lambda c: c.update(state_dict={f"model.{name}": one for name, one in c["state_dict"].items()}),
        "lacks weights",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_spoilt_checkpoint_is_refused(whole: Path, fault: str) -> None:
    """Each thing that can be wrong inside a checkpoint whose digest is right is refused with its reason."""
    spoil, reason = FAULTS[fault]
    content = read_checkpoint(whole)
    spoil(content)
    refused(write_checkpoint(whole.parent, content, name="spoilt"), reason)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["bert", "roberta", "xlm-roberta", "albert"])
def test_what_older_releases_kept_is_no_fault(tmp_path: Path, kind: Architecture) -> None:
    """Counted positions, and the layer that the roberta family never used, are in the published checkpoints."""
    need_module("torch", "detoxify")
    import torch

    path = tiny_checkpoint(tmp_path, kind)
    content = read_checkpoint(path)
    prefix = "roberta" if "roberta" in kind else kind
    content["state_dict"][f"{prefix}.embeddings.position_ids"] = torch.arange(64).unsqueeze(0)
    if prefix == "roberta":
        content["state_dict"]["roberta.pooler.dense.weight"] = torch.zeros(24, 24)
        content["state_dict"]["roberta.pooler.dense.bias"] = torch.zeros(24)
    older = load(write_checkpoint(tmp_path, content, name="older"))
    assert [one.values for one in older.score(["hello"])] == [one.values for one in load(path).score(["hello"])]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        ("config.json", None, "there is no config.json with a tokenizer"),
        ("config.json", b"{", "no model can be built"),
        ("config.json", b'{"hidden_size": 48, "vocab_size": 30522}', "lacks weights of the model that its config"),
        ("tokenizer.json", None, r"the tokenizer knows \d+ tokens and the model \d+|no model can be built"),
        ("tokenizer.json", b"{}", "no model can be built"),
    ],
)
def test_a_config_or_tokenizer_that_does_not_fit_is_refused(
    whole: Path, file: str, content: bytes | None, reason: str
) -> None:
    """An absent, unreadable or other config or tokenizer beside a good checkpoint is refused."""
    path = whole.with_name(file)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    refused(whole, reason)


@pytest.mark.slow
def test_the_tokenizer_of_another_model_is_refused(whole: Path, tmp_path: Path) -> None:
    """A tokenizer with fewer or more tokens than the model has would number words wrongly in silence."""
    tokens = (tiny_checkpoint(tmp_path / "other", "roberta").parent / "tokenizer.json").read_bytes()
    whole.with_name("tokenizer.json").write_bytes(tokens)
    refused(whole, r"the tokenizer knows \d+ tokens and the model \d+|no model can be built")


def test_a_published_config_is_read() -> None:
    """The config of a published model, with all that its training needed, names its labels and more outputs."""
    arguments = {
        "num_classes": 16,
        "model_type": "roberta-base",
        "model_name": "RobertaForSequenceClassification",
        "tokenizer_name": "RobertaTokenizer",
    }
    dataset = {"classes": ["toxicity", "severe_toxicity", "sexual_explicit"], "identity_classes": ["male"], "weight": 1}
    config = {"arch": {"type": "ROBERTA", "args": arguments}, "dataset": {"type": "x", "args": dataset}, "n_gpu": 1}
    recipe = read_recipe({"config": config, "state_dict": {}}, "it")
    assert (recipe.outputs, recipe.architecture, recipe.columns) == (16, "roberta", [0, 1, 2])


def test_the_shapes_of_weights_are_compared() -> None:
    """Equal names and shapes pass; a long list of missing ones is shortened."""
    shapes = {f"w{number}": (number, 2) for number in range(9)}
    check_weights(shapes, dict(shapes), "it")
    with pytest.raises(ScorerError, match=re.escape("'w0', 'w1', 'w2' and 6 more")):
        check_weights(shapes, {}, "it")
