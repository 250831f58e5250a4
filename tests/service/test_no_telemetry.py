"""No library tells anybody of an installation."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

_LOAD = "from service.scorers import build_named; build_named('compact').score(['A civil opinion.'])"


@pytest.mark.slow
def test_the_model_leaves_no_trace_outside(tmp_path: Path) -> None:
    """Scoring by onnxruntime makes no id of the machine and no file of events in the home of its user."""
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", _LOAD], env=environment | {"HOME": str(tmp_path)}, check=True)
    assert list(tmp_path.rglob("*")) == []
