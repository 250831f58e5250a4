"""Colloquy beside the field, in one run on the same comments: thread pages, counts and submits, and how each grows.

    python -m bench.run [--quick] [--parts pages,counts,submits,growth] [--seconds 1] [--rounds 3] [--before DIR]
    python -m bench.run --write-docs

Sides: Colloquy as `make run` starts it (SQLite, one API process), isso from PyPI by its own command (SQLite), and two
floors that send the very bytes of Colloquy's pages: a bare ASGI application on the same server with the same options,
and nginx with one process, where it is installed. Sides take turns in every round; the figures are medians over the
rounds. Servers and the generator have cores of their own, but for submits, where all share all. `--before` measures
the API of another checkout of the code beside this one. Nothing else should run: it takes about ten minutes.

The figures are in bench/results/run.json; `--write-docs` writes them, those of `bench.load` and their plots into docs.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench import asked, field, generator
from bench.cells import USUAL_CLIENTS, Cell, Pace, measured
from bench.field_docs import print_tables, write_docs
from bench.reading import reading
from bench.report import write
from bench.same_comments import SMALL, small
from bench.submitting import submits

SIZES, MANY = (100, 1_000, 100_000), (100, 10_000)
PARTS = ("pages", "counts", "submits", "growth")
SCORERS = (field.QUICKEST, "compact")


def main() -> None:
    """Run the parts, print their tables and write them."""
    options = _options()
    if options.write_docs:
        write_docs()
        return
    pace = Pace(options.seconds, 1 if options.quick else options.rounds)
    began, load = time.monotonic(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="colloquy-bench-") as folder:
        found = _run(options, pace, Path(folder))
    seconds = time.monotonic() - began
    more = {"load_before": load, "seconds": seconds, "generator": generator.name(), "pace": pace._asdict()}
    print_tables(more | found)
    write("run-quick.local" if options.quick else options.name, more | found)


def _options() -> Any:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small and once, to see that it works; not for figures")
    parser.add_argument("--parts", default=",".join(PARTS), help="some of them, by commas")
    parser.add_argument("--seconds", type=int, default=1, help="of each cell in each round; a slow one has more")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--before", type=Path, help="another checkout whose API is measured beside this one")
    parser.add_argument("--name", default="run", help="of the file of results")
    parser.add_argument("--write-docs", action="store_true", help="write the results into docs; measures nothing")
    return parser.parse_args()


def _run(options: Any, pace: Pace, folder: Path) -> dict[str, Any]:
    sizes = (100, 1_000) if options.quick else SIZES
    many = (100, 500) if options.quick else MANY
    wanted, rows = set(options.parts.split(",")), list[dict[str, Any]]()
    file = field.filled(folder, sizes, asked.COUNTED)
    found: dict[str, Any] = {"sizes": sizes, "many": many, "small": SMALL, "memory": {}}
    with field.running_issos(file, folder, field.pages_of(sizes)) as issos:
        with reading(options.before, folder, file, sizes) as stage:
            found["bytes"] = {path: len(one.body) for path, one in stage.floor.answers.items()}
            rows += measured(stage.cells(wanted, issos, sizes, pace), pace)
            found["memory"] |= stage.memory(issos)
            if "submits" in wanted:
                rows += submits(stage.ours, issos, sizes, SCORERS[0], pace)
                found["memory"]["colloquy, hashed, after submits"] = stage.ours.memory()
        if "submits" in wanted:
            with field.running_ours(field.copied(file, folder / "compact.db"), SCORERS[1]) as ours:
                rows += submits(ours, issos, sizes, SCORERS[1], pace)
                found["memory"]["colloquy, compact, after submits"] = ours.memory()
    if "growth" in wanted:
        rows += _many_threads(folder, many, pace)
    return found | {"rows": rows}


def _many_threads(folder: Path, many: tuple[int, ...], pace: Pace) -> list[dict[str, Any]]:
    """Small threads, read in any order, where there are few of them and where there are many."""
    cells = list[Cell]()
    with ExitStack() as stack:
        for number in many:
            (home := folder / f"many-{number}").mkdir()
            file, pages = field.filled(home, (), number), small(number)
            ours = stack.enter_context(field.running_ours(file, field.QUICKEST))
            make = asked.shuffled([asked.page(one) for one in pages])
            cells.append(Cell("threads", "page", ours.side, number, USUAL_CLIENTS, make))
            for isso in stack.enter_context(field.running_issos(file, home, {"many": None})).values():
                make = asked.shuffled([asked.isso_page(one) for one in pages])
                cells.append(Cell("threads", "page", isso.side, number, USUAL_CLIENTS, make))
        return measured(cells, pace)


if __name__ == "__main__":
    main()
