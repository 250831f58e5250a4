"""bench.perspective_agreement tells what it measured on, before and after, for any scorer that it is given."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.perspective_agreement import main
from tests.moderation.test_equating import data
from tests.tiny_onnx import tiny_folder

__all__ = ["data"]


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A model that no maps are shipped for."""
    return f"onnx:{tiny_folder(tmp_path / 'tiny')}"


def test_a_model_without_maps_is_fitted_for_the_measurement(
    data: Path, folder: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The keys that scripts rely on, and whether the maps are those that ship."""
    assert main(["--data", str(data), "--scorer", folder, "--threads", "1", "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)["scorers"]
    assert (found["rows"], found["maps_are"]) == (10, "fitted now")
    for one in found["attributes"].values():
        assert set(one) == {"before", "after"}
        check(one["before"])
        check(one["after"])


def check(one: dict[str, Any]) -> None:
    """The figures of one side are complete and possible."""
    assert set(one) == {"spearman", "mean_absolute_error", "at"}
    assert set(one["at"]) == {"0.5", "0.7", "0.8"}
    for at in one["at"].values():
        assert 0 <= at["agree"] <= 1
        assert at["both"] <= min(at["ours"], at["theirs"])


def test_tables_show_no_text(data: Path, folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed are names and figures."""
    assert main(["--data", str(data), "--scorer", folder, "--threads", "1"]) == 0
    printed = capsys.readouterr()
    assert "agree at 0.7" in printed.out
    assert "idiot" not in printed.out + printed.err


def test_what_is_missing_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder without the data, or an unknown model, is one line and exit code 2."""
    assert main(["--data", str(tmp_path), "--scorer", "absent"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
