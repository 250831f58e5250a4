"""From the name of a model to a scorer, or to one line that says what to do."""

import datetime
import sys
from pathlib import Path

import pytest

from moderation.scorers import ScorerError
from moderation.scorers.detoxify_files import path_digest
from service.scorers import build_named, build_scorer, digest_of, threads_of
from service.settings import Settings, SettingsError
from tests.programs import need_module
from tests.tiny_models import read_checkpoint, tiny_checkpoint, write_checkpoint
from tests.tiny_onnx import tiny_folder


@pytest.mark.parametrize("name", ["", "gpt", "hashed:here", "onnx:", "detoxify:", "compact:x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """What is no name of a model is an error that quotes it."""
    with pytest.raises(ScorerError, match="is no name of a model"):
        build_named(name)


def test_the_hashed_model_is_there() -> None:
    """The model without dependencies loads by its name."""
    assert type(build_scorer(Settings.from_environment({"SCORER": "hashed"}))).__name__ == "HashedScorer"


def test_a_models_id_ends_in_the_first_digits_of_its_digest(tmp_path: Path) -> None:
    """The digest that is written beside scores is the one that the id was made of."""
    folder = tiny_folder(tmp_path / "tiny")
    for name in ("hashed", f"onnx:{folder}"):
        scorer = build_named(name)
        digest = digest_of(scorer)
        assert len(digest) == 64
        assert scorer.model_id.endswith(f"@{digest[:8]}")


def test_detoxify_has_the_digest_of_its_checkpoint(tmp_path: Path) -> None:
    """A checkpoint's digest is the whole sha256 of its file."""
    need_module("torch", "detoxify")
    path = tiny_checkpoint(tmp_path)
    assert digest_of(build_named(f"detoxify:{path}")) == path_digest(path)


def test_a_name_in_place_of_the_setting() -> None:
    """A command's own option comes first, and is the one that an error names."""
    settings = Settings.from_environment({"SCORER": "compact"})
    assert type(build_scorer(settings, "hashed")).__name__ == "HashedScorer"
    with pytest.raises(SettingsError, match=r"--scorer: gpt cannot be used"):
        build_scorer(settings, "gpt")


def test_threads_are_the_cores_unless_said() -> None:
    """A number of threads is taken as it is, and none means those that can run at once."""
    assert threads_of(Settings.from_environment({"SCORER_THREADS": "3"})) == 3
    assert threads_of(Settings.from_environment({})) >= 1


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without the packages of the extra, asking for Detoxify says what is missing and which target installs it."""
    (tmp_path / "mine.ckpt").write_bytes(b"anything")
    # What Python itself puts there for a module that must not be imported.
    monkeypatch.setitem(sys.modules, "torch", None)
    wanted = "^SCORER: detoxify:.* cannot be used: torch is not installed; run `make model` for it$"
    with pytest.raises(SettingsError, match=wanted):
        build_scorer(Settings.from_environment({"SCORER": f"detoxify:{tmp_path / 'mine.ckpt'}"}))


def test_a_trusted_digest_is_a_whole_one() -> None:
    """Fewer digits than a sha256 has could be met by trying, so the setting refuses them."""
    with pytest.raises(SettingsError, match=r"^SCORER_TRUSTED_DIGEST: "):
        Settings.from_environment({"SCORER_TRUSTED_DIGEST": "c1212f89"})
    assert Settings.from_environment({"SCORER_TRUSTED_DIGEST": "0" * 64}).scorer_trusted_digest == "0" * 64


def test_the_trusted_digest_reaches_the_checkpoint(tmp_path: Path) -> None:
    """A checkpoint that holds more than weights loads with the setting that names it, and not without."""
    need_module("torch", "detoxify")
    content = read_checkpoint(tiny_checkpoint(tmp_path))
    content["config"]["trained_on"] = datetime.date(2026, 11, 25)
    path = write_checkpoint(tmp_path, content, name="dated")
    environment = {"SCORER": f"detoxify:{path}", "MODELS_HOME": str(tmp_path)}
    with pytest.raises(SettingsError, match="set SCORER_TRUSTED_DIGEST"):
        build_scorer(Settings.from_environment(environment))
    environment["SCORER_TRUSTED_DIGEST"] = path_digest(path)
    assert build_scorer(Settings.from_environment(environment)).score(["what a day"])


def test_an_exported_folder_is_loaded_by_its_path(tmp_path: Path) -> None:
    """A folder is a scorer, with the threads and the budget of the settings."""
    scorer = build_scorer(Settings.from_environment({"SCORER": f"onnx:{tiny_folder(tmp_path / 'tiny')}"}))
    assert scorer.model_id.startswith("tiny@")
    assert scorer.score(["you idiot"])[0].values


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """A wrong path is refused by the name of the setting and without a traceback."""
    with pytest.raises(SettingsError, match=r"^SCORER: onnx:.* cannot be used"):
        build_scorer(Settings.from_environment({"SCORER": f"onnx:{tmp_path / 'none'}"}))
