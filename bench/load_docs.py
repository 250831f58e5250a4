"""The tables of the load at constant arrivals, as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bench.seen import number, where

_FILLED_MINUTE = 2
KINDS = {
    "read": "page",
    "revalidated": "page, If-None-Match",
    "counts": "counts of 50 pages",
    "submitted": "submit, until answered",
    "decided": "submit, until decided",
    "moderator": "claim and decision of a moderator",
}


def load_section(load: Mapping[str, Any], images: Sequence[str]) -> str:
    """Answer the section of `bench.load`."""
    seen = (
        f"{where(load['seen'])}. Capacity of the mix, {load['clients']} clients in a closed loop: "
        f"{number(load['capacity_per_second'])} requests/s. Then {load['minutes']:g} minutes at each rate. Load "
        f"average before: {load['load_before']:.1f}."
    )
    parts = [seen, ""]
    for run in load["runs"]:
        parts += [*_latencies(run), "", *_memory(run), ""]
    return "\n".join([*parts, *(f"![{image.removesuffix('.svg')}](images/{image})" for image in images)])


def _latencies(run: Mapping[str, Any]) -> Iterator[str]:
    yield f"At {run['share']:.0%} of it, {number(run['rate'])} requests/s:"
    yield ""
    yield "| what | requests | p50 ms | p99 ms | p99.9 ms | longest ms | not answered as wanted |"
    yield "|---|---|---|---|---|---|---|"
    for kind, label in KINDS.items():
        one = run["kinds"].get(kind)
        if one:
            figures = [number(one[name]) for name in ("p50_ms", "p99_ms", "p999_ms", "largest_ms")]
            yield f"| {label} | {one['number']:,} | {' | '.join(figures)} | {one['errors']:,} |"
    late, live = run["late"], run["live"]
    yield ""
    yield (
        f"The generator sent {number(late['p50_ms'])} ms (p50) and {number(late['p99_ms'])} ms (p99) after the planned "
        f"moment, which is in these figures. {live['streams']} live streams had {live['events']:,} events; "
        f"{live['lost']} of them broke off."
    )


def _memory(run: Mapping[str, Any]) -> Iterator[str]:
    parts = list(run["memory"][0]["parts"])
    yield f"| memory, MiB (PSS), at minute | {' | '.join(parts)} |"
    yield "|---|" + "---|" * len(parts)
    for one in run["memory"]:
        held = [number(one["parts"].get(part, {}).get("pss")) for part in parts]
        yield f"| {one['minute']:g} | {' | '.join(held)} |"
    yield ""
    yield f"From minute {_early(run)['minute']:g} to the end: {_grown(run)}."


def _early(run: Mapping[str, Any]) -> Mapping[str, Any]:
    """Answer what was held once the caches had filled, or at the start of a shorter run."""
    found: Sequence[Mapping[str, Any]] = run["memory"]
    return next((one for one in found[:-1] if one["minute"] >= _FILLED_MINUTE), found[0])


def _grown(run: Mapping[str, Any]) -> str:
    early, last = _early(run)["parts"], run["memory"][-1]["parts"]
    changes = {part: last[part]["pss"] - one["pss"] for part, one in early.items() if part in last}
    return ", ".join(
        f"{part} {change:+.1f} MiB ({change / early[part]['pss']:+.0%})" for part, change in changes.items()
    )
