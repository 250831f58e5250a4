"""Plots of the results as SVG, written by hand: axes, lines with marks, a legend, readable in light and dark.

    python -m bench.run --write-docs

writes them into docs/images, from bench/results/run.json and load.json.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 860, 412
_LEFT, _TOP, _PANEL_WIDTH, _PANEL_HEIGHT, _BETWEEN = 64, 106, 340, 218, 92
_STYLE = """
  .back { fill: #ffffff } text { font: 12px system-ui, sans-serif; fill: #1f2933 } .small { font-size: 11px }
  .title { font-size: 13px; font-weight: 600 } .quiet { fill: #52606d }
  .grid { stroke: #d9dee4 } .axis { stroke: #7b8794 }
  .line { fill: none; stroke-width: 2 } .a { --c: #1d5fd1 } .b { --c: #6f42c1 } .c { --c: #5f6b78 } .d { --c: #1a7f4b }
  .e { --c: #c2410c } .line { stroke: var(--c) } .mark { fill: var(--c); stroke: var(--c) }
  @media (prefers-color-scheme: dark) {
    .back { fill: #14181d } text { fill: #e4e9ee } .quiet { fill: #a9b4c0 }
    .grid { stroke: #2d353e } .axis { stroke: #77828e }
    .a { --c: #6ea8ff } .b { --c: #c3a3ff } .c { --c: #b3bdc8 } .d { --c: #5fd39a } .e { --c: #ff9b66 }
  }
"""
_MARKS = {
    "a": '<circle cx="{x}" cy="{y}" r="4"/>',
    "b": '<circle cx="{x}" cy="{y}" r="4" fill="none" stroke-width="2"/>',
    "c": '<rect x="{l}" y="{t}" width="7" height="7"/>',
    "d": '<path d="M{x} {t}l4.5 8h-9z"/>',
    "e": '<path d="M{x} {t}l4.5 4.5l-4.5 4.5l-4.5 -4.5z"/>',
}


class Line(NamedTuple):
    """A named line; `look`, one of a to e, is its colour and its marks."""

    name: str
    look: str
    points: Sequence[tuple[float, float]]
    dashed: bool = False


class Panel(NamedTuple):
    """Lines over one pair of axes."""

    title: str
    across: str
    lines: Sequence[Line]
    log_across: bool = False
    log_up: bool = False


class Scale:
    """Where a value lies between two ends of a plot, and where the ticks are."""

    def __init__(self, values: Sequence[float], begin: float, end: float, *, log: bool, from_zero: bool) -> None:
        self.log, self._begin, self._end = log, begin, end
        low, high = min(values), max(values)
        if log:
            self._ticks = _decades(low, high) if from_zero else sorted(set(values))
        else:
            self._ticks = _even(0.0 if from_zero else low, high)
        self._low, self._high = min(self._ticks[0], low), max(self._ticks[-1], high)

    @property
    def ticks(self) -> list[float]:
        """Answer the values that are written at the axis."""
        return self._ticks

    def __call__(self, value: float) -> float:
        """Answer where a value lies."""
        low, high, at = self._low, self._high, value
        if self.log:
            low, high, at = math.log10(low), math.log10(high), math.log10(value)
        share = (at - low) / (high - low) if high > low else 0.5
        return self._begin + share * (self._end - self._begin)


def _decades(low: float, high: float) -> list[float]:
    """Answer powers of ten around the values; with 2 and 5 between them where they are few."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    last = max(last, first + 1)
    steps = (1, 2, 5) if last - first <= 2 else (1,)
    return [step * 10.0**power for power in range(first, last) for step in steps] + [10.0**last]


def _even(low: float, high: float) -> list[float]:
    """Answer up to seven round numbers that reach around the values."""
    span = max(high - low, 1e-9)
    rough = span / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * of for of in (1, 2, 5, 10) if size * of >= rough)
    first = math.floor(low / step)
    return [index * step for index in range(first, math.ceil(high / step) + 1)]


def short(value: float) -> str:
    """Answer a number as it stands at an axis."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def figure(title: str, panels: Sequence[Panel], caption: str) -> str:
    """Answer an SVG with its panels side by side and one legend; a line without points is left out."""
    shown = [panel._replace(lines=[line for line in panel.lines if _drawn(line, panel)]) for panel in panels]
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<desc>{escape(caption)}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="back" width="{WIDTH}" height="{HEIGHT}" rx="6"/>',
        _text(16, 26, title, look="title"),
        *_legend([line for panel in shown for line in panel.lines]),
        *(part for index, panel in enumerate(shown) for part in _panel(panel, index)),
        _text(16, HEIGHT - 14, caption, look="small quiet"),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _drawn(line: Line, panel: Panel) -> bool:
    return bool(_points(line, panel))


def _points(line: Line, panel: Panel) -> list[tuple[float, float]]:
    return [(x, y) for x, y in line.points if (x > 0 or not panel.log_across) and (y > 0 or not panel.log_up)]


def _legend(lines: Sequence[Line]) -> list[str]:
    parts, at, down = [], 16.0, 48
    for line in {line.name: line for line in lines}.values():
        wide = 48 + 6.2 * len(line.name)
        if at + wide > WIDTH:
            at, down = 16.0, down + 18
        parts += [_stroke(line, [(at, down), (at + 26, down)]), _mark(line.look, at + 13, down)]
        parts.append(_text(at + 32, down + 4, line.name))
        at += wide
    return parts


def _panel(panel: Panel, index: int) -> list[str]:
    left, bottom = _LEFT + index * (_PANEL_WIDTH + _BETWEEN), _TOP + _PANEL_HEIGHT
    title = _text(left - 48, _TOP - 12, panel.title, look="")
    points = [point for line in panel.lines for point in _points(line, panel)]
    if not points:
        return [title, _text(left, _TOP + 40, "not measured", look="quiet")]
    across = Scale([x for x, _ in points], left, left + _PANEL_WIDTH, log=panel.log_across, from_zero=False)
    up = Scale([y for _, y in points], bottom, _TOP, log=panel.log_up, from_zero=True)
    parts = [
        title,
        *_axes(across, up, left),
        _text(left + _PANEL_WIDTH / 2, bottom + 38, panel.across, anchor="middle"),
    ]
    for line in panel.lines:
        placed = [(across(x), up(y)) for x, y in _points(line, panel)]
        parts += [_stroke(line, placed), *(_mark(line.look, x, y) for x, y in placed)]
    return parts


def _axes(across: Scale, up: Scale, left: float) -> list[str]:
    right, bottom = left + _PANEL_WIDTH, _TOP + _PANEL_HEIGHT
    parts = [_ruled("axis", (left, bottom), (right, bottom))]
    for tick in up.ticks:
        parts.append(_ruled("grid", (left, up(tick)), (right, up(tick))))
        parts.append(_text(left - 8, up(tick) + 4, short(tick), look="small quiet", anchor="end"))
    for tick in across.ticks:
        parts.append(_ruled("axis", (across(tick), bottom), (across(tick), bottom + 5)))
        parts.append(_text(across(tick), bottom + 19, short(tick), look="small quiet", anchor="middle"))
    return parts


def _text(x: float, y: float, text: str, *, look: str = "small", anchor: str = "start") -> str:
    return f'<text class="{look}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _ruled(look: str, begin: tuple[float, float], end: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = begin, end
    return f'<line class="{look}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _stroke(line: Line, placed: Sequence[tuple[float, float]]) -> str:
    dashes = ' stroke-dasharray="6 4"' if line.dashed else ""
    listed = " ".join(f"{x:.1f},{y:.1f}" for x, y in placed)
    return f'<polyline class="line {line.look}"{dashes} points="{listed}"/>'


def _mark(look: str, x: float, y: float) -> str:
    shape = _MARKS[look].format(x=f"{x:.1f}", y=f"{y:.1f}", l=f"{x - 3.5:.1f}", t=f"{y - 4:.1f}")
    return f'<g class="mark {look}">{shape}</g>'
