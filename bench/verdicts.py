"""What was wanted of the comparison, and what was seen, in a line each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from bench.measures import ratio
from bench.seen import Rows

_AGAINST_ISSO = (
    ("pages kept ready", "pages", "page", "page"),
    ("pages not kept", "pages", "not kept", "page"),
    ("counts", "counts", "counts", "counts"),
    ("submits with `compact`", "submits", "answered, compact", "answered, compact"),
    ("small threads in any order", "threads", "page", "page"),
)


def verdicts(rows: Rows) -> Iterator[str]:
    """Say each that can be said of what was measured."""
    sizes = rows.overs("pages")
    if not sizes:
        return
    first, last = sizes[0], sizes[-1]
    kept = {size: rows.rate("pages", "page", "colloquy", size) for size in sizes}
    of_bare = [ratio(kept[size], rows.rate("pages", "page", "bare", size)) for size in sizes]
    yield f"* A page that is kept ready has {_range(of_bare, '{:.0%}')} of the bare application's rate; wanted: 60%."
    flat = _range([ratio(kept[last], kept[first])], "{:.0%}")
    yield f"* With {last:,} comments in the thread it has {flat} of its rate with {first:,}; wanted: the same."
    slow = [rows.find("pages", "not kept", "colloquy", size, 1).get("p99_ms") for size in sizes]
    yield f"* A page that is not kept, asked for by one client: p99 {_range(slow, '{:.1f}')} ms; wanted: under 5."
    cheap = _range([_cheap(rows, size) for size in sizes], "{:.0%}")
    yield f"* A 304 takes {cheap} of the page's CPU; wanted: at most 100%."
    yield f"* isso's rate is surpassed {_ahead(rows)}."


def _cheap(rows: Rows, size: int) -> float | None:
    page, revalidated = (rows.find("pages", what, "colloquy", size).get("cpu_us") for what in ("page", "304"))
    return ratio(revalidated, page)


def _ahead(rows: Rows) -> str:
    said = []
    for label, part, ours, theirs in _AGAINST_ISSO:
        times = [
            ratio(rows.rate(part, ours, "colloquy", size), rows.rate(part, theirs, "isso", size))
            for size in rows.overs(part)
        ]
        if any(times):
            said.append(f"{_range(times, '{:,.1f}')} times by {label}")
    return ", ".join(said) or "or not, it was not measured"


def _range(values: Sequence[float | None], form: str) -> str:
    known = sorted(value for value in values if value is not None)
    if not known:
        return "(not measured)"
    low, high = form.format(known[0]), form.format(known[-1])
    return low if low == high else f"{low} to {high}"
