"""The commands that answer a reader's request: find who it is, export what is kept, erase it."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from service.flow import announce, erase, export_commenter
from service.flow.context import Context
from service.flow.identify import find_site
from service.settings import SettingsError

Runner = Callable[[Callable[[Context, argparse.Namespace], Awaitable[None]]], Any]


def add_privacy(subparsers: Any, runner: Runner) -> None:
    """Add `commenter` to the command line."""
    group = subparsers.add_parser("commenter", help="what is kept of a commenter")
    acts = group.add_subparsers(metavar="ACT", required=True)
    parser = acts.add_parser("find", help="list commenters of a name, a publisher's subject or a comment, as JSON")
    parser.add_argument("slug")
    by = parser.add_mutually_exclusive_group(required=True)
    by.add_argument("--name")
    by.add_argument("--subject")
    by.add_argument("--comment", help="the id of a comment")
    parser.set_defaults(run=runner(_find))
    parser = acts.add_parser("export", help="print everything kept on a commenter as JSON")
    parser.add_argument("slug")
    parser.add_argument("id")
    parser.set_defaults(run=runner(_export))
    parser = acts.add_parser("erase", help="erase a commenter, as the site's retention says unless told")
    parser.add_argument("slug")
    parser.add_argument("id")
    parser.add_argument("--mode", choices=["anonymise", "remove"])
    parser.set_defaults(run=runner(_erase))


async def _find(context: Context, options: argparse.Namespace) -> None:
    site = await find_site(context, options.slug)
    found = await export_commenter.find(
        context, site, name=options.name, subject=options.subject, comment_id=options.comment
    )
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(found)).decode() + "\n")


async def _export(context: Context, options: argparse.Namespace) -> None:
    site = await find_site(context, options.slug)
    async for piece in await export_commenter.begin(context, site, options.id, "cli"):
        sys.stdout.write(piece.decode())


async def _erase(context: Context, options: argparse.Namespace) -> None:
    site = await find_site(context, options.slug)
    with _quietly():
        done = await erase.erase(context, site, options.id, "cli", mode=options.mode)
        for _ in range(1_000):
            if done.finished:
                sys.stderr.write(f"{options.id} is erased ({done.mode}); the workers look once more and tell of it\n")
                return
            done = await erase.erase(context, site, options.id, "cli", mode=options.mode)
    raise SettingsError("the erasure goes on in the workers; it is not finished yet")


@contextmanager
def _quietly() -> Iterator[None]:
    """Say once and plainly, in place of a warning for each batch, that a Redis that is not here was told nothing."""
    unheard: list[logging.LogRecord] = []

    def is_kept(record: logging.LogRecord) -> bool:
        unheard.append(record)
        return False

    announce.logger.addFilter(is_kept)
    try:
        yield
    finally:
        announce.logger.removeFilter(is_kept)
        if unheard:
            sys.stderr.write("Redis cannot be reached from here; the workers put its queues right by themselves\n")
