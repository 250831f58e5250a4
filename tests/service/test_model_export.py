"""`model export` prints its proof, writes what passed, and says in one line why it did not write."""

from pathlib import Path

import pytest

from service.__main__ import REFUSED, main
from tests.programs import need_module
from tests.tiny_models import LABELS, tiny_checkpoint


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for every command."""
    monkeypatch.setenv("COLLOQUY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained checkpoint."""
    need_module("torch", "detoxify", "onnx")
    return tiny_checkpoint(tmp_path_factory.mktemp("checkpoint"), trained=True)


@pytest.mark.slow
def test_an_export_is_proven_written_and_runs(
    checkpoint: Path, tmp_path: Path, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table names every label, and the folder that is printed is a scorer of SCORER=onnx:..."""
    from service.scorers import build_named

    # A model 24 numbers wide loses more in eight bits than a real one.
    assert main(["model", "export", str(checkpoint), "--out", str(tmp_path / "out"), "--bound", "0.2"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "fp32 (bound: largest 0.2, mean 0.04)"
    assert sorted(line.split()[0] for line in said[2:8]) == sorted(LABELS)
    paths = [Path(line.removeprefix("written: ")) for line in said if line.startswith("written: ")]
    assert [path.name for path in paths] == ["detoxify-tiny-fp32", "detoxify-tiny-int8"]
    for path in paths:
        scorer = build_named(f"onnx:{path}", models_home=home)
        civil, abusive = scorer.score(["thank you for the article", "you are a stupid idiot"])
        assert abusive.values[scorer.attributes[0]] > civil.values[scorer.attributes[0]]


@pytest.mark.slow
def test_a_name_as_scorer_has_it_is_taken(checkpoint: Path, home: Path, tmp_path: Path) -> None:
    """The word that stands in SCORER works here too, and without --out the models' home is written to."""
    texts = tmp_path / "texts.txt"
    texts.write_text("\n".join(f"text number {number}" for number in range(20)))
    command = ["model", "export", f"detoxify:{checkpoint}", "--variant", "fp32", "--texts", str(texts)]
    assert main(command) == 0
    assert [path.name for path in (home / "models").iterdir()] == ["detoxify-tiny-fp32"]


@pytest.mark.slow
def test_what_is_over_the_bound_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is written, the table marks what was over, and the exit code is that of a refusal."""
    out = tmp_path / "out"
    assert (
        main(["model", "export", str(checkpoint), "--out", str(out), "--variant", "int8", "--bound", "1e-9"]) == REFUSED
    )
    said = capsys.readouterr()
    assert list(out.iterdir()) == []
    assert "over the bound" in said.out
    assert "in full: head, embeddings, narrowing" in said.out
    assert said.err.startswith("colloquy: not written: int8, because a difference is over the bound")


@pytest.mark.slow
@pytest.mark.parametrize("bound", ["0", "1", "-0.1", "nan"])
def test_a_bound_that_is_none_is_refused(bound: str, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bound that everything or nothing passes is a mistake, told before any work."""
    assert main(["model", "export", str(checkpoint), f"--bound={bound}"]) == REFUSED
    assert capsys.readouterr().err.startswith("colloquy: --bound: must be")


@pytest.mark.slow
def test_an_absent_checkpoint_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is not there is one line with its path."""
    need_module("torch", "detoxify", "onnx")
    assert main(["model", "export", str(tmp_path / "none.ckpt")]) == REFUSED
    assert "none.ckpt" in capsys.readouterr().err


@pytest.mark.slow
def test_texts_that_cannot_be_read_are_named(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An absent file, and one that is no text, are told apart."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\xff")
    for name, message in (("none", "cannot be read"), ("bytes", "is not text in UTF-8")):
        assert main(["model", "export", str(checkpoint), "--texts", str(tmp_path / name)]) == REFUSED
        assert message in capsys.readouterr().err
