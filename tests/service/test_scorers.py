"""From the name of a model to a scorer, or to one line that says what to do."""

import builtins
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from moderation.scorers import ScorerError
from service.scorers import build_named, build_scorer, threads_of
from service.settings import Settings, SettingsError


@pytest.mark.parametrize("name", ["", "gpt", "hashed:here", "onnx:", "detoxify:", "compact:x"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """What is no name of a model is an error that quotes it."""
    with pytest.raises(ScorerError, match="is no name of a model"):
        build_named(name)


def test_the_hashed_model_is_there() -> None:
    """The model without dependencies loads by its name."""
    assert type(build_scorer(Settings.from_environment({"SCORER": "hashed"}))).__name__ == "HashedScorer"


def test_threads_are_the_cores_unless_said() -> None:
    """A number of threads is taken as it is, and none means those that can run at once."""
    assert threads_of(Settings.from_environment({"SCORER_THREADS": "3"})) == 3
    assert threads_of(Settings.from_environment({})) >= 1


def test_a_missing_extra_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without torch, asking for Detoxify says what is missing and which target installs it."""
    real = builtins.__import__

    def refuse(
        name: str,
        globals_: Mapping[str, object] | None = None,
        locals_: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        if name == "moderation.scorers.detoxify":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
        return real(name, globals_, locals_, fromlist, level)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(SettingsError, match=r"^SCORER: detoxify:original .*torch is not installed; run `make model`"):
        build_scorer(Settings.from_environment({"SCORER": "detoxify:original"}))


def test_a_folder_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    """A wrong path is refused by the name of the setting and without a traceback."""
    with pytest.raises(SettingsError, match=r"^SCORER: onnx:.* cannot be used"):
        build_scorer(Settings.from_environment({"SCORER": f"onnx:{tmp_path / 'none'}"}))
