"""What tests need beside the locked requirements: a missing one is named on a person's machine and a failure in CI."""

import glob
import importlib.util
import os
import shutil
from typing import NoReturn

import pytest


def find_program(name: str, *patterns: str) -> str | None:
    """Answer the path of a program on PATH or at one of the places."""
    found = shutil.which(name)
    return found or next((path for pattern in patterns for path in sorted(glob.glob(pattern), reverse=True)), None)


def need_program(name: str, *patterns: str, package: str) -> str:
    """Answer the path of a program; without it skip by name, and fail in CI."""
    path = find_program(name, *patterns)
    return path or _missing(f"{name} is not installed (Debian package {package}); tests that need it do not run")


def need_module(*names: str, make: str = "model") -> None:
    """Go on when every module is installed, without importing one; else skip by name, and fail in CI."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        _missing(f"{', '.join(missing)}: not installed (make {make}); tests that need it do not run")


def _missing(message: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
