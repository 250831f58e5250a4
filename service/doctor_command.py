"""The command `doctor`: how this installation fares, and what to do about what does not."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from service.doctor.findings import Finding, Level, is_well
from service.settings import Settings

UNWELL = 1


class Diagnosis(msgspec.Struct, frozen=True):
    """The JSON of `doctor --json`; `ok` is false when something is a problem."""

    ok: bool
    findings: list[Finding]


def add_doctor(subparsers: Any) -> None:
    """Add `doctor` to the command line."""
    parser = subparsers.add_parser("doctor", help="check this installation and say what to do; exit code 1: a problem")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument("--no-scorer", action="store_true", help="load no model, which takes seconds and memory")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace, settings: Settings) -> int:
    from service.doctor.examine import examine

    # That a model was started is no news here; that it could not be is.
    logging.getLogger().setLevel(logging.WARNING)
    found = asyncio.run(examine(settings, os.environ, with_scorer=not options.no_scorer))
    well = is_well(found)
    if options.json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(Diagnosis(well, found))).decode() + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for line in lines(found)))
    return 0 if well else UNWELL


def lines(found: Sequence[Finding]) -> Iterator[str]:
    """Yield a line for each finding, what to do beneath it, and the count."""
    width = max((len(one.check) for one in found), default=0)
    for one in found:
        yield f"{one.level:<8} {one.check:<{width}}  {one.said}"
        if one.remedy:
            yield f"{'':<8} {'':<{width}}  -> {one.remedy}"
    counts = Counter(one.level for one in found)
    yield f"problems: {counts[Level.PROBLEM]}, warnings: {counts[Level.WARNING]}, fine: {counts[Level.OK]}"
