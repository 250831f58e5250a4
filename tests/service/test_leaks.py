"""The search of the suite's logs finds what it is there to find."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

from tests import leaks

pytestmark = pytest.mark.slow
LEAKING = """
import logging
from tests.leaks import plant

def test_something() -> None:
    plant("a text that nobody should log")
    logging.getLogger("service.test").info("said", extra={"text": "a text that nobody should log"})

def test_other() -> None:
    logging.getLogger("service.test").info("nothing")
"""


def run(folder: Path, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run a suite of one file with the search on."""
    (folder / "test_leaking.py").write_text(source)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.leaks", "-p", "no:cacheprovider", *options]
    command.append(str(folder))
    root = Path(__file__).parents[2]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("options", [(), ("-n", "2")], ids=["one process", "two"])
def test_a_leak_fails_a_run_whose_tests_all_passed(options: tuple[str, ...], tmp_path: Path) -> None:
    """A planted text in a log line is named, and the run fails, however many processes shared it."""
    done = run(tmp_path, LEAKING, *options)
    assert "2 passed" in done.stdout
    assert "LEAKED INTO A LOG" in done.stdout
    assert done.returncode == 1


def test_without_a_leak_nothing_is_said(tmp_path: Path) -> None:
    """A run whose logs are clean is left alone."""
    done = run(tmp_path, LEAKING.replace('extra={"text": "a text that nobody should log"}', "extra={}"))
    assert (done.returncode, "LEAKED" in done.stdout) == (0, False)


def test_this_run_is_searched() -> None:
    """What this very suite logs is looked through."""
    before = leaks.searched()
    logging.getLogger("service.test").warning("a line")
    assert leaks.searched() == before + 1


def test_a_command_that_sets_up_logging_does_not_end_the_search(tmp_path: Path) -> None:
    """What is logged after a test that ran a command in this process is searched like before."""
    command = (
        "from service.telemetry import configure_logging\n\n"
        'def test_a_command() -> None:\n    configure_logging("ERROR")\n'
    )
    done = run(tmp_path, command + LEAKING)
    assert "LEAKED INTO A LOG" in done.stdout
    assert done.returncode == 1
