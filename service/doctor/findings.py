"""What the doctor found: one line of each thing, and one line of what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec


class Level(StrEnum):
    """How well a thing is, best first."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(msgspec.Struct, frozen=True):
    """One thing: its stable name, how it is, what was seen, and what to do, which is empty where all is well.

    No finding ever holds a secret, a password or what a reader wrote.
    """

    check: str
    level: Level
    said: str
    remedy: str = ""


def ok(check: str, said: str) -> Finding:
    """Answer that a thing is well."""
    return Finding(check, Level.OK, said)


def warning(check: str, said: str, remedy: str) -> Finding:
    """Answer that a thing works and may yet cost something."""
    return Finding(check, Level.WARNING, said, remedy)


def problem(check: str, said: str, remedy: str) -> Finding:
    """Answer that a thing does not work, or loses or shows something."""
    return Finding(check, Level.PROBLEM, said, remedy)


def is_well(findings: Iterable[Finding]) -> bool:
    """Answer whether nothing is a problem; warnings are for a quiet hour."""
    return all(one.level is not Level.PROBLEM for one in findings)


_STEPS: Final = ((86_400, "days"), (3_600, "hours"), (60, "minutes"), (1, "seconds"))


def span(seconds: float) -> str:
    """Answer a length of time in the largest unit of which there are two."""
    size, unit = next((step for step in _STEPS if abs(seconds) >= 2 * step[0]), _STEPS[-1])
    return f"{seconds / size:.0f} {unit}"
