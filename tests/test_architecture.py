"""The house's rules that a tool can hold: directions of import, sizes, words."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*(ROOT / "service").rglob("*.py"), *(ROOT / "moderation").rglob("*.py")])
LONGEST_FILE, LONGEST_FUNCTION = 400, 60
FORBIDDEN_ROOMS = {"utils", "helpers", "common", "lib"}
FORBIDDEN_WORDS = re.compile(r"\b(whitelist|blacklist)\b|\b(TODO|FIXME)\b", re.IGNORECASE)


def test_imports_follow_the_house() -> None:
    """No room imports against the direction of the house (the contracts in pyproject.toml)."""
    command = [sys.executable, "-c", "from importlinter.cli import lint_imports_command as run; run()", "--no-cache"]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout + found.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_small(path: Path) -> None:
    """No file passes 400 lines and no function 60: the point where they are split."""
    text = path.read_text()
    if "versions" in path.parts:
        return
    assert text.count("\n") <= LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < LONGEST_FUNCTION, node.name


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_speak_the_words_of_the_house(path: Path) -> None:
    """Every module has a docstring, no room is called utils, and nothing is left for later."""
    text = path.read_text()
    assert not FORBIDDEN_WORDS.search(text)
    assert not FORBIDDEN_ROOMS & {path.stem, *path.relative_to(ROOT).parts}
    if path.parent.name != "versions":
        assert ast.get_docstring(ast.parse(text))


def test_every_test_claims_something() -> None:
    """Each test's docstring is a sentence."""
    silent = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                said = ast.get_docstring(node) or ""
                if not said.split("\n")[0].rstrip().endswith((".", ",", ":")) and not said.rstrip().endswith("."):
                    silent.append(f"{path.name}:{node.name}")
    assert silent == []


def test_no_test_sleeps() -> None:
    """Tests wait on conditions, in the one place that polls."""
    sleeping = re.compile(r"\b(time|asyncio|anyio)\.sleep\(")
    offenders = [
        path.name
        for path in (ROOT / "tests").rglob("*.py")
        if path.name not in ("eventually.py", "database_fixture.py") and sleeping.search(path.read_text())
    ]
    assert offenders == []
