"""Results as they are looked up for tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class Rows:
    """The rows of a run, found by what they are about."""

    def __init__(self, rows: Sequence[Mapping[str, Any]]) -> None:
        self._rows = {(one["part"], one["what"], one["side"], one["over"], one["clients"]): one for one in rows}

    def find(self, part: str, what: str, side: str, over: int, clients: int = 8) -> Mapping[str, Any]:
        """Answer a row, an empty one where that was not measured."""
        return self._rows.get((part, what, side, over, clients), {})

    def rate(self, part: str, what: str, side: str, over: int, clients: int = 8) -> float | None:
        """Answer how many of them a side answered in a second; None where that was not measured."""
        return self.find(part, what, side, over, clients).get("per_second")

    def overs(self, part: str) -> list[int]:
        """Answer the sizes that a part has rows for."""
        return sorted({key[3] for key in self._rows if key[0] == part})

    def clients(self, part: str) -> list[int]:
        """Answer the numbers of clients that a part has rows for."""
        return sorted({key[4] for key in self._rows if key[0] == part})

    def sides(self) -> set[str]:
        """Answer who was measured."""
        return {key[2] for key in self._rows}


def where(seen: Mapping[str, Any]) -> str:
    """Answer date, machine and commit in one line."""
    machine = f"{seen['cores']} cores, {seen['processor']}"
    return f"{seen['date']} · {machine} · Python {seen['python']} · commit {seen['commit']}"


def number(value: float | None) -> str:
    """Answer a figure with three digits that matter; a dash where there is none."""
    if value is None:
        return "–"
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"


def share(value: float | None) -> str:
    """Answer a part of a whole in hundredths."""
    return "–" if value is None else f"{value:.0%}"
