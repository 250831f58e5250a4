"""What is drawn of the results: how each side grows, and ten minutes of load."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.plots import Line, Panel, figure
from bench.seen import Rows, where

LOOKS = {"colloquy": ("Colloquy", "a"), "bare": ("bare ASGI", "c"), "nginx": ("nginx", "d"), "isso": ("isso", "e")}


def of_run(run: Mapping[str, Any]) -> dict[str, str]:
    """Answer the plots of `bench.run` by their file's name."""
    rows, caption = Rows(run["rows"]), where(run["seen"])
    found = {}
    if rows.overs("pages"):
        found["performance-sizes.svg"] = figure("A page of a thread, by the comments in it", _by_size(rows), caption)
    if rows.overs("threads"):
        panels = [
            _panel(title, "threads", [_line(rows, side, name, "threads", "page") for side in LOOKS])
            for title, name in (("requests a second", "per_second"), ("p99, ms", "p99_ms"))
        ]
        found["performance-threads.svg"] = figure(
            "Pages of small threads in any order, by their number", panels, caption
        )
    if rows.clients("growth"):
        panels = [
            _panel(title, "clients", [_by_clients(rows, side, name) for side in LOOKS])
            for title, name in (("requests a second", "per_second"), ("p99, ms", "p99_ms"))
        ]
        found["performance-clients.svg"] = figure(
            "A page of a thread of 1,000, by the number of clients", panels, caption
        )
    return found


def _by_size(rows: Rows) -> list[Panel]:
    panels = []
    for title, name, clients in (
        ("requests a second, 8 clients", "per_second", 8),
        ("p99 of one client, ms", "p99_ms", 1),
    ):
        lines = [_line(rows, side, name, "pages", "page", clients) for side in LOOKS]
        slow = _line(rows, "colloquy", name, "pages", "not kept", clients)
        lines.insert(1, slow._replace(name="Colloquy, not kept ready", look="b", dashed=True))
        panels.append(_panel(title, "comments in the thread", lines))
    return panels


def _panel(title: str, across: str, lines: list[Line]) -> Panel:
    return Panel(title, across, lines, log_across=True, log_up=True)


def _line(rows: Rows, side: str, name: str, part: str, what: str, clients: int = 8) -> Line:
    label, look = LOOKS[side]
    found = [(over, rows.find(part, what, side, over, clients).get(name)) for over in rows.overs(part)]
    return Line(label, look, [(over, value) for over, value in found if value])


def _by_clients(rows: Rows, side: str, name: str) -> Line:
    label, look = LOOKS[side]
    [over] = rows.overs("growth")
    found = [(number, rows.find("growth", "page", side, over, number).get(name)) for number in rows.clients("growth")]
    return Line(label, look, [(number, value) for number, value in found if value])


def of_load(load: Mapping[str, Any]) -> dict[str, str]:
    """Answer the plot of `bench.load` by its file's name."""
    caption = where(load["seen"])
    waits, held = [], []
    for run in load["runs"]:
        share, dashed = f"{run['share']:.0%}", run["share"] < 0.75
        for kind, label, look in (("read", "reads", "a"), ("decided", "time to decision", "e")):
            points = [
                (minute["minute"], minute["kinds"][kind]["p99_ms"])
                for minute in run["minutes"]
                if minute["kinds"].get(kind, {}).get("p99_ms")
            ]
            waits.append(Line(f"{label}, {share}", look, points, dashed))
        for part, look in (("api", "b"), ("worker", "c"), ("redis", "d")):
            points = [(one["minute"], one["parts"][part]["pss"]) for one in run["memory"] if part in one["parts"]]
            held.append(Line(f"{part}, {share}", look, points, dashed))
    panels = [
        Panel("p99, ms", "minute", waits, log_up=True),
        Panel("memory, MiB (PSS)", "minute", held),
    ]
    return {"performance-load.svg": figure("Constant arrivals, by the minute", panels, caption)}
