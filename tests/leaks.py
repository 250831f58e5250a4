"""Nothing secret and nothing that a reader wrote reaches a log: the lines of the whole suite are searched for it.

Fixtures plant what they use (`plant`): tokens, passwords, keys, texts. Every record that this process logs is written
out as production would and searched, and so is what each started service said. One find fails the run, also where
several processes share it (`pytest -n`): each searches for what it planted and tells the first what it found.
"""

from __future__ import annotations

import logging
from typing import Any

import pytest

from service.telemetry import JsonFormatter

LEAST_CHARACTERS = 12
"""Shorter ones stand in lines by chance."""
_planted: set[str] = {"a-secret-key-for-tests-that-is-long-enough", "a long and quiet river"}
_found: list[str] = []
_searched = 0


def plant(*secrets: str | None) -> None:
    """Take note of something that must never stand in a log."""
    _planted.update(secret for secret in secrets if secret and len(secret) >= LEAST_CHARACTERS)


def search(text: str, where: str) -> None:
    """Look for everything that was planted so far."""
    global _searched
    _searched += 1
    leaked = [secret for secret in _planted if secret in text]
    if leaked:
        # The start is enough to find it by, and this line may itself be kept.
        _found.append(f"{where}: {', '.join(secret[:6] + '...' for secret in leaked)}")


class _Searching(logging.Handler):
    """Searches what this process logs, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        """Search one line; libraries log their own lines from WARNING on in production."""
        if record.name.partition(".")[0] == "service" or record.levelno >= logging.WARNING:
            search(self.format(record), f"{record.name} ({record.filename}:{record.lineno})")


_SEARCHING = _Searching()


def pytest_sessionstart() -> None:
    """Begin to search."""
    _begin()


def pytest_runtest_setup() -> None:
    """Go on where a test before ran a command in this process, which sets up logging for itself."""
    if _SEARCHING not in logging.getLogger().handlers:
        _begin()


def _begin() -> None:
    root = logging.getLogger()
    root.setLevel(logging.WARNING)
    # What such a command wrote to is closed by now.
    root.handlers[:] = [one for one in root.handlers if not isinstance(one.formatter, JsonFormatter)]
    root.addHandler(_SEARCHING)
    # As in production; a test that wants less or more says so.
    logging.getLogger("service").setLevel(logging.INFO)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was found, and in how much."""
    for found in dict.fromkeys(_found):
        terminalreporter.write_line(f"LEAKED INTO A LOG: {found}", red=True)


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over what one of several processes found."""
    _found.extend(getattr(node, "workeroutput", {}).get("leaks", ()))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let the run fail where anything was found."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["leaks"] = _found
    elif _found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def searched() -> int:
    """Answer how many lines and logs were searched so far."""
    return _searched
