"""The commands `audit verify` and `audit list`: whether the record of acts is whole, and what it says."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from service.flow import audit
from service.flow.context import Context
from service.flow.identify import find_site
from service.flow.verify_audit import Noted, Walked, verify
from service.settings import Settings, SettingsError

Runner = Callable[[Callable[[Context, argparse.Namespace], Awaitable[None]]], Any]
BROKEN = 1
_PAGE = 500
_NOTED = re.compile(r"([1-9][0-9]{0,9}):([0-9a-f]{64})")


def add_audit(subparsers: Any, runner: Runner) -> None:
    """Add `audit` to the command line."""
    group = subparsers.add_parser("audit", help="the chained record of who did what")
    acts = group.add_subparsers(metavar="ACT", required=True)
    parser = acts.add_parser("verify", help="walk every chain; exit code 1 where a row is missing, changed or moved")
    parser.add_argument("--site", help="only this site's chain")
    parser.add_argument("--noted", help="SEQUENCE:HASH as an earlier run printed it; needs --site")
    parser.set_defaults(run=_exit_code(runner))
    parser = acts.add_parser("list", help="print events as lines of JSON, the newest first")
    parser.add_argument("--site", help="this site's events; without it the installation's")
    parser.add_argument("--limit", type=int, default=100, help="how many, at most; 100 unless told")
    parser.set_defaults(run=runner(_list))


def _exit_code(runner: Runner) -> Callable[[argparse.Namespace, Settings], int]:
    def run(options: argparse.Namespace, settings: Settings) -> int:
        options.broken = False
        refused: int = runner(_verify)(options, settings)
        return refused or (BROKEN if options.broken else 0)

    return run


async def _verify(context: Context, options: argparse.Namespace) -> None:
    site = await find_site(context, options.site) if options.site else None
    noted = _noted(options.noted)
    if noted is not None and site is None:
        raise SettingsError("--noted: needs --site, since each site has its own chain")
    async for walked in verify(context, site, noted):
        options.broken |= walked.fault is not None
        sys.stdout.write(_line(walked) + "\n")


def _line(walked: Walked) -> str:
    if walked.fault is not None:
        return f"{walked.name}: BROKEN at event {walked.at}: {walked.fault}"
    more = f", {walked.erased} with erased data" if walked.erased else ""
    more += f", {walked.unchained} from before there was a chain" if walked.unchained else ""
    return f"{walked.name}: {walked.sequence} events hold{more}; head {walked.sequence}:{walked.hash}"


def _noted(text: str | None) -> Noted | None:
    if text is None:
        return None
    found = _NOTED.fullmatch(text)
    if found is None:
        raise SettingsError("--noted: must be SEQUENCE:HASH, as `audit verify` printed it")
    return Noted(int(found.group(1)), found.group(2))


async def _list(context: Context, options: argparse.Namespace) -> None:
    site = await find_site(context, options.site) if options.site else None
    left, after = max(0, options.limit), None
    while left:
        page = await audit.list_events(context, site, after=after, limit=min(left, _PAGE))
        for event in page.events:
            sys.stdout.write(msgspec.json.encode(event).decode() + "\n")
        left, after = left - len(page.events), page.next
        if after is None:
            return
