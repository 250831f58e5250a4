"""The tables of the comparison as Markdown, and their place in docs/performance.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import field_plots
from bench.load_docs import load_section
from bench.measures import ratio
from bench.report import RESULTS
from bench.seen import Rows, number, share, where
from bench.verdicts import verdicts

DOCS = RESULTS.parent.parent / "docs"
PAGE = DOCS / "performance.md"
_KINDS = {"page": "page, kept ready", "gzip": "the same, gzip", "304": "the same, 304", "not kept": "page, not kept"}
_SIDES = ("colloquy", "before", "bare", "nginx", "isso")


def print_tables(run: Mapping[str, Any]) -> None:
    """Print what stands in the documentation."""
    print("\n" + "\n".join(_tables(run)))


def write_docs() -> None:
    """Write the tables between their marks, and the plots."""
    for path, text in current().items():
        path.write_text(text)
        print(f"written: {path.relative_to(DOCS.parent)}")


def current(results: Path = RESULTS) -> dict[Path, str]:
    """Answer the files of the documentation as the results have them."""
    page, found = PAGE.read_text(), dict[Path, str]()
    for name, section, plots in (
        ("run", field_section, field_plots.of_run),
        ("load", load_section, field_plots.of_load),
    ):
        file = results / f"{name}.json"
        if file.exists():
            seen = json.loads(file.read_text())
            drawn = plots(seen)
            page = between_marks(page, name, section(seen, list(drawn)))
            found |= {DOCS / "images" / image: text for image, text in drawn.items()}
    return {PAGE: page} | found


def between_marks(page: str, name: str, text: str) -> str:
    """Answer the page with what stands between the marks of a name replaced."""
    begin, end = f"<!-- {name}: written by python -m bench.run --write-docs -->", f"<!-- end of {name} -->"
    before, _, rest = page.partition(begin)
    _, found, after = rest.partition(end)
    if not found:
        raise ValueError(f"{PAGE.name} has no marks of {name}")
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{after}"


def field_section(run: Mapping[str, Any], images: Sequence[str]) -> str:
    """Answer the section of `bench.run`: when and where, what came of what was asked, the tables and the plots."""
    minutes = run["seconds"] / 60
    seen = (
        f"{where(run['seen'])}. Load average before: {run['load_before']:.1f}; the run took {minutes:.0f} minutes, "
        f"{run['pace']['rounds']} rounds of {run['pace']['seconds']} s a cell, load by `{run['generator']}`."
    )
    pictures = [f"![{image.removesuffix('.svg')}](images/{image})" for image in images]
    return "\n".join([seen, "", *_tables(run), "", *pictures])


def _tables(run: Mapping[str, Any]) -> Iterator[str]:
    rows = Rows(run["rows"])
    yield from verdicts(rows)
    for part, table in (("pages", _pages), ("counts", _counts), ("submits", _submits)):
        if rows.overs(part):
            yield ""
            yield from table(rows)
    for part, across, found in (("threads", "threads", _threads), ("growth", "clients", _clients)):
        if rows.overs(part):
            yield ""
            yield from _compared(across, found(rows))
    yield ""
    yield from _memory(run["memory"])


def _pages(rows: Rows) -> Iterator[str]:
    yield from _head("page", "comments", "Colloquy /s", *(["before /s"] if "before" in rows.sides() else []), "p50 ms",
                     "p99 ms", "CPU µs", "alone p50 ms", "p99 ms", "bare /s", "of bare", "nginx /s", "isso /s",
                     "p99 ms", "CPU µs", "alone p50 ms", "times isso")  # fmt: skip
    for kind, label in _KINDS.items():
        for index, size in enumerate(rows.overs("pages")):
            ours, bare = (rows.find("pages", kind, side, size) for side in ("colloquy", "bare"))
            if ours:
                yield _line(label if index == 0 else "", f"{size:,}", *_page_cells(rows, kind, size, ours, bare))


def _page_cells(rows: Rows, kind: str, size: int, ours: Mapping[str, Any], bare: Mapping[str, Any]) -> Iterator[str]:
    isso, alone = rows.find("pages", "page", "isso", size), rows.find("pages", kind, "colloquy", size, 1)
    floor = rows.find("pages", "page", "bare", size) if kind == "not kept" else bare
    yield number(ours.get("per_second"))
    if "before" in rows.sides():
        yield number(rows.find("pages", kind, "before", size).get("per_second"))
    yield from (number(ours.get(name)) for name in ("p50_ms", "p99_ms", "cpu_us"))
    yield from (number(alone.get(name)) for name in ("p50_ms", "p99_ms"))
    yield number(bare.get("per_second"))
    yield share(ratio(ours.get("per_second"), floor.get("per_second")))
    yield number(rows.find("pages", kind, "nginx", size).get("per_second"))
    yield from (number(isso.get(name)) for name in ("per_second", "p99_ms", "cpu_us"))
    yield number(rows.find("pages", "page", "isso", size, 1).get("p50_ms"))
    yield number(ratio(ours.get("per_second"), isso.get("per_second")))


def _counts(rows: Rows) -> Iterator[str]:
    yield from _head("counts of 50 pages, comments", "Colloquy /s", "p50 ms", "p99 ms", "CPU µs", "bare /s", "of bare",
                     "isso /s", "p50 ms", "p99 ms", "CPU µs", "times isso")  # fmt: skip
    for size in rows.overs("counts"):
        ours, bare, isso = (rows.find("counts", "counts", side, size) for side in ("colloquy", "bare", "isso"))
        of_bare = share(ratio(ours.get("per_second"), bare.get("per_second")))
        yield _line(
            f"{size:,}", *_four(ours), number(bare.get("per_second")), of_bare,
            *_four(isso), number(ratio(ours.get("per_second"), isso.get("per_second"))),
        )  # fmt: skip


def _submits(rows: Rows) -> Iterator[str]:
    yield from _head("submits", "comments", "Colloquy /s", "p50 ms", "p99 ms", "CPU µs", "decided /s", "isso /s",
                     "p50 ms", "p99 ms", "CPU µs", "times isso")  # fmt: skip
    for scorer in ("hashed", "compact"):
        for what in ("answered", "decided"):
            for index, size in enumerate(rows.overs("submits")):
                ours = rows.find("submits", f"{what}, {scorer}", "colloquy", size)
                isso = rows.find("submits", f"answered, {scorer}", "isso", size)
                yield _line(
                    f"until {what}, `{scorer}`" if index == 0 else "", f"{size:,}", *_four(ours),
                    number(ours.get("decided_per_second")), *_four(isso),
                    number(ratio(ours.get("per_second"), isso.get("per_second"))),
                )  # fmt: skip


def _four(row: Mapping[str, Any]) -> list[str]:
    return [number(row.get(name)) for name in ("per_second", "p50_ms", "p99_ms", "cpu_us")]


def _threads(rows: Rows) -> list[tuple[int, dict[str, Mapping[str, Any]]]]:
    return [
        (over, {side: rows.find("threads", "page", side, over) for side in _SIDES}) for over in rows.overs("threads")
    ]


def _clients(rows: Rows) -> list[tuple[int, dict[str, Mapping[str, Any]]]]:
    [size] = rows.overs("growth")
    return [
        (clients, {side: rows.find("growth", "page", side, size, clients) for side in _SIDES})
        for clients in rows.clients("growth")
    ]


def _compared(across: str, found: Sequence[tuple[int, dict[str, Mapping[str, Any]]]]) -> Iterator[str]:
    sides = [side for side in _SIDES if any(one[side] for _, one in found)]
    named = {side: field_plots.LOOKS.get(side, (side,))[0] for side in sides}
    yield from _head(across, *(column for side in sides for column in (f"{named[side]} /s", "p99 ms", "CPU µs")))
    for over, one in found:
        figures = ("per_second", "p99_ms", "cpu_us")
        yield _line(f"{over:,}", *(number(one[side].get(name)) for side in sides for name in figures))


def _memory(memory: Mapping[str, Any]) -> Iterator[str]:
    yield from _head("memory after", "MiB (PSS)", "of these")
    for name, held in memory.items():
        if "pss" in held:
            yield _line(name, number(held["pss"]), "")
        else:
            parts = ", ".join(f"{part} {number(one['pss'])}" for part, one in held.items())
            yield _line(name, number(sum(one["pss"] for one in held.values())), parts)


def _head(*names: str) -> Iterator[str]:
    yield _line(*names)
    yield "|" + "---|" * len(names)


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
