"""Tables and plots come from the results alone, and the documentation has what the last results say."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from bench.field_docs import DOCS, between_marks, current, field_section
from bench.field_plots import of_load, of_run
from bench.load_docs import load_section
from bench.plots import Line, Panel, figure, short

SEEN = {"date": "2026-01-02", "cores": 2, "processor": "A <fast> one & more", "python": "3.11.7", "commit": "abc1234"}
SVG = "{http://www.w3.org/2000/svg}"
MARKS = "<!-- run: written by python -m bench.run --write-docs -->{}<!-- end of run -->"


def row(part: str, what: str, side: str, over: int, clients: int = 8, **figures: float) -> dict[str, Any]:
    """Answer a row of results."""
    usual = {"per_second": 1_000.0, "p50_ms": 1.0, "p99_ms": 2.0, "cpu_us": 100.0, "decided_per_second": None}
    named = {"part": part, "what": what, "side": side, "over": over, "clients": clients}
    return named | usual | figures | {"errors": 0, "rounds": [1_000.0]}


def a_run() -> dict[str, Any]:
    """Answer results of a run without nginx, in which ours has 3/4 of the bare one's rate and 50 times isso's."""
    sides = {"colloquy": 3_000.0, "bare": 4_000.0, "isso": 60.0}
    rows = []
    for size in (100, 100_000):
        for side, rate in sides.items():
            rows += [row("pages", "page", side, size, per_second=rate), row("pages", "page", side, size, 1)]
            rows.append(row("counts", "counts", side, size, per_second=rate))
        rows += [row("pages", "304", "colloquy", size, cpu_us=50.0), row("pages", "304", "bare", size)]
        rows += [row("pages", "not kept", "colloquy", size), row("pages", "not kept", "colloquy", size, 1, p99_ms=3.0)]
        rows += [row("submits", "answered, compact", side, size) for side in ("colloquy", "isso")]
        rows += [row("threads", "page", side, size // 10, per_second=rate) for side, rate in sides.items()]
    rows += [row("growth", "page", side, 1_000, clients) for side in sides for clients in (1, 8)]
    memory = {"colloquy": {"api": {"pss": 80.0, "rss": 90.0}}, "isso": {"pss": 40.0, "rss": 45.0}}
    pace = {"seconds": 1, "rounds": 3}
    return {"seen": SEEN, "rows": rows, "memory": memory, "pace": pace, "seconds": 600.0, "load_before": 0.1,
            "generator": "wrk"}  # fmt: skip


def a_load() -> dict[str, Any]:
    """Answer results of a load."""
    one = {"number": 100, "p50_ms": 1.0, "p99_ms": 4.0, "p999_ms": 9.0, "largest_ms": 12.0}
    kinds = {kind: one | {"errors": 0, "statuses": {}} for kind in ("read", "decided")}
    held = [{part: {"pss": 50.0 + at, "rss": 60.0} for part in ("api", "worker", "redis")} for at in range(4)]
    run = {
        "rate": 500.0, "kinds": kinds, "late": one, "live": {"streams": 20, "events": 40, "lost": 0},
        "minutes": [{"minute": minute, "kinds": {"read": one, "decided": one}} for minute in (1, 2)],
        "memory": [{"minute": float(minute), "parts": parts} for minute, parts in enumerate(held)],
    }  # fmt: skip
    runs = [{"share": share} | run for share in (0.5, 0.9)]
    return {"seen": SEEN, "runs": runs, "capacity_per_second": 1_000.0, "clients": 32, "minutes": 3, "load_before": 0.1}


def plots() -> dict[str, str]:
    """Answer every plot there is."""
    return of_run(a_run()) | of_load(a_load())


@pytest.mark.parametrize("name", sorted(plots()))
def test_a_plot_is_well_formed_and_says_when_and_where(name: str) -> None:
    """It is XML, its caption has date, machine and commit, and every line of its legend is drawn."""
    root = ElementTree.fromstring(plots()[name])
    assert root.tag == f"{SVG}svg"
    texts = [text.text or "" for text in root.iter(f"{SVG}text")]
    assert any("2026-01-02" in text and "A <fast> one & more" in text and "abc1234" in text for text in texts)
    drawn = [line for line in root.iter(f"{SVG}polyline") if "nan" not in (line.get("points") or "nan")]
    assert len(drawn) == len(list(root.iter(f"{SVG}polyline")))
    assert len(drawn) >= 4


@pytest.mark.parametrize("name", sorted(plots()))
def test_a_plot_stays_within_its_frame(name: str) -> None:
    """Nothing is drawn outside of the picture."""
    root = ElementTree.fromstring(plots()[name])
    _, _, width, height = (float(one) for one in root.attrib["viewBox"].split())
    for line in root.iter(f"{SVG}polyline"):
        for point in line.attrib["points"].split():
            x, y = (float(one) for one in point.split(","))
            assert 0 <= x <= width
            assert 0 <= y <= height


def test_a_line_without_a_point_is_left_out() -> None:
    """nginx that was not there has neither a line nor a place in the legend; zero has no place on a log axis."""
    panel = Panel("p99, ms", "clients", [Line("isso", "e", [(1, 5), (8, 0)]), Line("nginx", "d", [])], log_up=True)
    root = ElementTree.fromstring(figure("A title", [panel], "a caption"))
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert "isso" in texts
    assert "nginx" not in texts
    assert len([1 for line in root.iter(f"{SVG}polyline") if line.attrib["points"].count(",") == 1]) == 1


def test_a_plot_of_nothing_says_so() -> None:
    """A panel without any point is no error."""
    assert "not measured" in figure("A title", [Panel("p99, ms", "clients", [])], "a caption")


@pytest.mark.parametrize(("value", "wanted"), [(0.5, "0.5"), (20, "20"), (1_000, "1k"), (100_000, "100k"), (2e6, "2M")])
def test_axes_have_short_numbers(value: float, wanted: str) -> None:
    """Thousands have a letter."""
    assert short(value) == wanted


def test_the_tables_say_what_was_wanted_and_seen() -> None:
    """Shares, ratios and the cost of a 304 are those of the rows; a side that is missing has dashes."""
    text = field_section(a_run(), ["performance-sizes.svg"])
    assert "has 75% of the bare application's rate" in text
    assert "it has 100% of its rate with 100" in text
    assert "p99 3.0 ms" in text
    assert "takes 50% of the page's CPU" in text
    assert "50.0 times by pages kept ready" in text
    assert "![performance-sizes](images/performance-sizes.svg)" in text
    assert "–" in text


def test_memory_is_compared_from_when_the_caches_had_filled() -> None:
    """The second minute and the last are set against each other, for each part."""
    assert "From minute 2 to the end: api +1.0 MiB (+2%), worker +1.0 MiB (+2%), redis" in load_section(a_load(), [])


@pytest.mark.parametrize("section", [field_section(a_run(), []), load_section(a_load(), [])], ids=["run", "load"])
def test_every_table_has_as_many_cells_in_each_line(section: str) -> None:
    """Markdown would drop what is too many."""
    tables = [table.splitlines() for table in section.split("\n\n") if table.startswith("|")]
    assert tables
    for table in tables:
        assert len({line.count("|") for line in table}) == 1, table[0]


def test_what_stands_between_the_marks_is_replaced() -> None:
    """Everything else stays as it was; a page without the marks is refused."""
    page = f"before {MARKS} after"
    assert between_marks(page.format("old"), "run", "new\n") == page.format("\n\nnew\n\n")
    with pytest.raises(ValueError, match="no marks of load"):
        between_marks(page, "load", "new")


def test_the_documentation_has_what_the_results_say() -> None:
    """Tables and plots are those that the results give: `python -m bench.run --write-docs` was run after them."""
    for path, text in current().items():
        assert path.read_text() == text, f"python -m bench.run --write-docs; then look at {path.name}"


def test_results_are_written_into_their_places(tmp_path: Path) -> None:
    """The results of both benchmarks give the page and every plot."""
    (tmp_path / "run.json").write_text(json.dumps(a_run()))
    (tmp_path / "load.json").write_text(json.dumps(a_load()))
    found = current(tmp_path)
    assert {path.name for path in found} == {"performance.md", *plots()}
    assert "Not measured yet" not in found[DOCS / "performance.md"]
