"""Outside programs that tests need: a missing one is named on a person's machine and a failure in CI."""

import glob
import os
import shutil

import pytest


def find_program(name: str, *patterns: str) -> str | None:
    """Answer the path of a program on PATH or at one of the places."""
    found = shutil.which(name)
    return found or next((path for pattern in patterns for path in sorted(glob.glob(pattern), reverse=True)), None)


def need_program(name: str, *patterns: str, package: str) -> str:
    """Answer the path of a program; without it skip by name, and fail in CI."""
    path = find_program(name, *patterns)
    if path is not None:
        return path
    message = f"{name} is not installed (Debian package {package}); tests that need it do not run"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
