"""The locked requirements fit together: one may be installed after the other, and none brings CUDA."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TORCH_NEEDS = {"filelock", "typing-extensions", "setuptools", "sympy", "networkx", "jinja2", "fsspec"}


def pins(name: str) -> dict[str, set[str]]:
    """Answer the versions of each package that a lock names; some have one for each range of Python."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(
        r"^([\w.-]+)(?:\[\w+\])?==([\w.+]+)", (ROOT / "requirements" / name).read_text(), re.MULTILINE
    ):
        found.setdefault(package, set()).add(version)
    return found


def test_the_locks_agree() -> None:
    """A package that two locks name has the same versions in both, so that installing one changes no other."""
    run, test, model, otel = pins("run.txt"), pins("test.txt"), pins("model.txt"), pins("otel.txt")
    assert len(run) > 30
    for more in (test, model, otel):
        assert {name: more.get(name) for name in run} == run
    for one, other in ((test, model), (test, otel), (model, otel)):
        both = one.keys() & other.keys()
        assert {name: one[name] for name in both} == {name: other[name] for name in both}


def test_the_models_lock_has_what_torch_needs_and_no_cuda() -> None:
    """torch is installed beside the lock, with all that it needs locked, and nothing of CUDA is in it."""
    model = pins("model.txt")
    assert model.keys() >= {"detoxify", "transformers", "onnx", *TORCH_NEEDS}
    assert [name for name in model if re.search(r"^torch|nvidia|cuda|triton", name)] == []


def test_one_version_of_torch_is_named() -> None:
    """What is installed is what the lock was made for."""
    installed = re.search(r"^TORCH \?= torch==(\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    locked = re.findall(r'(?:"torch==|name = "torch"\nversion = ")([\d.]+)"', (ROOT / "pyproject.toml").read_text())
    assert installed is not None
    assert locked == [installed.group(1)] * 2
